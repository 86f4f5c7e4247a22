import LinuxABI
import Memory

/// Clocks and sleeping: clock_gettime(2), nanosleep(2) and relatives.
extension Syscalls {
  static let timeTable: [SyscallEntry] = [
    .init(.nanosleep, nanosleep),
    .init(.clock_nanosleep, clockNanosleep),
    .init(.clock_gettime, clockGettime),
    .init(.clock_getres, clockGetres),
    .init(.clock_settime, clockSettime, .partial("the clock belongs to the host: fails with EPERM")),
    .init(.clock_adjtime, clockAdjtime, .partial("only tells that the clock is not synchronized")),
    .init(.adjtimex, adjtimex, .partial("only tells that the clock is not synchronized")),
    .init(.gettimeofday, gettimeofday),
    .init(
      .settimeofday, .notPermitted, because: "the clock belongs to the host",
      [InPointer<Timeval>.self, GuestAddress.self]),
    .init(.time, time),
    .init(.times, times),
    .init(.getrusage, getrusage),
    .init(.alarm, alarm),
    .init(.setitimer, setitimer),
    .init(.getitimer, getitimer),
    .init(.timer_create, timerCreate),
    .init(.timer_settime, timerSettime),
    .init(.timer_gettime, timerGettime),
    .init(.timer_getoverrun, timerGetoverrun),
    .init(.timer_delete, timerDelete),
  ]

  // MARK: Sleeping

  /// nanosleep(2).
  static func nanosleep(
    _ task: Task, _ time: InPointer<Timespec>, _ remainder: GuestAddress
  ) throws(Errno) -> CallOutcome<Int> {
    if !task.call.isRetry {
      let time = try sleepTime(task, time)
      task.call.deadline = task.kernel.deadline(time, clock: .monotonic, isAbsolute: false)
    }
    return try sleep(task, remainder: remainder)
  }

  /// clock_nanosleep(2).
  static func clockNanosleep(
    _ task: Task, _ number: ClockNumber, _ flags: TimerFlags, _ time: InPointer<Timespec>, _ remainder: GuestAddress
  ) throws(Errno) -> CallOutcome<Int> {
    let isAbsolute = flags.contains(.absolute)
    let clock = try Clock(number, for: task)
    if case .thread = clock { throw number.rawValue >= 0 ? .notSupportedOnSocket : .invalidArgument }
    guard let timerClock = clock.timerClock else {
      if case .host = clock { throw .notSupportedOnSocket }
      return try sleep(task, on: clock, time, isAbsolute: isAbsolute)
    }
    if !task.call.isRetry {
      let time = try sleepTime(task, time)
      task.call.deadline = task.kernel.deadline(time, clock: timerClock, isAbsolute: isAbsolute)
    }
    return try sleep(task, remainder: isAbsolute ? nil : remainder)
  }

  private static func sleepTime(_ task: Task, _ time: InPointer<Timespec>) throws(Errno) -> Timespec {
    let time = try task.load(time)
    guard time.isValid else { throw .invalidArgument }
    return time
  }

  /// Sleeps until the deadline; `remainder` (nil for absolute times) is where the time left goes when interrupted.
  private static func sleep(_ task: Task, remainder: GuestAddress?) throws(Errno) -> CallOutcome<Int> {
    let deadline = task.call.deadline ?? .zero
    let now = task.kernel.monotonicTime
    if deadline <= now { return .done(0) }
    let suspension = task.wait(
      on: [], deadline: deadline, interrupted: remainder == nil ? .restartNoHand : .restartBlock)
    if suspension != .parked, let remainder, !remainder.isNull {
      try task.memory.writeValue(remainder, Timespec(deadline - now))
    }
    return .suspended(suspension)
  }

  /// Sleeps on a processor-time clock: wakes when it could have got there, and looks.
  private static func sleep(
    _ task: Task, on clock: Clock, _ time: InPointer<Timespec>, isAbsolute: Bool
  ) throws(Errno) -> CallOutcome<Int> {
    let now = try clock.now(task.kernel)
    let target: Nanoseconds
    if case .processorTime(let kept) = task.call.kept {
      target = kept
    } else {
      let time = try sleepTime(task, time).duration
      target = isAbsolute ? time : now + time
    }
    if target <= now { return .done(0) }
    task.call.kept = .processorTime(target)
    let wait = max(target - now, .milliseconds(1))
    return .suspended(
      task.wait(on: [], deadline: task.kernel.monotonicTime + wait, interrupted: .restartNoHand))
  }

