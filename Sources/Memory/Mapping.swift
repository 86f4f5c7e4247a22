import Host
import LinuxABI
import Platform

extension AddressSpace {
  /// Private anonymous mappings up to this many pages get their frames at once.
  static let eagerPages: UInt64 = 64
  /// Writable private file mappings up to this many pages are copied at once.
  static let copiedFilePages: UInt64 = 64

  /// Whether nothing is mapped in a range, for `MAP_FIXED_NOREPLACE`; what can't be a range is left to `map`.
  package func isFree(_ address: GuestAddress, length: UInt64) -> Bool {
    guard address.isPageAligned, let range = try? pages(address, length), !range.isEmpty else { return true }
    return areas.isFree(range)
  }

  /// mmap(2). Returns the address.
  package func map(_ request: MapRequest) throws(Errno) -> GuestAddress {
    let flags = request.flags
    guard request.length > 0 else { throw .invalidArgument }
    guard let length = request.length.pageUp, length <= Layout.stubBase.rawValue else { throw .noMemory }
    let isShared = flags.contains(.shared)
    guard isShared || flags.contains(.private) else { throw .invalidArgument }
    guard !flags.contains(.hugeTLB) else { throw .noMemory }
    let count = length.bytesToPages

    var area = VirtualArea(
      start: .zero, end: .zero + count, protection: request.protection.access,
      maximum: request.maximumProtection, flags: [], object: nil)
    if isShared { area.flags.insert(.shared) }
    if flags.contains(.locked) { area.flags.insert(.locked) }
    if flags.contains(.growsDown) {
      guard !isShared, case .anonymous = request.source else { throw .invalidArgument }
      area.flags.insert(.growsDown)
    }
    try setSource(of: &area, to: request, length: length)
    guard area.protection.isSubset(of: area.maximum) else { throw .permissionDenied }
    if !flags.contains(.noReserve) { try checkCommitment(of: area) }

    let isFixed = flags.contains(.fixed) || flags.contains(.fixedNoReplace)
    let start = try place(request.address, count: count, isFixed: isFixed, flags: flags)
    let range = start..<start + count
    let replaces = isFixed && !areas.isFree(range)
    if replaces && flags.contains(.fixedNoReplace) { throw .fileExists }
    try checkLimits(adding: area, replacing: replaces ? range : nil)
    guard hasRoom(for: 3, spare: 8) else { throw .noMemory }

    if replaces { remove(range, hides: area.fileProtection.isEmpty) }
    area.start = range.lowerBound
    area.end = range.upperBound
    insert(area)
    prepare(area, all: flags.contains(.populate) || flags.contains(.locked))
    releases.settle()
    return range.lowerBound.address
  }

  private func setSource(of area: inout VirtualArea, to request: MapRequest, length: UInt64) throws(Errno) {
    switch request.source {
    case .anonymous:
      guard area.isShared else { return }
      let store = FrameStore(physical: physical)
      store.size = length
      area.object = MappedObject(object: SharedAnonymousMemory(store: store), backing: .frames(store))
    case .file(let object, let offset):
      guard offset & Layout.pageMask == 0 else { throw .invalidArgument }
      guard !offset.addingReportingOverflow(length).overflow, offset &+ length <= UInt64(Int64.max) else {
        throw .overflow
      }
      let backing = try object.mappingBacking()
      if case .hostFile(_, let descriptor) = backing {
        let flags = try Host.Stream.statusFlags(of: descriptor)
        guard flags.isReadable else { throw .permissionDenied }
        if area.isShared && !flags.isWritable { area.maximum.remove(.write) }
        guard area.protection.isSubset(of: area.maximum) else { throw .permissionDenied }
        if area.isShared || area.protection.contains(.execute) {
          try object.checkHostMapping(
            descriptor, isShared: area.isShared, isExecutable: area.protection.contains(.execute))
        }
      }
      area.object = MappedObject(object: object, backing: backing, holder: request.holder)
      area.offset = PageNumber(holding: offset)
    }
  }

