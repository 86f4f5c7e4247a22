import LinuxABI

/// A clock of clock_gettime(2).
enum Clock {
  /// One that runs with the host's, by its id.
  case host(Int32)
  /// Processor time of a process, and of a thread.
  case process(ThreadGroup, CPUClockKind)
  case thread(Task, CPUClockKind)

  /// What a processor-time clock counts: the low bits of its id.
  enum CPUClockKind: Int32 {
    case all = 0
    case user = 1
    case scheduled = 2

    func time(_ times: CPUTimes) -> UInt64 { self == .user ? times.user : times.total }
  }

  /// The clock of an id, as `task` sees it.
  /// - Throws: `EINVAL` where there is no such clock.
  init(_ number: ClockNumber, for task: Task) throws(Errno) {
    let id = number.rawValue
    switch number {
    case .processTime: self = .process(task.group, .scheduled)
    case .threadTime: self = .thread(task, .scheduled)
    case .realTime, .monotonic, .monotonicRaw, .realTimeCoarse, .monotonicCoarse, .bootTime, .realTimeAlarm,
      .bootTimeAlarm, .atomicTime:
      self = .host(id)
    default:
      guard id < 0 else { throw .invalidArgument }
      // The complement of a process id, shifted; bit 2 tells threads from processes (`CPUCLOCK_*` of Linux).
      guard let kind = CPUClockKind(rawValue: id & 3) else { throw .invalidArgument }
      let owner = ProcessID(rawValue: ~(id >> 3))
      if id & 4 != 0 {
        guard let target = owner == .zero ? task : task.kernel.tasks[owner], target.group === task.group else {
          throw .invalidArgument
        }
        self = .thread(target, kind)
      } else {
        guard let group = owner == .zero ? task.group : task.kernel.groups[owner] else { throw .invalidArgument }
        self = .process(group, kind)
      }
    }
  }

  /// The time it shows, in nanoseconds.
  func now(_ kernel: Kernel) throws(Errno) -> UInt64 {
    switch self {
    case .host(let id): UInt64(clamping: try kernel.services.time(ofClock: id).totalNanoseconds)
    case .process(let group, let kind): kind.time(kernel.times(of: group))
    case .thread(let task, let kind): kind.time(kernel.times(of: task))
    }
  }

  /// clock_getres(2).
  func resolution(_ kernel: Kernel) throws(Errno) -> Timespec {
    if case .host(let id) = self { return try kernel.services.resolution(ofClock: id) }
    return Timespec(seconds: 0, nanoseconds: 1)
  }

  /// The id of a host clock that timers and sleepers can use.
  var timerClock: ClockID? {
    guard case .host(let id) = self else { return nil }
    // TAI differs from real time by whole seconds, which are 0 where nobody has set them.
    return id == 11 ? .realTime : ClockID(rawValue: id)
  }
}

extension Kernel {
  /// When a time on a clock comes, in nanoseconds of CLOCK_MONOTONIC.
  func deadline(_ time: Timespec, clock: ClockID, isAbsolute: Bool) -> UInt64 {
    let value = UInt64(clamping: time.totalNanoseconds)
    let now = monotonicTime
    if !isAbsolute { return now.saturatingAdd(value) }
    let clockNow: UInt64
    switch clock {
    case .monotonic: return value
    case .realTime, .realTimeAlarm: clockNow = realTime
    case .bootTime, .bootTimeAlarm:
      clockNow = (try? services.time(ofClock: clock.rawValue)).map { UInt64(clamping: $0.totalNanoseconds) } ?? now
    }
    // A time in the past stays there, because the periods since then are counted.
    return value >= clockNow ? now.saturatingAdd(value - clockNow) : now - min(now, clockNow - value)
  }
}

extension UInt64 {
  /// The sum, or the largest value where it is larger.
  func saturatingAdd(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
