import LinuxABI
import Memory

/// A timer that can be waited for (timerfd_create(2)).
///
/// An interval timer that nobody reads does not keep firing: missed expirations are counted when someone looks.
/// `TFD_TIMER_CANCEL_ON_SET` is accepted, but the host doesn't tell Apus when its clock is set.
package final class TimerFile: AnonymousFile {
  private let clock: TimerClock
  private let services: any KernelServices
  private let queue = WaitQueue()
  private lazy var timer = ExpiryTimer(self)
  /// CLOCK_MONOTONIC time of the next expiration; nil while disarmed, and once a timer without interval has expired.
  private var deadline: MonotonicTime?
  private var interval = Nanoseconds.zero
  private var ticks: UInt64 = 0

  package init(clock: TimerClock, flags: OpenFlags, services: any KernelServices) {
    self.clock = clock
    self.services = services
    super.init(kindName: "[timerfd]", flags: flags.intersection(.nonBlocking).union(.readWrite))
  }

  package override var waitQueue: WaitQueue? { queue }

  /// Arms or disarms the timer; returns the old setting (timerfd_settime(2)).
  package func set(_ setting: TimerSetting, isAbsolute: Bool) throws(Errno) -> TimerSetting {
    guard setting.value.isValid, setting.interval.isValid else { throw .invalidArgument }
    let old = current
    services.disarm(timer)
    ticks = 0
    deadline = nil
    interval = setting.interval.duration
    let value = setting.value.duration
    guard value > .zero else { return old }
    let now = services.monotonicTime
    let delay = isAbsolute ? value - (try time(now: now)) : value
    deadline = now + delay
    if delay == .zero { expire() } else { services.arm(timer, deadline: now + delay) }
    return old
  }

  /// Time to the next expiration, and the interval (timerfd_gettime(2)).
  package var current: TimerSetting {
    catchUp()
    var setting = TimerSetting()
    setting.interval = Timespec(interval)
    if let deadline {
      // An armed timer never shows 0.
      setting.value = Timespec(max(deadline - services.monotonicTime, Nanoseconds(rawValue: 1)))
    }
    return setting
  }

  private func time(now: MonotonicTime) throws(Errno) -> Nanoseconds {
    switch clock {
    case .monotonic: return now.sinceBoot
    case .realTime, .realTimeAlarm: return services.realTime
    case .bootTime, .bootTimeAlarm:
      return try services.time(of: .bootTime).duration
    }
  }

  /// The deadline has passed.
  fileprivate func expire() {
    catchUp()
    if ticks > 0 {
      queue.wakeOne(.readable)
    } else if let deadline {
      services.arm(timer, deadline: deadline)
    }
  }

  /// Counts the expirations up to now.
  private func catchUp() {
    guard let deadline else { return }
    let now = services.monotonicTime
    guard now >= deadline else { return }
    if interval == .zero {
      ticks &+= 1
      self.deadline = nil
    } else {
      let missed = (now - deadline) / interval
      ticks &+= missed &+ 1
      self.deadline = deadline + interval * (missed &+ 1)
    }
  }

  package override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard offset == nil else { throw .illegalSeek }
    guard buffer.remaining >= 8 else { throw .invalidArgument }
    catchUp()
    guard ticks > 0 else { throw .wouldBlock }
    buffer.write(value: ticks)
    ticks = 0
    if let deadline { services.arm(timer, deadline: deadline) }
    return 8
  }

  package override func readiness() -> PollEvents {
    catchUp()
    return ticks > 0 ? .readable : []
  }

  package override func close() { services.disarm(timer) }

  package override var information: String {
    let setting = current
    return "clockid: \(clock.number.rawValue)\nticks: \(ticks)\n"
      + "it_value: (\(setting.value.seconds), \(setting.value.nanoseconds))\n"
      + "it_interval: (\(setting.interval.seconds), \(setting.interval.nanoseconds))\n"
  }
}

private final class ExpiryTimer: KernelTimer {
  private weak var file: TimerFile?
  init(_ file: TimerFile) { self.file = file }
  override func expire() { file?.expire() }
}
