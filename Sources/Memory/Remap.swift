import LinuxABI
import Platform

extension AddressSpace {
  /// mremap(2). `MREMAP_DONTUNMAP` is not supported (`EINVAL`).
  package func remap(
    _ old: GuestAddress, oldLength: UInt64, newLength: UInt64, flags: RemapFlags, newAddress: GuestAddress
  ) throws(Errno) -> GuestAddress {
    guard flags.isSubset(of: [.mayMove, .fixed]), !flags.contains(.fixed) || flags.contains(.mayMove) else {
      throw .invalidArgument
    }
    guard old.isPageAligned, let oldBytes = oldLength.pageUp, let newBytes = newLength.pageUp, newBytes > 0
    else { throw .invalidArgument }
    let from = PageNumber(holding: old)
    let oldCount = oldBytes.bytesToPages
    let newCount = newBytes.bytesToPages
    guard newCount <= AddressSpace.endPage - .zero else { throw .noMemory }
    guard from < AddressSpace.endPage, oldCount <= AddressSpace.endPage - from, let index = areas.index(of: from)
    else { throw .badAddress }
    let area = areas[index]
    // A length of zero makes a second mapping of shared memory.
    guard oldCount > 0 || (area.isShared && flags.contains(.mayMove)) else { throw .invalidArgument }
    // What only shrinks may be several mappings.
    let shrinks = newCount <= oldCount && !flags.contains(.fixed)
    guard shrinks || oldCount <= area.end - from else { throw .badAddress }
    guard hasRoom(for: 4) else { throw .noMemory }
    let source = from..<from + oldCount

    if flags.contains(.fixed) {
      let target = try fixedTarget(newAddress, newCount, source)
      if newCount > oldCount { try checkGrowth(area, by: newCount - oldCount) }
      if !areas.isFree(target) { remove(target, hides: true) }
      return move(area, source, to: target)
    }
    if newCount <= oldCount && oldCount > 0 {
      if newCount < oldCount { remove(from + newCount..<source.upperBound, hides: true) }
      return old
    }
    try checkGrowth(area, by: newCount - oldCount)
    if oldCount > 0, source.upperBound == area.end, newCount <= AddressSpace.endPage - from,
      canExtend(source.upperBound..<from + newCount)
    {
      var more = area
      more.start = area.end
      more.offset = area.index(of: area.end)
      more.end = from + newCount
      insert(more)
      prepare(more, all: false)
      return old
    }
    guard flags.contains(.mayMove) else { throw .noMemory }
    guard let start = findGap(newCount) else { throw .noMemory }
    return move(area, source, to: start..<start + newCount)
  }

  private func fixedTarget(
    _ address: GuestAddress, _ count: UInt64, _ source: Range<PageNumber>
  ) throws(Errno) -> Range<PageNumber> {
    let page = PageNumber(holding: address)
    guard address.isPageAligned, page < AddressSpace.endPage, count <= AddressSpace.endPage - page else {
      throw .invalidArgument
    }
    guard address >= Layout.minimumAddress else { throw .notPermitted }
    let target = page..<page + count
    guard !target.overlaps(source) else { throw .invalidArgument }
    return target
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

  /// Moves pages with their frames; the target is free.
  private func move(_ area: VirtualArea, _ source: Range<PageNumber>, to target: Range<PageNumber>) -> GuestAddress {
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
    if !carried.isEmpty { areas.remove(carried) }
    insert(moved)
    for var extent in parts {
      extent.start = target.lowerBound + (extent.start - carried.lowerBound)
      extent.end = target.lowerBound + (extent.end - carried.lowerBound)
      extents.insert(extent)
      show(extent)
    }
    showFile(moved, in: target)
    if !carried.isEmpty {
      hide(carried)
      noteFree(upTo: carried.upperBound)
    }
    return target.lowerBound.address
  }
}
