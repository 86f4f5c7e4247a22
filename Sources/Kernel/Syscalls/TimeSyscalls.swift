import LinuxABI
import Memory

/// Clocks and sleeping: clock_gettime(2), nanosleep(2) and relatives.
extension Syscalls {
  static let timeTable: [SyscallEntry] = [
    .init(.nanosleep, nanosleep, [.timespec, .pointer]),
    .init(.clock_nanosleep, clockNanosleep, [.clock, .int, .timespec, .pointer]),
    .init(.clock_gettime, clockGettime, [.clock, .pointer]),
    .init(.clock_getres, clockGetres, [.clock, .pointer]),
    .init(.clock_settime, clockSettime, [.clock, .timespec]),
    .init(.clock_adjtime, clockAdjtime, [.clock, .pointer]),
    .init(.adjtimex, adjtimex, [.pointer]),
    .init(.gettimeofday, gettimeofday, [.pointer, .pointer]),
    .init(.settimeofday, settimeofday, [.timeval, .pointer]),
    .init(.time, time, [.pointer]),
    .init(.times, times, [.pointer]),
    .init(.getrusage, getrusage, [.int, .rusage]),
    .init(.alarm, alarm, [.uint]),
    .init(.setitimer, setitimer, [.int, .pointer, .pointer]),
    .init(.getitimer, getitimer, [.int, .pointer]),
    .init(.timer_create, timerCreate, [.clock, .pointer, .pointer]),
    .init(.timer_settime, timerSettime, [.int, .int, .itimerspec, .pointer]),
    .init(.timer_gettime, timerGettime, [.int, .pointer]),
    .init(.timer_getoverrun, timerGetoverrun, [.int]),
    .init(.timer_delete, timerDelete, [.int]),
  ]

  // MARK: Sleeping

  /// nanosleep(2).
  static func nanosleep(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    if !task.retry.isRetry {
      let time = try sleepTime(task, a[0])
      task.retry.deadline = task.kernel.deadline(time, clock: .monotonic, isAbsolute: false)
    }
    return try sleep(task, remainder: a[1])
  }

  /// clock_nanosleep(2).
  static func clockNanosleep(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let isAbsolute = TimerFlags(rawValue: a.uint(1)).contains(.absolute)
    let clock = try Clock(id: a.int(0), for: task)
    if case .thread = clock { throw a.int(0) >= 0 ? .notSupportedOnSocket : .invalidArgument }
    guard let timerClock = clock.timerClock else {
      if case .host = clock { throw .notSupportedOnSocket }
      return try sleep(task, on: clock, a[2], isAbsolute: isAbsolute)
    }
    if !task.retry.isRetry {
      let time = try sleepTime(task, a[2])
      task.retry.deadline = task.kernel.deadline(time, clock: timerClock, isAbsolute: isAbsolute)
    }
    return try sleep(task, remainder: isAbsolute ? nil : a[3])
  }

  private static func sleepTime(_ task: Task, _ address: UInt64) throws(Errno) -> Timespec {
    let time = try task.memory.readValue(address, as: Timespec.self)
    guard time.isValid else { throw .invalidArgument }
    return time
  }

  /// Sleeps until the deadline; `remainder` (nil for absolute times) is where the time left goes when interrupted.
  private static func sleep(_ task: Task, remainder: UInt64?) throws(Errno) -> Int {
    let deadline = task.retry.deadline ?? 0
    let now = task.kernel.monotonicTime
    if deadline <= now { return 0 }
    let outcome = task.wait(
      on: [], deadline: deadline, interrupted: remainder == nil ? .restartNoHand : .restartBlock)
    if outcome != .parked, let remainder, remainder != 0 {
      try task.memory.writeValue(remainder, Timespec(nanoseconds: Int64(clamping: deadline - now)))
    }
    throw outcome
  }

