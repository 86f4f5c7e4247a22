import LinuxABI

/// What prctl(2), sched_setscheduler(2), ioprio_set(2) and personality(2) set of one task. Children inherit it.
struct TaskAttributes: Sendable {
  var secureBits = SecureBits()
  /// `SCHED_OTHER`, `SCHED_BATCH` or `SCHED_IDLE`. Told back only: Apus schedules them alike.
  var schedulingPolicy = SchedulingPolicy.other
  /// Children go back to `SCHED_OTHER` and nice 0 (`SCHED_RESET_ON_FORK`).
  var resetsSchedulingOnFork = false
  /// Class and level of ioprio_set(2); 0 where never set.
  var ioPriority = IOPriority(rawValue: 0)
  /// `PR_SET_TIMERSLACK`, nanoseconds.
  var timerSlack: UInt64 = 50000
  /// What `PR_SET_TIMERSLACK` goes back to: the slack of who made the task.
  var defaultTimerSlack: UInt64 = 50000
  var disablesHugePages = false
  var personality = Personality(rawValue: 0)
  var ioFlusher = false
}
