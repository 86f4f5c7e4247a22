import LinuxABI

/// How far Apus supports a system call.
enum SyscallSupport: Sendable {
  /// As the man page has it, but for what no guest can tell.
  case full
  /// What is missing or different, in a few words.
  case partial(StaticString)
  /// Always fails, with this errno, for this reason.
  case refused(Errno, StaticString)
}

/// One row of the system call table.
///
/// `.init(.openat, openat)` is all that a call needs beside its function: how the arguments are decoded, and how `--trace`
/// shows them, follows from the types of the function's parameters.
struct SyscallEntry: Sendable {
  typealias Function = @Sendable (Task, SyscallArguments) throws(Errno) -> Int
  let number: SyscallNumber
  let support: SyscallSupport
  /// Decodes the arguments and runs the call.
  let function: Function
  /// The types of the parameters; a function, so that the table costs nothing to make.
  let parameters: @Sendable () -> [any SyscallArgument.Type]
  /// The call does not return where it succeeds.
  var neverReturns: Bool { number == .exit || number == .exit_group }
  /// Tracing has to look at the arguments before the call: it does not return, or replaces what they point to.
  var isShownAtBegin: Bool { neverReturns || number == .execve || number == .execveat }

  /// A call that Apus refuses whatever the arguments are.
  init(
    _ number: SyscallNumber, _ error: Errno, because reason: StaticString,
    _ parameters: @autoclosure @escaping @Sendable () -> [any SyscallArgument.Type]
  ) {
    self.number = number
    support = .refused(error, reason)
    self.parameters = parameters
    function = { (_, _) throws(Errno) in throw error }
  }
}

// One initializer for each number of parameters. They are inlined, so that the optimiser sees which function it is and
// makes decoding and call one plain function; a parameter pack would decode through run-time type information.
extension SyscallEntry {
  @inline(__always)
  init(
    _ number: SyscallNumber, _ function: @escaping @Sendable (Task) throws(Errno) -> Int,
    _ support: SyscallSupport = .full
  ) {
    self.number = number
    self.support = support
    self.function = { (task, _) throws(Errno) in
      try function(task)
    }
    parameters = { [] }
  }

  @inline(__always)
  init<A: SyscallArgument>(
    _ number: SyscallNumber, _ function: @escaping @Sendable (Task, A) throws(Errno) -> Int,
    _ support: SyscallSupport = .full
  ) {
    self.number = number
    self.support = support
    self.function = { (task, registers) throws(Errno) in
      try function(task, A(register: registers[0]))
    }
    parameters = { [A.self] }
  }

  @inline(__always)
  init<A: SyscallArgument, B: SyscallArgument>(
    _ number: SyscallNumber, _ function: @escaping @Sendable (Task, A, B) throws(Errno) -> Int,
    _ support: SyscallSupport = .full
  ) {
    self.number = number
    self.support = support
    self.function = { (task, registers) throws(Errno) in
      try function(task, A(register: registers[0]), B(register: registers[1]))
    }
    parameters = { [A.self, B.self] }
  }

  @inline(__always)
  init<A: SyscallArgument, B: SyscallArgument, C: SyscallArgument>(
    _ number: SyscallNumber, _ function: @escaping @Sendable (Task, A, B, C) throws(Errno) -> Int,
    _ support: SyscallSupport = .full
  ) {
    self.number = number
    self.support = support
    self.function = { (task, registers) throws(Errno) in
      try function(task, A(register: registers[0]), B(register: registers[1]), C(register: registers[2]))
    }
    parameters = { [A.self, B.self, C.self] }
  }

  @inline(__always)
  init<A: SyscallArgument, B: SyscallArgument, C: SyscallArgument, D: SyscallArgument>(
    _ number: SyscallNumber, _ function: @escaping @Sendable (Task, A, B, C, D) throws(Errno) -> Int,
    _ support: SyscallSupport = .full
  ) {
    self.number = number
    self.support = support
    self.function = { (task, registers) throws(Errno) in
      try function(
        task, A(register: registers[0]), B(register: registers[1]), C(register: registers[2]), D(register: registers[3])
      )
    }
    parameters = { [A.self, B.self, C.self, D.self] }
  }

  @inline(__always)
  init<A: SyscallArgument, B: SyscallArgument, C: SyscallArgument, D: SyscallArgument, E: SyscallArgument>(
    _ number: SyscallNumber, _ function: @escaping @Sendable (Task, A, B, C, D, E) throws(Errno) -> Int,
    _ support: SyscallSupport = .full
  ) {
    self.number = number
    self.support = support
    self.function = { (task, registers) throws(Errno) in
      try function(
        task, A(register: registers[0]), B(register: registers[1]), C(register: registers[2]),
        D(register: registers[3]), E(register: registers[4]))
    }
    parameters = { [A.self, B.self, C.self, D.self, E.self] }
  }

  @inline(__always)
  init<
    A: SyscallArgument, B: SyscallArgument, C: SyscallArgument, D: SyscallArgument, E: SyscallArgument,
    F: SyscallArgument
  >(
    _ number: SyscallNumber, _ function: @escaping @Sendable (Task, A, B, C, D, E, F) throws(Errno) -> Int,
    _ support: SyscallSupport = .full
  ) {
    self.number = number
    self.support = support
    self.function = { (task, registers) throws(Errno) in
      try function(
        task, A(register: registers[0]), B(register: registers[1]), C(register: registers[2]),
        D(register: registers[3]), E(register: registers[4]), F(register: registers[5]))
    }
    parameters = { [A.self, B.self, C.self, D.self, E.self, F.self] }
  }
}
