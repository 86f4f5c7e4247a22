import LinuxABI

/// How a run of a system call went that may have to wait. It throws where the call fails: only errnos that guests know.
enum CallOutcome<Value> {
  /// The call has ended.
  case done(Value)
  /// It has not got to its end.
  case suspended(Suspension)
}

extension CallOutcome: Sendable where Value: Sendable {}

/// Why a system call did not get to its end.
enum Suspension: Equatable {
  /// The task waits. The call is run again, from its start, when the task is woken; what it must not forget is in
  /// `Task.call`.
  case parked
  /// A signal is there to be delivered: the call ends. Whether the guest makes it again depends on the signal's handler.
  case interrupted(RestartKind)
}

/// What becomes of an interrupted call: Linux's numbers of `include/linux/errno.h`, which no guest ever sees.
enum RestartKind {
  /// `ERESTARTSYS`: run it again if the handler has `SA_RESTART`, else `EINTR`.
  case restartSys
  /// `ERESTARTNOINTR`: run it again whatever the handler says.
  case restartNoIntr
  /// `ERESTARTNOHAND`: `EINTR` if a handler runs, else run it again.
  case restartNoHand
  /// `ERESTART_RESTARTBLOCK`: `EINTR` if a handler runs, else go on with the deadline that the task keeps.
  case restartBlock
  /// `EINTR`, even where no handler runs.
  case never
}

/// What the function of a row of the system call table returns. One that never waits returns an `Int`.
protocol SyscallReturn: Sendable {
  var outcome: CallOutcome<Int> { get }
}

extension Int: SyscallReturn {
  var outcome: CallOutcome<Int> { .done(self) }
}

extension CallOutcome: SyscallReturn where Value == Int {
  var outcome: CallOutcome<Int> { self }
}

/// How a system call ended.
enum CallResult: Equatable {
  case value(Int)
  case error(Errno)
  /// Interrupted; the delivery of the signal decides whether it is run again.
  case restart(RestartKind)

  /// What the guest finds in `rax`, unless the call is run again.
  var register: Int {
    switch self {
    case .value(let value): value
    case .error(let error): -Int(error.rawValue)
    case .restart: -Int(Errno.interrupted.rawValue)
    }
  }
}