  // MARK: Clocks

  /// clock_gettime(2).
  static func clockGettime(_ task: Task, _ clock: ClockNumber, _ time: OutPointer<Timespec>) throws(Errno) -> Int {
    let now = try Clock(clock, for: task).now(task.kernel)
    try task.store(Timespec(now), to: time)
    return 0
  }

  /// clock_getres(2).
  static func clockGetres(_ task: Task, _ clock: ClockNumber, _ result: OutPointer<Timespec>) throws(Errno) -> Int {
    let resolution = try Clock(clock, for: task).resolution(task.kernel)
    if !result.isNull { try task.store(resolution, to: result) }
    return 0
  }

  /// clock_settime(2): the clock belongs to the host.
  static func clockSettime(_ task: Task, _ clock: ClockNumber, _ time: InPointer<Timespec>) throws(Errno) -> Int {
    guard case .host(.realTime) = try Clock(clock, for: task) else { throw .invalidArgument }
    guard try task.load(time).isValid else { throw .invalidArgument }
    throw .notPermitted
  }

  /// clock_adjtime(2).
  static func clockAdjtime(
    _ task: Task, _ clock: ClockNumber, _ request: InOutPointer<Timex>
  ) throws(Errno) -> Int {
    guard case .host(.realTime) = try Clock(clock, for: task) else { throw .notSupportedOnSocket }
    return try adjtimex(task, request)
  }

  /// adjtimex(2): tells that the clock is not synchronized; changes nothing.
  static func adjtimex(_ task: Task, _ request: InOutPointer<Timex>) throws(Errno) -> Int {
    var timex = try task.load(request)
    guard timex.modes == 0 else { throw .notPermitted }
    timex = Timex()
    timex.time = Timeval(task.kernel.realTime)
    try task.store(timex, to: request)
    return Timex.unsynchronizedResult
  }

  /// gettimeofday(2); the time zone is UTC.
  static func gettimeofday(
    _ task: Task, _ time: OutPointer<Timeval>, _ zone: OutPointer<UInt64>
  ) throws(Errno) -> Int {
    if !time.isNull { try task.store(Timeval(task.kernel.realTime), to: time) }
    if !zone.isNull { try task.store(0, to: zone) }
    return 0
  }

  /// time(2).
  static func time(_ task: Task, _ result: OutPointer<UInt64>) throws(Errno) -> Int {
    let seconds = task.kernel.realTime / .second
    if !result.isNull { try task.store(seconds, to: result) }
    return Int(clamping: seconds)
  }

  /// times(2), in ticks of 10 ms.
  static func times(_ task: Task, _ result: GuestAddress) throws(Errno) -> Int {
    let tick = Nanoseconds.clockTick
    if !result.isNull {
      let own = task.kernel.times(of: task.group)
      let children = task.group.childUsage
      try task.memory.writeArray(
        result, [own.user / tick, own.system / tick, children.userTime / tick, children.systemTime / tick])
    }
    return Int(clamping: task.kernel.monotonicTime.sinceBoot / tick)
  }

  /// getrusage(2).
  static func getrusage(
    _ task: Task, _ target: Constant<UsageTarget>, _ result: OutPointer<Rusage>
  ) throws(Errno) -> Int {
    let usage: ResourceUsage
    switch target.value {
    case .process: usage = task.kernel.usage(of: task.group)
    case .children: usage = task.group.childUsage
    case .thread: usage = task.kernel.usage(of: task)
    case nil: throw .invalidArgument
    }
    try task.store(Rusage(usage), to: result)
    return 0
  }

  // MARK: Interval timers

  /// alarm(2).
  static func alarm(_ task: Task, _ seconds: UInt32) throws(Errno) -> Int {
    let timers = task.group.makeTimers(task.kernel)
    let left = timers.interval(.real).value
    timers.setInterval(.real, value: .second * UInt64(seconds), interval: .zero)
    // Rounded to seconds, but never to 0 while time is left.
    return left == .zero ? 0 : Int(clamping: max(1, (left + .second / 2) / .second))
  }

