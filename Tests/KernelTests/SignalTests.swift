import FileSystem
import LinuxABI
import Platform
import Testing

@testable import Kernel

@Suite struct SignalTests {
  let machine: TestMachine
  var task: Task { machine.first }
  init() throws { machine = try TestMachine() }

  /// The signals that the task's handlers are entered for, in order.
  private func handled() throws -> [UInt64] {
    var signals: [UInt64] = []
    while task.thread.registers.rip == TestMachine.handler {
      signals.append(task.thread.registers.rdi)
      try machine.returnFromHandler(task)
    }
    return signals
  }

  @Test func standardSignalsMergeAndRealTimeSignalsQueue() throws {
    for signal in [Signal.usr1, .realTime2, .realTime3] { try machine.handle(task, signal) }
    try machine.block(task, SignalSet(rawValue: .max))
    for signal in [Signal.realTime3, .realTime2, .usr1, .usr1, .realTime2] { machine.send(signal, to: task) }
    #expect(task.group.signals.pending.count == 4)
    try machine.block(task, [])
    // All handlers are stacked before any runs: the last frame belongs to the highest number.
    #expect(try handled().sorted() == [10, 34, 34, 35])
    #expect(task.pendingSignals == [])
  }

  @Test func realTimeSignalsKeepTheirOrder() throws {
    try machine.block(task, SignalSet(.realTime2))
    for value in 1...3 {
      var info = SignalInfo(signal: .realTime2, code: SignalInfo.siQueue)
      info.value = UInt64(value)
      machine.kernel.send(info, to: task.group)
    }
    try task.memory.writeValue(GuestAddress(TestMachine.data), SignalSet(.realTime2))
    for value in 1...3 {
      let result = try machine.call(task, .rt_sigtimedwait, TestMachine.data, TestMachine.data + 64, 0, 8)
      #expect(result == 34)
      #expect(
        try task.memory.readValue(GuestAddress(TestMachine.data + 64), as: SignalInformation.self).info.value
          == UInt64(value))
    }
  }

  @Test func pendingSignalsAreLimited() throws {
    try machine.block(task, SignalSet(.realTime2))
    task.group.limits[.pendingSignals].current = 2
    var info = SignalInformation()
    (info.signal, info.code) = (.realTime2, SignalInfo.siQueue)
    try task.memory.writeValue(GuestAddress(TestMachine.data), info)
    let results = try (0..<3).map { _ in
      try machine.call(task, .rt_sigqueueinfo, UInt64(task.group.id), 34, TestMachine.data)
    }
    #expect(results == [0, 0, -Int(Errno.resourceTemporarilyUnavailable.rawValue)])
  }

  @Test func ignoredSignalsAreDroppedUnlessBlocked() throws {
    machine.send(Signal.chld, to: task)
    #expect(task.pendingSignals == [])
    try machine.block(task, SignalSet(Signal.chld))
    machine.send(Signal.chld, to: task)
    #expect(task.pendingSignals == SignalSet(Signal.chld))
    try machine.handle(task, Signal.chld, handler: SignalAction.ignoreHandler)
    #expect(task.pendingSignals == [])
  }

  @Test func defaultActionsEndTheProcess() throws {
    machine.send(Signal.term, to: task)
    #expect(task.group.exitStatus == .signaled(Signal.term))
  }

  @Test func killCannotBeBlocked() throws {
    try machine.block(task, SignalSet(rawValue: .max))
    machine.send(Signal.kill, to: task)
    #expect(task.group.exitStatus == .signaled(Signal.kill))
  }

  @Test func blockedFaultEndsTheProcess() throws {
    try machine.handle(task, Signal.fpe)
    try machine.block(task, SignalSet(Signal.fpe))
    machine.trap(task, .fault(Fault(signal: Signal.fpe, code: 1, address: 0, trapNumber: .divideError, errorCode: 0)))
    #expect(task.group.exitStatus == .signaled(Signal.fpe))
  }

  @Test func resetHandlerAndNoDefer() throws {
    try machine.handle(task, Signal.usr1, flags: [.resetHandler, .noDefer])
    machine.send(Signal.usr1, to: task)
    machine.trap(task, .preempted)
    #expect(task.thread.registers.rip == TestMachine.handler)
    #expect(task.signals.mask == [])
    #expect(task.group.signals.handlers[Signal.usr1].handler == SignalAction.defaultHandler)
  }

  @Test func threadThatDoesNotBlockTakesTheSignal() throws {
    try machine.handle(task, Signal.usr1)
    let other = try machine.thread(of: task)
    try machine.block(task, SignalSet(Signal.usr1))
    #expect(try machine.call(other, .pause) == nil)
    machine.send(Signal.usr1, to: task)
    machine.trap(task, .preempted)
    #expect(task.thread.registers.rip != TestMachine.handler)
    #expect(machine.finish(other) == 0)
    #expect(other.thread.registers.rip == TestMachine.handler)
  }

  @Test func threadThatBlocksPassesTheSignalOn() throws {
    try machine.handle(task, Signal.usr1)
    let other = try machine.thread(of: task)
    try machine.block(other, SignalSet(Signal.usr1))
    #expect(try machine.call(other, .pause) == nil)
    try machine.block(task, SignalSet(Signal.usr1))
    machine.send(Signal.usr1, to: task)
    other.signals.mask = []
    task.setSignalMask([])
    task.setSignalMask(SignalSet(Signal.usr1))
    #expect(machine.finish(other) == 0)
    #expect(other.thread.registers.rip == TestMachine.handler)
  }

  @Test func privateSignalsStayWithTheirThread() throws {
    try machine.handle(task, Signal.usr1)
    let other = try machine.thread(of: task)
    #expect(try machine.call(task, .tgkill, UInt64(task.group.id), UInt64(other.id), UInt64(Signal.usr1)) == 0)
    #expect(task.thread.registers.rip != TestMachine.handler)
    machine.enter(other)
    #expect(other.thread.registers.rip == TestMachine.handler)
    #expect(try machine.frame(of: other).information.code == SignalInfo.siTkill)
  }

  // MARK: kill(2)

  @Test func killChecksCredentials() throws {
    let child = try machine.fork(task)
    child.credentials = Credentials(uid: 1000, gid: 1000)
    let denied = -Int(Errno.notPermitted.rawValue)
    #expect(try machine.call(child, .kill, UInt64(task.id), 0) == denied)
    #expect(try machine.call(child, .kill, UInt64(task.id), UInt64(Signal.cont)) == 0)
    #expect(try machine.call(child, .kill, 1, UInt64(Signal.kill)) == denied)
    #expect(try machine.call(task, .kill, 1, UInt64(Signal.kill)) == 0)
    #expect(try machine.call(task, .kill, 999, 0) == -Int(Errno.noSuchProcess.rawValue))
    #expect(try machine.call(task, .kill, UInt64(child.id), 65) == -Int(Errno.invalidArgument.rawValue))
    #expect(try machine.call(task, .kill, UInt64(child.id), UInt64(Signal.term)) == 0)
    #expect(child.group.exitStatus == .signaled(Signal.term))
  }

  @Test func killOfAllSparesTheSender() throws {
    #expect(try machine.call(task, .kill, UInt64.max, 0) == -Int(Errno.noSuchProcess.rawValue))
    let child = try machine.fork(task)
    #expect(try machine.call(task, .kill, UInt64.max, UInt64(Signal.term)) == 0)
    #expect(child.group.exitStatus == .signaled(Signal.term))
    #expect(task.group.exitStatus == nil)
  }

  @Test func onlySelfMayClaimToBeTheKernel() throws {
    let child = try machine.fork(task)
    var info = SignalInformation()
    info.code = SignalInfo.siUser
    try task.memory.writeValue(GuestAddress(TestMachine.data), info)
    #expect(
      try machine.call(task, .rt_sigqueueinfo, UInt64(child.id), 10, TestMachine.data)
        == -Int(Errno.notPermitted.rawValue))
  }

  // MARK: Interrupted calls

  struct Interruption: Sendable {
    let restart: RestartKind
    let flags: SignalActionFlags
    let isRerun: Bool
  }

  @Test(arguments: [
    Interruption(restart: .restartSys, flags: [], isRerun: false),
    Interruption(restart: .restartSys, flags: .restart, isRerun: true),
    Interruption(restart: .restartNoIntr, flags: [], isRerun: true),
    Interruption(restart: .restartNoHand, flags: .restart, isRerun: false),
    Interruption(restart: .restartBlock, flags: .restart, isRerun: false),
  ])
  func interruptedCallWithHandler(_ row: Interruption) throws {
    try machine.handle(task, Signal.usr1, flags: row.flags)
    interrupt(row.restart)
    machine.send(Signal.usr1, to: task)
    machine.trap(task, .preempted)
    #expect(task.thread.registers.rip == TestMachine.handler)
    let saved = try machine.frame(of: task).context.machine.registers
    #expect(saved.rip == (row.isRerun ? TestMachine.code : TestMachine.code + 2))
    #expect(saved.rax == (row.isRerun ? 34 : UInt64(bitPattern: -4)))
    #expect(!task.call.keepsDeadline)
  }

  @Test(arguments: [RestartKind.restartSys, .restartNoIntr, .restartNoHand, .restartBlock])
  func interruptedCallWithoutHandlerIsRunAgain(_ restart: RestartKind) throws {
    machine.enter(task)
    interrupt(restart)
    machine.trap(task, .preempted)
    #expect(task.thread.registers.rip == TestMachine.code)
    #expect(task.thread.registers.rax == 34)
    #expect(task.call.keepsDeadline == (restart == .restartBlock))
  }

  /// Leaves the task as a call does that a signal has interrupted.
  private func interrupt(_ restart: RestartKind) {
    task.thread.changeRegisters { $0.rip = TestMachine.code + 2 }
    task.thread.setResult(UInt64(bitPattern: -4))
    var registers = task.thread.registers
    registers.rax = 34
    task.call.begin(registers)
    task.call.restart = restart
  }

  @Test func sigsuspendHasItsOwnMask() throws {
    try machine.handle(task, Signal.usr1)
    try machine.block(task, SignalSet(Signal.usr1))
    try task.memory.writeValue(GuestAddress(TestMachine.data), SignalSet(Signal.usr2))
    #expect(try machine.call(task, .rt_sigsuspend, TestMachine.data, 8) == nil)
    #expect(task.signals.mask == SignalSet(Signal.usr2))
    machine.send(Signal.usr1, to: task)
    #expect(machine.enter(task))
    #expect(task.thread.registers.rip == TestMachine.handler)
    let frame = try machine.frame(of: task)
    #expect(frame.context.mask == SignalSet(Signal.usr1))
    #expect(Int64(bitPattern: frame.context.machine.registers.rax) == -4)
    try machine.returnFromHandler(task)
    #expect(task.signals.mask == SignalSet(Signal.usr1))
  }

  @Test func sigtimedwaitTimesOutAndIsInterrupted() throws {
    try task.memory.writeValue(GuestAddress(TestMachine.data), SignalSet(Signal.usr2))
    try task.memory.writeValue(GuestAddress(TestMachine.data + 64), Timespec(nanoseconds: 2_000_000))
    let timeout = TestMachine.data + 64
    #expect(try machine.call(task, .rt_sigtimedwait, TestMachine.data, 0, timeout, 8) == nil)
    try machine.wait { task.state == .runnable }
    #expect(machine.finish(task) == -Int(Errno.resourceTemporarilyUnavailable.rawValue))
    try machine.handle(task, Signal.usr1, flags: .restart)
    #expect(try machine.call(task, .rt_sigtimedwait, TestMachine.data, 0, 0, 8) == nil)
    machine.send(Signal.usr1, to: task)
    machine.enter(task)
    #expect(Int64(bitPattern: try machine.frame(of: task).context.machine.registers.rax) == -4)
  }

  @Test func nothingPendingChangesNothing() throws {
    machine.enter(task)
    task.scheduling.isInGuest = false
    machine.kernel.deliverSignals(to: task)
    #expect(task.thread.registers.rip == TestMachine.code)
  }
}