  /// Sleeps on a processor-time clock: wakes when it could have got there, and looks.
  private static func sleep(
    _ task: Task, on clock: Clock, _ address: UInt64, isAbsolute: Bool
  ) throws(Errno) -> Int {
    let now = try clock.now(task.kernel)
    if !task.retry.isRetry {
      let time = UInt64(clamping: try sleepTime(task, address).totalNanoseconds)
      task.retry.deadline = isAbsolute ? time : now.saturatingAdd(time)
    }
    let target = task.retry.deadline ?? 0
    if target <= now { return 0 }
    let wait = max(target - now, 1_000_000)
    throw task.wait(on: [], deadline: task.kernel.monotonicTime.saturatingAdd(wait), interrupted: .restartNoHand)
  }

  // MARK: Clocks

  /// clock_gettime(2).
  static func clockGettime(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let now = try Clock(id: a.int(0), for: task).now(task.kernel)
    try task.memory.writeValue(a[1], Timespec(nanoseconds: Int64(clamping: now)))
    return 0
  }

  /// clock_getres(2).
  static func clockGetres(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let resolution = try Clock(id: a.int(0), for: task).resolution(task.kernel)
    if a[1] != 0 { try task.memory.writeValue(a[1], resolution) }
    return 0
  }

  /// clock_settime(2): the clock belongs to the host.
  static func clockSettime(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard case .host(0) = try Clock(id: a.int(0), for: task) else { throw .invalidArgument }
    guard try task.memory.readValue(a[1], as: Timespec.self).isValid else { throw .invalidArgument }
    throw .notPermitted
  }

