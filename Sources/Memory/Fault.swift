import Host
import LinuxABI
import Platform

/// Signals and codes of page faults (sigaction(2)).
enum FaultSignal {
  static let unmapped = FaultOutcome.signal(.segv, code: SignalInfo.segvMapError)
  static let forbidden = FaultOutcome.signal(.segv, code: SignalInfo.segvAccessError)
  static let pastEnd = FaultOutcome.signal(.bus, code: SignalInfo.busAddressError)
}

extension AddressSpace {
  /// Resolves a page fault. `isBusError` tells that the host raised SIGBUS: it maps the page but could not show it.
  package func fault(at address: GuestAddress, access: MemoryAccess, isBusError: Bool = false) -> FaultOutcome {
    let page = PageNumber(holding: address)
    let outcome = resolve(page, access, wanted: 1)
    guard isBusError, outcome == .resolved else { return outcome }
    // A frame that can't be shown means that the host is out of memory; a file page, that the file has none there.
    guard let index = extents.index(of: page) else { return FaultSignal.pastEnd }
    let target = unsafe physical.pointer(to: extents[index].frame(of: page))
    return unsafe MemoryFile.populate(target, length: Int(Layout.pageSize)) ? .resolved : .outOfMemory
  }

  /// Makes a page ready for an access. `wanted` pages from it on are going to be used the same way.
  /// `isForced` goes past the protection, but not past a shared mapping's.
  func resolve(
    _ page: PageNumber, _ access: MemoryAccess, wanted: Int, isForced: Bool = false
  ) -> FaultOutcome {
    guard page < AddressSpace.endPage, let index = areas.index(of: page) ?? growStack(to: page) else {
      return FaultSignal.unmapped
    }
    guard areas[index].protection.allows(access) || isForced && !areas[index].isShared else {
      return FaultSignal.forbidden
    }
    if let extent = extents.index(of: page) {
      guard access == .write, extents[extent].isCopyOnWrite else { return .resolved }
      return copyOnWrite(page, extent, index, wanted: wanted)
    }
    switch areas[index].object?.backing {
    case nil: return fillAnonymous(page, index, wanted: wanted)
    case .hostFile(_, let descriptor)?: return resolveFile(page, index, descriptor, access, wanted: wanted)
    case .frames(let store)?: return resolveStore(page, index, store, access, wanted: wanted)
    }
  }

  /// Lets the stack above `page` grow down to it.
  private func growStack(to page: PageNumber) -> Int? {
    let index = areas.lowerBound(page)
    guard index < areas.count, areas[index].flags.contains(.growsDown), page >= PageNumber(16) else { return nil }
    let stackPages = limits.stack.bytesToPages
    guard areas[index].end - page <= stackPages else { return nil }
    var lowest = PageNumber(holding: Layout.minimumAddress)
    if index > 0 {
      let previous = areas[index - 1]
      let needsGap = !previous.protection.isEmpty && !previous.flags.contains(.growsDown)
      lowest = previous.end + (needsGap ? AddressSpace.guardPages : 0)
    }
    guard page >= lowest else { return nil }
    // Some more than asked for, so that a growing stack doesn't fault page by page.
    var target = max(page > PageNumber(31) ? page - 31 : page, lowest)
    if areas[index].end - target > stackPages { target = page }
    if areas.pages + (areas[index].start - target) > limits.addressSpace.bytesToPages { return nil }
    areas.extendDown(index, to: target)
    peakTotalBytes = max(peakTotalBytes, areas.pages.pagesToBytes)
    return areas.index(of: page)
  }

  /// The pages around `page` that an area has and that show no frames.
  func hole(around page: PageNumber, _ area: Int) -> Range<PageNumber> {
    var low = areas[area].start
    var high = areas[area].end
    let next = extents.lowerBound(page)
    if next > 0 { low = max(low, extents[next - 1].end) }
    if next < extents.count { high = min(high, extents[next].start) }
    return low..<max(high, page + 1)
  }

