import LinuxABI
import Platform

/// A mapped object with the backing it gave when it was mapped.
final class MappedObject {
  let object: any MappableObject
  let backing: MappingBacking
  init(object: any MappableObject, backing: MappingBacking) {
    self.object = object
    self.backing = backing
  }
  var identity: ObjectIdentifier { ObjectIdentifier(object) }
}

/// Shared anonymous memory (mmap(2), `MAP_SHARED | MAP_ANONYMOUS`).
final class SharedAnonymousMemory: MappableObject {
  private let store: FrameStore
  init(store: FrameStore) { self.store = store }
  func mappingBacking() throws(Errno) -> MappingBacking { .frames(store) }
  var mappingSize: UInt64 { store.size }
  var mappingName: String { "/dev/zero (deleted)" }
  var mappingDevice: UInt64 { 1 }
  var mappingInode: UInt64 { 1 }
}

/// A VMA: a range of pages with the same attributes (mmap(2), proc_pid_maps(5)). Units are pages.
struct VirtualArea {
  struct Flags: OptionSet {
    let rawValue: UInt8
    static let shared = Flags(rawValue: 1)
    static let growsDown = Flags(rawValue: 2)
    static let dontFork = Flags(rawValue: 4)
    static let wipeOnFork = Flags(rawValue: 8)
    static let locked = Flags(rawValue: 16)
  }

  var start: PageNumber
  var end: PageNumber
  var protection: MemoryProtection
  var maximum: MemoryProtection
  var flags: Flags
  /// What is mapped; nil for private anonymous memory.
  var object: MappedObject?
  /// First page of the object.
  var offset: PageNumber = 0
  /// `[heap]`, `[stack]`, or a name given by prctl(2).
  var name = ""
  /// Chunks given in a row to touches that followed each other.
  var streak: UInt8 = 0
  /// Pages to copy at the next write to shared frames, as a power of two.
  var copyOrder: UInt8 = 2
  /// Where the last copied chunk ended.
  var copyEnd: PageNumber = 0

  var range: Range<PageNumber> { start..<end }
  var count: UInt64 { end - start }
  var isShared: Bool { flags.contains(.shared) }
  var hostProtection: HostProtection { HostProtection(protection) }

  /// Page index in the object.
  @inline(__always) func index(of page: PageNumber) -> PageNumber { offset &+ (page &- start) }

  /// How the host shows pages without frames: straight from a host file, or not at all.
  var fileProtection: HostProtection {
    guard let object, case .hostFile = object.backing else { return HostProtection(rawValue: 0) }
    return isShared ? hostProtection : hostProtection.readOnly
  }

  func clipped(to range: Range<PageNumber>) -> VirtualArea {
    var part = self
    if range.lowerBound > start {
      part.offset = index(of: range.lowerBound)
      part.start = range.lowerBound
    }
    if range.upperBound < end { part.end = range.upperBound }
    return part
  }

  /// Whether two areas that touch are one.
  func joins(_ next: VirtualArea) -> Bool {
    end == next.start && protection == next.protection && flags == next.flags && maximum == next.maximum
      && object?.identity == next.object?.identity && (object == nil || offset &+ count == next.offset)
      && name == next.name
  }
}

extension HostProtection {
  /// What the host enforces for a guest's protection: as on x86 without protection keys, memory that can be written or
  /// executed can be read.
  init(_ protection: MemoryProtection) {
    let bits = UInt8(truncatingIfNeeded: protection.rawValue & 7)
    self.init(rawValue: bits & 6 != 0 ? bits | 1 : bits)
  }

  @inline(__always) var readOnly: HostProtection { HostProtection(rawValue: rawValue & ~2) }
}

/// The areas of an address space, in order.
struct AreaMap {
  private(set) var areas: ContiguousArray<VirtualArea> = []
  /// Sum of all lengths.
  private(set) var pages: UInt64 = 0
  private var hint = 0

  init() {}

  var count: Int { areas.count }