  /// setitimer(2).
  static func setitimer(
    _ task: Task, _ which: Constant<IntervalTimer>, _ setting: InPointer<IntervalSetting>,
    _ previous: OutPointer<IntervalSetting>
  ) throws(Errno) -> Int {
    guard let which = which.value else { throw .invalidArgument }
    let timers = task.group.makeTimers(task.kernel)
    var new = IntervalSetting()
    if !setting.isNull { new = try task.load(setting) }
    guard let value = new.value.duration, let interval = new.interval.duration else {
      throw .invalidArgument
    }
    let old = timers.interval(which)
    timers.setInterval(which, value: value, interval: interval)
    if !previous.isNull { try task.store(IntervalSetting(old), to: previous) }
    return 0
  }

  /// getitimer(2).
  static func getitimer(
    _ task: Task, _ which: Constant<IntervalTimer>, _ result: OutPointer<IntervalSetting>
  ) throws(Errno) -> Int {
    guard let which = which.value else { throw .invalidArgument }
    let current = task.group.timers?.interval(which) ?? (.zero, .zero)
    try task.store(IntervalSetting(current), to: result)
    return 0
  }

  // MARK: POSIX timers

  /// timer_create(2).
  static func timerCreate(
    _ task: Task, _ clock: ClockNumber, _ event: InPointer<SignalEvent>, _ id: OutPointer<Int32>
  ) throws(Errno) -> Int {
    let clock = try Clock(clock, for: task)
    if case .host = clock, clock.timerClock == nil { throw .notSupportedOnSocket }
    // The alarm clocks need hardware that the host may not have.
    if case .host = clock, (try? clock.now(task.kernel)) == nil { throw .notSupportedOnSocket }
    let event = event.isNull ? nil : try task.load(event)
    var notification = PosixTimer.Notification.process
    if let event {
      switch event.notification {
      case SignalEvent.none: notification = .none
      case SignalEvent.signal, SignalEvent.thread: break
      case SignalEvent.signal | SignalEvent.threadID:
        guard task.kernel.tasks[event.thread]?.group === task.group else { throw .invalidArgument }
        notification = .thread(event.thread)
      default: throw .invalidArgument
      }
      if event.notification != SignalEvent.none {
        guard event.signal.isValid else { throw .invalidArgument }
      }
    }
    let timers = task.group.makeTimers(task.kernel)
    let timer = try timers.addPosixTimer { id in
      PosixTimer(
        id: id, clock: clock, notification: notification, signal: event?.signal ?? Signal.alrm,
        value: event?.value ?? UInt64(id), group: task.group, kernel: task.kernel)
    }
    do throws(Errno) {
      try task.store(timer.id, to: id)
    } catch {
      timers.removePosixTimer(timer.id)
      throw error
    }
    return 0
  }

  private static func timer(_ task: Task, _ id: Int32) throws(Errno) -> PosixTimer {
    guard let timer = task.group.timers?.posix[id] else { throw .invalidArgument }
    return timer
  }

  /// timer_settime(2).
  static func timerSettime(
    _ task: Task, _ id: Int32, _ flags: TimerFlags, _ setting: InPointer<TimerSetting>,
    _ previous: OutPointer<TimerSetting>
  ) throws(Errno) -> Int {
    guard !setting.isNull else { throw .invalidArgument }
    let timer = try timer(task, id)
    let new = try task.load(setting)
    guard new.value.isValid, new.interval.isValid else { throw .invalidArgument }
    let old = timer.current
    timer.set(new, isAbsolute: flags.contains(.absolute))
    if !previous.isNull { try task.store(old, to: previous) }
    return 0
  }

  /// timer_gettime(2).
  static func timerGettime(_ task: Task, _ id: Int32, _ result: OutPointer<TimerSetting>) throws(Errno) -> Int {
    try task.store(try timer(task, id).current, to: result)
    return 0
  }

  /// timer_getoverrun(2).
  static func timerGetoverrun(_ task: Task, _ id: Int32) throws(Errno) -> Int {
    Int(try timer(task, id).lastOverrun)
  }

  /// timer_delete(2).
  static func timerDelete(_ task: Task, _ id: Int32) throws(Errno) -> Int {
    let timer = try timer(task, id)
    task.group.timers?.removePosixTimer(timer.id)
    return 0
  }
}

extension IntervalSetting {
  fileprivate init(_ times: (value: Nanoseconds, interval: Nanoseconds)) {
    self.init()
    interval = Timeval(times.interval)
    // An armed timer never shows 0.
    value = Timeval(times.value == .zero ? .zero : max(times.value, .microseconds(1)))
  }
}
