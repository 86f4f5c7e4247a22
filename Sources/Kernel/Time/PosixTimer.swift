import FileSystem
import LinuxABI

/// A timer of timer_create(2).
final class PosixTimer {
  /// What happens at an expiration (`SIGEV_*` of sigevent(3)).
  enum Notification {
    case none
    case process
    /// `SIGEV_THREAD_ID`.
    case thread(ProcessID)
  }

  let id: Int32
  let signal: Signal
  private let value: UInt64
  private let notification: Notification
  private let clock: Clock
  private unowned let group: ThreadGroup
  private unowned let kernel: Kernel
  private lazy var timer = KernelTimer { [unowned self] in expire() }
  /// The next expiration: in CLOCK_MONOTONIC, or in its own time for a processor-time clock.
  private var expiry: Nanoseconds?
  private var interval = Nanoseconds.zero
  /// Expirations since the one that the pending signal stands for.
  private var overrun: UInt64 = 0
  /// A signal is on its way.
  private var isSignalPending = false
  /// timer_getoverrun(2): of the last signal delivered.
  private(set) var lastOverrun: Int32 = 0

  init(
    id: Int32, clock: Clock, notification: Notification, signal: Signal, value: UInt64, group: ThreadGroup,
    kernel: Kernel
  ) {
    self.id = id
    self.clock = clock
    self.notification = notification
    self.signal = signal
    self.value = value
    self.group = group
    self.kernel = kernel
  }

  private var usesCPUTime: Bool { clock.timerClock == nil }

  private var now: Nanoseconds { usesCPUTime ? (try? clock.now(kernel)) ?? .zero : kernel.monotonicTime.sinceBoot }

  /// timer_settime(2).
  func set(_ setting: TimerSetting, isAbsolute: Bool) {
    disarm()
    overrun = 0
    lastOverrun = 0
    interval = setting.interval.duration
    guard setting.value != Timespec() else { return }
    if let hostClock = clock.timerClock {
      let deadline = kernel.deadline(setting.value, clock: hostClock, isAbsolute: isAbsolute)
      expiry = deadline.sinceBoot
      kernel.arm(timer, deadline: deadline)
    } else {
      let value = setting.value.duration
      expiry = isAbsolute ? value : now + value
      group.timers?.checkCPUTimers()
    }
  }

  /// timer_gettime(2).
  var current: TimerSetting {
    var setting = TimerSetting()
    setting.interval = Timespec(interval)
    guard var expiry else { return setting }
    let now = now
    if case .none = notification, expiry <= now {
      guard interval > .zero else { return setting }
      expiry = GroupTimers.next(after: expiry, interval: interval, now: now)
    }
    setting.value = Timespec(max(expiry - now, Nanoseconds(rawValue: 1)))
    return setting
  }

  func disarm() {
    expiry = nil
    kernel.disarm(timer)
  }

  private func expire() {
    guard let due = expiry else { return }
    let now = now
    var missed: UInt64 = 0
    if interval > .zero {
      missed = (now - due) / interval
      let next = GroupTimers.next(after: due, interval: interval, now: now)
      expiry = next
      if !usesCPUTime {
        kernel.arm(timer, deadline: MonotonicTime(sinceBoot: max(next, now + GroupTimers.shortestPeriod)))
      }
    } else {
      expiry = nil
    }
    notify(expirations: missed &+ 1)
  }

  private func notify(expirations: UInt64) {
    if isSignalPending, isStillPending {
      overrun &+= expirations
      return
    }
    overrun = expirations &- 1
    var info = SignalInfo(signal: signal, code: SignalInfo.siTimer)
    info.timer = id
    info.value = value
    let outcome: SignalOutcome
    switch notification {
    case .none: return
    case .process: outcome = kernel.send(info, to: group)
    case .thread(let id):
      guard let task = kernel.tasks[id], task.group === group else { return }
      outcome = kernel.send(info, to: task)
    }
    isSignalPending = outcome == .queued
  }

  private var isStillPending: Bool {
    switch notification {
    case .none: false
    case .process: group.signals.pendingSet.contains(signal)
    case .thread(let id): kernel.tasks[id]?.signals.pendingSet.contains(signal) ?? false
    }
  }

  /// The signal is delivered.
  func takeOverrun() -> Int32 {
    isSignalPending = false
    lastOverrun = Int32(clamping: overrun)
    overrun = 0
    return lastOverrun
  }

  /// For a processor-time clock: fires if due, and tells how far off the next expiration is.
  func checkCPUTime() -> Nanoseconds? {
    guard usesCPUTime, let due = expiry else { return nil }
    if due <= now { expire() }
    return expiry.map { $0 - now }
  }
}