  /// Index of the first area that ends after `page`; it holds the page, or follows it.
  @inline(__always) func lowerBound(_ page: PageNumber) -> Int {
    var low = 0
    var high = areas.count
    while low < high {
      let middle = (low + high) >> 1
      if areas[middle].end > page { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// Index of the area that holds a page.
  @inline(__always) mutating func index(of page: PageNumber) -> Int? {
    if hint < areas.count, areas[hint].start <= page, page < areas[hint].end { return hint }
    let index = lowerBound(page)
    guard index < areas.count, areas[index].start <= page else { return nil }
    hint = index
    return index
  }

  subscript(index: Int) -> VirtualArea {
    @inline(__always) _read { yield areas[index] }
    @inline(__always) _modify { yield &areas[index] }
  }

  func isFree(_ range: Range<PageNumber>) -> Bool {
    let index = lowerBound(range.lowerBound)
    return index == areas.count || areas[index].start >= range.upperBound
  }

  /// Whether areas cover a range without a hole.
  func covers(_ range: Range<PageNumber>) -> Bool {
    var position = range.lowerBound
    var index = lowerBound(position)
    while position < range.upperBound {
      guard index < areas.count, areas[index].start <= position else { return false }
      position = areas[index].end
      index += 1
    }
    return true
  }

  /// Adds an area where there is none, joining it with its neighbours.
  mutating func insert(_ area: VirtualArea) {
    pages += area.count
    var index = lowerBound(area.start)
    areas.insert(area, at: index)
    if index > 0, joinNext(index - 1) { index -= 1 }
    _ = joinNext(index)
  }

  private mutating func joinNext(_ index: Int) -> Bool {
    guard index + 1 < areas.count, areas[index].joins(areas[index + 1]) else { return false }
    areas[index].end = areas[index + 1].end
    areas.remove(at: index + 1)
    return true
  }

  /// Joins areas that agree, in and next to a range.
  mutating func join(around range: Range<PageNumber>) {
    var index = max(0, lowerBound(range.lowerBound) - 1)
    while index < areas.count, areas[index].start <= range.upperBound {
      if !joinNext(index) { index += 1 }
    }
  }

  /// Makes `page` a boundary.
  mutating func split(at page: PageNumber) {
    let index = lowerBound(page)
    guard index < areas.count, areas[index].start < page else { return }
    let whole = areas[index]
    areas[index].end = page
    areas.insert(whole.clipped(to: page..<whole.end), at: index + 1)
  }

  /// Takes areas out that no child gets, and locks off.
  mutating func removeUnforked() {
    for index in areas.indices where areas[index].flags.contains(.locked) { areas[index].flags.remove(.locked) }
    guard areas.contains(where: { $0.flags.contains(.dontFork) }) else { return }
    areas.removeAll { $0.flags.contains(.dontFork) }
    pages = areas.reduce(0) { $0 + $1.count }
    hint = 0
  }

  /// Indexes of the areas inside a range whose ends are boundaries.
  func indexes(in range: Range<PageNumber>) -> Range<Int> {
    let first = lowerBound(range.lowerBound)
    var last = first
    while last < areas.count, areas[last].start < range.upperBound { last += 1 }
    return first..<last
  }

  /// Moves an area's start down.
  mutating func extendDown(_ index: Int, to page: PageNumber) {
    pages += areas[index].start - page
    areas[index].start = page
  }

  mutating func remove(_ range: Range<PageNumber>) {
    split(at: range.lowerBound)
    split(at: range.upperBound)
    let gone = indexes(in: range)
    for index in gone { pages -= areas[index].count }
    areas.removeSubrange(gone)
  }

  /// The parts in a range, as an array.
  func parts(in range: Range<PageNumber>) -> ContiguousArray<VirtualArea> {
    var result: ContiguousArray<VirtualArea> = []
    for index in indexes(in: range) { result.append(areas[index].clipped(to: range)) }
    return result
  }
}
