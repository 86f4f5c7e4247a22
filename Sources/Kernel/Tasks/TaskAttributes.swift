import LinuxABI

/// What prctl(2) and personality(2) set of one task. Children inherit it.
struct TaskAttributes: Sendable {
  var secureBits = SecureBits()
  /// `PR_SET_TIMERSLACK`.
  var timerSlack = Nanoseconds.microseconds(50)
  /// What `PR_SET_TIMERSLACK` goes back to: the slack that the task's parent had.
  var defaultTimerSlack = Nanoseconds.microseconds(50)
  var disablesHugePages = false
  var personality = Personality(rawValue: 0)
  var ioFlusher = false
  /// The signal that it gets when its parent ends (`PR_SET_PDEATHSIG`). Children do not have it.
  var parentDeathSignal = Signal.null
}
