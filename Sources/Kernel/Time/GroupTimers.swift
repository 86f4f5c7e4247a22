import FileSystem
import LinuxABI

/// The timers of a process: setitimer(2), timer_create(2) and `RLIMIT_CPU`. Made when the first is set.
final class GroupTimers {
  private unowned let group: ThreadGroup
  private unowned let kernel: Kernel
  /// By id.
  private(set) var posix: [Int32: PosixTimer] = [:]
  private var nextID: Int32 = 0

  // ITIMER_REAL
  private var realDeadline: UInt64?
  private var realInterval: UInt64 = 0
  private lazy var realTimer = KernelTimer { [unowned self] in realTimerExpired() }

  // ITIMER_VIRTUAL and ITIMER_PROF, in processor time
  private var virtual = CPUInterval()
  private var profiling = CPUInterval()
  /// The second of processor time at which SIGXCPU is sent next.
  private var nextLimitSignal: UInt64 = 0
  /// Looks at the processor-time timers when the first could be due.
  private lazy var cpuTimer = KernelTimer { [unowned self] in checkCPUTimers() }

  /// An interval timer that runs with processor time.
  private struct CPUInterval {
    var expiry: UInt64?
    var interval: UInt64 = 0
  }

  /// An interval timer that nobody keeps up with fires no more often than this.
  static let shortestPeriod: UInt64 = 100_000
  /// The least time between two looks at the processor-time timers.
  private static let shortestCPUCheck: UInt64 = 1_000_000

  init(_ group: ThreadGroup, _ kernel: Kernel) {
    self.group = group
    self.kernel = kernel
  }

  /// The process is ending.
  func stop() {
    kernel.disarm(realTimer)
    kernel.disarm(cpuTimer)
    removePosixTimers()
  }

  // MARK: setitimer(2)

  /// Time left, at least 1 where the timer is armed, and the interval.
  func interval(_ which: IntervalTimer) -> (value: UInt64, interval: UInt64) {
    switch which {
    case .real:
      return (GroupTimers.left(realDeadline, now: kernel.monotonicTime), realInterval)
    case .virtual:
      return (GroupTimers.left(virtual.expiry, now: kernel.times(of: group).user), virtual.interval)
    case .profiling:
      return (GroupTimers.left(profiling.expiry, now: kernel.times(of: group).total), profiling.interval)
    }
  }

  private static func left(_ expiry: UInt64?, now: UInt64) -> UInt64 {
    guard let expiry else { return 0 }
    return expiry > now ? expiry - now : 1
  }

  /// Arms a timer; a value of 0 disarms it.
  func setInterval(_ which: IntervalTimer, value: UInt64, interval: UInt64) {
    switch which {
    case .real:
      kernel.disarm(realTimer)
      realInterval = interval
      realDeadline = value == 0 ? nil : kernel.monotonicTime.saturatingAdd(value)
      if let realDeadline { kernel.arm(realTimer, deadline: realDeadline) }
    case .virtual:
      let now = kernel.times(of: group).user
      virtual = CPUInterval(expiry: value == 0 ? nil : now.saturatingAdd(value), interval: interval)
      checkCPUTimers()
    case .profiling:
      let now = kernel.times(of: group).total
      profiling = CPUInterval(expiry: value == 0 ? nil : now.saturatingAdd(value), interval: interval)
      checkCPUTimers()
    }
  }

  private func realTimerExpired() {
    guard let deadline = realDeadline else { return }
    realDeadline = nil
    if realInterval > 0 {
      let now = kernel.monotonicTime
      let next = GroupTimers.next(after: deadline, interval: realInterval, now: now)
      realDeadline = next
      kernel.arm(realTimer, deadline: max(next, now.saturatingAdd(GroupTimers.shortestPeriod)))
    }
    kernel.send(SignalInfo(signal: Signal.alrm, code: SignalInfo.siKernel), to: group)
  }

  /// The first expiry of an interval timer that is not past.
  static func next(after expiry: UInt64, interval: UInt64, now: UInt64) -> UInt64 {
    guard expiry <= now, interval > 0 else { return expiry }
    // An interval may be as long as all time: then there is no next expiry.
    let (distance, overflow) = ((now - expiry) / interval).saturatingAdd(1).multipliedReportingOverflow(by: interval)
    return overflow ? .max : expiry.saturatingAdd(distance)
  }

  // MARK: processor time

