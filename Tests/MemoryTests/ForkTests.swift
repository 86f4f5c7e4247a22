import LinuxABI
import Testing

@testable import Memory

@Suite struct ForkTests {
  @Test func writesStayApart() throws {
    let machine = try TestMemory()
    let parent = machine.makeSpace()
    let start = try machine.mapAnonymous(parent, 1 << 20)
    for page in 0..<UInt64(256) { try machine.poke(parent, start &+ page * 4096, 1) }
    let child = try machine.fork(parent)
    try machine.verify(parent)
    try machine.verify(child)
    for page in stride(from: UInt64(0), to: 256, by: 3) { try machine.poke(child, start &+ page * 4096, 2) }
    for page in stride(from: UInt64(0), to: 256, by: 5) { try machine.poke(parent, start &+ page * 4096, 3) }
    for page in 0..<UInt64(256) {
      #expect(try machine.peek(child, start &+ page * 4096) == (page % 3 == 0 ? 2 : 1))
      #expect(try machine.peek(parent, start &+ page * 4096) == (page % 5 == 0 ? 3 : 1))
    }
    try machine.verify(parent)
    try machine.verify(child)
    try machine.end([parent, child])
  }

  @Test func framesAreTakenOverWhenTheChildIsGone() throws {
    let machine = try TestMemory()
    let parent = machine.makeSpace()
    let start = try machine.mapAnonymous(parent, 1 << 20)
    for page in 0..<UInt64(256) { try machine.poke(parent, start &+ page * 4096, 1) }
    let used = machine.physical.referencedBytes
    let child = try machine.fork(parent)
    child.destroy()
    for process in machine.platform.processes { process.flush() }
    machine.faults = 0
    for page in 0..<UInt64(256) { try machine.poke(parent, start &+ page * 4096, 2) }
    #expect(machine.faults == 1)
    #expect(machine.physical.referencedBytes == used)
    try machine.verify(parent)
    try machine.end([parent])
  }

  @Test func framesAreNotReusedBeforeTheirUnmappingIsConfirmed() throws {
    let machine = try TestMemory(limit: 1 << 20)
    let one = machine.makeSpace()
    let start = try machine.mapAnonymous(one, 64 * 4096)
    for page in 0..<UInt64(64) { try machine.poke(one, start &+ page * 4096, 1) }
    let frames = Set(one.extents.elements.flatMap { Array($0.frame..<$0.frame + UInt32($0.count)) })
    try one.unmap(start, length: 64 * 4096)
    let two = machine.makeSpace()
    let other = try machine.mapAnonymous(two, 32 * 4096)
    for page in 0..<UInt64(32) { try machine.poke(two, other &+ page * 4096, 1) }
    for extent in two.extents.elements {
      for page in extent.start..<extent.end where frames.contains(extent.frame(of: page)) {
        Issue.record("frame \(extent.frame(of: page)) is reused too soon")
      }
    }
    try machine.process(of: one).flush()
    machine.physical.drainConfirmed()
    #expect(frames.allSatisfy { machine.physical.references(to: $0) == 0 })
    try machine.end([one, two])
  }

  @Test func pagesWrittenAfterForksAreCopiedAhead() throws {
    let machine = try TestMemory()
    let parent = machine.makeSpace()
    let start = try machine.mapAnonymous(parent, 1 << 20)
    for page in 0..<UInt64(256) { try machine.poke(parent, start &+ page * 4096, 1) }
    for round in 0..<4 {
      machine.faults = 0
      let child = try machine.fork(parent)
      for page in [UInt64(17), 200] {
        try machine.poke(child, start &+ page * 4096, 2)
        try machine.poke(parent, start &+ page * 4096, UInt8(round + 3))
      }
      #expect(try machine.peek(child, start &+ 200 * 4096) == 2)
      #expect(try machine.peek(parent, start &+ 200 * 4096) == UInt8(round + 3))
      if round > 1 { #expect(machine.faults == 0) }
      try machine.verify(parent)
      try machine.verify(child)
      child.destroy()
      for process in machine.platform.processes { process.flush() }
      machine.physical.drainConfirmed()
    }
    try machine.end([parent])
  }

  @Test func adviceForForksIsKept() throws {
    let machine = try TestMemory()
    let parent = machine.makeSpace()
    let start = try machine.mapAnonymous(parent, 4 * 4096)
    for page in 0..<UInt64(4) { try machine.poke(parent, start &+ page * 4096, 1) }
    try parent.advise(start, length: 4096, advice: .dontFork)
    try parent.advise(start &+ 4096, length: 4096, advice: .wipeOnFork)
    let child = try machine.fork(parent)
    #expect(try machine.peek(child, start) == nil)
    #expect(try machine.peek(child, start &+ 4096) == 0)
    #expect(try machine.peek(child, start &+ 8192) == 1)
    try machine.verify(parent)
    try machine.verify(child)
    try machine.end([parent, child])
  }

  @Test func forkOfMuchMemoryCopiesNone() throws {
    let machine = try TestMemory(limit: 64 << 20)
    let parent = machine.makeSpace()
    let start = try machine.mapAnonymous(parent, 40 << 20)
    for page in 0..<UInt64(40 << 8) { try machine.poke(parent, start &+ page * 4096, 1) }
    let before = machine.physical.usedBytes
    let child = try machine.fork(parent)
    #expect(machine.physical.usedBytes <= before + 32 * 4096)
    try machine.end([parent, child])
  }

  @Test func deadProcessesGiveTheirFramesBack() throws {
    let machine = try TestMemory()
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 1 << 20)
    try machine.poke(space, start, 1)
    let process = try machine.process(of: space)
    process.noteDeath()
    space.abandon()
    #expect(machine.physical.referencedBytes == 0)
    // The platform is told that nobody uses the process any more.
    #expect(process.isKilled && !process.isRecycled)
  }

  @Test func memoryRunsOut() throws {
    let machine = try TestMemory(limit: 4 << 20)
    let space = machine.makeSpace()
    let start = try machine.mapAnonymous(space, 64 << 20, [.read, .write], [.private, .anonymous, .noReserve])
    var outcome: FaultOutcome?
    var pages = 0
    while pages < 16384, outcome == nil {
      outcome = try machine.poke(space, start &+ UInt64(pages) * 4096, 1)
      pages += 1
    }
    #expect(outcome == .outOfMemory)
    #expect(machine.physical.usedBytes >= 3 << 20 && machine.physical.usedBytes <= 6 << 20)
    #expect(throws: Errno.noMemory) { try space.write(start &+ 60 << 20, [1]) }
    let store = FrameStore(physical: machine.physical)
    var buffer = IOBuffer(bytes: [1])
    #expect(throws: Errno.noSpace) { try store.write(from: &buffer, at: 0) }
    try space.advise(start, length: 64 << 20, advice: .dontNeed)
    #expect(try machine.poke(space, start, 1) == nil)
    try machine.end([space])
    #expect(machine.physical.usedBytes < 1 << 20)
  }
}
