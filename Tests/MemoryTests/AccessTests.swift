import LinuxABI
import Testing

@testable import Memory

@Suite struct AccessTests {
  @Test func valuesCrossPagesAndExtents() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 1 << 20)
    try machine.poke(space, start &+ 8192, 0)
    try space.writeValue(start &+ 4093, UInt64(0x1122_3344_5566_7788))
    #expect(try space.readValue(start &+ 4093, as: UInt64.self) == 0x1122_3344_5566_7788)
    #expect(try machine.peek(space, start &+ 4096) == 0x55)
    try space.writeArray(start &+ 100_000, (0..<5000).map { UInt32($0) })
    #expect(try space.readArray(start &+ 100_000, count: 5000, as: UInt32.self) == (0..<5000).map { UInt32($0) })
    try machine.verify(space)
    try machine.end([space])
  }

  @Test func untouchedMemoryReadsAsZerosAndStaysUntouched() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 1 << 20)
    #expect(try space.read(start &+ 5, count: 300_000) == [UInt8](repeating: 0, count: 300_000))
    #expect(machine.physical.referencedBytes == 0)
    try machine.end([space])
  }

  @Test func badAddressesAreRefused() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 2 * 4096, at: 0x10_0000)
    try space.protect(start &+ 4096, length: 4096, .read)
    let last = GuestAddress(.max)
    for address in [0, 1, 0xfff, Layout.stubBase &- 1, Layout.stubBase, last, last &- 3, 0x8000_0000_0000_0000] {
      #expect(throws: Errno.badAddress) { try space.readValue(address, as: UInt64.self) }
      #expect(throws: Errno.badAddress) { try space.writeValue(address, UInt64(1)) }
      #expect(throws: Errno.badAddress) { try space.read(address, count: .max) }
      #expect(throws: Errno.badAddress) { try space.readArray(address, count: .max, as: UInt64.self) }
      #expect(throws: Errno.badAddress) { try space.readCString(address, limit: 10) }
      #expect(throws: Errno.badAddress) { try space.buffer(address, count: .max, for: .read) }
      #expect(throws: Errno.badAddress) { try space.buffer([(address, 8)], for: .write) }
      #expect(space.fault(at: address, access: .write) == .signal(.segv, code: 1))
      _ = try? space.advise(address.pageDown, length: .max - 4096, advice: .dontNeed)
      _ = try? space.protect(address.pageDown, length: .max - 4096, .read)
      _ = try? space.unmap(address.pageDown, length: .max - 4096)
      _ = try? space.sync(address.pageDown, length: .max - 4096, flags: .sync)
      _ = try? space.isResident(address.pageDown, length: .max - 4096)
      _ = try? space.remap(address.pageDown, oldLength: 0, newLength: .max - 5000, flags: .mayMove, newAddress: address)
      space.setName(start: address, length: .max - 4096, name: "x")
      _ = try? machine.mapAnonymous(space, .max - 8192, at: address.pageDown, .read, [.private, .anonymous, .fixed])
    }
    #expect(throws: Errno.badAddress) { try space.writeValue(start &+ 4092, UInt64(1)) }
    #expect(throws: Errno.badAddress) { try space.updateWord(start &+ 4096) { $0 } }
    #expect(throws: Errno.invalidArgument) { try space.loadWord(start &+ 2) }
    try machine.end([space])
  }

  @Test func buffersStopAtTheFirstBadPage() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 2 * 4096, at: 0x10_0000)
    var buffer = try space.buffer(start &+ 4096, count: 10_000, for: .write)
    #expect(buffer.remaining == 4096)
    #expect(buffer.write([UInt8](repeating: 3, count: 5000)) == 4096)
    #expect(try machine.peek(space, start &+ 8191) == 3)
    var vectors = try space.buffer([(start, 2), (start &+ 8190, 2), (start &+ 8192, 1), (start, 9)], for: .read)
    #expect(vectors.remaining == 4)
    #expect(vectors.read(9) == [0, 0, 3, 3])
    #expect(try space.buffer(0, count: 0, for: .read).remaining == 0)
    try machine.end([space])
  }

  @Test func stringsEndAtTheirNull() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 2 * 4096, at: 0x10_0000)
    try space.write(start &+ 8190, Array("ab".utf8))
    #expect(throws: Errno.badAddress) { try space.readCString(start &+ 8190, limit: 100) }
    #expect(throws: Errno.fileNameTooLong) { try space.readCString(start &+ 8190, limit: 2) }
    try space.write(start &+ 4000, Array(repeating: 65, count: 200) + [0])
    #expect(try space.readCString(start &+ 4000, limit: 4096) == Array(repeating: 65, count: 200))
    try machine.end([space])
  }

  @Test func kernelWritesAreCopiedOnWriteToo() throws {
    let machine = try TestMemory()
    let parent = machine.makeSpace()
    let start = try machine.mapAnonymous(parent, 64 * 4096)
    try parent.write(start, [UInt8](repeating: 1, count: 64 * 4096))
    let child = try machine.fork(parent)
    var buffer = try child.buffer(start, count: 64 * 4096, for: .write)
    #expect(buffer.fill(64 * 4096, with: 2) == 64 * 4096)
    #expect(try parent.read(start, count: 64 * 4096).allSatisfy { $0 == 1 })
    #expect(try child.read(start, count: 64 * 4096).allSatisfy { $0 == 2 })
    try machine.verify(parent)
    try machine.verify(child)
    try machine.end([parent, child])
  }

  @Test func wordsAreUpdatedAtomically() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 4096)
    #expect(try space.updateWord(start &+ 4) { $0 + 5 } == 0)
    #expect(try space.loadWord(start &+ 4) == 5)
    #expect(try space.compareExchangeWord(start &+ 4, expected: 4, desired: 9) == (false, 5))
    #expect(try space.compareExchangeWord(start &+ 4, expected: 5, desired: 9) == (true, 5))
    #expect(try space.loadWord(start &+ 4) == 9)
    try machine.end([space])
  }
}

