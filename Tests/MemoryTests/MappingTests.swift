import LinuxABI
import Testing

@testable import Memory

private let unmapped = FaultOutcome.signal(.segv, code: 1)
private let forbidden = FaultOutcome.signal(.segv, code: 2)

@Suite struct MappingTests {
  @Test func anonymousMemoryIsZeroThenKeepsWhatIsWritten() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 8 << 20)
    #expect(try machine.peek(space, start &+ 5 << 12) == 0)
    for page in 0..<UInt64(2048) { try machine.poke(space, start &+ page * 4096 &+ 7, UInt8(page & 255)) }
    for page in 0..<UInt64(2048) {
      if try machine.peek(space, start &+ page * 4096 &+ 7) != UInt8(page & 255) { Issue.record("page \(page)") }
    }
    #expect(machine.faults < 20)
    try machine.verify(space)
    try machine.end([space])
  }

  @Test func smallMappingsNeedNoFault() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 16 * 4096)
    for page in 0..<UInt64(16) { #expect(try machine.poke(space, start &+ page * 4096, 1) == nil) }
    #expect(machine.faults == 0)
    try machine.end([space])
  }

  @Test func downwardTouchesGrowChunksToo() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 4 << 20)
    for page in (0..<UInt64(1024)).reversed() { try machine.poke(space, start &+ page * 4096, 3) }
    #expect(machine.faults < 16)
    try machine.verify(space)
    try machine.end([space])
  }

  @Test func unmappedMemoryFaults() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 3 * 4096)
    try machine.poke(space, start &+ 4096, 9)
    try space.unmap(start &+ 4096, length: 4096)
    #expect(try machine.poke(space, start &+ 4096, 9) == unmapped)
    #expect(try machine.poke(space, start &+ 8192, 9) == nil)
    #expect(space.mappings.count == 2)
    try machine.verify(space)
    #expect(throws: Errno.invalidArgument) { try space.unmap(start &+ 1, length: 4096) }
    #expect(throws: Errno.invalidArgument) { try space.unmap(start, length: 0) }
    #expect(throws: Errno.invalidArgument) { try space.unmap(0x1000, length: .max) }
    try machine.end([space])
  }

  @Test func protectionSplitsAndJoins() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 4 * 4096)
    try machine.poke(space, start &+ 4096, 5)
    try space.protect(start &+ 4096, length: 4096, .read)
    #expect(space.mappings.count == 3)
    #expect(try machine.poke(space, start &+ 4096, 6) == forbidden)
    #expect(try machine.peek(space, start &+ 4096) == 5)
    try space.protect(start &+ 4096, length: 4096, [])
    #expect(try machine.peek(space, start &+ 4096) == nil)
    try space.protect(start &+ 4096, length: 4096, [.read, .write])
    #expect(space.mappings.count == 1)
    #expect(try machine.poke(space, start &+ 4096, 6) == nil)
    #expect(throws: Errno.noMemory) { try space.protect(start, length: 1 << 20, .read) }
    try machine.verify(space)
    try machine.end([space])
  }

  @Test func fixedMappingsReplace() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let fixed: MapFlags = [.private, .anonymous, .fixed]
    let start = try machine.mapAnonymous(space, 4 * 4096)
    try machine.poke(space, start &+ 4096, 5)
    let again = try machine.mapAnonymous(space, 4096, at: start &+ 4096, [.read, .write], fixed)
    #expect(again == start &+ 4096)
    #expect(try machine.peek(space, again) == 0)
    #expect(throws: Errno.fileExists) {
      try machine.mapAnonymous(space, 4096, at: start, .read, [.private, .anonymous, .fixedNoReplace])
    }
    #expect(throws: Errno.notPermitted) { try machine.mapAnonymous(space, 4096, at: 0, .read, fixed) }
    #expect(throws: Errno.noMemory) { try machine.mapAnonymous(space, 4096, at: Layout.stubBase, .read, fixed) }
    #expect(throws: Errno.noMemory) { try machine.mapAnonymous(space, .max - 5) }
    #expect(throws: Errno.invalidArgument) { try machine.mapAnonymous(space, 0) }
    try machine.verify(space)
    try machine.end([space])
  }

  @Test func gapsAreFoundAgainAfterUnmapping() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let all = try (0..<50).map { _ in try machine.mapAnonymous(space, 2 * 4096) }
    #expect(all == all.sorted(by: >) && Set(all).count == 50)
    try space.unmap(all[20], length: 8192)
    #expect(try machine.mapAnonymous(space, 4096) == all[20] &+ 4096)
    #expect(try machine.mapAnonymous(space, 4096) == all[20])
    #expect(try machine.mapAnonymous(space, 4096) == all[49] &- 4096)
    try machine.end([space])
  }

  @Test func heapGrowsAndShrinks() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    space.setBreakBase(0x50_0000)
    #expect(space.setBreak(0) == 0x50_0000)
    #expect(space.setBreak(0x52_1000) == 0x52_1000)
    #expect(try machine.poke(space, 0x52_0fff, 4) == nil)
    #expect(try machine.poke(space, 0x52_1000, 4) == unmapped)
    #expect(space.setBreak(0x51_0000) == 0x51_0000)
    #expect(space.setBreak(0x53_0000) == 0x53_0000)
    #expect(try machine.peek(space, 0x52_0fff) == 0)
    #expect(space.mappings.map(\.name) == ["[heap]"])
    space.limits.data = 0x4_0000
    #expect(space.setBreak(0x60_0000) == 0x53_0000)
    try machine.verify(space)
    try machine.end([space])
  }

  @Test func stackGrowsDownToItsLimit() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    space.limits.stack = 1 << 20
    let top: GuestAddress = 0x7000_0000_0000
    let flags: MapFlags = [.private, .anonymous, .fixed, .growsDown]
    _ = try machine.mapAnonymous(space, 0x4000, at: top &- 0x4000, [.read, .write], flags)
    #expect(try machine.poke(space, top &- 0x8000, 1) == nil)
    #expect(try machine.poke(space, top &- 0x10_0000, 1) == nil)
    #expect(try machine.poke(space, top &- 0x10_0001, 1) == unmapped)
    #expect(space.stackBytes == 1 << 20)
    try machine.verify(space)
    try machine.end([space])
  }

  @Test func stackKeepsItsGuardGap() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let top: GuestAddress = 0x7000_0000_0000
    let below = top &- 0x20_0000
    _ = try machine.mapAnonymous(space, 4096, at: below, [.read, .write], [.private, .anonymous, .fixed])
    _ = try machine.mapAnonymous(
      space, 0x4000, at: top &- 0x4000, [.read, .write], [.private, .anonymous, .fixed, .growsDown])
    #expect(try machine.poke(space, below &+ 4096 &+ (256 << 12), 1) == nil)
    #expect(try machine.poke(space, below &+ 4096 &+ (256 << 12) &- 1, 1) == unmapped)
    try machine.end([space])
  }

  @Test func limitsAreKept() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    space.limits.addressSpace = 1 << 20
    _ = try machine.mapAnonymous(space, 1 << 19)
    #expect(throws: Errno.noMemory) { try machine.mapAnonymous(space, 1 << 20) }
    space.limits.addressSpace = .max
    space.limits.data = 1 << 20
    _ = try machine.mapAnonymous(space, 1 << 20, .read)
    #expect(throws: Errno.noMemory) { try machine.mapAnonymous(space, 1 << 20) }
    try machine.end([space])
  }

  @Test func remapGrowsMovesAndShrinks() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let upper = try machine.mapAnonymous(space, 4 * 4096)
    for page in 0..<UInt64(4) { try machine.poke(space, upper &+ page * 4096, UInt8(page + 1)) }
    _ = try machine.mapAnonymous(space, 4096, at: upper &+ 4 * 4096, .read, [.private, .anonymous, .fixed])
    #expect(throws: Errno.noMemory) {
      try space.remap(upper, oldLength: 4 * 4096, newLength: 64 * 4096, flags: [], newAddress: 0)
    }
    let moved = try space.remap(upper, oldLength: 4 * 4096, newLength: 64 * 4096, flags: .mayMove, newAddress: 0)
    #expect(moved != upper)
    for page in 0..<UInt64(4) { #expect(try machine.peek(space, moved &+ page * 4096) == UInt8(page + 1)) }
    #expect(try machine.poke(space, moved &+ 63 * 4096, 8) == nil)
    #expect(try space.remap(moved, oldLength: 64 * 4096, newLength: 4096, flags: [], newAddress: 0) == moved)
    #expect(try machine.peek(space, moved &+ 4096) == nil)
    #expect(try space.remap(moved, oldLength: 4096, newLength: 3 * 4096, flags: [], newAddress: 0) == moved)
    #expect(try machine.peek(space, moved &+ 4096) == 0)
    let fixed = try space.remap(
      moved, oldLength: 3 * 4096, newLength: 2 * 4096, flags: [.mayMove, .fixed], newAddress: 0x7000_0000)
    #expect(fixed == 0x7000_0000)
    #expect(try machine.peek(space, fixed) == 1)
    #expect(throws: Errno.badAddress) {
      try space.remap(moved, oldLength: 4096, newLength: 8192, flags: .mayMove, newAddress: 0)
    }
    #expect(throws: Errno.invalidArgument) {
      try space.remap(fixed, oldLength: 8192, newLength: 8192, flags: [.mayMove, .fixed], newAddress: fixed &+ 4096)
    }
    try machine.verify(space)
    try machine.end([space])
  }

  @Test func adviceDropsMemory() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 1 << 20)
    for page in 0..<UInt64(256) { try machine.poke(space, start &+ page * 4096, 7) }
    try space.advise(start, length: 8192, advice: .dontNeed)
    #expect(try machine.peek(space, start) == 0)
    #expect(try machine.peek(space, start &+ 8192) == 7)
    try space.advise(start, length: 1 << 20, advice: .dontNeed)
    #expect(try machine.peek(space, start &+ 8192) == 0)
    #expect(try space.isResident(start &+ 8192, length: 4096) == [1])
    #expect(throws: Errno.noMemory) { try space.advise(start, length: 2 << 20, advice: .dontNeed) }
    #expect(throws: Errno.invalidArgument) { try space.advise(start, length: 4096, advice: .remove) }
    try machine.verify(space)
    try machine.end([space])
  }

  @Test func manyMappingsEndInAnError() throws {
    let machine = try TestMemory()
    machine.platform.mappingLimit = 400
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 1 << 30, [.read, .write], [.private, .anonymous, .noReserve])
    var refused = false
    for index in 0..<UInt64(2000) where !refused {
      do throws(Errno) { try space.protect(start &+ index * 8192, length: 4096, .read) } catch {
        #expect(error == .noMemory)
        refused = true
      }
    }
    #expect(refused)
    try machine.verify(space)
    #expect(try machine.process(of: space).mappingCount < 400)
    try machine.end([space])
  }

  @Test func everyAreaThatIsAllowedCanBeTouched() throws {
    let machine = try TestMemory()
    machine.platform.mappingLimit = 400
    let space = machine.makeSpace()
    var starts: [GuestAddress] = []
    // Areas that do not join, as every other page is missing between them.
    while let start = try? machine.mapAnonymous(
      space, 4096, at: GuestAddress(0x10_0000 + UInt64(starts.count) * 8192), [], [.private, .anonymous, .fixed])
    {
      starts.append(start)
    }
    #expect(starts.count > 300 && starts.count < 400)
    for start in starts.dropLast(8) { try space.protect(start, length: 4096, [.read, .write]) }
    for start in starts.dropLast(8) { #expect(try machine.poke(space, start, 1) == nil) }
    try machine.verify(space)
    try machine.end([space])
  }

  @Test func whatNobodyCanUseIsRefused() throws {
    let machine = try TestMemory(limit: 16 << 20)
    let space = machine.makeSpace()
    let flags: MapFlags = [.private, .anonymous]
    #expect(throws: Errno.noMemory) { try machine.mapAnonymous(space, 17 << 20) }
    #expect(throws: Errno.noMemory) { try machine.mapAnonymous(space, 17 << 20, [.read], [.shared, .anonymous]) }
    _ = try machine.mapAnonymous(space, 16 << 20)
    _ = try machine.mapAnonymous(space, 1 << 40, [.read, .write], flags.union(.noReserve))
    let reserved = try machine.mapAnonymous(space, 1 << 40, [], flags)
    try space.unmap(reserved, length: 1 << 40)
    space.setBreakBase(0x50_0000)
    #expect(space.setBreak(0x50_0000 &+ (17 << 20)) == 0x50_0000)
    #expect(space.setBreak(0x50_0000 &+ (16 << 20)) == 0x50_0000 &+ (16 << 20))
    try machine.end([space])
  }

  @Test func the32BitFlagIsStrongerThanAHint() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let flags: MapFlags = [.private, .anonymous, .low32]
    let high = try machine.mapAnonymous(space, 4096, at: 0x7000_0000_0000, [.read], flags)
    #expect(high < 0x8000_0000)
    #expect(try machine.mapAnonymous(space, 4096, at: 0x1234_5000, [.read], flags) == 0x1234_5000)
    try machine.end([space])
  }

  @Test func shrinkingMayGoOverSeveralAreas() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 4 * 4096)
    try space.protect(start &+ 8192, length: 4096, .read)
    #expect(
      try space.remap(start, oldLength: 4 * 4096, newLength: 4096, flags: .mayMove, newAddress: .null) == start)
    #expect(space.totalBytes == 4096)
    let other = try machine.mapAnonymous(space, 4 * 4096)
    try space.protect(other &+ 8192, length: 4096, .read)
    #expect(throws: Errno.badAddress) {
      try space.remap(other, oldLength: 4 * 4096, newLength: 5 * 4096, flags: .mayMove, newAddress: .null)
    }
    try machine.verify(space)
    try machine.end([space])
  }

  @Test func lockingWhatCannotBeTouchedFails() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 8192)
    try space.protect(start, length: 4096, [])
    #expect(throws: Errno.noMemory) { try space.setLocked(true, start, length: 8192, fills: true) }
    #expect(space.isLocked(start) && space.isLocked(start &+ 4096))
    try space.setLocked(true, start, length: 8192, fills: false)
    try machine.end([space])
  }

  @Test func debuggersWriteWhereTheProcessMayOnlyRead() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let file = try FakeFile(machine.platform, size: 8192) { _ in 7 }
    let text = try machine.mapFile(space, file, 8192, [.read, .execute])
    try space.forceWrite(text &+ 4094, [1, 2, 3, 4])
    #expect(try space.read(text &+ 4092, count: 8) == [7, 7, 1, 2, 3, 4, 7, 7])
    #expect(try bytes(of: file.descriptor, at: 4094, count: 4) == [7, 7, 7, 7])
    #expect(try machine.poke(space, text, 1) != nil)
    let shared = try machine.mapFile(space, file, 4096, .read, .shared)
    #expect(throws: Errno.badAddress) { try space.forceWrite(shared, [1]) }
    let none = try machine.mapAnonymous(space, 4096, [])
    try space.forceWrite(none &+ 1, [5])
    #expect(throws: Errno.badAddress) { try space.read(none, count: 1) }
    try space.protect(none, length: 4096, .read)
    #expect(try space.read(none, count: 2) == [0, 5])
    #expect(throws: Errno.badAddress) { try space.forceWrite(0x1_0000, [1]) }
    try machine.verify(space)
    try machine.end([space])
  }
}
