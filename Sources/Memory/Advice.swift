import Host
import LinuxABI
import Platform

extension AddressSpace {
  /// Pages that are zeroed in place rather than given back, while memory is plentiful.
  private static let zeroedPages = 64

  /// madvise(2). `MADV_FREE` frees at once.
  package func advise(_ address: GuestAddress, length: UInt64, advice: MemoryAdvice) throws(Errno) {
    let range = try pages(address, length)
    guard !range.isEmpty else { return }
    let isComplete = areas.covers(range)
    if advice == .populateRead || advice == .populateWrite { return try populate(range, advice) }
    if !advice.isHint {
      for part in areas.parts(in: range) { try advise(part, advice) }
    }
    guard isComplete else { throw .noMemory }
  }

  /// `MADV_POPULATE_READ` and `MADV_POPULATE_WRITE`: page after page, up to the first that can't be.
  private func populate(_ range: Range<PageNumber>, _ advice: MemoryAdvice) throws(Errno) {
    var next = range.lowerBound
    for part in areas.parts(in: range) {
      guard part.start == next else { throw .noMemory }
      guard part.protection.allows(advice == .populateRead ? .read : .write) else { throw .invalidArgument }
      fill(part.range, populate: true, reads: advice == .populateRead)
      guard part.index(of: part.end - 1) < objectEnd(part) else { throw .badAddress }
      next = part.end
    }
    guard next == range.upperBound else { throw .noMemory }
  }

  /// The first page past the end of what an area maps.
  func objectEnd(_ area: VirtualArea) -> PageNumber {
    switch area.object?.backing {
    case nil: .max
    case .frames(let store)?: store.pageCount
    case .hostFile?: .zero + (area.object?.object.mappingSize ?? 0).bytesToPagesUp
    }
  }

  private func advise(_ area: VirtualArea, _ advice: MemoryAdvice) throws(Errno) {
    if area.flags.contains(.locked), [.dontNeed, .free, .remove].contains(advice) { throw .invalidArgument }
    switch advice {
    case .dontNeed, .dontNeedLocked:
      try drop(area)
    case .free:
      guard area.object == nil else { throw .invalidArgument }
      try drop(area)
    case .remove:
      guard let object = area.object else { throw .invalidArgument }
      guard area.isShared, area.maximum.contains(.write) else { throw .permissionDenied }
      guard case .frames(let store) = object.backing else { throw .notSupported }
      try store.punch(offset: area.offset.offset, length: area.byteCount)
    case .dontFork: try setFlag(.dontFork, true, area.range)
    case .doFork: try setFlag(.dontFork, false, area.range)
    case .wipeOnFork:
      guard area.object == nil else { throw .invalidArgument }
      try setFlag(.wipeOnFork, true, area.range)
    case .keepOnFork: try setFlag(.wipeOnFork, false, area.range)
    default: break
    }
  }

  func setFlag(_ flag: VirtualArea.Flags, _ value: Bool, _ range: Range<PageNumber>) throws(Errno) {
    guard hasRoom(for: 2) else { throw .noMemory }
    areas.split(at: range.lowerBound)
    areas.split(at: range.upperBound)
    for index in areas.indexes(in: range) {
      if value { areas[index].flags.insert(flag) } else { areas[index].flags.remove(flag) }
    }
    areas.join(around: range)
  }

  /// Drops a mapping's frames: anonymous memory reads as zeros again, a file mapping as the file.
  private func drop(_ area: VirtualArea) throws(Errno) {
    let parts = extents.parts(in: area.range)
    guard !parts.isEmpty else { return }
    if area.object == nil, parts.count == 1, let part = parts.first, part.count <= AddressSpace.zeroedPages,
      !part.isCopyOnWrite, physical.isPlentiful
    {
      physical.clearResident(part.frame, part.count)
      return
    }
    guard hasRoom(for: 2) else { throw .noMemory }
    for part in parts { releases.add(FrameRun(start: part.frame, count: part.count)) }
    extents.remove(area.range)
    if area.fileProtection.isEmpty {
      for part in parts { hide(part.start..<part.end) }
    } else {
      for part in parts { showFile(area, in: part.start..<part.end) }
    }
    releases.settle()
  }

  /// msync(2). Only shared mappings of host files have anything to write.
  package func sync(_ address: GuestAddress, length: UInt64, flags: MemorySyncFlags) throws(Errno) {
    guard flags.isSubset(of: .all), !flags.isSuperset(of: [.async, .sync]) else { throw .invalidArgument }
    guard address.isPageAligned else { throw .invalidArgument }
    guard let bytes = length.pageUp, address.advanced(by: bytes) != nil else { throw .noMemory }
    let range = try pages(address, length)
    if flags.contains(.invalidate), areas.parts(in: range).contains(where: { $0.flags.contains(.locked) }) {
      throw .resourceBusy
    }
    if flags.contains(.sync) {
      for area in areas.parts(in: range) where area.isShared {
        if case .hostFile(_, let descriptor)? = area.object?.backing { try MemoryFile.synchronize(descriptor) }
      }
    }
    guard areas.covers(range) else { throw .noMemory }
  }

  /// mincore(2): one byte for each page, bit 0 set where it is in memory.
  package func isResident(_ address: GuestAddress, length: UInt64) throws(Errno) -> [UInt8] {
    guard address.isPageAligned else { throw .invalidArgument }
    guard let bytes = length.pageUp, let end = address.advanced(by: bytes), end <= Layout.stubBase else {
      throw .noMemory
    }
    let range = Range(pagesOf: address..<end)
    // The answer to a quarter of a terabyte at once would be too long.
    guard areas.covers(range), range.count <= 1 << 26 else { throw .noMemory }
    var result = [UInt8](repeating: 0, count: range.count)
    for area in areas.parts(in: range) where !area.fileProtection.isEmpty {
      for page in area.range { result[Int(page - range.lowerBound)] = 1 }
    }
    for extent in extents.parts(in: range) {
      for page in extent.start..<extent.end { result[Int(page - range.lowerBound)] = 1 }
    }
    return result
  }
}

extension MemoryAdvice {
  /// Advice that changes nothing a guest can see.
  fileprivate var isHint: Bool {
    switch self {
    case .normal, .random, .sequential, .willNeed, .mergeable, .unmergeable, .hugePage, .noHugePage, .dontDump, .doDump,
      .cold, .pageOut, .collapse:
      true
    case .dontNeed, .free, .remove, .dontFork, .doFork, .wipeOnFork, .keepOnFork, .populateRead, .populateWrite,
      .dontNeedLocked:
      false
    }
  }
}
