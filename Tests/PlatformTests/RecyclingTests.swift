import Host
import LinuxABI
import Testing

@testable import Platform

@Suite("Recycling") struct RecyclingTests {
  private static let code = Code.make {
    $0.append(0x48, 0x8b, 0x1f)  // mov rbx, [rdi]
    $0.syscall()
    $0.spin()
  }

  @Test("A host process is used again, without its former guest's memory and registers", arguments: Setup.all)
  func reuse(setup: Setup) throws {
    let guest = try TestGuest(setup, code: RecyclingTests.code)
    var pids: Set<Int32> = []
    for round in 0..<10 {
      let process = try guest.platform.makeProcess()
      pids.insert(process.hostPID)
      var start = TestGuest.start
      start.rdi = TestGuest.data
      let thread = try process.makeThread(registers: start, extendedStateOf: nil)
      // Nothing is mapped: the first instruction cannot be fetched.
      guard case .fault(let fault) = thread.run(on: .anywhere) else {
        Issue.record("the former guest's code ran in round \(round)")
        return
      }
      #expect(fault.address == GuestAddress(TestGuest.code))
      #expect(thread.registers.rdi == TestGuest.data)
      guest.map(into: process)
      #expect(thread.run(on: .anywhere) == .syscall)
      try guest.startThread {
        Host.sleep(nanoseconds: 2_000_000)
        thread.preempt()
      }
      #expect(thread.run(on: .anywhere) == .preempted)
      process.recycle()
    }
    // One is enough unless the host is too busy to empty it in time.
    let statistics = guest.platform.statistics
    #expect(statistics.processesCreated == pids.count)
    #expect(statistics.processesReused == 10 - pids.count)
    #expect(pids.count < 6)
  }

  @Test("A ticket taken before recycle() covers its unmapping", arguments: Setup.all)
  func ticket(setup: Setup) throws {
    let guest = try TestGuest(setup, code: RecyclingTests.code)
    let process = try guest.makeProcess()
    var start = TestGuest.start
    start.rdi = TestGuest.data
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    #expect(thread.run(on: .anywhere) == .syscall)
    let ticket = process.releaseTicket()
    #expect(guest.platform.confirmedRelease(of: process) < ticket)
    process.recycle()
    for _ in 0..<1000 where guest.platform.confirmedRelease(of: process) < ticket {
      Host.sleep(nanoseconds: 1_000_000)
    }
    #expect(guest.platform.confirmedRelease(of: process) >= ticket)
  }

  @Test("The platform lets go of a host process that was killed from outside", arguments: Setup.all.prefix(2))
  func killedFromOutside(setup: Setup) throws {
    let guest = try TestGuest(setup, code: RecyclingTests.code)
    weak var last: StubProcess?
    do {
      let process = try #require(try guest.makeProcess() as? StubProcess)
      last = process
      let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
      _ = thread.run(on: .anywhere)
      Host.kill(process.hostPID, signal: .kill)
      for _ in 0..<1000 where !Host.isReadable(process.deathDescriptor) { Host.sleep(nanoseconds: 1_000_000) }
      process.noteDeath()
      #expect(process.isDead && process.isGone)
      process.kill()
    }
    #expect(last == nil)
  }

  @Test("No host process is left behind", arguments: Setup.all)
  func noZombies(setup: Setup) throws {
    var pids: [Int32] = []
    do {
      let guest = try TestGuest(setup, code: RecyclingTests.code)
      for _ in 0..<6 {
        let process = try guest.makeProcess()
        pids.append(process.hostPID)
        let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
        _ = thread.run(on: .anywhere)
        if pids.count % 2 == 0 { process.kill() }
        if pids.count == 3 { process.recycle() }
      }
    }
    for pid in pids { #expect(throws: Errno.noSuchFileOrDirectory) { try Host.openForReading("/proc/\(pid)/stat") } }
  }
}
