import LinuxABI
import Platform

extension AddressSpace {
  /// mremap(2). Checks come in Linux's order: what the arguments alone decide, then what is there.
  package func remap(
    _ old: GuestAddress, oldLength: UInt64, newLength: UInt64, flags: RemapFlags, newAddress: GuestAddress
  ) throws(Errno) -> GuestAddress {
    let end = AddressSpace.endPage
    guard old.isPageAligned, let newBytes = newLength.pageUp, newBytes > 0 else { throw .invalidArgument }
    // A length that wraps around to zero is one.
    let oldCount = (oldLength.pageUp ?? 0).bytesToPages
    let newCount = newBytes.bytesToPages
    guard newCount <= end - .zero else { throw .invalidArgument }
    let from = PageNumber(holding: old)
    var target: Range<PageNumber>?
    if flags.contains(.fixed) {
      let start = PageNumber(holding: newAddress)
      guard newAddress.isPageAligned, start < end, newCount <= end - start else { throw .invalidArgument }
      target = start..<start + newCount
    }
    if flags.contains(.dontUnmap), oldCount != newCount { throw .invalidArgument }
    guard from < end, oldCount <= end - from else { throw .badAddress }
    let source = from..<from + oldCount
    textWillChange(source, .movedOrWritten)
    if let target {
      // As Linux compares: an empty source may lie in the target, too.
      guard source.upperBound <= target.lowerBound || target.upperBound <= from else { throw .invalidArgument }
      guard newAddress >= Layout.minimumAddress else { throw .notPermitted }
    }
    guard let index = areas.index(of: from) else { throw .badAddress }
    let area = areas[index]
    if let target, oldCount == newCount, source.upperBound > area.end {
      return try moveAll(source, to: target, keepsOld: flags.contains(.dontUnmap))
    }
    // A length of zero makes a second mapping of shared memory.
    guard oldCount > 0 || area.isShared else { throw .invalidArgument }
    // What only shrinks may be several mappings; what is left of one that moves, too, may not.
    let kept = min(oldCount, newCount)
    guard kept <= area.end - from || newCount <= oldCount && target == nil else { throw .badAddress }
    guard newCount <= oldCount || oldCount <= area.end - from else { throw .badAddress }
    guard hasRoom(for: 4) else { throw .noMemory }

    if let target {
      let growth = flags.contains(.dontUnmap) ? newCount : newCount > oldCount ? newCount - oldCount : 0
      if growth > 0 { try checkGrowth(area, by: growth) }
      if !areas.isFree(target) { remove(target, hides: true) }
      if newCount < oldCount { remove(from + newCount..<source.upperBound, hides: true) }
      defer { populateLocked(target.lowerBound + kept..<target.upperBound, of: area) }
      return move(area, from..<from + kept, to: target, keepsOld: flags.contains(.dontUnmap))
    }
    if flags.contains(.dontUnmap) {
      guard oldCount <= area.end - from else { throw .badAddress }
      try checkGrowth(area, by: newCount)
      guard let start = findGap(newCount) else { throw .noMemory }
      return move(area, source, to: start..<start + newCount, keepsOld: true)
    }
    if newCount <= oldCount && oldCount > 0 {
      if newCount < oldCount { remove(from + newCount..<source.upperBound, hides: true) }
      return old
    }
    try checkGrowth(area, by: newCount - oldCount)
    if oldCount > 0, source.upperBound == area.end, newCount <= end - from,
      canExtend(source.upperBound..<from + newCount)
    {
      var more = area
      more.start = area.end
      more.offset = area.index(of: area.end)
      more.end = from + newCount
      insert(more)
      prepare(more, all: false)
      populateLocked(more.range, of: area)
      return old
    }
    guard flags.contains(.mayMove) else { throw .noMemory }
    guard let start = findGap(newCount) else { throw .noMemory }
    defer { populateLocked(start + oldCount..<start + newCount, of: area) }
    return move(area, source, to: start..<start + newCount, keepsOld: false)
  }

  /// What a locked mapping grew by gets its pages at once, as with mlock(2).
  private func populateLocked(_ range: Range<PageNumber>, of area: VirtualArea) {
    if area.flags.contains(.locked), !range.isEmpty { fill(range, populate: true) }
  }

  /// Moves all areas of a range, with the gaps between them, as long as none changes its size.
  private func moveAll(
    _ source: Range<PageNumber>, to target: Range<PageNumber>, keepsOld: Bool
  ) throws(Errno) -> GuestAddress {
    let parts = areas.parts(in: source)
    // As in Linux: files whose addresses their file system chooses move alone.
    for part in parts { if case .hostFile? = part.object?.backing { throw .badAddress } }
    for part in parts {
      guard hasRoom(for: 4) else { throw .noMemory }
      if keepsOld { try checkGrowth(part, by: part.count) }
      let start = target.lowerBound + (part.start - source.lowerBound)
      let place = start..<start + part.count
      if !areas.isFree(place) { remove(place, hides: true) }
      _ = move(part, part.range, to: place, keepsOld: keepsOld)
    }
    return target.lowerBound.address
  }

  private func checkGrowth(_ area: VirtualArea, by count: UInt64) throws(Errno) {
    var more = area
    more.start = .zero
    more.end = .zero + count
    try checkLimits(adding: more)
    try checkCommitment(of: more)
    // The last page of a file mapping must have an offset that the host can map.
    guard area.object == nil || area.count + count <= PageNumber(holding: UInt64(Int64.max)) - area.offset else {
      throw .invalidArgument
    }
  }

  private func canExtend(_ range: Range<PageNumber>) -> Bool {
    let next = areas.lowerBound(range.lowerBound)
    guard next < areas.count else { return true }
    let gap = areas[next].flags.contains(.growsDown) ? AddressSpace.guardPages : 0
    return areas[next].start >= range.upperBound + gap
  }

  /// Moves pages with their frames; the target is free. What is kept of the old mapping is as if it had never been
  /// touched (`MREMAP_DONTUNMAP`).
  private func move(
    _ area: VirtualArea, _ source: Range<PageNumber>, to target: Range<PageNumber>, keepsOld: Bool
  ) -> GuestAddress {
    let carried = source.lowerBound..<min(source.upperBound, source.lowerBound + target.pageCount)
    if source.upperBound > carried.upperBound { remove(carried.upperBound..<source.upperBound, hides: true) }
    var moved = area
    moved.offset = area.index(of: source.lowerBound)
    moved.start = target.lowerBound
    moved.end = target.upperBound
    moved.streak = 0
    moved.copyEnd = .zero

    let parts = extents.parts(in: carried)
    extents.remove(carried)
    if !carried.isEmpty, !keepsOld { areas.remove(carried) }
    insert(moved)
    for var extent in parts {
      extent.start = target.lowerBound + (extent.start - carried.lowerBound)
      extent.end = target.lowerBound + (extent.end - carried.lowerBound)
      extents.insert(extent)
      show(extent)
    }
    showFile(moved, in: target)
    guard !carried.isEmpty else { return target.lowerBound.address }
    hide(carried)
    if keepsOld {
      // Linux takes the lock off the whole area.
      if let index = areas.index(of: carried.lowerBound) { try? setFlag(.locked, false, areas[index].range) }
      showFile(area, in: carried)
    } else {
      noteFree(upTo: carried.upperBound)
    }
    return target.lowerBound.address
  }
}
