import LinuxABI
import TestSupport
import Testing

@testable import Kernel

@Suite struct TimeTests {
  let machine: TestMachine
  var task: Task { machine.first }
  private let address = TestMachine.data
  private let result = TestMachine.data + 64
  private let invalid = -Int(Errno.invalidArgument.rawValue)

  init() throws { machine = try TestMachine() }

  @Test func nanosleepSleeps() throws {
    try task.memory.writeValue(GuestAddress(address), Timespec(nanoseconds: 3_000_000))
    let begin = machine.services.monotonicTime
    #expect(try machine.call(task, .nanosleep, address, 0) == nil)
    try machine.wait { task.state == .runnable }
    #expect(machine.finish(task) == 0)
    #expect(machine.services.monotonicTime - begin == 3_000_000)
    try task.memory.writeValue(GuestAddress(address), Timespec(seconds: 0, nanoseconds: 1_000_000_000))
    #expect(try machine.call(task, .nanosleep, address, 0) == invalid)
  }

  @Test func interruptedSleepTellsWhatIsLeft() throws {
    try machine.handle(task, Signal.usr1, flags: .restart)
    try task.memory.writeValue(GuestAddress(address), Timespec(seconds: 1000, nanoseconds: 0))
    #expect(try machine.call(task, .nanosleep, address, result) == nil)
    machine.services.advance(by: 3_250_000_000)
    machine.send(Signal.usr1, to: task)
    machine.enter(task)
    #expect(Int64(bitPattern: try machine.frame(of: task).context.machine.registers.rax) == -4)
    let left = try task.memory.readValue(GuestAddress(result), as: Timespec.self)
    #expect(left == Timespec(seconds: 996, nanoseconds: 750_000_000))
  }

  @Test func stoppedSleepKeepsItsDeadline() throws {
    try task.memory.writeValue(GuestAddress(address), Timespec(seconds: 1000, nanoseconds: 0))
    #expect(try machine.call(task, .nanosleep, address, 0) == nil)
    let deadline = task.call.deadline
    machine.send(Signal.stop, to: task)
    machine.enter(task)
    #expect(task.state == .stopped)
    machine.send(Signal.cont, to: task)
    machine.enter(task)
    #expect(machine.repeatCall(task) == nil)
    #expect(task.call.deadline == deadline)
  }

  @Test func handlerBeforeASleepGoesOnEndsIt() throws {
    try machine.handle(task, Signal.usr1)
    try task.memory.writeValue(GuestAddress(address), Timespec(seconds: 1000, nanoseconds: 0))
    #expect(try machine.call(task, .nanosleep, address, 0) == nil)
    machine.send(Signal.stop, to: task)
    machine.enter(task)
    machine.send(Signal.cont, to: task)
    machine.enter(task)
    #expect(task.call.keepsDeadline)
    machine.send(Signal.usr1, to: task)
    machine.trap(task, .preempted)
    let saved = try machine.frame(of: task).context.machine.registers
    #expect(Int64(bitPattern: saved.rax) == -4)
    #expect(saved.rip == TestMachine.code + 2)
  }

