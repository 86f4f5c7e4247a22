import LinuxABI

/// Locked memory (mlock(2)). Apus never pages memory out: a lock gives pages their frames before they are touched, counts,
/// and keeps `madvise` from dropping them.
extension AddressSpace {
  /// Bytes that are locked.
  package var lockedBytes: UInt64 { sum { $0.flags.contains(.locked) } }

  /// Bytes that would be locked if a range were too.
  package func lockedBytes(adding address: GuestAddress, length: UInt64) throws(Errno) -> UInt64 {
    let range = try pages(address, length)
    let already = areas.parts(in: range).reduce(0) { $0 + ($1.flags.contains(.locked) ? $1.count : 0) }
    return lockedBytes + (range.pageCount - already).pagesToBytes
  }

  /// Locks or unlocks a range; `fills` gives what is locked its frames at once.
  /// - Throws: `ENOMEM` where not all of the range is mapped, or can be filled; it is locked as far as there are areas.
  package func setLocked(_ isLocked: Bool, _ address: GuestAddress, length: UInt64, fills: Bool) throws(Errno) {
    let range = try pages(address, length)
    guard !range.isEmpty else { return }
    // Up to the first page that is not mapped.
    var end = range.lowerBound
    for part in areas.parts(in: range) where part.start == end { end = part.end }
    try setFlag(.locked, isLocked, range.lowerBound..<end)
    guard end == range.upperBound else { throw .noMemory }
    guard isLocked && fills else { return }
    for part in areas.parts(in: range) {
      guard !part.protection.isEmpty else { throw .noMemory }
      fill(part.range, populate: true)
      guard part.index(of: part.end - 1) < objectEnd(part) else { throw .noMemory }
    }
  }

  /// Whether the area at an address is locked.
  package func isLocked(_ address: GuestAddress) -> Bool {
    areas.index(of: PageNumber(holding: address)).map { areas[$0].flags.contains(.locked) } ?? false
  }

  /// mlockall(2) and munlockall(2) for what is mapped now.
  package func setAllLocked(_ isLocked: Bool, fills: Bool) {
    for index in 0..<areas.count {
      if isLocked { areas[index].flags.insert(.locked) } else { areas[index].flags.remove(.locked) }
    }
    let whole = PageNumber.zero..<AddressSpace.endPage
    areas.join(around: whole)
    guard isLocked && fills else { return }
    for part in areas.parts(in: whole) where !part.protection.isEmpty { fill(part.range, populate: true) }
  }
}
