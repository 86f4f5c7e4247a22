/// `struct itimerval` of setitimer(2).
package struct IntervalSetting: BitwiseCopyable, Sendable {
  package var interval = Timeval()
  package var value = Timeval()
  package init() {}
}

extension Timeval {
  /// As a span; nil where the fields are no time.
  package var duration: Nanoseconds? {
    guard seconds >= 0, (0..<1_000_000).contains(microseconds) else { return nil }
    return .second * UInt64(seconds) + .microseconds(UInt64(microseconds))
  }
}

/// `struct sigevent` of sigevent(3type), as timer_create(2) takes it.
package struct SignalEvent: BitwiseCopyable, Sendable {
  package var value: UInt64 = 0
  package var signal = Signal.null
  package var notification: Int32 = 0
  /// `sigev_notify_thread_id`.
  package var thread = ProcessID.zero
  private var padding = InlineArray<11, Int32>(repeating: 0)
  package init() {}

  package static let signal: Int32 = 0
  package static let none: Int32 = 1
  package static let thread: Int32 = 2
  package static let threadID: Int32 = 4
}

/// `TIMER_ABSTIME` of timer_settime(2) and clock_nanosleep(2), `TFD_TIMER_*` of timerfd_settime(2).
public struct TimerFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let absolute = TimerFlags(rawValue: 1)
  public static let cancelOnSet = TimerFlags(rawValue: 2)

  public static let names: [ConstantName] = [
    .init("TIMER_ABSTIME", absolute), .init("TFD_TIMER_CANCEL_ON_SET", cancelOnSet),
  ]
}

/// The timers of setitimer(2), `ITIMER_*`.
public enum IntervalTimer: Int32, NamedConstants, Sendable {
  case real = 0
  case virtual = 1
  case profiling = 2

  public static let names: [ConstantName] = [
    .init("ITIMER_REAL", real), .init("ITIMER_VIRTUAL", virtual), .init("ITIMER_PROF", profiling),
  ]
}

/// `struct timex` of adjtimex(2).
package struct Timex: BitwiseCopyable, Sendable {
  package var modes: UInt32 = 0
  private var padding: Int32 = 0
  package var offset: Int64 = 0
  package var frequency: Int64 = 0
  package var maximumError: Int64 = 16_000_000
  package var estimatedError: Int64 = 16_000_000
  /// `STA_UNSYNC`.
  package var status: Int32 = 0x40
  private var padding2: Int32 = 0
  package var constant: Int64 = 2
  package var precision: Int64 = 1
  package var tolerance: Int64 = 32_768_000
  package var time = Timeval()
  package var tick: Int64 = 10000
  private var pulses = InlineArray<8, Int64>(repeating: 0)
  private var reserved = InlineArray<6, Int64>(repeating: 0)
  package init() {}

  /// `TIME_ERROR`, what adjtimex(2) returns of a clock that isn't synchronized.
  package static let unsynchronizedResult = 5
}
