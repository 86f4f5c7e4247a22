import FileSystem
import LinuxABI
import Memory

/// The timers of a process: setitimer(2), timer_create(2) and `RLIMIT_CPU`. Made when the first is set.
final class GroupTimers {
  private unowned let group: ThreadGroup
  private unowned let kernel: Kernel
  /// By id.
  private(set) var posix: [Int32: PosixTimer] = [:]
  private var nextID: Int32 = 0
  /// Charged for the timers of timer_create(2).
  private var charge: MemoryCharge
  /// What one takes, with its places in the queue of timers.
  private static let price = 512

  // ITIMER_REAL
  private var realDeadline: MonotonicTime?
  private var realInterval = Nanoseconds.zero
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
    var expiry: Nanoseconds?
    var interval = Nanoseconds.zero
  }

  /// An interval timer that nobody keeps up with fires no more often than this.
  static let shortestPeriod = Nanoseconds.microseconds(100)
  /// The least time between two looks at the processor-time timers.
  private static let shortestCPUCheck = Nanoseconds.milliseconds(1)

  init(_ group: ThreadGroup, _ kernel: Kernel) {
    self.group = group
    self.kernel = kernel
    charge = kernel.kernelMemory.openCharge()
  }

  /// The process is ending.
  func stop() {
    kernel.disarm(realTimer)
    kernel.disarm(cpuTimer)
    removePosixTimers()
  }

  // MARK: setitimer(2)

  /// Time left, at least 1 where the timer is armed, and the interval.
  func interval(_ which: IntervalTimer) -> (value: Nanoseconds, interval: Nanoseconds) {
    switch which {
    case .real:
      return (GroupTimers.left(realDeadline?.sinceBoot, now: kernel.monotonicTime.sinceBoot), realInterval)
    case .virtual:
      return (GroupTimers.left(virtual.expiry, now: kernel.times(of: group).user), virtual.interval)
    case .profiling:
      return (GroupTimers.left(profiling.expiry, now: kernel.times(of: group).total), profiling.interval)
    }
  }

  private static func left(_ expiry: Nanoseconds?, now: Nanoseconds) -> Nanoseconds {
    guard let expiry else { return .zero }
    return max(expiry - now, Nanoseconds(rawValue: 1))
  }

  /// Arms a timer; a value of 0 disarms it.
  func setInterval(_ which: IntervalTimer, value: Nanoseconds, interval: Nanoseconds) {
    switch which {
    case .real:
      kernel.disarm(realTimer)
      realInterval = interval
      realDeadline = value == .zero ? nil : kernel.monotonicTime + value
      if let realDeadline { kernel.arm(realTimer, deadline: realDeadline) }
    case .virtual:
      let now = kernel.times(of: group).user
      virtual = CPUInterval(expiry: value == .zero ? nil : now + value, interval: interval)
      checkCPUTimers()
    case .profiling:
      let now = kernel.times(of: group).total
      profiling = CPUInterval(expiry: value == .zero ? nil : now + value, interval: interval)
      checkCPUTimers()
    }
  }

  private func realTimerExpired() {
    guard let deadline = realDeadline else { return }
    realDeadline = nil
    if realInterval > .zero {
      let now = kernel.monotonicTime
      let next = MonotonicTime(
        sinceBoot: GroupTimers.next(after: deadline.sinceBoot, interval: realInterval, now: now.sinceBoot))
      realDeadline = next
      kernel.arm(realTimer, deadline: max(next, now + GroupTimers.shortestPeriod))
    }
    kernel.send(SignalInfo(signal: Signal.alrm, code: SignalInfo.siKernel), to: group)
  }

  /// The first expiry of an interval timer that is not past.
  static func next(after expiry: Nanoseconds, interval: Nanoseconds, now: Nanoseconds) -> Nanoseconds {
    guard expiry <= now, interval > .zero else { return expiry }
    // An interval may be as long as all time: then there is no next expiry.
    return expiry + interval * ((now - expiry) / interval &+ 1)
  }

  // MARK: processor time

  /// Fires what is due, and looks again when the next could be.
  func checkCPUTimers() {
    kernel.disarm(cpuTimer)
    let times = kernel.times(of: group)
    var left = Nanoseconds.forever
    if let rest = check(&virtual, Signal.vtalrm, now: times.user) { left = min(left, rest) }
    if let rest = check(&profiling, Signal.prof, now: times.total) { left = min(left, rest) }
    for timer in posix.values {
      if let rest = timer.checkCPUTime() { left = min(left, rest) }
    }
    if let rest = checkLimit(times.total) { left = min(left, rest) }
    guard left != .forever, group.exitStatus == nil else { return }
    let threads = UInt64(max(1, min(group.tasks.count, kernel.scheduler.cpus.count)))
    let wait = max(left / threads, GroupTimers.shortestCPUCheck)
    kernel.arm(cpuTimer, deadline: kernel.monotonicTime + wait)
  }

  private func check(_ timer: inout CPUInterval, _ signal: Signal, now: Nanoseconds) -> Nanoseconds? {
    guard let expiry = timer.expiry else { return nil }
    guard expiry <= now else { return expiry - now }
    timer.expiry = timer.interval > .zero ? GroupTimers.next(after: expiry, interval: timer.interval, now: now) : nil
    kernel.send(SignalInfo(signal: signal, code: SignalInfo.siKernel), to: group)
    return timer.expiry.map { $0 - now }
  }

  /// `RLIMIT_CPU`: SIGXCPU at the soft limit and each second after it, SIGKILL at the hard one (getrlimit(2)).
  private func checkLimit(_ used: Nanoseconds) -> Nanoseconds? {
    let limit = group.limits[.cpu]
    guard limit.current != ResourceLimit.infinity else { return nil }
    let seconds = used / .second
    if limit.maximum != ResourceLimit.infinity, seconds >= limit.maximum {
      kernel.send(SignalInfo(signal: Signal.kill, code: SignalInfo.siKernel), to: group)
      return nil
    }
    let soft = max(limit.current, nextLimitSignal)
    guard seconds >= soft else {
      return .second * min(soft, limit.maximum) - used
    }
    nextLimitSignal = seconds &+ 1
    kernel.send(SignalInfo(signal: Signal.xcpu, code: SignalInfo.siKernel), to: group)
    return .second * (seconds &+ 1) - used
  }

  // MARK: timer_create(2)

  /// - Throws: `EAGAIN` past `RLIMIT_SIGPENDING`, or without memory for it.
  func addPosixTimer(_ make: (Int32) -> PosixTimer) throws(Errno) -> PosixTimer {
    guard UInt64(posix.count) < group.limits[.pendingSignals].current else { throw .resourceTemporarilyUnavailable }
    try charge.resize(to: (posix.count + 1) * GroupTimers.price, otherwise: .resourceTemporarilyUnavailable)
    while posix[nextID] != nil { nextID = nextID == .max ? 0 : nextID + 1 }
    let timer = make(nextID)
    posix[timer.id] = timer
    nextID = nextID == .max ? 0 : nextID + 1
    return timer
  }

  func removePosixTimer(_ id: Int32) {
    posix.removeValue(forKey: id)?.disarm()
    charge.shrink(to: posix.count * GroupTimers.price)
  }

  /// Deletes all timers of timer_create(2); setitimer(2)'s live on in execve(2).
  func removePosixTimers() {
    for timer in posix.values { timer.disarm() }
    posix = [:]
    charge.shrink(to: 0)
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