  /// Fires what is due, and looks again when the next could be.
  func checkCPUTimers() {
    kernel.disarm(cpuTimer)
    let times = kernel.times(of: group)
    var left = UInt64.max
    if let rest = check(&virtual, Signal.vtalrm, now: times.user) { left = min(left, rest) }
    if let rest = check(&profiling, Signal.prof, now: times.total) { left = min(left, rest) }
    for timer in posix.values {
      if let rest = timer.checkCPUTime() { left = min(left, rest) }
    }
    if let rest = checkLimit(times.total) { left = min(left, rest) }
    guard left != .max, group.exitStatus == nil else { return }
    let threads = UInt64(max(1, min(group.tasks.count, kernel.scheduler.cpus.count)))
    let wait = max(left / threads, GroupTimers.shortestCPUCheck)
    kernel.arm(cpuTimer, deadline: kernel.monotonicTime.saturatingAdd(wait))
  }

  private func check(_ timer: inout CPUInterval, _ signal: Signal, now: UInt64) -> UInt64? {
    guard let expiry = timer.expiry else { return nil }
    guard expiry <= now else { return expiry - now }
    timer.expiry = timer.interval > 0 ? GroupTimers.next(after: expiry, interval: timer.interval, now: now) : nil
    kernel.send(SignalInfo(signal: signal, code: SignalInfo.siKernel), to: group)
    return timer.expiry.map { $0 - now }
  }

  /// `RLIMIT_CPU`: SIGXCPU at the soft limit and each second after it, SIGKILL at the hard one (getrlimit(2)).
  private func checkLimit(_ used: UInt64) -> UInt64? {
    let limit = group.limits[.cpu]
    guard limit.current != ResourceLimit.infinity else { return nil }
    let second: UInt64 = 1_000_000_000
    let seconds = used / second
    if limit.maximum != ResourceLimit.infinity, seconds >= limit.maximum {
      kernel.send(SignalInfo(signal: Signal.kill, code: SignalInfo.siKernel), to: group)
      return nil
    }
    let soft = max(limit.current, nextLimitSignal)
    guard seconds >= soft else {
      return min(soft, limit.maximum).multipliedReportingOverflow(by: second).overflow
        ? nil : min(soft, limit.maximum) &* second - used
    }
    nextLimitSignal = seconds &+ 1
    kernel.send(SignalInfo(signal: Signal.xcpu, code: SignalInfo.siKernel), to: group)
    return (seconds &+ 1) &* second &- used
  }

  // MARK: timer_create(2)

  /// - Throws: `EAGAIN` past `RLIMIT_SIGPENDING`.
  func addPosixTimer(_ make: (Int32) -> PosixTimer) throws(Errno) -> PosixTimer {
    guard UInt64(posix.count) < group.limits[.pendingSignals].current else { throw .resourceTemporarilyUnavailable }
    while posix[nextID] != nil { nextID = nextID == .max ? 0 : nextID + 1 }
    let timer = make(nextID)
    posix[timer.id] = timer
    nextID = nextID == .max ? 0 : nextID + 1
    return timer
  }

  func removePosixTimer(_ id: Int32) {
    posix.removeValue(forKey: id)?.disarm()
  }

  /// Deletes all timers of timer_create(2); setitimer(2)'s live on in execve(2).
  func removePosixTimers() {
    for timer in posix.values { timer.disarm() }
    posix = [:]
  }

  /// A timer's signal is delivered: tells how many expirations it stands for.
  func fillOverrun(of info: inout SignalInfo) {
    guard let timer = posix[info.timer], timer.signal == info.signal else { return }
    info.status = timer.takeOverrun()
  }
}

extension ThreadGroup {
  /// The process's timers, made where there are none.
  func makeTimers(_ kernel: Kernel) -> GroupTimers {
    if let timers { return timers }
    let timers = GroupTimers(self, kernel)
    self.timers = timers
    return timers
  }
}

extension Kernel {
  /// Stops all timers of a process that ends.
  func stopTimers(of group: ThreadGroup) {
    group.timers?.stop()
    group.timers = nil
  }

  /// A process has a new `RLIMIT_CPU`, or begins with one.
  func cpuLimitChanged(of group: ThreadGroup) {
    guard group.limits[.cpu].current != ResourceLimit.infinity || group.timers != nil else { return }
    group.makeTimers(self).checkCPUTimers()
  }
}
