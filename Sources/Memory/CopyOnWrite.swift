import LinuxABI
import Platform

extension AddressSpace {
  /// Most pages copied at once, as a power of two.
  private static let largestCopyOrder: UInt8 = 7

  /// A write to a page whose frame may be shared: takes the frame over if it is not, else copies some pages.
  func copyOnWrite(_ page: PageNumber, _ index: Int, _ area: Int, wanted: Int) -> FaultOutcome {
    guard hasRoom(for: 2, areas: 0) else { return .outOfMappings }
    // An extent may reach into another area that agrees with this one.
    let extent = extents[index].clipped(to: areas[area].range)
    if physical.references(to: extent.frame(of: page)) != 1 { physical.drainRetired() }
    if physical.references(to: extent.frame(of: page)) == 1 {
      takeOver(page, extent)
      noteCopy(page)
      return .resolved
    }
    var window = copyWindow(page, area, extent.start..<extent.end, wanted: wanted)
    // Only pages that are really shared, and either only pages that hold memory, or only pages that hold none.
    var low = page
    while low > window.lowerBound, physical.references(to: extent.frame(of: low - 1)) != 1 { low -= 1 }
    var high = page + 1
    while high < window.upperBound, physical.references(to: extent.frame(of: high)) != 1 { high += 1 }
    let uniform = physical.uniform(around: Int(page - low), of: extent.frame(of: low), Int(high - low))
    window = low + UInt64(uniform.range.lowerBound)..<low + UInt64(uniform.range.upperBound)

    guard let run = physical.allocate(window.count, zeroed: !uniform.hasData) else { return .outOfMemory }
    let range = place(run.count, in: window, around: page)
    let old = extent.clipped(to: range)
    if uniform.hasData { physical.copy(from: old.frame, to: run, run.count) }
    var copy = old
    copy.frame = run.start
    copy.isCopyOnWrite = false
    extents.replace(copy)
    show(copy, populate: uniform.hasData || run.isResident)
    releases.add(FrameRun(start: old.frame, count: old.count))
    releases.settle()
    noteCopy(page)
    return .resolved
  }

  /// Makes those frames around a page writable that no one else has any more.
  private func takeOver(_ page: PageNumber, _ extent: Extent) {
    let lowest = max(extent.start, page.lowered(by: 1024))
    let highest = min(extent.end, page + 1024)
    var low = page
    while low > lowest, physical.references(to: extent.frame(of: low - 1)) == 1 { low -= 1 }
    var high = page + 1
    while high < highest, physical.references(to: extent.frame(of: high)) == 1 { high += 1 }
    makeWritable(extent.clipped(to: low..<high))
  }

  /// Chooses the pages to copy: more each time when writes follow each other.
  func copyWindow(
    _ page: PageNumber, _ area: Int, _ available: Range<PageNumber>, wanted: Int
  ) -> Range<PageNumber> {
    // Pages of a file that may change keep on following it until they are written themselves (mmap(2)).
    if let object = areas[area].object, !object.object.mappingIsStable {
      return page..<min(page + UInt64(max(wanted, 1)), available.upperBound)
    }
    let follows = areas[area].copyEnd == page
    var order = areas[area].copyOrder
    if follows { order = min(order + 1, AddressSpace.largestCopyOrder) } else { order = 2 }
    if extents.count > maximumAreas / 2 { order = 9 }
    areas[area].copyOrder = order
    let size = UInt64(1) << UInt64(order)
    let low = follows || wanted > 1 ? page : page.roundedDown(to: size)
    let high = low + max(size, UInt64(min(max(wanted, 1), 1024)))
    let window = max(low, available.lowerBound)..<max(min(high, available.upperBound), page + 1)
    areas[area].copyEnd = window.upperBound
    return window
  }

  /// Remembers what is written soon after a fork.
  func noteCopy(_ page: PageNumber) {
    guard copiesSinceFork < CopyAhead.watchedFaults else { return }
    copiesSinceFork += 1
    copyAhead.note(page)
  }
}
