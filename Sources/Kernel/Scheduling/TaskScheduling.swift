import LinuxABI

/// What the scheduler knows of a task, and what programs set of it (sched(7)).
final class TaskScheduling {
  /// The CPU the task runs on, or ran on last.
  var cpu: CPU
  /// A CPU thread is inside the guest with the task.
  var isInGuest = false
  /// The task is in its CPU's run queue.
  var isQueued = false
  /// When it got its CPU (CLOCK_MONOTONIC); zero to hand it on to the next that waits.
  var sliceStart = MonotonicTime.zero
  /// Whether its guest code is better off on a host CPU of its own.
  var pace = TrapPace()

  // What follows is told back only: Apus schedules all tasks alike.

  /// `SCHED_OTHER`, `SCHED_BATCH` or `SCHED_IDLE`.
  var policy = SchedulingPolicy.other
  /// Children go back to `SCHED_OTHER` and nice 0 (`SCHED_RESET_ON_FORK`).
  var resetsOnFork = false
  var nice: Int32 = 0
  /// The CPUs it may run on, as a mask.
  var affinity: UInt64 = .max
  /// Class and level of ioprio_set(2); 0 where never set.
  var ioPriority = IOPriority(rawValue: 0)

  init(cpu: CPU) { self.cpu = cpu }
}
