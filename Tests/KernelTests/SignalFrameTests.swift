import LinuxABI
import Platform
import TestSupport
import Testing

@testable import Kernel

@Suite struct SignalFrameTests {
  let machine: TestMachine
  var task: Task { machine.first }
  init() throws { machine = try TestMachine() }

  @Test func structuresHaveTheSizesOfLinux() {
    #expect(MemoryLayout<MachineContext>.size == 256)
    #expect(MemoryLayout<UserContext>.size == 304)
    #expect(MemoryLayout<SignalFrame>.size == 440)
    #expect(MemoryLayout<SignalInformation>.size == 128)
    #expect(MemoryLayout<SignalFrame>.offset(of: \.information) == 312)
    #expect(MemoryLayout<SignalEvent>.size == 64)
    #expect(MemoryLayout<Timex>.size == 208)
  }

  @Test func handlerIsEnteredAsThePsABISays() throws {
    try machine.handle(task, Signal.usr1, flags: .information)
    var registers = task.thread.registers
    registers.rbx = 77
    registers.rflags = 0x202 | 0x400 | 0x100
    task.thread.setRegisters(registers)
    machine.send(Signal.usr1, to: task)
    machine.trap(task, .preempted)
    let now = task.thread.registers
    #expect(now.rip == TestMachine.handler)
    #expect(now.rdi == UInt64(Signal.usr1))
    #expect(now.rsp & 15 == 8)
    #expect(now.rsp < registers.rsp - 128)
    #expect(now.rsi == now.rsp + 312)
    #expect(now.rdx == now.rsp + 8)
    #expect(now.rax == 0)
    #expect(now.rflags == 0x202)
    let frame = try machine.frame(of: task)
    #expect(frame.restorer == TestMachine.restorer)
    #expect(frame.context.flags == 7)
    #expect(frame.context.machine.registers.rbx == 77)
    #expect(frame.context.machine.registers.rsp == registers.rsp)
    #expect(frame.context.machine.cs == 0x33)
    #expect(frame.context.machine.ss == 0x2b)
    #expect(frame.context.machine.extendedState % 64 == 0)
    #expect(frame.information.signal == Signal.usr1)
    #expect(task.signals.mask == SignalSet(Signal.usr1))
  }

  @Test func sigreturnRestoresEverything() throws {
    try machine.handle(task, Signal.usr1, mask: SignalSet(Signal.usr2))
    var registers = task.thread.registers
    (registers.rax, registers.rcx, registers.r15, registers.rbp) = (1, 2, 3, 4)
    registers.rflags = 0xa03
    registers.fsBase = 0x5000
    task.thread.setRegisters(registers)
    let thread = try #require(task.thread as? FakeThread)
    thread.state[100] = 42
    let state = thread.state
    machine.send(Signal.usr1, to: task)
    machine.trap(task, .preempted)
    #expect(task.signals.mask == SignalSet(signals: Signal.usr1, Signal.usr2))
    thread.state = FakeThread.initialState
    task.thread.changeRegisters { $0.r15 = 99 }
    try machine.returnFromHandler(task)
    #expect(task.thread.registers == registers)
    #expect(thread.state == state)
    #expect(task.signals.mask == [])
  }

  @Test func sigreturnTakesNoFlagsOfTheSystem() throws {
    try machine.handle(task, Signal.usr1)
    task.thread.changeRegisters { $0.rflags = 0x202 }
    machine.send(Signal.usr1, to: task)
    machine.trap(task, .preempted)
    var frame = try machine.frame(of: task)
    var registers = task.thread.registers
    registers.rflags = .max
    frame.context.machine = MachineContext(registers)
    frame.context.mask = SignalSet(rawValue: .max)
    try task.memory.writeValue(GuestAddress(task.thread.registers.rsp), frame)
    let thread = try #require(task.thread as? FakeThread)
    thread.state[9] = 9
    try machine.returnFromHandler(task)
    #expect(task.thread.registers.rflags == 0x202 | MachineContext.restorableFlags)
    #expect(task.signals.mask == SignalSet(rawValue: .max).subtracting(.unblockable))
    #expect(thread.state == FakeThread.initialState)
  }

  @Test func badFramesEndTheProcess() throws {
    try machine.handle(task, Signal.usr1)
    machine.send(Signal.usr1, to: task)
    machine.trap(task, .preempted)
    task.thread.changeRegisters { $0.rsp = 0x10 }
    task.thread.setResult(UInt64(SyscallNumber.rt_sigreturn.rawValue))
    machine.trap(task, .syscall)
    #expect(task.group.exitStatus == .signaled(Signal.segv))
  }