  /// Chooses the pages to give frames to: more each time when touches follow each other, up or down.
  private func chunk(for page: PageNumber, _ area: Int, _ hole: Range<PageNumber>, wanted: Int) -> Range<PageNumber> {
    let rises = hole.lowerBound == page && page > areas[area].start
    let falls = hole.upperBound == page + 1 && page + 1 < areas[area].end
    var streak = areas[area].streak
    if rises || falls { streak = min(streak &+ 1, 3) } else { streak = 0 }
    areas[area].streak = streak
    var size = UInt64(max(physical.chunkPages(streak: streak), min(wanted, 1024)))
    // Near the limit on host mappings: rather few large ones.
    if extents.count > maximumAreas / 2 { size = 1024 }
    let low: PageNumber
    let high: PageNumber
    if rises || wanted > 1 {
      low = page
      high = page + size
    } else if falls {
      low = (page + 1).lowered(by: size)
      high = page + 1
    } else {
      low = page.roundedDown(to: max(size, 64))
      high = low + max(size, 1)
    }
    return max(low, hole.lowerBound)..<max(min(high, hole.upperBound), page + 1)
  }

  /// The part of a chunk that a run of frames is given to; it holds `page`.
  func place(_ count: Int, in chunk: Range<PageNumber>, around page: PageNumber) -> Range<PageNumber> {
    let length = UInt64(count)
    guard length < UInt64(chunk.count) else { return chunk }
    let endsThere = chunk.upperBound == page + 1 || page >= chunk.lowerBound + length
    let start = endsThere ? page + 1 - length : chunk.lowerBound
    return start..<start + length
  }

  /// Gives zeroed frames to untouched anonymous memory.
  private func fillAnonymous(_ page: PageNumber, _ area: Int, wanted: Int) -> FaultOutcome {
    guard hasRoom(for: 1, areas: 0) else { return .outOfMappings }
    let chunk = chunk(for: page, area, hole(around: page, area), wanted: wanted)
    guard let run = physical.allocate(chunk.count, zeroed: true) else { return .outOfMemory }
    install(run, at: place(run.count, in: chunk, around: page), area)
    return .resolved
  }

  /// Shows frames that are this address space's own.
  func install(_ run: FrameRun, at range: Range<PageNumber>, _ area: Int, populate: Bool = false) {
    let extent = Extent(
      start: range.lowerBound, end: range.upperBound, frame: run.start, protection: areas[area].hostProtection,
      isCopyOnWrite: false)
    extents.insert(extent)
    show(extent, populate: populate || (run.isResident && run.count <= 256))
  }

  /// A page of a host file without a frame of its own.
  private func resolveFile(
    _ page: PageNumber, _ area: Int, _ file: FileDescriptor, _ access: MemoryAccess, wanted: Int
  ) -> FaultOutcome {
    let index = areas[area].index(of: page)
    let size = areas[area].object?.object.mappingSize ?? 0
    let endIndex = PageNumber.zero + size.bytesToPagesUp
    guard index < endIndex else { return FaultSignal.pastEnd }
    guard access == .write, !areas[area].isShared else { return .resolved }
    let hole = hole(around: page, area)
    let available = hole.lowerBound..<min(hole.upperBound, page + (endIndex - index))
    let window = copyWindow(page, area, available, wanted: wanted)
    guard hasRoom(for: 2, areas: 0) else { return .outOfMappings }
    guard let run = physical.allocate(window.count, zeroed: false) else { return .outOfMemory }
    let range = place(run.count, in: window, around: page)
    do throws(Errno) {
      try physical.fill(run, from: file, at: areas[area].index(of: range.lowerBound).offset)
    } catch {
      physical.release(run.start, run.count)
      return FaultSignal.pastEnd
    }
    install(run, at: range, area, populate: true)
    noteCopy(page)
    return .resolved
  }

  /// Copies a small writable private file mapping to frames, as its pages are going to be written anyway.
  func copyFile(_ area: VirtualArea) {
    guard let object = area.object, case .hostFile(_, let file) = object.backing else { return }
    let size = object.object.mappingSize
    let endIndex = PageNumber.zero + size.bytesToPagesUp
    guard endIndex > area.offset else { return }
    var page = area.start
    let end = area.start + min(area.count, endIndex - area.offset)
    while page < end, let index = areas.index(of: page) {
      guard let run = physical.allocate(Int(end - page), zeroed: false) else { return }
      do throws(Errno) {
        try physical.fill(run, from: file, at: area.index(of: page).offset)
      } catch {
        physical.release(run.start, run.count)
        return
      }
      install(run, at: page..<page + UInt64(run.count), index, populate: true)
      page += UInt64(run.count)
    }
  }