@Suite struct FrameStoreTests {
  @Test func contentsAndHoles() throws {
    let physical = try PhysicalMemory(size: 16 << 20)
    let store = FrameStore(physical: physical)
    var source = IOBuffer(bytes: Array("hello".utf8))
    #expect(try store.write(from: &source, at: 10_000) == 5)
    #expect(store.size == 10_005)
    #expect(store.allocatedBytes == 4096)
    #expect(store.nextData(from: 0) == 8192)
    #expect(store.nextData(from: 10_001) == 10_001)
    #expect(store.nextHole(from: 0) == 0)
    #expect(store.nextHole(from: 9000) == 10_005)
    var target = IOBuffer(collecting: 10_010)
    #expect(try store.read(into: &target, at: 0) == 10_005)
    #expect(target.collected == [UInt8](repeating: 0, count: 10_000) + Array("hello".utf8))
    store.size = 10_002
    store.size = 20_000
    var again = IOBuffer(collecting: 6)
    #expect(try store.read(into: &again, at: 10_000) == 6)
    #expect(again.collected == Array("he".utf8) + [0, 0, 0, 0])
    try store.punch(offset: 9_999, length: 2)
    var last = IOBuffer(collecting: 2)
    #expect(try store.read(into: &last, at: 10_000) == 2)
    #expect(last.collected == [0, 101])
    try store.allocate(offset: 0, length: 8192)
    #expect(store.allocatedBytes == 3 * 4096)
    store.size = 0
    #expect(physical.referencedBytes == 0)
    var huge = IOBuffer(bytes: [1])
    #expect(throws: Errno.fileTooLarge) { try store.write(from: &huge, at: .max) }
    #expect(throws: Errno.noSpace) { try store.allocate(offset: 0, length: 1 << 50) }
  }

  @Test func growingFilesAreMadeOfFewExtents() throws {
    let physical = try PhysicalMemory(size: 64 << 20)
    let store = FrameStore(physical: physical)
    let other = FrameStore(physical: physical)
    for page in 0..<UInt64(4096) {
      var one = IOBuffer(bytes: [UInt8](repeating: UInt8(page & 255), count: 4096))
      _ = try store.write(from: &one, at: page * 4096)
      var two = IOBuffer(bytes: [1])
      _ = try other.write(from: &two, at: page * 4096)
    }
    #expect(store.parts(in: 0..<4096).count < 64)
    #expect(store.allocatedBytes == 16 << 20)
    for page in stride(from: UInt64(0), to: 4096, by: 97) {
      var target = IOBuffer(collecting: 1)
      _ = try store.read(into: &target, at: page * 4096)
      #expect(target.collected == [UInt8(page & 255)])
    }
  }
}
