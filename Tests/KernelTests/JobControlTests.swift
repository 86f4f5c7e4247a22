import LinuxABI
import Platform
import Testing

@testable import Kernel

@Suite struct JobControlTests {
  let machine: TestMachine
  var parent: Task { machine.first }
  let child: Task

  init() throws {
    machine = try TestMachine()
    child = try machine.fork(machine.first)
  }

  /// wait4(2) for any change; the status word, nil where there is none.
  private func change() throws -> Int32? {
    // WNOHANG, WUNTRACED and WCONTINUED
    let result = try machine.call(parent, .wait4, UInt64.max, TestMachine.data, 11, 0)
    guard result == Int(child.id) else { return nil }
    return try parent.memory.readValue(GuestAddress(TestMachine.data), as: Int32.self)
  }

  @Test func stopAndContinueAreReportedOnce() throws {
    machine.send(Signal.stop, to: child)
    #expect(!machine.enter(child))
    #expect(child.state == .stopped)
    #expect(try change() == Signal.stop.rawValue << 8 | 0x7f)
    #expect(try change() == nil)
    machine.send(Signal.cont, to: child)
    #expect(child.state == .runnable)
    #expect(try change() == 0xffff)
    #expect(try change() == nil)
  }

  @Test func parentIsSignalledUnlessItDoesNotWantIt() throws {
    try machine.handle(parent, Signal.chld, flags: .information)
    machine.send(Signal.stop, to: child)
    machine.enter(child)
    machine.enter(parent)
    #expect(parent.thread.registers.rip == TestMachine.handler)
    let info = try machine.frame(of: parent).information.info
    #expect(info.code == SignalInfo.cldStopped)
    #expect(info.status == Signal.stop.rawValue)
    try machine.returnFromHandler(parent)
    try machine.handle(parent, Signal.chld, flags: .noChildStop)
    machine.send(Signal.cont, to: child)
    #expect(parent.pendingSignals == [])
  }

  @Test func stopAndContinueCancelEachOther() throws {
    try machine.block(child, SignalSet(signals: Signal.tstp, Signal.cont))
    machine.send(Signal.tstp, to: child)
    machine.send(Signal.cont, to: child)
    #expect(child.pendingSignals == SignalSet(Signal.cont))
    machine.send(Signal.tstp, to: child)
    #expect(child.pendingSignals == SignalSet(Signal.tstp))
  }

  @Test func terminalStopsHaveNoEffectInOrphanedGroups() throws {
    // The child is in the parent's group, which nobody outside of it controls.
    machine.send(Signal.tstp, to: child)
    #expect(machine.enter(child))
    try machine.kernel.processTable.move(child.group, toProcessGroup: child.id)
    machine.send(Signal.tstp, to: child)
    #expect(!machine.enter(child))
    #expect(child.group.isStopped)
  }

  @Test func waitingTaskStopsWhenItIsWoken() throws {
    #expect(try machine.call(child, .pause) == nil)
    machine.send(Signal.stop, to: child)
    #expect(!machine.enter(child))
    #expect(child.state == .stopped)
    machine.send(Signal.cont, to: child)
    // Without a handler the call goes on.
    #expect(machine.finish(child) == Int(SyscallNumber.pause.rawValue))
    #expect(machine.repeatCall(child) == nil)
    #expect(child.state == .waiting)
  }

  @Test func everyThreadStops() throws {
    let other = try machine.thread(of: child)
    machine.send(Signal.stop, to: child)
    machine.enter(child)
    #expect(try change() == nil)
    #expect(!machine.enter(other))
    #expect(try change() == Signal.stop.rawValue << 8 | 0x7f)
  }

  @Test func stoppedProcessCanBeKilled() throws {
    machine.send(Signal.stop, to: child)
    machine.enter(child)
    machine.send(Signal.usr1, to: child)
    #expect(child.group.exitStatus == nil)
    machine.send(Signal.kill, to: child)
    machine.enter(child)
    #expect(try change() == Signal.kill.rawValue)
  }

  @Test func processDescriptorTellsOfTheEnd() throws {
    let descriptor = try #require(try machine.call(parent, .pidfd_open, UInt64(child.id), 0))
    let file = try parent.files.file(FileDescriptorNumber(rawValue: Int32(descriptor)))
    #expect(file.readiness() == [])
    #expect(try machine.call(parent, .pidfd_send_signal, UInt64(descriptor), UInt64(Signal.kill), 0, 0) == 0)
    machine.enter(child)
    #expect(file.readiness() == .readable)
    #expect(try change() == Signal.kill.rawValue)
    #expect(
      try machine.call(parent, .pidfd_send_signal, UInt64(descriptor), 0, 0, 0) == -Int(Errno.noSuchProcess.rawValue))
  }
}
