import LinuxABI

/// A clock of clock_gettime(2).
enum Clock {
  /// One that runs with the host's.
  case host(ClockNumber)
  /// Processor time of a process, and of a thread.
  case process(ThreadGroup, CPUClockKind)
  case thread(Task, CPUClockKind)
  /// Of process 1, which runs nothing.
  case initProcess

  /// What a processor-time clock counts: the low bits of its id.
  enum CPUClockKind: Int32 {
    case all = 0
    case user = 1
    case scheduled = 2

    func time(_ times: CPUTimes) -> Nanoseconds { self == .user ? times.user : times.total }
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
      self = .host(number)
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
        if owner == .initial {
          self = .initProcess
          return
        }
        guard let group = owner == .zero ? task.group : task.kernel.groups[owner] else { throw .invalidArgument }
        self = .process(group, kind)
      }
    }
  }

  /// The time it shows.
  func now(_ kernel: Kernel) throws(Errno) -> Nanoseconds {
    switch self {
    case .host(let number): try kernel.services.time(of: number).duration
    case .process(let group, let kind): kind.time(kernel.times(of: group))
    case .thread(let task, let kind): kind.time(kernel.times(of: task))
    case .initProcess: .zero
    }
  }

  /// clock_getres(2).
  func resolution(_ kernel: Kernel) throws(Errno) -> Timespec {
    if case .host(let number) = self { return try kernel.services.resolution(of: number) }
    return Timespec(seconds: 0, nanoseconds: 1)
  }

  /// A host clock as timers and sleepers can use it.
  var timerClock: TimerClock? {
    guard case .host(let number) = self else { return nil }
    // TAI differs from real time by whole seconds, which are 0 where nobody has set them.
    return number == .atomicTime ? .realTime : TimerClock(number)
  }
}

extension Kernel {
  /// When a time on a clock comes.
  func deadline(_ time: Timespec, clock: TimerClock, isAbsolute: Bool) -> MonotonicTime {
    let value = time.duration
    let now = monotonicTime
    if !isAbsolute { return now + value }
    let clockNow: Nanoseconds
    switch clock {
    case .monotonic: return MonotonicTime(sinceBoot: value)
    case .realTime, .realTimeAlarm: clockNow = realTime
    case .bootTime, .bootTimeAlarm:
      clockNow = (try? services.time(of: clock.number))?.duration ?? now.sinceBoot
    }
    // A time in the past stays there, because the periods since then are counted.
    return value >= clockNow ? now + (value - clockNow) : now - (clockNow - value)
  }
}
