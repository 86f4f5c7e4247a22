import LinuxABI
import Platform
import Testing

@testable import Memory

private let pastEnd = FaultOutcome.signal(.bus, code: 2)

@Suite struct FileMappingTests {
  @Test func filesAreMappedStraightFromTheHost() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let file = try FakeFile(machine.platform, size: 10 * 4096 + 10) { UInt8($0 >> 12 & 255) &+ 1 }
    let start = try machine.mapFile(space, file, 12 * 4096, [.read])
    #expect(try machine.peek(space, start &+ 3 * 4096) == 4)
    #expect(machine.faults == 0)
    #expect(machine.physical.referencedBytes == 0)
    let edge = try space.read(start &+ 9 * 4096 &+ 4090, count: 18)
    #expect(edge == Array(repeating: 10, count: 6) + Array(repeating: 11, count: 10) + [0, 0])
    #expect(try space.readValue(start &+ 10 * 4096 &+ 8, as: UInt32.self) == 11 + 11 << 8)
    #expect(throws: Errno.badAddress) { try space.readValue(start &+ 11 * 4096, as: UInt8.self) }
    #expect(space.fault(at: start &+ 11 * 4096, access: .read) == pastEnd)
    #expect(space.fault(at: start, access: .read, isBusError: true) == pastEnd)
    try machine.verify(space)
    try machine.end([space])
  }

  @Test func smallPrivateWritableMappingsAreCopiedAtOnce() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let file = try FakeFile(machine.platform, size: 3 * 4096 + 10) { UInt8($0 >> 12 & 255) &+ 1 }
    let start = try machine.mapFile(space, file, 5 * 4096)
    for page in 0..<UInt64(4) { #expect(try machine.poke(space, start &+ page * 4096 &+ 1, 99) == nil) }
    #expect(machine.faults == 0)
    #expect(try machine.peek(space, start &+ 8192) == 3)
    #expect(try machine.peek(space, start &+ 3 * 4096 &+ 11) == 0)
    #expect(try machine.poke(space, start &+ 4 * 4096, 1) == pastEnd)
    try space.advise(start, length: 4096, advice: .dontNeed)
    #expect(try machine.peek(space, start &+ 1) == 1)
    #expect(try bytes(of: file.descriptor, at: 0, count: 2) == [1, 1])
    try machine.verify(space)
    try machine.end([space])
  }

  @Test func largePrivateMappingsAreCopiedWhenWritten() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let file = try FakeFile(machine.platform, size: 1 << 20) { UInt8($0 >> 12 & 255) }
    let start = try machine.mapFile(space, file, 1 << 20)
    for page in 0..<UInt64(256) { #expect(try machine.peek(space, start &+ page * 4096) == UInt8(page)) }
    #expect(machine.faults == 0)
    for page in 0..<UInt64(256) { #expect(try machine.poke(space, start &+ page * 4096 &+ 9, 1) == nil) }
    for page in 0..<UInt64(256) { #expect(try machine.peek(space, start &+ page * 4096) == UInt8(page)) }
    #expect(machine.faults < 16)
    try space.protect(start, length: 1 << 20, [])
    try machine.verify(space)
    try space.protect(start, length: 1 << 20, .read)
    #expect(try machine.peek(space, start &+ 9) == 1)
    try machine.verify(space)
    try machine.end([space])
  }

  /// Each page of a private mapping follows the file until it is written itself.
  @Test func pagesOfFilesThatMayChangeAreCopiedOneByOne() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let file = try FakeFile(machine.platform, size: 64 << 10) { _ in 1 }
    file.mappingIsStable = false
    let store = FrameStore(physical: machine.physical)
    store.size = 64 << 10
    var ones = IOBuffer(bytes: [UInt8](repeating: 1, count: 64 << 10))
    _ = try store.write(from: &ones, at: 0)
    let object = FakeObject(store)
    for source in [file as any MappableObject, object] {
      let start = try machine.mapFile(space, source, 64 << 10)
      #expect(try machine.poke(space, start &+ 3 * 4096, 9) == nil)
      try space.write(start &+ 7 * 4096, [9])
      if source === file {
        try setBytes(of: file.descriptor, at: 0, [UInt8](repeating: 2, count: 64 << 10))
      } else {
        var twos = IOBuffer(bytes: [UInt8](repeating: 2, count: 64 << 10))
        _ = try store.write(from: &twos, at: 0)
      }
      for page in 0..<UInt64(16) {
        #expect(try machine.peek(space, start &+ page * 4096) == (page == 3 || page == 7 ? 9 : 2), "page \(page)")
      }
      try machine.verify(space)
    }
    store.size = 0
    try machine.end([space])
  }

  @Test func sharedFileMappingsWriteThrough() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let file = try FakeFile(machine.platform, size: 8192) { _ in 1 }
    let start = try machine.mapFile(space, file, 8192, [.read, .write], .shared)
    let other = try machine.mapFile(space, file, 8192, .read, .private)
    try machine.poke(space, start &+ 5, 77)
    #expect(try machine.peek(space, other &+ 5) == 77)
    try space.writeValue(start &+ 8, UInt64(0x0102_0304))
    #expect(try space.readValue(other &+ 8, as: UInt64.self) == 0x0102_0304)
    func fill() throws {
      var buffer = try space.buffer(start &+ 4090, count: 12, for: .write)
      #expect(buffer.write([UInt8](repeating: 9, count: 20)) == 12)
    }
    try fill()
    #expect(try space.read(other &+ 4089, count: 14) == [1] + Array(repeating: 9, count: 12) + [1])
    let exchange = try space.compareExchangeWord(start &+ 16, expected: 0x0101_0101, desired: 5)
    #expect(exchange == (true, 0x0101_0101))
    #expect(try space.loadWord(other &+ 16) == 5)
    #expect(try space.futexKey(start &+ 16, isPrivate: false) == .shared(object: ObjectIdentifier(file), offset: 16))
    try space.sync(start, length: 8192, flags: .sync)
    try machine.verify(space)
    try machine.end([space])
  }

  @Test func sharedMappingsNeedPermission() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let file = try FakeFile(machine.platform, size: 8192) { _ in 1 }
    let start = try space.map(
      MapRequest(
        address: 0, length: 8192, protection: .read, flags: .shared, source: .file(file, offset: 0),
        maximumProtection: [.read, .execute]))
    #expect(throws: Errno.permissionDenied) { try space.protect(start, length: 8192, [.read, .write]) }
    #expect(throws: Errno.badAddress) { try space.writeValue(start, UInt8(1)) }
    try machine.end([space])
  }

  @Test func storesAreSharedAndTruncated() throws {
    let machine = try TestMemory()
    let one = machine.makeSpace()
    let two = machine.makeSpace()
    let object = FakeObject(FrameStore(physical: machine.physical))
    object.store.size = 20 * 4096
    let first = try machine.mapFile(one, object, 24 * 4096, [.read, .write], .shared)
    let second = try machine.mapFile(two, object, 24 * 4096, .read, .shared)
    let copy = try machine.mapFile(two, object, 24 * 4096, [.read, .write], .private)
    try machine.poke(one, first &+ 4096, 42)
    #expect(try machine.peek(two, second &+ 4096) == 42)
    #expect(try machine.peek(two, copy &+ 4096) == 42)
    try machine.poke(two, copy &+ 4096, 43)
    #expect(try machine.peek(one, first &+ 4096) == 42)
    #expect(try machine.peek(two, copy &+ 4096) == 43)
    #expect(try machine.poke(one, first &+ 20 * 4096, 1) == pastEnd)
    try machine.poke(one, first &+ 100, 8)
    object.store.size = 50
    #expect(try machine.peek(two, second &+ 4096) == nil)
    #expect(try machine.peek(two, copy &+ 4096) == nil)
    object.store.size = 4096
    #expect(try machine.peek(one, first &+ 100) == 0)
    try machine.verify(one)
    try machine.verify(two)
    object.store.size = 0
    try machine.end([one, two])
  }

  @Test func punchingKeepsPrivateCopies() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let object = FakeObject(FrameStore(physical: machine.physical))
    object.store.size = 4 * 4096
    let shared = try machine.mapFile(space, object, 4 * 4096, [.read, .write], .shared)
    let copy = try machine.mapFile(space, object, 4 * 4096, [.read, .write], .private)
    for page in 0..<UInt64(4) { try machine.poke(space, shared &+ page * 4096, 5) }
    try machine.poke(space, copy &+ 4096, 6)
    try object.store.punch(offset: 4096, length: 4096)
    #expect(try machine.peek(space, shared &+ 4096) == 0)
    #expect(try machine.peek(space, copy &+ 4096) == 6)
    #expect(try machine.peek(space, shared) == 5)
    try space.advise(shared, length: 4096, advice: .remove)
    #expect(try machine.peek(space, shared) == 0)
    try machine.verify(space)
    object.store.size = 0
    try machine.end([space])
  }

  @Test func sharedAnonymousMemorySurvivesFork() throws {
    let machine = try TestMemory()
    let parent = machine.makeSpace()
    let start = try machine.mapAnonymous(parent, 1 << 20, [.read, .write], [.shared, .anonymous])
    try machine.poke(parent, start, 1)
    let child = try machine.fork(parent)
    try machine.poke(child, start &+ 4096, 2)
    try machine.poke(child, start, 3)
    #expect(try machine.peek(parent, start) == 3)
    #expect(try machine.peek(parent, start &+ 4096) == 2)
    #expect(try parent.futexKey(start &+ 4, isPrivate: false) == child.futexKey(start &+ 4, isPrivate: false))
    #expect(try parent.futexKey(start &+ 4, isPrivate: true) != child.futexKey(start &+ 4, isPrivate: true))
    try machine.verify(parent)
    try machine.verify(child)
    try machine.end([parent, child])
  }
}
