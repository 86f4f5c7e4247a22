import Host
import LinuxABI
import Synchronization
import Testing

@testable import Platform

/// Tells a process of its death, as the kernel's interrupt thread does.
final class DeathWatcher: Sendable {
  private let done = Atomic<Bool>(false)

  init(_ process: any GuestProcess) {
    try? Host.startThread { [self] in
      while !Host.isReadable(process.deathDescriptor) { Host.sleep(nanoseconds: 1_000_000) }
      process.noteDeath()
      done.store(true, ordering: .sequentiallyConsistent)
    }
  }

  func wait() { while !done.load(ordering: .sequentiallyConsistent) { Host.sleep(nanoseconds: 1_000_000) } }
}

/// What several threads' runs returned.
final class Traps: Sendable {
  let list = Mutex<[Trap]>([])
}

@Suite("Threads") struct ThreadTests {
  @Test("A spinning thread is preempted, keeps its registers, and goes on", arguments: Setup.all)
  func preemption(setup: Setup) throws {
    let guest = try TestGuest(setup, code: Code.make { $0.spin() })
    let process = try guest.makeProcess()
    var start = TestGuest.start
    start.rbx = 42
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    for _ in 0..<3 {
      try guest.startThread {
        Host.sleep(nanoseconds: 5_000_000)
        thread.preempt()
      }
      #expect(thread.run(on: .anywhere) == .preempted)
      #expect(thread.registers.rip == TestGuest.code)
      #expect(thread.registers.rbx == 42)
    }
    process.kill()
  }

  @Test("Threads that spin for each other trap, run operations and are preempted all the same")
  func spinning() throws {
    let cpus = Host.usableCPUs
    let together = Placement(cpu: cpus.first)
    let apart = Placement(cpu: cpus.first, guestCPU: cpus.last)
    let guest = try TestGuest(
      Setup(kind: .seccomp, trusted: false),
      code: Code.make {
        $0.append(0x48, 0x8b, 0x1f)  // mov rbx, [rdi]
        $0.syscall()
        $0.spin()
      })
    let process = try guest.makeProcess()
    guest.write([11], at: 0x8000)
    guest.write([22], at: 0x9000)
    var start = TestGuest.start
    start.rdi = TestGuest.data
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    for round in 0..<200 {
      process.queue(
        .mapPhysical(
          address: GuestAddress(TestGuest.data), length: 4096, offset: 0x8000 + UInt64(round & 1) * 4096,
          protection: .read,
          populate: false))
      thread.changeRegisters { $0.rip = TestGuest.code }
      // Now and then they come together, which has to work at any trap.
      #expect(thread.run(on: round % 16 == 15 ? together : apart) == .syscall)
      #expect(thread.waitedForAgent)
      #expect(thread.registers.rbx == (round & 1 == 0 ? 11 : 22))
      thread.changeRegisters { $0.rip = TestGuest.code }
      #expect(thread.run(on: apart) == .syscall)
    }
    try guest.startThread {
      Host.sleep(nanoseconds: 5_000_000)
      thread.preempt()
    }
    #expect(thread.run(on: apart) == .preempted)
    process.kill()
  }

  @Test("The death of the host process from outside ends the run", arguments: Setup.all)
  func death(setup: Setup) throws {
    let guest = try TestGuest(setup, code: Code.make { $0.spin() })
    let process = try guest.makeProcess()
    let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    let watcher = DeathWatcher(process)
    try guest.startThread {
      Host.sleep(nanoseconds: 5_000_000)
      Host.kill(process.hostPID, signal: .kill)
    }
    #expect(thread.run(on: .anywhere) == .died(reason: .killed))
    #expect(thread.run(on: .anywhere) == .died(reason: .killed))
    watcher.wait()
    #expect(process.isDead)
    process.kill()
    let other = try guest.makeProcess()
    let second = try other.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    try guest.startThread {
      Host.sleep(nanoseconds: 5_000_000)
      second.preempt()
    }
    #expect(second.run(on: .anywhere) == .preempted)
    other.kill()
  }

  @Test("Several threads of a process share its memory; ended ones are used again", arguments: Setup.all)
  func threads(setup: Setup) throws {
    let guest = try TestGuest(
      setup,
      code: Code.make {
        $0.append(0xf0, 0x48, 0x01, 0x07)  // lock add [rdi], rax
        $0.syscall()
      })
    let process = try guest.makeProcess()
    var start = TestGuest.start
    start.rdi = TestGuest.data
    var threads: [any GuestThread] = []
    for number in 1...8 {
      start.rax = UInt64(number)
      let thread = try process.makeThread(registers: start, extendedStateOf: threads.last)
      #expect(thread.run(on: .anywhere) == .syscall)
      threads.append(thread)
    }
    #expect(guest.read(Int(TestGuest.dataOffset), as: UInt64.self) == 36)
    for thread in threads {
      thread.changeRegisters {
        $0.rip = TestGuest.code
        $0.rax = 1
      }
      #expect(thread.run(on: .anywhere) == .syscall)
    }
    #expect(guest.read(Int(TestGuest.dataOffset), as: UInt64.self) == 44)
    for thread in threads { thread.exit() }
    start.rax = 100
    let last = try process.makeThread(registers: start, extendedStateOf: nil)
    #expect(last.run(on: .anywhere) == .syscall)
    #expect(guest.read(Int(TestGuest.dataOffset), as: UInt64.self) == 144)
    #expect(guest.platform.statistics.threadsCreated == 8)
    #expect(guest.platform.statistics.threadsReused == 1)
    process.kill()
  }

