import LinuxABI

/// Processor time: what tasks have used of their CPUs.
///
/// A CPU reads the clock when it enters the guest and when it leaves it; what is in between is user time, the rest is
/// system time of the task that it serves.
extension CPU {
  /// The guest has trapped at `time`.
  @inline(__always)
  func chargeUserTime(until time: MonotonicTime) {
    if let current {
      current.usage.userTime += time - lastCharge
      charge(current, time - lastCharge, until: time)
      current.scheduling.pace.note(wait: time - lastCharge)
    }
    lastCharge = time
  }

  /// The kernel has served the task up to `now`: it enters the guest, or lets go of the CPU.
  @inline(__always)
  func chargeSystemTime(of task: Task, until now: MonotonicTime) {
    task.usage.systemTime += now - lastCharge
    charge(task, now - lastCharge, until: now)
    task.scheduling.pace.note(wait: now - lastCharge)
    lastCharge = now
  }
}

/// User and system time.
struct CPUTimes {
  var user = Nanoseconds.zero
  var system = Nanoseconds.zero
  var total: Nanoseconds { user + system }
}

extension Kernel {
  /// What a task has used up to now.
  func times(of task: Task) -> CPUTimes {
    var times = CPUTimes(user: task.usage.userTime, system: task.usage.systemTime)
    if task.scheduling.cpu.current === task {
      let running = monotonicTime - task.scheduling.cpu.lastCharge
      if task.scheduling.isInGuest { times.user += running } else { times.system += running }
    }
    return times
  }

  /// What a process has used up to now, with its threads that have ended.
  func times(of group: ThreadGroup) -> CPUTimes {
    group.tasks.reduce(into: CPUTimes(user: group.usage.userTime, system: group.usage.systemTime)) { sum, task in
      let times = times(of: task)
      sum.user += times.user
      sum.system += times.system
    }
  }

  /// getrusage(2) of a process: `RUSAGE_SELF`.
  func usage(of group: ThreadGroup) -> ResourceUsage {
    var usage = group.usage
    for task in group.tasks { usage.add(task.usage) }
    let times = times(of: group)
    (usage.userTime, usage.systemTime) = (times.user, times.system)
    if let memory = group.tasks.first?.memory {
      usage.maximumResident = max(usage.maximumResident, memory.residentBytes)
    }
    return usage
  }

  /// getrusage(2) of a thread: `RUSAGE_THREAD`. Page faults are counted for the process alone.
  func usage(of task: Task) -> ResourceUsage {
    var usage = task.usage
    let times = times(of: task)
    (usage.userTime, usage.systemTime) = (times.user, times.system)
    usage.minorFaults = task.group.usage.minorFaults
    usage.maximumResident = max(task.group.usage.maximumResident, task.memory.residentBytes)
    return usage
  }
}