  /// settimeofday(2).
  static func settimeofday(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { throw .notPermitted }

  /// clock_adjtime(2).
  static func clockAdjtime(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard case .host(0) = try Clock(id: a.int(0), for: task) else { throw .notSupportedOnSocket }
    return try adjust(task, a[1])
  }

  /// adjtimex(2).
  static func adjtimex(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { try adjust(task, a[0]) }

  /// Tells that the clock is not synchronized; changes nothing.
  private static func adjust(_ task: Task, _ address: UInt64) throws(Errno) -> Int {
    var timex = try task.memory.readValue(address, as: Timex.self)
    guard timex.modes == 0 else { throw .notPermitted }
    timex = Timex()
    timex.time = Timeval(nanoseconds: task.kernel.realTime)
    try task.memory.writeValue(address, timex)
    return Timex.unsynchronizedResult
  }

  /// gettimeofday(2); the time zone is UTC.
  static func gettimeofday(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    if a[0] != 0 { try task.memory.writeValue(a[0], Timeval(nanoseconds: task.kernel.realTime)) }
    if a[1] != 0 { try task.memory.writeValue(a[1], UInt64(0)) }
    return 0
  }

  /// time(2).
  static func time(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let seconds = Int(clamping: task.kernel.realTime / 1_000_000_000)
    if a[0] != 0 { try task.memory.writeValue(a[0], seconds) }
    return seconds
  }

  /// times(2), in ticks of 10 ms.
  static func times(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let tick: UInt64 = 10_000_000
    if a[0] != 0 {
      let own = task.kernel.times(of: task.group)
      let children = task.group.childUsage
      try task.memory.writeArray(
        a[0], [own.user / tick, own.system / tick, children.userTime / tick, children.systemTime / tick])
    }
    return Int(clamping: task.kernel.monotonicTime / tick)
  }

  /// getrusage(2).
  static func getrusage(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let usage: ResourceUsage
    switch UsageTarget(rawValue: a.int(0)) {
    case .process: usage = task.kernel.usage(of: task.group)
    case .children: usage = task.group.childUsage
    case .thread: usage = task.kernel.usage(of: task)
    case nil: throw .invalidArgument
    }
    try task.memory.writeValue(a[1], Rusage(usage))
    return 0
  }

  // MARK: Interval timers

  /// alarm(2).
  static func alarm(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let second: UInt64 = 1_000_000_000
    let timers = task.group.makeTimers(task.kernel)
    let left = timers.interval(.real).value
    timers.setInterval(.real, value: UInt64(a.uint(0)) * second, interval: 0)
    // Rounded to seconds, but never to 0 while time is left.
    return left == 0 ? 0 : Int(clamping: max(1, left.saturatingAdd(second / 2) / second))
  }

  /// setitimer(2).
  static func setitimer(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard let which = IntervalTimer(rawValue: a.int(0)) else { throw .invalidArgument }
    let timers = task.group.makeTimers(task.kernel)
    var new = IntervalSetting()
    if a[1] != 0 { new = try task.memory.readValue(a[1], as: IntervalSetting.self) }
    guard let value = new.value.validNanoseconds, let interval = new.interval.validNanoseconds else {
      throw .invalidArgument
    }
    let old = timers.interval(which)
    timers.setInterval(which, value: value, interval: interval)
    if a[2] != 0 { try task.memory.writeValue(a[2], setting(old)) }
    return 0
  }

  /// getitimer(2).
  static func getitimer(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard let which = IntervalTimer(rawValue: a.int(0)) else { throw .invalidArgument }
    let current = task.group.timers?.interval(which) ?? (0, 0)
    try task.memory.writeValue(a[1], setting(current))
    return 0
  }

  private static func setting(_ times: (value: UInt64, interval: UInt64)) -> IntervalSetting {
    var setting = IntervalSetting()
    setting.interval = Timeval(nanoseconds: times.interval)
    // An armed timer never shows 0.
    setting.value = Timeval(nanoseconds: times.value == 0 ? 0 : max(times.value, 1000))
    return setting
  }

  // MARK: POSIX timers

  /// timer_create(2).
  static func timerCreate(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let clock = try Clock(id: a.int(0), for: task)
    if case .host = clock, clock.timerClock == nil { throw .notSupportedOnSocket }
    // The alarm clocks need hardware that the host may not have.
    if case .host = clock, (try? clock.now(task.kernel)) == nil { throw .notSupportedOnSocket }
    let event = a[1] == 0 ? nil : try task.memory.readValue(a[1], as: SignalEvent.self)
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
        guard (1...Signal.maximum).contains(event.signal) else { throw .invalidArgument }
      }
    }
    let timers = task.group.makeTimers(task.kernel)
    let timer = try timers.addPosixTimer { id in
      PosixTimer(
        id: id, clock: clock, notification: notification, signal: event?.signal ?? Signal.alrm,
        value: event?.value ?? UInt64(id), group: task.group, kernel: task.kernel)
    }
    do throws(Errno) {
      try task.memory.writeValue(a[2], timer.id)
    } catch {
      timers.removePosixTimer(timer.id)
      throw error
    }
    return 0
  }

  private static func timer(_ task: Task, _ a: SyscallArguments) throws(Errno) -> PosixTimer {
    guard let timer = task.group.timers?.posix[a.int(0)] else { throw .invalidArgument }
    return timer
  }

  /// timer_settime(2).
  static func timerSettime(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a[2] != 0 else { throw .invalidArgument }
    let timer = try timer(task, a)
    let new = try task.memory.readValue(a[2], as: TimerSetting.self)
    guard new.value.isValid, new.interval.isValid else { throw .invalidArgument }
    let old = timer.current
    timer.set(new, isAbsolute: TimerFlags(rawValue: a.uint(1)).contains(.absolute))
    if a[3] != 0 { try task.memory.writeValue(a[3], old) }
    return 0
  }

  /// timer_gettime(2).
  static func timerGettime(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let timer = try timer(task, a)
    try task.memory.writeValue(a[1], timer.current)
    return 0
  }

  /// timer_getoverrun(2).
  static func timerGetoverrun(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    Int(try timer(task, a).lastOverrun)
  }

  /// timer_delete(2).
  static func timerDelete(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let timer = try timer(task, a)
    task.group.timers?.removePosixTimer(timer.id)
    return 0
  }
}
