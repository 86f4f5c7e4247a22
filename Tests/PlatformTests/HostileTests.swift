import CStub
import Host
import LinuxABI
import Synchronization
import Testing

@testable import Platform

/// Guests that know the stub and attack it. They may harm themselves, nobody else.
@Suite("Hostile guests") struct HostileTests {
  private static let header = Stub.contexts + UInt64(Stub.headerOffset)
  /// Strict setups: trusted guests are trusted.
  private static let setups = Setup.all.filter { !$0.trusted }

  /// Where in the stub some bytes are.
  private static func sites(of bytes: [UInt8]) -> [UInt64] {
    let code = unsafe [UInt8](UnsafeBufferPointer(start: apus_stub_code(), count: Int(apus_stub_length())))
    return (0...code.count - bytes.count).filter { code[$0..<$0 + bytes.count].elementsEqual(bytes) }
      .map { Stub.base + UInt64($0) }
  }

  @Test("No host call can be made by jumping into the stub", arguments: HostileTests.setups)
  func jumpIntoStub(setup: Setup) throws {
    let guest = try TestGuest(setup, code: [])
    let process = try guest.makeProcess()
    let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    let sites = HostileTests.sites(of: [0x0f, 0x05])
    #expect(sites.count > 20)
    let calls: [SyscallNumber] = [
      .mmap, .munmap, .mprotect, .write, .clone, .exit_group, .exit, .close_range, .recvmsg, .kill, .open, .ptrace,
      .seccomp, .prctl, .execve, .dup3,
    ]
    for site in sites {
      for call in calls {
        thread.setRegisters(TestGuest.start)
        thread.changeRegisters {
          $0.rip = site
          $0.rax = UInt64(call.rawValue)
          $0.r10 = 0x11
        }
        guard thread.run(on: .anywhere) == .syscall, thread.registers.rip == site + 2 else {
          Issue.record("\(call) went through at \(site - Stub.base)")
          return
        }
      }
    }
    process.kill()
  }

