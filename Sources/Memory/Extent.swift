import LinuxABI
import Platform

/// Virtual pages that show consecutive frames.
struct Extent: Equatable {
  var start: PageNumber
  var end: PageNumber
  var frame: Frame
  /// What the VMA allows.
  var protection: HostProtection
  /// The frames may be shared: look at their reference counts before writing.
  var isCopyOnWrite: Bool

  var count: Int { Int(end - start) }
  /// What the host's page tables allow.
  @inline(__always) var installed: HostProtection {
    isCopyOnWrite ? protection.readOnly : protection
  }
  @inline(__always) func frame(of page: PageNumber) -> Frame { frame &+ Frame(truncatingIfNeeded: page &- start) }

  /// The part inside a range, which it must overlap.
  @inline(__always) func clipped(to range: Range<PageNumber>) -> Extent {
    var part = self
    if range.lowerBound > start {
      part.frame = frame(of: range.lowerBound)
      part.start = range.lowerBound
    }
    if range.upperBound < end { part.end = range.upperBound }
    return part
  }

  @inline(__always) func continues(_ previous: Extent) -> Bool {
    previous.end == start && previous.frame(of: start) == frame && previous.protection == protection
      && previous.isCopyOnWrite == isCopyOnWrite
  }
}

/// Extents by virtual page, in order, disjoint, and joined where they touch and agree.
struct ExtentMap {
  private(set) var extents: ContiguousArray<Extent> = []
  /// Sum of all lengths.
  private(set) var pages = 0
  private var hint = 0

  init() {}

  var count: Int { extents.count }
  var isEmpty: Bool { extents.isEmpty }
  @inline(__always) subscript(index: Int) -> Extent { extents[index] }

  /// Index of the first extent that ends after `page`; it holds the page, or follows it.
  @inline(__always) func lowerBound(_ page: PageNumber) -> Int {
    var low = 0
    var high = extents.count
    while low < high {
      let middle = (low + high) >> 1
      if extents[middle].end > page { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// Index of the extent that holds a page.
  @inline(__always) mutating func index(of page: PageNumber) -> Int? {
    if hint < extents.count, extents[hint].start <= page, page < extents[hint].end { return hint }
    let index = lowerBound(page)
    guard index < extents.count, extents[index].start <= page else { return nil }
    hint = index
    return index
  }

  /// Adds an extent where there is none.
  mutating func insert(_ extent: Extent) { insert(extent, at: lowerBound(extent.start)) }

  private mutating func insert(_ extent: Extent, at index: Int) {
    pages += extent.count
    let joinsPrevious = index > 0 && extent.continues(extents[index - 1])
    let joinsNext = index < extents.count && extents[index].continues(extent)
    if joinsPrevious && joinsNext {
      extents[index - 1].end = extents[index].end
      extents.remove(at: index)
    } else if joinsPrevious {
      extents[index - 1].end = extent.end
    } else if joinsNext {
      extents[index].start = extent.start
      extents[index].frame = extent.frame
    } else {
      extents.insert(extent, at: index)
    }
  }

  /// Adds an extent that lies after all others.
  @inline(__always) mutating func append(_ extent: Extent) {
    pages += extent.count
    let last = extents.count - 1
    if last >= 0, extent.continues(extents[last]) { extents[last].end = extent.end } else { extents.append(extent) }
  }

  mutating func reserve(_ count: Int) { extents.reserveCapacity(count) }

  /// Removes what there is in a range.
  mutating func remove(_ range: Range<PageNumber>) {
    let first = lowerBound(range.lowerBound)
    guard first < extents.count, extents[first].start < range.upperBound else { return }
    var index = first
    if extents[index].start < range.lowerBound {
      let whole = extents[index]
      extents[index].end = range.lowerBound
      index += 1
      if whole.end > range.upperBound {
        extents.insert(whole.clipped(to: range.upperBound..<whole.end), at: index)
        pages -= Int(range.upperBound - range.lowerBound)
        return
      }
      pages -= Int(whole.end - range.lowerBound)
    }
    var last = index
    while last < extents.count, extents[last].end <= range.upperBound {
      pages -= extents[last].count
      last += 1
    }
    if last < extents.count, extents[last].start < range.upperBound {
      let whole = extents[last]
      pages -= Int(range.upperBound - whole.start)
      extents[last] = whole.clipped(to: range.upperBound..<whole.end)
    }
    if last > index { extents.removeSubrange(index..<last) }
  }

  /// Replaces what there is in the extent's range.
  mutating func replace(_ extent: Extent) {
    remove(extent.start..<extent.end)
    insert(extent)
  }

  /// Calls `body` with each extent's part in a range.
  @inline(__always)
  func forEach(in range: Range<PageNumber>, _ body: (Extent) -> Void) {
    var index = lowerBound(range.lowerBound)
    while index < extents.count, extents[index].start < range.upperBound {
      body(extents[index].clipped(to: range))
      index += 1
    }
  }

  /// Calls `body` with each part of a range that has no extent.
  @inline(__always)
  func forEachGap(in range: Range<PageNumber>, _ body: (Range<PageNumber>) -> Void) {
    var position = range.lowerBound
    var index = lowerBound(range.lowerBound)
    while index < extents.count, extents[index].start < range.upperBound {
      if extents[index].start > position { body(position..<extents[index].start) }
      position = extents[index].end
      index += 1
    }
    if position < range.upperBound { body(position..<range.upperBound) }
  }

  /// The parts in a range, as an array (to go on with while the map changes).
  func parts(in range: Range<PageNumber>) -> ContiguousArray<Extent> {
    var result: ContiguousArray<Extent> = []
    forEach(in: range) { result.append($0) }
    return result
  }
}