  @Test func absoluteSleepInThePastReturnsAtOnce() throws {
    try task.memory.writeValue(GuestAddress(address), Timespec(nanoseconds: 5))
    for clock: UInt64 in [0, 1, 7, 11] {
      #expect(try machine.call(task, .clock_nanosleep, clock, 1, address, 0) == 0)
    }
    for clock: UInt64 in [3, 4] {
      #expect(
        try machine.call(task, .clock_nanosleep, clock, 0, address, 0) == -Int(Errno.notSupportedOnSocket.rawValue))
    }
  }

  @Test func clocksAgreeWithTheHost() throws {
    for clock: UInt64 in [0, 1, 4, 5, 6, 7, 11] {
      #expect(try machine.call(task, .clock_gettime, clock, address) == 0)
      let shown = try task.memory.readValue(GuestAddress(address), as: Timespec.self).totalNanoseconds
      let real = try machine.services.time(of: ClockNumber(rawValue: Int32(clock))).totalNanoseconds
      #expect(real == shown)
      #expect(try machine.call(task, .clock_getres, clock, address) == 0)
    }
    #expect(try machine.call(task, .clock_gettime, 10, address) == invalid)
    #expect(try machine.call(task, .clock_gettime, 0, 8) == -Int(Errno.badAddress.rawValue))
    #expect(try machine.call(task, .clock_settime, 0, address) == -Int(Errno.notPermitted.rawValue))
  }

  @Test func cpuClocksCountUserAndSystemTime() throws {
    machine.enter(task)
    let begin = machine.kernel.times(of: task)
    machine.services.elapse(2_000_000)
    machine.cpu.chargeUserTime(until: machine.services.monotonicTime)
    task.scheduling.isInGuest = false
    let now = machine.kernel.times(of: task)
    #expect(now.user - begin.user == .milliseconds(2))
    machine.enter(task)
    let own: [UInt64] = [
      2, 3, UInt64(bitPattern: Int64(~task.id.rawValue << 3 | 2)),
      UInt64(bitPattern: Int64(~task.id.rawValue << 3 | 6)),
    ]
    for clock in own {
      #expect(try machine.call(task, .clock_gettime, clock, address) == 0)
      #expect(try task.memory.readValue(GuestAddress(address), as: Timespec.self).totalNanoseconds >= 2_000_000)
    }
    #expect(try machine.call(task, .clock_gettime, UInt64(bitPattern: Int64(~Int32(999) << 3 | 2)), address) == invalid)
    #expect(try machine.call(task, .getrusage, 1, address) == 0)
    #expect(try task.memory.readValue(GuestAddress(address), as: Rusage.self).userTime.microseconds >= 2000)
    #expect(try machine.call(task, .getrusage, 7, address) == invalid)
  }

  @Test func childrensTimesAreAddedWhenTheyAreWaitedFor() throws {
    let child = try machine.fork(task)
    machine.enter(child)
    child.usage.userTime += 5_000_000
    try machine.call(child, .exit_group, 0)
    #expect(task.group.childUsage.userTime == .zero)
    #expect(try machine.call(task, .wait4, UInt64.max, 0, 0, 0) == Int(child.id))
    #expect(task.group.childUsage.userTime >= .milliseconds(5))
  }

  // MARK: Interval timers

  private func setting(_ value: UInt64, interval: UInt64 = 0) -> IntervalSetting {
    var setting = IntervalSetting()
    setting.value = Timeval(Nanoseconds(rawValue: value))
    setting.interval = Timeval(Nanoseconds(rawValue: interval))
    return setting
  }

  @Test func realTimerFiresAgainAndAgain() throws {
    try machine.handle(task, Signal.alrm)
    try task.memory.writeValue(GuestAddress(address), setting(1_000_000, interval: 1_000_000))
    #expect(try machine.call(task, .setitimer, 0, address, 0) == 0)
    for _ in 0..<2 {
      try machine.wait { task.pendingSignals.contains(Signal.alrm) }
      machine.trap(task, .preempted)
      #expect(task.thread.registers.rip == TestMachine.handler)
      try machine.returnFromHandler(task)
    }
    try task.memory.writeValue(GuestAddress(address), setting(0))
    #expect(try machine.call(task, .setitimer, 0, address, result) == 0)
    let old = try task.memory.readValue(GuestAddress(result), as: IntervalSetting.self)
    #expect(old.interval.microseconds == 1000)
    #expect((1...1000).contains(old.value.microseconds))
  }

  @Test func alarmRoundsWhatIsLeft() throws {
    #expect(try machine.call(task, .alarm, 100) == 0)
    #expect(try machine.call(task, .alarm, 0) == 100)
    #expect(try machine.call(task, .alarm, 0) == 0)
    try task.memory.writeValue(GuestAddress(address), setting(0))
    try task.memory.writeValue(GuestAddress(address + 24), Int64(1_000_000))
    #expect(try machine.call(task, .setitimer, 0, address, 0) == invalid)
  }

  @Test func virtualTimerCountsUserTimeAlone() throws {
    try machine.handle(task, Signal.vtalrm)
    try task.memory.writeValue(GuestAddress(address), setting(2_000_000))
    #expect(try machine.call(task, .setitimer, 1, address, 0) == 0)
    #expect(try machine.call(task, .pause) == nil)
    machine.services.advance(by: 4_000_000)
    #expect(task.pendingSignals == [])
    task.usage.userTime += 3_000_000
    try machine.wait { task.pendingSignals.contains(Signal.vtalrm) }
  }

  @Test func cpuLimitSignals() throws {
    task.group.limits[.cpu] = ResourceLimit(current: 1, maximum: 3)
    machine.kernel.cpuLimitChanged(of: task.group)
    try machine.handle(task, Signal.xcpu)
    task.usage.userTime += 1_000_000_000
    machine.kernel.cpuLimitChanged(of: task.group)
    #expect(task.pendingSignals.contains(Signal.xcpu))
    task.usage.userTime += 2_000_000_000
    machine.kernel.cpuLimitChanged(of: task.group)
    #expect(task.group.exitStatus == .signaled(Signal.kill))
  }

  // MARK: POSIX timers

  private func create(_ event: SignalEvent) throws -> UInt64 {
    try task.memory.writeValue(GuestAddress(address), event)
    #expect(try machine.call(task, .timer_create, 1, address, result) == 0)
    return UInt64(try task.memory.readValue(GuestAddress(result), as: Int32.self))
  }

  private func arm(_ timer: UInt64, _ value: Int64, interval: Int64) throws {
    try task.memory.writeValue(
      GuestAddress(address),
      TimerSetting(interval: Timespec(nanoseconds: interval), value: Timespec(nanoseconds: value)))
    #expect(try machine.call(task, .timer_settime, timer, 0, address, 0) == 0)
  }

  @Test func timerQueuesOneSignalAndCountsTheRest() throws {
    try machine.handle(task, .realTime2, flags: .information)
    try machine.block(task, SignalSet(.realTime2))
    var event = SignalEvent()
    event.signal = .realTime2
    event.value = 0x1234
    let timer = try create(event)
    try arm(timer, 1_000_000, interval: 1_000_000)
    try machine.wait { task.pendingSignals.contains(.realTime2) }
    machine.services.advance(by: 5_000_000)
    #expect(task.group.signals.pending.count == 1)
    try machine.block(task, [])
    #expect(task.thread.registers.rip == TestMachine.handler)
    let info = try machine.frame(of: task).information.info
    #expect(info.code == SignalInfo.siTimer)
    #expect(info.value == 0x1234)
    #expect(info.status >= 4)
    #expect(try machine.call(task, .timer_getoverrun, timer) == Int(info.status))
    #expect(try machine.call(task, .timer_delete, timer) == 0)
    #expect(try machine.call(task, .timer_delete, timer) == invalid)
  }

  @Test func timerOfAThreadSignalsThatThread() throws {
    let thread = try machine.thread(of: task)
    var event = SignalEvent()
    event.signal = Signal.usr1
    event.notification = SignalEvent.signal | SignalEvent.threadID
    event.thread = thread.id
    let timer = try create(event)
    try machine.block(thread, SignalSet(Signal.usr1))
    try arm(timer, 1_000_000, interval: 0)
    try machine.wait { thread.signals.pendingSet.contains(Signal.usr1) }
    #expect(task.signals.pendingSet == [])
    event.thread = ProcessID(rawValue: 999)
    try task.memory.writeValue(GuestAddress(address), event)
    #expect(try machine.call(task, .timer_create, 1, address, result) == invalid)
  }

  @Test func timersEndWithTheProgramAndWithTheProcess() throws {
    var event = SignalEvent()
    event.signal = Signal.usr1
    let timer = try create(event)
    try arm(timer, 1_000_000_000, interval: 0)
    #expect(try machine.call(task, .alarm, 100) == 0)
    task.resetSignalsForExec()
    task.group.timers?.removePosixTimers()
    #expect(task.group.timers?.posix.isEmpty == true)
    #expect(try machine.call(task, .alarm, 50) == 100)
    machine.kernel.stopTimers(of: task.group)
    #expect(task.group.timers == nil)
  }
}