  /// Decides where a mapping goes.
  private func place(_ address: GuestAddress, count: UInt64, isFixed: Bool, flags: MapFlags) throws(Errno) -> PageNumber
  {
    var page = PageNumber(holding: address)
    if isFixed {
      guard address.isPageAligned else { throw .invalidArgument }
      guard page < AddressSpace.endPage, count <= AddressSpace.endPage - page else { throw .noMemory }
      guard address >= Layout.minimumAddress else { throw .notPermitted }
      return page
    }
    if !address.isPageAligned { page += 1 }
    // MAP_32BIT means the first 2 GiB, whatever the hint says.
    let end = flags.contains(.low32) ? PageNumber(0x8_0000) : AddressSpace.endPage
    if address >= Layout.minimumAddress, page < end, count <= end - page, areas.isFree(page..<page + count) {
      return page
    }
    if flags.contains(.low32) {
      if let found = findGap(count, below: PageNumber(0x8_0000), above: PageNumber(0x4_0000)) { return found }
      throw .noMemory
    }
    guard let found = findGap(count) else { throw .noMemory }
    return found
  }

  /// First page past the area that addresses are chosen from, top down.
  var mappingBase: PageNumber {
    let span = AddressSpace.endPage - .zero
    let stack = min(max(limits.stack.bytesToPages, 32 << 10), span / 6 * 5)
    let base = span - stack - AddressSpace.guardPages - 512
    let offset = randomization.stack.bytesToPages + randomization.mappings.bytesToPages
    return .zero + (base - min(offset, base / 2))
  }

  /// Finds the highest gap of `count` pages below the mapping base.
  func findGap(_ count: UInt64) -> PageNumber? {
    let base = mappingBase
    searchTop = min(searchTop, base)
    if let found = findGap(count, below: searchTop, above: PageNumber(holding: Layout.minimumAddress), movesTop: true) {
      return found
    }
    return findGap(count, below: AddressSpace.endPage, above: PageNumber(holding: Layout.minimumAddress))
  }

  func findGap(
    _ count: UInt64, below top: PageNumber, above bottom: PageNumber, movesTop: Bool = false
  ) -> PageNumber? {
    var end = top
    var index = areas.lowerBound(top)
    // The area that holds or follows `top` may begin below it, or need its guard gap.
    if index < areas.count { end = min(end, lowestEnd(below: index)) }
    var isFirst = movesTop
    while true {
      let low = index > 0 ? max(areas[index - 1].end, bottom) : bottom
      if isFirst && low < end { isFirst = false }
      if end > low && end - low >= count { return end - count }
      guard index > 0, areas[index - 1].start > bottom else { return nil }
      index -= 1
      end = min(end, lowestEnd(below: index))
      if isFirst { searchTop = end }
    }
  }

  /// Where a mapping below an area must end.
  private func lowestEnd(below index: Int) -> PageNumber {
    let start = areas[index].start
    guard areas[index].flags.contains(.growsDown) else { return start }
    return start.lowered(by: AddressSpace.guardPages)
  }

  // MARK: limits

  /// RLIMIT_AS and RLIMIT_DATA (getrlimit(2)).
  func checkLimits(adding area: VirtualArea, replacing range: Range<PageNumber>? = nil) throws(Errno) {
    guard limits.addressSpace != .max || limits.data != .max else { return }
    var total = areas.pages + area.count
    if let range { for part in areaParts(in: range) { total -= part.count } }
    guard total <= limits.addressSpace.bytesToPages else { throw .noMemory }
    if limits.data != .max && area.isData { try checkDataLimit(adding: area.count) }
  }

  /// What nobody can ever use: a single private writable mapping that is larger than all memory
  /// (`vm.overcommit_memory` 0 of proc_sys_vm(5)).
  func checkCommitment(of area: VirtualArea) throws(Errno) {
    guard area.byteCount > physical.limit else { return }
    if area.isData || area.isShared && area.object?.isAnonymous == true { throw .noMemory }
  }