  /// A page of a frame store that is not shown yet.
  private func resolveStore(
    _ page: PageNumber, _ area: Int, _ store: FrameStore, _ access: MemoryAccess, wanted: Int
  ) -> FaultOutcome {
    guard hasRoom(for: 2, areas: 0) else { return .outOfMappings }
    let index = areas[area].index(of: page)
    let endIndex = store.pageCount
    guard index < endIndex else { return FaultSignal.pastEnd }
    let hole = hole(around: page, area)
    let available = hole.lowerBound..<min(hole.upperBound, page + (endIndex - index))
    let isPrivate = !areas[area].isShared
    // A private mapping's other pages go on showing the object until they are written themselves.
    let chunk =
      isPrivate && access == .write
      ? page..<min(page + UInt64(max(wanted, 1)), available.upperBound)
      : chunk(for: page, area, available, wanted: wanted)
    let first = areas[area].index(of: chunk.lowerBound)
    let indexes = first..<first + UInt64(chunk.count)
    if isPrivate && access == .write, let empty = store.hole(around: index, in: indexes) {
      // The object stays as it is: the pages are this mapping's own at once.
      let range = page - (index - empty.lowerBound)..<page + (empty.upperBound - index)
      guard let run = physical.allocate(range.count, zeroed: true) else { return .outOfMemory }
      install(run, at: place(run.count, in: range, around: page), area)
      return .resolved
    }
    guard let found = store.frames(around: index, in: indexes) else {
      return store.isOverQuota ? FaultSignal.pastEnd : .outOfMemory
    }
    let extent = Extent(
      start: page - (index - found.start), end: page + (found.end - index), frame: found.frame,
      protection: areas[area].hostProtection, isCopyOnWrite: isPrivate)
    physical.retain(extent.frame, extent.count)
    extents.insert(extent)
    show(extent)
    if isPrivate && access == .write, let present = extents.index(of: page) {
      return copyOnWrite(page, present, area, wanted: wanted)
    }
    return .resolved
  }

  /// Shows what a store has in a new mapping, unless that is scattered. Frames past its end are not part of it.
  func showStore(_ store: FrameStore, _ area: VirtualArea) {
    let end = min(area.offset &+ area.count, store.pageCount)
    guard area.offset < end else { return }
    let present = store.parts(in: area.offset..<end)
    guard present.count <= 16, hasRoom(for: present.count, areas: 0) else { return }
    for part in present {
      let extent = Extent(
        start: area.start + (part.start - area.offset), end: area.start + (part.end - area.offset), frame: part.frame,
        protection: area.hostProtection, isCopyOnWrite: !area.isShared)
      physical.retain(extent.frame, extent.count)
      extents.insert(extent)
      show(extent)
    }
  }

  /// Gives frames to all pages of a range that can have them, while memory lasts: as if they were written where that is
  /// allowed, or read where `reads` says so.
  func fill(_ range: Range<PageNumber>, populate: Bool, reads: Bool = false) {
    var page = range.lowerBound
    while page < range.upperBound {
      let next = extents.lowerBound(page)
      if next < extents.count, extents[next].start <= page {
        let extent = extents[next]
        if extent.isCopyOnWrite, extent.protection.contains(.write), !reads {
          let wanted = Int(min(extent.end, range.upperBound) - page)
          guard resolve(page, .write, wanted: wanted) == .resolved else { return }
          page += 1
        } else {
          page = extent.end
        }
        continue
      }
      guard let area = areas.index(of: page) else { return }
      let end = min(range.upperBound, areas[area].end, next < extents.count ? extents[next].start : .max)
      if areas[area].object == nil {
        guard hasRoom(for: 1, areas: 0), let run = physical.allocate(min(Int(end - page), 1024), zeroed: true) else {
          return
        }
        install(run, at: page..<page + UInt64(run.count), area, populate: populate)
        page += UInt64(run.count)
      } else {
        let access: MemoryAccess = areas[area].protection.contains(.write) && !reads ? .write : .read
        guard resolve(page, access, wanted: Int(end - page)) == .resolved, extents.index(of: page) != nil else {
          return
        }
      }
    }
  }
}

extension MemoryProtection {
  /// Without the flags that only say how far mprotect(2) reaches.
  @inline(__always) var access: MemoryProtection { intersection([.read, .write, .execute]) }

  /// Whether an access is allowed; on x86 all memory that can be used at all is readable.
  @inline(__always) func allows(_ access: MemoryAccess) -> Bool {
    switch access {
    case .read: !self.access.isEmpty
    case .write: contains(.write)
    case .execute: contains(.execute)
    }
  }
}
