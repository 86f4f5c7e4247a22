import LinuxABI

/// What takes up a range of pages: an `Extent` of frames, a `VirtualArea`.
protocol PageRangeElement {
  var start: PageNumber { get set }
  /// The page after the last.
  var end: PageNumber { get set }

  /// Leaves out what is before `page`, which the element holds: what it shows begins later by as much.
  mutating func begin(at page: PageNumber)
  /// Whether `next` begins where this element ends and is alike, so that they can be one.
  func joins(_ next: Self) -> Bool
}

extension PageRangeElement {
  /// The part inside a range, which the element must overlap.
  @inline(__always) func clipped(to range: Range<PageNumber>) -> Self {
    var part = self
    if range.lowerBound > start { part.begin(at: range.lowerBound) }
    if range.upperBound < end { part.end = range.upperBound }
    return part
  }
}

/// Elements by page: in order, never empty, never overlapping.
///
/// A sorted array with binary search. Address spaces hold tens of elements, seldom thousands, and are copied whole by
/// fork(2), which costs an array one allocation. Lookups remember where the last one ended: faults and copies go on
/// from there.
struct PageRangeMap<Element: PageRangeElement> {
  private(set) var elements: ContiguousArray<Element> = []
  /// Sum of all lengths.
  private(set) var pages: UInt64 = 0
  /// Where `index(of:)` found something last; may be out of date.
  private var hint = 0

  init() {}

  var count: Int { elements.count }
  var isEmpty: Bool { elements.isEmpty }

  /// An element. Its range must be left as it is.
  subscript(index: Int) -> Element {
    @inline(__always) _read { yield elements[index] }
    @inline(__always) _modify { yield &elements[index] }
  }

  // MARK: finding