  /// RLIMIT_DATA (getrlimit(2)).
  func checkDataLimit(adding count: UInt64) throws(Errno) {
    guard limits.data != .max else { return }
    guard dataPages + count <= limits.data.bytesToPages else { throw .noMemory }
  }

  var dataPages: UInt64 { areas.elements.reduce(0) { $0 + ($1.isData ? $1.count : 0) } }

  /// The areas' parts in a range.
  func areaParts(in range: Range<PageNumber>) -> ContiguousArray<VirtualArea> { areas.parts(in: range) }

  // MARK: inserting and removing

  func insert(_ area: VirtualArea) {
    areas.insert(area)
    peakTotalBytes = max(peakTotalBytes, areas.pages.pagesToBytes)
    if case .frames(let store) = area.object?.backing { store.addMapper(self) }
  }

  /// Gives a new area the frames and host mappings it should have before it is touched.
  func prepare(_ area: VirtualArea, all: Bool) {
    showFile(area, in: area.range)
    guard !area.protection.isEmpty else { return }
    switch area.object?.backing {
    case nil:
      if area.protection.contains(.write) && (all || area.count <= AddressSpace.eagerPages) {
        fill(area.range, populate: all)
      }
    case .hostFile?:
      if !area.isShared, area.protection.contains(.write), area.count <= AddressSpace.copiedFilePages,
        area.object?.object.mappingIsStable == true
      {
        copyFile(area)
      }
    case .frames(let store)?:
      // As in Linux, what is filled ahead of being written is no longer the file's.
      if !all || area.isShared || !area.protection.contains(.write) { showStore(store, area) }
      if all { fill(area.range, populate: true) }
    }
  }

  /// munmap(2).
  package func unmap(_ address: GuestAddress, length: UInt64) throws(Errno) {
    let range = try pages(address, length, emptyIsError: true)
    guard range.upperBound <= AddressSpace.endPage else { throw .invalidArgument }
    guard !areas.isFree(range) else { return }
    guard hasRoom(for: 2) || isWhole(range) else { throw .noMemory }
    remove(range, hides: true)
  }

  /// Tells whether a range can be removed without splitting an area.
  private func isWhole(_ range: Range<PageNumber>) -> Bool {
    let first = areas.lowerBound(range.lowerBound)
    guard first < areas.count else { return true }
    return !(areas[first].start < range.lowerBound && areas[first].end > range.upperBound)
  }

  /// Removes areas and frames in a range. Where it does not hide them, the caller maps something over them, and settles
  /// `releases`.
  func remove(_ range: Range<PageNumber>, hides: Bool) {
    textWillChange(range, .removed)
    if range.count > 256 { physical.notePeak() }
    dropExtents(in: range)
    areas.remove(range)
    if hides {
      hide(range)
      releases.settle()
    }
    noteFree(upTo: range.upperBound)
  }

  /// Pages below `end` became free: the search for gaps begins above them again.
  func noteFree(upTo end: PageNumber) {
    guard end > searchTop else { return }
    let next = areas.lowerBound(end)
    searchTop = next < areas.count ? max(areas[next].start, end) : .max
  }

  /// The pages that a system call names, checked.
  /// - Throws: `EINVAL` where the address isn't aligned or the range wraps around.
  func pages(_ address: GuestAddress, _ length: UInt64, emptyIsError: Bool = false) throws(Errno) -> Range<PageNumber> {
    guard address.isPageAligned, let bytes = length.pageUp else { throw .invalidArgument }
    if emptyIsError && bytes == 0 { throw .invalidArgument }
    guard let end = address.advanced(by: bytes) else { throw .invalidArgument }
    return Range(pagesOf: address..<end)
  }
}

extension VirtualArea {
  /// Counted under RLIMIT_DATA: private, writable, not a stack.
  var isData: Bool { !isShared && protection.contains(.write) && !flags.contains(.growsDown) }
}
