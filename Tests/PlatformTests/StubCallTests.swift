import LinuxABI
import Testing

@testable import Platform

/// Calls that reach Apus without a signal.
@Suite("Calls without a signal") struct StubCallTests {
  private static let setups = Setup.all.filter { $0.kind == .seccomp }
  /// Counts in rbx, and calls through the stub.
  private static let code = Code.make {
    $0.append(0x48, 0xff, 0xc3)  // inc rbx
    $0.move(1, next)
    $0.move(11, StubCall.entry)
    $0.append(0x41, 0xff, 0xe3)  // jmp r11
    $0.jump(to: 0)
  }
  private static let next = TestGuest.code + 26

  @Test("All registers are told, and the thread goes on behind the call", arguments: setups)
  func registers(setup: Setup) throws {
    let guest = try TestGuest(setup, code: StubCallTests.code)
    let process = try guest.makeProcess()
    var start = TestGuest.start
    start.rdi = 1
    start.r15 = 15
    start.rbp = 0x1234_5678_9abc
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    for count in 1...50 as ClosedRange<UInt64> {
      #expect(thread.run(on: .anywhere) == .syscall)
      let found = thread.registers
      #expect(found.rip == StubCallTests.next && found.rcx == found.rip && found.rsp == TestGuest.stackTop)
      #expect(found.rbx == count && found.rdi == count && found.r15 == 15 && found.rbp == 0x1234_5678_9abc)
      #expect(found.gsBase == 0)
      #expect(!thread.isWhole)
      if count > 1 { #expect(found.rax == count + 99) }
      thread.changeRegisters {
        $0.rax = count + 100
        $0.rdi = count + 1
      }
    }
    process.kill()
  }

  @Test("The rest of a thread's state comes when it is asked for", arguments: setups)
  func completes(setup: Setup) throws {
    let guest = try TestGuest(setup, code: StubCallTests.code)
    let process = try guest.makeProcess()
    let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    for count in 1...20 as ClosedRange<UInt64> {
      #expect(thread.run(on: .anywhere) == .syscall)
      #expect(!thread.isWhole)
      thread.setResult(1000 + count)
      thread.completeNext()
      #expect(thread.run(on: .anywhere) == .preempted)
      #expect(thread.isWhole)
      #expect(thread.registers.rip == StubCallTests.next && thread.registers.rbx == count)
      #expect(thread.registers.rax == 1000 + count)
      #expect(thread.extendedState().count > 0)
    }
    // Calls that need it bring it themselves.
    thread.setResult(UInt64(SyscallNumber.clone.rawValue))
    #expect(thread.run(on: .anywhere) == .syscall)
    #expect(thread.isWhole)
    #expect(thread.registers.rax == UInt64(SyscallNumber.clone.rawValue) && thread.registers.rbx == 21)
    process.kill()
  }

  @Test("Preemptions at any moment lose no call and make none twice", arguments: setups)
  func preemptions(setup: Setup) throws {
    let guest = try TestGuest(setup, code: StubCallTests.code)
    let process = try guest.makeProcess()
    let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    let isOver = Flag()
    try guest.startThread { while !isOver.isSet { thread.preempt() } }
    defer { isOver.set() }
    var calls: UInt64 = 0
    var preemptions = 0
    while calls < 2000 {
      switch thread.run(on: .anywhere) {
      case .preempted: preemptions += 1
      case .syscall:
        calls += 1
        // A signal that comes while the call is reported brings the rest with it.
        if thread.isWhole { preemptions += 1 }
        // The kernel takes a call made by its instruction for the same.
        try #require(thread.registers.rbx == calls && thread.registers.rip == StubCallTests.next)
        if calls > 1 { try #require(thread.registers.rax == 1000 + calls - 1) }
        thread.setResult(1000 + calls)
      case let other:
        Issue.record("\(other)")
        return
      }
    }
    #expect(preemptions > 0)
    isOver.set()
    process.kill()
  }

  @Test("What stands where a signal found the thread is told apart")
  func places() {
    #expect(StubCall.place(Stub.base) == .elsewhere)
    #expect(StubCall.place(StubCall.entry - 1) == .elsewhere)
    #expect(StubCall.place(StubCall.entry) == .begun)
    #expect(StubCall.place(TestGuest.code) == .elsewhere)
  }
}