  @Test("The stub's futex calls reach the state words of own contexts only", arguments: [false, true])
  func boundFutex(trusted: Bool) throws {
    let guest = try TestGuest(Setup(kind: .seccomp, trusted: trusted), code: [])
    let process = try guest.makeProcess()
    let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    let site = try #require(HostileTests.sites(of: [0xb8, 202, 0, 0, 0, 0x0f, 0x05]).first) + 5
    let header = HostileTests.header
    let beyond = Stub.contexts + UInt64(Stub.threadLimit * Stub.contextSize + Stub.headerOffset)
    // Address, operation, value, time limit, bits: FUTEX_WAIT_BITSET is 9, FUTEX_WAKE_BITSET 10.
    let wake = UInt64(Stub.wakeApus)
    let wait = UInt64(Stub.wakeGuest)
    let refused: [(UInt64, UInt64, UInt64, UInt64, UInt64)] = [
      (Stub.control, 9, 0, 0, wait), (Stub.constants, 9, 0, 0, wait), (TestGuest.data, 9, 0, 0, wait),
      (header - Stub.contexts, 9, 0, 0, wait), (header | 1 << 47, 9, 0, 0, wait), (beyond, 9, 0, 0, wait),
      (header &- UInt64(Stub.contextSize), 9, 0, 0, wait), (header + UInt64(STUB_HEADER_FLUSH), 9, 0, 0, wait),
      (header, 9, 0, 0, wake), (header, 9, 0, 0, 3), (header, 9, 0, 0, 0xffff_ffff), (header, 9, 0, header, wait),
      (header, 9, 0, 1 << 32, wait), (header, 0, 0, 0, wait), (header, 137, 0, 0, wait), (header, 256 + 9, 0, 0, wait),
      (header, 10, 2, 0, wake), (header, 10, 0x7fff_ffff, 0, wake), (header, 10, 1, 0, wait), (header, 1, 1, 0, wake),
      (header, 3, 1, 0, wake), (header, 5, 1, 0, wake), (Stub.control, 10, 1, 0, wake),
    ]
    for (address, operation, value, limit, bits) in refused {
      thread.setRegisters(TestGuest.start)
      thread.changeRegisters {
        $0.rip = site
        $0.rax = 202
        $0.rdi = address
        $0.rsi = operation
        $0.rdx = value
        $0.r10 = limit
        $0.r9 = bits
      }
      #expect(
        thread.run(on: .anywhere) == .syscall && thread.registers.rip == site + 2,
        "\(String(address, radix: 16)) \(operation) \(value) \(bits)")
      guard !process.isDead else { return }
    }
    process.kill()
  }

  @Test("Other architectures' system calls are not executed", arguments: Setup.all)
  func foreignCalls(setup: Setup) throws {
    let guest = try TestGuest(
      setup,
      code: Code.make {
        $0.append(0xcd, 0x80)  // int 0x80
        $0.syscall()
        $0.syscall()
      })
    let process = try guest.makeProcess()
    var start = TestGuest.start
    start.rax = 1  // exit(2) of i386
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    #expect(thread.run(on: .anywhere) == .foreignSyscall)
    #expect(thread.registers.rip == TestGuest.code + 2)
    thread.changeRegisters { $0.rax = 0x4000_0000 | 39 }
    #expect(thread.run(on: .anywhere) == .foreignSyscall)
    thread.changeRegisters { $0.rax = 39 }
    #expect(thread.run(on: .anywhere) == .syscall)
    process.kill()
  }

  @Test("The stub and the control area cannot be written", arguments: Setup.all)
  func writeStub(setup: Setup) throws {
    let guest = try TestGuest(setup, code: Code.make { $0.append(0x48, 0x89, 0x07) })  // mov [rdi], rax
    let process = try guest.makeProcess()
    let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    var addresses = [Stub.base, Stub.constants, Stub.control, Stub.control + 64]
    if let vdso = guest.platform.vdsoImage { addresses.append(vdso.address.rawValue) }
    for address in addresses {
      thread.setRegisters(TestGuest.start)
      thread.changeRegisters { $0.rdi = address }
      guard case .fault(let fault) = thread.run(on: .anywhere) else {
        Issue.record("written at \(address)")
        return
      }
      #expect(fault.address == GuestAddress(address))
    }
    process.kill()
  }

  @Test("Guest threads hold no descriptor", arguments: HostileTests.setups)
  func noDescriptors(setup: Setup) throws {
    let guest = try TestGuest(setup, code: Code.make { $0.syscall() })
    let process = try guest.makeProcess()
    let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    #expect(thread.run(on: .anywhere) == .syscall)
    let stub = try #require(process as? StubProcess)
    let id = try #require(stub.ring.withLock { $0.threads.first?.id.load(ordering: .relaxed) })
    let agent = (0..<32).filter { (try? Host.openForReading("/proc/\(process.hostPID)/fdinfo/\($0)")) != nil }
    let own = (0..<32).filter { (try? Host.openForReading("/proc/\(process.hostPID)/task/\(id)/fdinfo/\($0)")) != nil }
    #expect(agent == [0, 1, 2, 3, 4])
    #expect(own.isEmpty)
    process.kill()
  }

  @Test("A thread that blocks the preemption signal with a forged frame is killed")
  func forgedFrame() throws {
    let setup = Setup(kind: .seccomp, trusted: false)
    let guest = try TestGuest(setup, gracePeriod: 100_000_000, code: Code.make { $0.spin() })
    let process = try guest.makeProcess()
    var frame = [UInt64](repeating: 0, count: 38)  // ucontext_t
    frame[20] = TestGuest.stackTop  // rsp
    frame[21] = TestGuest.code
    frame[22] = 0x202
    frame[23] = 0x33 | 0x2b << 48
    frame[37] = .max  // uc_sigmask
    guest.write(frame.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }, at: 0x1000)
    var start = TestGuest.start
    start.rsp = TestGuest.data
    start.rip = Stub.base + apus_stub_restorer_offset()
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    try guest.startThread {
      Host.sleep(nanoseconds: 20_000_000)
      thread.preempt()
    }
    #expect(thread.run(on: .anywhere) == .died(reason: .unresponsive))
    process.kill()
  }

  /// Writes a frame address and the trapped state into its own context, and goes on running.
  private static let forger = Code.make {
    $0.append(0x48, 0x89, 0x77, 0x08)  // mov [rdi + 8], rsi
    $0.append(0xc7, 0x47, 0x04, 31, 0, 0, 0)  // mov dword [rdi + 4], SIGSYS
    $0.append(0xc7, 0x07, 2, 0, 0, 0)  // mov dword [rdi], TRAPPED
    $0.spin()
  }

  @Test(
    "A forged trap with a frame elsewhere ends the process",
    arguments: [
      0, 1, TestGuest.data, Stub.contexts - 64, Stub.contexts + 7, HostileTests.header - 64, HostileTests.header + 512,
      UInt64.max, UInt64.max - 8,
    ])
  func forgedTrap(frame: UInt64) throws {
    let guest = try TestGuest(Setup(kind: .seccomp, trusted: false), code: HostileTests.forger)
    let process = try guest.makeProcess()
    var start = TestGuest.start
    start.rdi = HostileTests.header
    start.rsi = frame
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    let stub = try #require(process as? StubProcess)
    let context = try #require(stub.ring.withLock { $0.threads.first?.context })
    try guest.startThread {
      // The guest could wake Apus itself.
      for _ in 0..<1000 {
        Host.sleep(nanoseconds: 1_000_000)
        context.state.wake(bitset: Stub.wakeApus)
        if stub.isDead { return }
      }
    }
    #expect(thread.run(on: .anywhere) == .died(reason: .protocolViolation))
    process.kill()
  }

  /// Where a thread goes that has forged a trap. Guest code is no place to stay: it is unmapped.
  enum HidingPlace: CaseIterable {
    case spinningInStub, sleepingElsewhere, sleepingWithSignalsOpen
  }

  @Test("A process whose thread pretends to be parked is not used again", arguments: HidingPlace.allCases)
  func forgedPark(place: HidingPlace) throws {
    let forger = Code.make {
      if place == .spinningInStub {
        $0.append(0xc7, 0x47, UInt8(STUB_HEADER_SPIN), 0xff, 0xff, 0xff, 0xff)  // mov dword [rdi + SPIN], ~0
      }
      $0.append(0x48, 0x89, 0x77, 0x08)  // mov [rdi + 8], rsi
      $0.append(0xc7, 0x47, 0x04, 31, 0, 0, 0)  // mov dword [rdi + 4], SIGSYS
      $0.append(0xc7, 0x07, 2, 0, 0, 0)  // mov dword [rdi], TRAPPED
      $0.append(0x4c, 0x89, 0xcf)  // mov rdi, r9
      $0.append(0x41, 0xff, 0xe0)  // jmp r8
    }
    let guest = try TestGuest(Setup(kind: .seccomp, trusted: false), code: forger)
    let process = try guest.makeProcess()
    let pid = process.hostPID
    var start = TestGuest.start
    start.rdi = HostileTests.header
    start.rsi = Stub.contexts + 4096
    start.r9 = HostileTests.header
    start.r8 = Stub.base + apus_stub_park_offset()
    switch place {
    case .sleepingElsewhere: start.r9 = HostileTests.header + 4
    case .spinningInStub, .sleepingWithSignalsOpen: break
    }
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    let stub = try #require(process as? StubProcess)
    let context = try #require(stub.ring.withLock { $0.threads.first?.context })
    let isOver = Flag()
    defer { isOver.set() }
    try guest.startThread {
      while !isOver.isSet {
        Host.sleep(nanoseconds: 1_000_000)
        context.state.wake(bitset: Stub.wakeApus)
      }
    }
    _ = thread.run(on: .anywhere)
    isOver.set()
    process.recycle()
    let next = try guest.makeProcess()
    #expect(next.hostPID != pid)
    next.kill()
  }

  @Test(
    "No value of the state word keeps Apus from ending an unresponsive thread",
    arguments: [
      0, 1, 4, 8, 12, 16, 24, 0x8000_0000 as UInt32,
    ])
  func forgedState(value: UInt32) throws {
    let guest = try TestGuest(
      Setup(kind: .seccomp, trusted: false), gracePeriod: 100_000_000,
      code: Code.make {
        $0.append(0x89, 0x37)  // mov [rdi], esi
        $0.append(0xeb, 0xfc)  // jmp to the mov
      })
    let process = try guest.makeProcess()
    var start = TestGuest.start
    start.rdi = HostileTests.header
    start.rsi = UInt64(value)
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    try guest.startThread {
      Host.sleep(nanoseconds: 10_000_000)
      thread.preempt()
    }
    // The signal itself cannot be refused: either it is reported, or the thread is ended.
    let trap = thread.run(on: .anywhere)
    #expect(trap == .preempted || trap == .died(reason: .unresponsive))
    process.kill()
  }

  @Test("A thread whose id is never told is ended as one that does not answer", arguments: Setup.all)
  func hiddenID(setup: Setup) throws {
    let guest = try TestGuest(setup, gracePeriod: 100_000_000, code: Code.make { $0.spin() })
    let process = try guest.makeProcess()
    let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    let stub = try #require(process as? StubProcess)
    let context = try #require(stub.ring.withLock { $0.threads.first?.context })
    let isOver = Flag()
    defer { isOver.set() }
    // As a sibling's guest code could.
    try guest.startThread { while !isOver.isSet { context.setHeader(STUB_HEADER_TID, to: Int32(-1)) } }
    try guest.startThread {
      while !isOver.isSet {
        Host.sleep(nanoseconds: 10_000_000)
        thread.preempt()
      }
    }
    // Its id may slip out in between; then it can be preempted.
    let trap = thread.run(on: .anywhere)
    #expect(trap == .died(reason: .unresponsive) || trap == .preempted)
    isOver.set()
    process.kill()
  }

  @Test("A thread that fills another's context with noise harms its own process alone")
  func noise() throws {
    let guest = try TestGuest(
      Setup(kind: .seccomp, trusted: false), gracePeriod: 100_000_000,
      code: Code.make {
        // Noise: rdtsc; mix; store it somewhere in 4 KiB around the header of the first context.
        $0.append(0x0f, 0x31)  // rdtsc
        $0.append(0x69, 0xc0, 0x35, 0x7a, 0x58, 0x6d)  // imul eax, eax, 0x6d587a35
        $0.append(0x89, 0xc1)  // mov ecx, eax
        $0.append(0xc1, 0xe9, 0x14)  // shr ecx, 20
        $0.append(0x83, 0xe1, 0xf8)  // and ecx, ~7
        $0.append(0x48, 0x89, 0x04, 0x0f)  // mov [rdi + rcx], rax
        $0.jump(to: 0)
      })
    let calls = Code.make {
      $0.syscall()
      $0.jump(to: 0)
    }
    guest.write(calls, at: 512)
    let process = try guest.makeProcess()
    var start = TestGuest.start
    start.rip = TestGuest.code + 512
    let victim = try process.makeThread(registers: start, extendedStateOf: nil)
    #expect(victim.run(on: .anywhere) == .syscall)
    start.rip = TestGuest.code
    start.rdi = Stub.contexts + UInt64(Stub.contextSize) - 4096
    let attacker = try process.makeThread(registers: start, extendedStateOf: nil)
    let watcher = DeathWatcher(process)
    let over = Flag()
    try guest.startThread {
      while true {
        if case .died = attacker.run(on: .anywhere) { break }
      }
      over.set()
    }
    try guest.startThread {
      for _ in 0..<20 {
        Host.sleep(nanoseconds: 10_000_000)
        victim.preempt()
      }
      process.kill()
    }
    while true {
      if case .died = victim.run(on: .anywhere) { break }
    }
    watcher.wait()
    while !over.isSet { Host.sleep(nanoseconds: 1_000_000) }
    // Everyone else goes on.
    guest.write(calls, at: 0)
    let other = try guest.makeProcess()
    let thread = try other.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    #expect(thread.run(on: .anywhere) == .syscall)
    other.kill()
  }
}

/// Something that happens once.
final class Flag: Sendable {
  private let value = Atomic<Bool>(false)
  var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }
  func set() { value.store(true, ordering: .sequentiallyConsistent) }
}
