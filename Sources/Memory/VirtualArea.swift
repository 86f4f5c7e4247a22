import LinuxABI
import Platform

/// A mapped object with the backing it gave when it was mapped.
final class MappedObject {
  let object: any MappableObject
  let backing: MappingBacking
  let holder: AnyObject?
  init(object: any MappableObject, backing: MappingBacking, holder: AnyObject? = nil) {
    self.object = object
    self.backing = backing
    self.holder = holder
  }
  var isAnonymous: Bool { object is SharedAnonymousMemory }
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
struct VirtualArea: PageRangeElement {
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
  var offset = PageNumber.zero
  /// `[heap]`, `[stack]`, or a name given by prctl(2).
  var name = ""
  /// Chunks given in a row to touches that followed each other.
  var streak: UInt8 = 0
  /// Pages to copy at the next write to shared frames, as a power of two.
  var copyOrder: UInt8 = 2
  /// Where the last copied chunk ended.
  var copyEnd = PageNumber.zero

  var range: Range<PageNumber> { start..<end }
  var count: UInt64 { end - start }
  var byteCount: UInt64 { count.pagesToBytes }
  var isShared: Bool { flags.contains(.shared) }
  var hostProtection: HostProtection { HostProtection(protection) }

  /// Page index in the object.
  @inline(__always) func index(of page: PageNumber) -> PageNumber { offset &+ (page &- start) }

  /// How the host shows pages without frames: straight from a host file, or not at all.
  var fileProtection: HostProtection {
    guard let object, case .hostFile = object.backing else { return [] }
    return isShared ? hostProtection : hostProtection.readOnly
  }

  mutating func begin(at page: PageNumber) {
    offset = index(of: page)
    start = page
  }

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
    self.init(rawValue: UInt8(truncatingIfNeeded: protection.access.rawValue))
    if !isDisjoint(with: [.write, .execute]) { insert(.read) }
  }

  @inline(__always) var readOnly: HostProtection { subtracting(.write) }
}

/// The areas of an address space. Code that changes attributes joins what has become alike (`join(around:)`).
typealias AreaMap = PageRangeMap<VirtualArea>
