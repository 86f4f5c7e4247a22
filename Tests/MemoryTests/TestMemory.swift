import Host
import LinuxABI
import Platform
import TestSupport
import Testing

@testable import Memory

/// Reads bytes of a host file.
func bytes(of file: FileDescriptor, at offset: UInt64, count: Int) throws -> [UInt8] {
  var result = [UInt8](repeating: 0, count: count)
  try unsafe result.withUnsafeMutableBytes { target in
    if let base = target.baseAddress { _ = try unsafe MemoryFile.read(file, at: offset, into: base, count: count) }
  }
  return result
}

/// Writes bytes of a host file.
func setBytes(of file: FileDescriptor, at offset: UInt64, _ bytes: [UInt8]) throws {
  try unsafe bytes.withUnsafeBytes { source in
    if let base = source.baseAddress { try unsafe MemoryFile.write(file, at: offset, from: base, count: bytes.count) }
  }
}

/// A file of the host that guests can map.
final class FakeFile: MappableObject {
  let descriptor: FileDescriptor
  let registered: MappableFile
  var mappingSize: UInt64
  var mappingIsStable = true

  init(_ platform: FakePlatform, size: Int, _ content: (Int) -> UInt8) throws {
    descriptor = try MemoryFile.create(name: "apus-test")
    mappingSize = UInt64(size)
    registered = try platform.register(file: descriptor)
    try setBytes(of: descriptor, at: 0, (0..<size).map(content))
  }
  deinit { MemoryFile.close(descriptor) }
  func mappingBacking() throws(Errno) -> MappingBacking { .hostFile(file: registered, descriptor: descriptor) }
  var mappingName: String { "/test/file" }
  var mappingDevice: UInt64 { 5 }
  var mappingInode: UInt64 { 6 }
}

/// A shared memory object that guests can map.
final class FakeObject: MappableObject {
  let store: FrameStore
  init(_ store: FrameStore) { self.store = store }
  func mappingBacking() throws(Errno) -> MappingBacking { .frames(store) }
  var mappingSize: UInt64 { store.size }
  var mappingName: String { "/test/object" }
  var mappingDevice: UInt64 { 7 }
  var mappingInode: UInt64 { 8 }
}

/// Physical memory, a platform, and guests that touch memory as the modelled page tables allow.
final class TestMemory {
  let platform = FakePlatform(runsOperationsAtOnce: false)
  let physical: PhysicalMemory
  /// Faults that guests took.
  var faults = 0

  init(limit: UInt64 = 64 << 20) throws { physical = try PhysicalMemory(size: limit) }

  func makeSpace() -> AddressSpace {
    AddressSpace(physical: physical, platform: platform, process: platform.makeFakeProcess())
  }

  func fork(_ space: AddressSpace) throws -> AddressSpace { try space.fork(into: platform.makeFakeProcess()) }

  func process(of space: AddressSpace) throws -> FakeProcess { try #require(space.process as? FakeProcess) }

  /// Lets a guest touch a page until its page table allows it; gives the file and offset behind the address.
  private func reach(
    _ space: AddressSpace, _ address: GuestAddress, _ access: MemoryAccess
  ) throws -> (at: (FileDescriptor, UInt64)?, outcome: FaultOutcome) {
    let process = try process(of: space)
    for _ in 0..<4 {
      process.flush()
      if let page = process.table[FakeProcess.page(of: address)],
        page.protection.contains(access == .write ? .write : .read)
      {
        switch page {
        case .physical(let frame, _): return ((physical.descriptor, frame * 4096 + address.offsetInPage), .resolved)
        case .file(let number, let start, _, _):
          return ((try #require(platform.files[number]), start + address.offsetInPage), .resolved)
        }
      }
      faults += 1
      let outcome = space.fault(at: address, access: access)
      if outcome != .resolved { return (nil, outcome) }
    }
    Issue.record("the fault at \(address) is not resolved")
    return (nil, .outOfMemory)
  }

  /// Reads a byte as guest code would; nil where it gets a signal.
  func peek(_ space: AddressSpace, _ address: GuestAddress) throws -> UInt8? {
    guard let (file, offset) = try reach(space, address, .read).at else { return nil }
    return try bytes(of: file, at: offset, count: 1)[0]
  }

  /// Writes a byte as guest code would; returns the outcome that stopped it.
  @discardableResult
  func poke(_ space: AddressSpace, _ address: GuestAddress, _ value: UInt8) throws -> FaultOutcome? {
    let (place, outcome) = try reach(space, address, .write)
    guard let (file, offset) = place else { return outcome }
    try setBytes(of: file, at: offset, [value])
    return nil
  }

  func mapAnonymous(
    _ space: AddressSpace, _ length: UInt64, at address: GuestAddress = .null,
    _ protection: MemoryProtection = [.read, .write], _ flags: MapFlags = [.private, .anonymous]
  ) throws(Errno) -> GuestAddress {
    try space.map(
      MapRequest(address: address, length: length, protection: protection, flags: flags, source: .anonymous))
  }

  func mapFile(
    _ space: AddressSpace, _ file: any MappableObject, _ length: UInt64, offset: UInt64 = 0,
    _ protection: MemoryProtection = [.read, .write], _ flags: MapFlags = .private
  ) throws(Errno) -> GuestAddress {
    try space.map(
      MapRequest(
        address: 0, length: length, protection: protection, flags: flags, source: .file(file, offset: offset)))
  }

  /// Checks that the host shows what the address space says, and that frames that it owns alone have one reference.
  func verify(_ space: AddressSpace) throws {
    let process = try process(of: space)
    process.flush()
    #expect(process.problems.isEmpty, "\(process.problems.prefix(3))")
    var expected: [UInt64: FakePage] = [:]
    var misowned = 0
    for area in space.areas.elements {
      let protection = area.fileProtection
      if !protection.isEmpty, case .hostFile(let file, _)? = area.object?.backing {
        for page in area.range {
          expected[page.rawValue] = .file(
            number: file.number, offset: area.index(of: page).offset, isShared: area.isShared, protection)
        }
      }
      for extent in space.extents.parts(in: area.range) {
        if extent.protection != area.hostProtection { misowned += 1 }
        for page in extent.start..<extent.end {
          let frame = extent.frame(of: page)
          expected[page.rawValue] = .physical(frame: UInt64(frame), extent.installed)
          let references = physical.references(to: frame)
          if references == 0 || (!area.isShared && !extent.isCopyOnWrite && references != 1) { misowned += 1 }
        }
      }
    }
    #expect(misowned == 0)
    let isSame = process.table == expected
    #expect(isSame, "the host maps \(process.table.count) pages, \(expected.count) expected")
    #expect(process.mappingCount <= space.hostMappings)
    #expect(space.extents.pages == space.extents.elements.reduce(0) { $0 + UInt64($1.count) })
    #expect(space.areas.pages == space.areas.elements.reduce(0) { $0 + $1.count })
  }

  /// Ends address spaces, and checks that no frame is left.
  func end(_ spaces: [AddressSpace]) throws {
    for space in spaces { space.destroy() }
    for process in platform.processes { process.flush() }
    physical.drainConfirmed()
    #expect(physical.referencedBytes == 0)
  }
}