  @Test func stackWithoutRoomIsASegmentationFault() throws {
    try machine.handle(task, Signal.usr1)
    try machine.handle(task, Signal.segv, flags: .onStack)
    try task.memory.writeValue(GuestAddress(TestMachine.data), stack(TestMachine.data + 0x4000, 0x4000))
    #expect(try machine.call(task, .sigaltstack, TestMachine.data, 0) == 0)
    task.thread.changeRegisters { $0.rsp = 0x5000 }
    machine.send(Signal.usr1, to: task)
    machine.trap(task, .preempted)
    #expect(task.thread.registers.rdi == UInt64(Signal.segv))
    #expect((TestMachine.data + 0x4000..<TestMachine.data + 0x8000).contains(task.thread.registers.rsp))
  }

  @Test func faultsShowWhereAndWhy() throws {
    try machine.handle(task, Signal.segv, flags: .information)
    machine.trap(
      task, .fault(Fault(signal: Signal.segv, code: 1, address: 0x1234, trapNumber: .pageFault, errorCode: 6)))
    let frame = try machine.frame(of: task)
    #expect(frame.information.info.address == 0x1234)
    #expect(frame.information.code == SignalInfo.segvMapError)
    #expect(frame.context.machine.faultAddress == 0x1234)
    #expect(frame.context.machine.trapNumber == ProcessorException.pageFault.rawValue)
    #expect(frame.context.machine.errorCode == 6)
    // A second fault while the signal is blocked can't be handled.
    machine.trap(
      task, .fault(Fault(signal: Signal.segv, code: 1, address: 0x1234, trapNumber: .pageFault, errorCode: 6)))
    #expect(task.group.exitStatus == .signaled(Signal.segv))
  }

  // MARK: Alternate stacks

  private func stack(_ address: UInt64, _ size: UInt64, flags: AlternateStackFlags = []) -> AlternateStack {
    var stack = AlternateStack()
    stack.address = address
    stack.size = size
    stack.flags = flags
    return stack
  }

  @Test func alternateStackIsUsedAndCannotBeChangedMeanwhile() throws {
    let base = TestMachine.data + 0x4000
    try machine.handle(task, Signal.usr1, flags: .onStack)
    try task.memory.writeValue(GuestAddress(TestMachine.data), stack(base, 0x4000))
    #expect(try machine.call(task, .sigaltstack, TestMachine.data, 0) == 0)
    machine.send(Signal.usr1, to: task)
    machine.trap(task, .preempted)
    let handlerStack = task.thread.registers.rsp
    #expect((base..<base + 0x4000).contains(handlerStack))
    #expect(try machine.call(task, .sigaltstack, TestMachine.data, 0) == -Int(Errno.notPermitted.rawValue))
    #expect(try machine.call(task, .sigaltstack, 0, TestMachine.data + 64) == 0)
    #expect(
      try task.memory.readValue(GuestAddress(TestMachine.data + 64), as: AlternateStack.self).flags
        == .onStack)
    task.thread.changeRegisters { $0.rsp = handlerStack }
    try machine.returnFromHandler(task)
    #expect(task.thread.registers.rsp == TestMachine.stackPointer)
    #expect(try machine.call(task, .sigaltstack, TestMachine.data, 0) == 0)
  }

  @Test func alternateStackThatIsTooSmallForTheFrameIsAFault() throws {
    try machine.handle(task, Signal.usr1, flags: .onStack)
    task.signals.alternateStack = stack(TestMachine.data + 0x4000, 512)
    machine.send(Signal.usr1, to: task)
    machine.trap(task, .preempted)
    #expect(task.group.exitStatus == .signaled(Signal.segv))
  }

  @Test func autoDisarmedStackIsRestoredBySigreturn() throws {
    let base = TestMachine.data + 0x4000
    try machine.handle(task, Signal.usr1, flags: .onStack)
    let armed = stack(base, 0x4000, flags: .autoDisarm)
    try task.memory.writeValue(GuestAddress(TestMachine.data), armed)
    #expect(try machine.call(task, .sigaltstack, TestMachine.data, 0) == 0)
    machine.send(Signal.usr1, to: task)
    machine.trap(task, .preempted)
    #expect(task.signals.alternateStack == AlternateStack())
    try machine.returnFromHandler(task)
    #expect(task.signals.alternateStack == armed)
  }

  @Test func alternateStackArgumentsAreChecked() throws {
    try task.memory.writeValue(GuestAddress(TestMachine.data), stack(0x1000, 2047))
    #expect(try machine.call(task, .sigaltstack, TestMachine.data, 0) == -Int(Errno.noMemory.rawValue))
    try task.memory.writeValue(
      GuestAddress(TestMachine.data), stack(0x1000, 4096, flags: AlternateStackFlags(rawValue: 8)))
    #expect(try machine.call(task, .sigaltstack, TestMachine.data, 0) == -Int(Errno.invalidArgument.rawValue))
  }
}
