/// The clocks of clock_gettime(2), `CLOCK_*`. A negative number is the processor time of a process or a thread
/// (clock_getcpuclockid(3)).
public struct ClockNumber: NamedNumber, Hashable, BitwiseCopyable, Sendable {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }
  public static let realTime = ClockNumber(rawValue: 0)
  public static let monotonic = ClockNumber(rawValue: 1)
  public static let processTime = ClockNumber(rawValue: 2)
  public static let threadTime = ClockNumber(rawValue: 3)
  public static let monotonicRaw = ClockNumber(rawValue: 4)
  public static let realTimeCoarse = ClockNumber(rawValue: 5)
  public static let monotonicCoarse = ClockNumber(rawValue: 6)
  public static let bootTime = ClockNumber(rawValue: 7)
  public static let realTimeAlarm = ClockNumber(rawValue: 8)
  public static let bootTimeAlarm = ClockNumber(rawValue: 9)
  public static let atomicTime = ClockNumber(rawValue: 11)

  public static let names: [ConstantName] = [
    .init("CLOCK_REALTIME", realTime), .init("CLOCK_MONOTONIC", monotonic),
    .init("CLOCK_PROCESS_CPUTIME_ID", processTime), .init("CLOCK_THREAD_CPUTIME_ID", threadTime),
    .init("CLOCK_MONOTONIC_RAW", monotonicRaw), .init("CLOCK_REALTIME_COARSE", realTimeCoarse),
    .init("CLOCK_MONOTONIC_COARSE", monotonicCoarse), .init("CLOCK_BOOTTIME", bootTime),
    .init("CLOCK_REALTIME_ALARM", realTimeAlarm), .init("CLOCK_BOOTTIME_ALARM", bootTimeAlarm),
    .init("CLOCK_TAI", atomicTime),
  ]
}

/// A clock that timers run by (timerfd_create(2)).
public enum TimerClock: Sendable {
  case realTime
  case monotonic
  case bootTime
  case realTimeAlarm
  case bootTimeAlarm

  /// Nil for other clocks.
  public init?(_ number: ClockNumber) {
    switch number {
    case .realTime: self = .realTime
    case .monotonic: self = .monotonic
    case .bootTime: self = .bootTime
    case .realTimeAlarm: self = .realTimeAlarm
    case .bootTimeAlarm: self = .bootTimeAlarm
    default: return nil
    }
  }

  public var number: ClockNumber {
    switch self {
    case .realTime: .realTime
    case .monotonic: .monotonic
    case .bootTime: .bootTime
    case .realTimeAlarm: .realTimeAlarm
    case .bootTimeAlarm: .bootTimeAlarm
    }
  }
}