  /// Index of the first element that ends after `page`; it holds the page, or follows it.
  @inline(__always) func lowerBound(_ page: PageNumber) -> Int {
    var low = 0
    var high = elements.count
    while low < high {
      let middle = (low + high) >> 1
      if elements[middle].end > page { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// Index of the element that holds a page.
  @inline(__always) mutating func index(of page: PageNumber) -> Int? {
    if hint < elements.count, elements[hint].start <= page, page < elements[hint].end { return hint }
    let index = lowerBound(page)
    guard index < elements.count, elements[index].start <= page else { return nil }
    hint = index
    return index
  }

  /// Indexes of the elements that overlap a range.
  func indexes(in range: Range<PageNumber>) -> Range<Int> {
    let first = lowerBound(range.lowerBound)
    var last = first
    while last < elements.count, elements[last].start < range.upperBound { last += 1 }
    return first..<last
  }

  /// At how many ends of a range an element has to be split.
  func splits(_ range: Range<PageNumber>) -> Int {
    func isInside(_ page: PageNumber) -> Bool {
      let index = lowerBound(page)
      return index < elements.count && elements[index].start < page
    }
    return (isInside(range.lowerBound) ? 1 : 0) + (isInside(range.upperBound) ? 1 : 0)
  }

  /// Whether nothing overlaps a range.
  func isFree(_ range: Range<PageNumber>) -> Bool {
    let index = lowerBound(range.lowerBound)
    return index == elements.count || elements[index].start >= range.upperBound
  }

  /// Whether elements cover a range without a hole.
  func covers(_ range: Range<PageNumber>) -> Bool {
    var position = range.lowerBound
    var index = lowerBound(position)
    while position < range.upperBound {
      guard index < elements.count, elements[index].start <= position else { return false }
      position = elements[index].end
      index += 1
    }
    return true
  }

  /// Calls `body` with each element's part in a range.
  @inline(__always)
  func forEach(in range: Range<PageNumber>, _ body: (Element) -> Void) {
    var index = lowerBound(range.lowerBound)
    while index < elements.count, elements[index].start < range.upperBound {
      body(elements[index].clipped(to: range))
      index += 1
    }
  }

  /// Calls `body` with each part of a range that no element covers.
  @inline(__always)
  func forEachGap(in range: Range<PageNumber>, _ body: (Range<PageNumber>) -> Void) {
    var position = range.lowerBound
    var index = lowerBound(range.lowerBound)
    while index < elements.count, elements[index].start < range.upperBound {
      if elements[index].start > position { body(position..<elements[index].start) }
      position = elements[index].end
      index += 1
    }
    if position < range.upperBound { body(position..<range.upperBound) }
  }

  /// The elements' parts in a range, as an array (to go on with while the map changes).
  func parts(in range: Range<PageNumber>) -> ContiguousArray<Element> {
    var result: ContiguousArray<Element> = []
    forEach(in: range) { result.append($0) }
    return result
  }

  // MARK: adding

  /// Adds an element where there is none, joining it with its neighbours.
  mutating func insert(_ element: Element) {
    pages += element.end - element.start
    let index = lowerBound(element.start)
    let joinsPrevious = index > 0 && elements[index - 1].joins(element)
    let joinsNext = index < elements.count && element.joins(elements[index])
    if joinsPrevious && joinsNext {
      elements[index - 1].end = elements[index].end
      elements.remove(at: index)
    } else if joinsPrevious {
      elements[index - 1].end = element.end
    } else if joinsNext {
      let end = elements[index].end
      elements[index] = element
      elements[index].end = end
    } else {
      elements.insert(element, at: index)
    }
  }

  /// Adds an element that lies after all others.
  @inline(__always) mutating func append(_ element: Element) {
    pages += element.end - element.start
    let last = elements.count - 1
    if last >= 0, elements[last].joins(element) {
      elements[last].end = element.end
    } else {
      elements.append(element)
    }
  }

  /// Makes room for this many elements.
  mutating func reserve(_ count: Int) { elements.reserveCapacity(count) }

  /// Replaces what there is in the element's range.
  mutating func replace(_ element: Element) {
    remove(element.start..<element.end)
    insert(element)
  }

  // MARK: changing

  /// Makes `page` a boundary, so that attributes can differ from there on.
  mutating func split(at page: PageNumber) {
    let index = lowerBound(page)
    guard index < elements.count, elements[index].start < page else { return }
    let whole = elements[index]
    elements[index].end = page
    elements.insert(whole.clipped(to: page..<whole.end), at: index + 1)
  }

  /// Joins elements that are alike, in and next to a range.
  mutating func join(around range: Range<PageNumber>) {
    var index = max(0, lowerBound(range.lowerBound) - 1)
    while index + 1 < elements.count, elements[index].start <= range.upperBound {
      if elements[index].joins(elements[index + 1]) {
        elements[index].end = elements[index + 1].end
        elements.remove(at: index + 1)
      } else {
        index += 1
      }
    }
  }

  /// Moves an element's start down, to where nothing else is.
  mutating func extendDown(_ index: Int, to page: PageNumber) {
    pages += elements[index].start - page
    elements[index].start = page
  }

  // MARK: removing

  /// Removes what there is in a range.
  mutating func remove(_ range: Range<PageNumber>) {
    let first = lowerBound(range.lowerBound)
    guard first < elements.count, elements[first].start < range.upperBound else { return }
    var index = first
    if elements[index].start < range.lowerBound {
      let whole = elements[index]
      elements[index].end = range.lowerBound
      index += 1
      if whole.end > range.upperBound {
        elements.insert(whole.clipped(to: range.upperBound..<whole.end), at: index)
        pages -= range.upperBound - range.lowerBound
        return
      }
      pages -= whole.end - range.lowerBound
    }
    var last = index
    while last < elements.count, elements[last].end <= range.upperBound {
      pages -= elements[last].end - elements[last].start
      last += 1
    }
    if last < elements.count, elements[last].start < range.upperBound {
      let whole = elements[last]
      pages -= range.upperBound - whole.start
      elements[last] = whole.clipped(to: range.upperBound..<whole.end)
    }
    if last > index { elements.removeSubrange(index..<last) }
  }

  /// Removes the elements that satisfy a condition.
  mutating func removeAll(where condition: (Element) -> Bool) {
    guard elements.contains(where: condition) else { return }
    elements.removeAll(where: condition)
    pages = elements.reduce(0) { $0 + ($1.end - $1.start) }
  }
}