  @Test("Threads of one process run at the same time", arguments: Setup.all)
  func parallel(setup: Setup) throws {
    let guest = try TestGuest(
      setup,
      code: Code.make {
        $0.append(0xf0, 0x48, 0xff, 0x07)  // lock inc [rdi]
        $0.append(0x48, 0x39, 0x37)  // cmp [rdi], rsi
        $0.append(0x72, 0xfb)  // jb to the cmp
        $0.syscall()
      })
    let process = try guest.makeProcess()
    var start = TestGuest.start
    start.rdi = TestGuest.data
    start.rsi = 4
    var threads: [any GuestThread] = []
    for _ in 0..<4 { threads.append(try process.makeThread(registers: start, extendedStateOf: nil)) }
    let shared = Traps()
    for thread in threads.dropFirst() {
      try guest.startThread {
        let trap = thread.run(on: .anywhere)
        shared.list.withLock { $0.append(trap) }
        // A tracer that ends takes the process with it.
        while !process.isDead { Host.sleep(nanoseconds: 1_000_000) }
      }
    }
    #expect(threads[0].run(on: .anywhere) == .syscall)
    while shared.list.withLock({ $0.count }) < 3 { Host.sleep(nanoseconds: 1_000_000) }
    #expect(shared.list.withLock { $0 } == [.syscall, .syscall, .syscall])
    process.kill()
  }

  @Test("Many operations at once pass through the ring in order", arguments: Setup.all)
  func manyOperations(setup: Setup) throws {
    let guest = try TestGuest(
      setup,
      code: Code.make {
        $0.append(0x48, 0x8b, 0x1f)  // mov rbx, [rdi]
        $0.syscall()
      })
    let process = try guest.makeProcess()
    var start = TestGuest.start
    start.rdi = 0x1000_0000
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    for round in 0..<5 {
      for page in 0..<700 {
        // Every second page, so that nothing can be merged.
        let offset = UInt64(0x10_0000 + (page + round) * 8192)
        process.queue(
          .mapPhysical(
            address: GuestAddress(0x1000_0000 + UInt64(page) * 8192), length: 4096, offset: offset, protection: [.read],
            populate: false))
        guest.write([UInt8(truncatingIfNeeded: page), UInt8(page >> 8), 0xaa], at: Int(offset))
      }
      for page in [0, 1, 255, 256, 699] {
        thread.changeRegisters {
          $0.rip = TestGuest.code
          $0.rdi = 0x1000_0000 + UInt64(page) * 8192
        }
        #expect(thread.run(on: .anywhere) == .syscall)
        #expect(thread.registers.rbx & 0xffffff == UInt64(page) | 0xaa0000)
      }
    }
    process.kill()
  }

  @Test("A release ticket is confirmed once the operations before it are done", arguments: Setup.all)
  func tickets(setup: Setup) throws {
    let guest = try TestGuest(setup, code: Code.make { $0.syscall() })
    let process = try guest.makeProcess()
    let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    #expect(thread.run(on: .anywhere) == .syscall)
    process.queue(.unmap(address: GuestAddress(TestGuest.data), length: 4096))
    let ticket = process.releaseTicket()
    #expect(guest.platform.confirmedRelease(of: process) < ticket)
    thread.changeRegisters { $0.rip = TestGuest.code }
    #expect(thread.run(on: .anywhere) == .syscall)
    #expect(guest.platform.confirmedRelease(of: process) >= ticket)

    process.queue(.unmap(address: GuestAddress(TestGuest.stackTop - 4096), length: 4096))
    let second = process.releaseTicket()
    #expect(second > ticket)
    process.flush()
    for _ in 0..<1000 where guest.platform.confirmedRelease(of: process) < second {
      Host.sleep(nanoseconds: 1_000_000)
    }
    #expect(guest.platform.confirmedRelease(of: process) >= second)
    process.kill()
    for _ in 0..<1000 where guest.platform.confirmedRelease(of: process) != .max {
      Host.sleep(nanoseconds: 1_000_000)
    }
    #expect(guest.platform.confirmedRelease(of: process) == .max)
  }
}
