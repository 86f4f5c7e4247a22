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
  typealias Function = @Sendable (Task, SyscallArguments) throws(Errno) -> CallOutcome<Int>
  let number: SyscallNumber
  let support: SyscallSupport
  /// Decodes the arguments and runs the call.
  let function: Function
  /// The types of the parameters; a function, so that the table costs nothing to make.
  let parameters: @Sendable () -> [any SyscallArgument.Type]
  /// One bit for each parameter that is a descriptor, from the first parameter up.
  let descriptors: UInt8
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
    descriptors = 0
  }
}

// One initializer for each number of parameters. They are inlined, so that the optimiser sees which function it is and
// makes decoding and call one plain function; a parameter pack would decode through run-time type information.
extension SyscallEntry {
  @inline(__always)
  init<Return: SyscallReturn>(
    _ number: SyscallNumber, _ function: @escaping @Sendable (Task) throws(Errno) -> Return,
    _ support: SyscallSupport = .full
  ) {
    self.number = number
    self.support = support
    self.function = { (task, _) throws(Errno) in
      try function(task).outcome
    }
    parameters = { [] }
    descriptors = 0
  }

  @inline(__always)
  init<A: SyscallArgument, Return: SyscallReturn>(
    _ number: SyscallNumber, _ function: @escaping @Sendable (Task, A) throws(Errno) -> Return,
    _ support: SyscallSupport = .full
  ) {
    self.number = number
    self.support = support
    self.function = { (task, registers) throws(Errno) in
      try function(task, A(register: registers[0])).outcome
    }
    parameters = { [A.self] }
    descriptors = bit(A.self, 0)
  }

  @inline(__always)
  init<A: SyscallArgument, B: SyscallArgument, Return: SyscallReturn>(
    _ number: SyscallNumber, _ function: @escaping @Sendable (Task, A, B) throws(Errno) -> Return,
    _ support: SyscallSupport = .full
  ) {
    self.number = number
    self.support = support
    self.function = { (task, registers) throws(Errno) in
      try function(task, A(register: registers[0]), B(register: registers[1])).outcome
    }
    parameters = { [A.self, B.self] }
    descriptors = bit(A.self, 0) | bit(B.self, 1)
  }

  @inline(__always)
  init<A: SyscallArgument, B: SyscallArgument, C: SyscallArgument, Return: SyscallReturn>(
    _ number: SyscallNumber, _ function: @escaping @Sendable (Task, A, B, C) throws(Errno) -> Return,
    _ support: SyscallSupport = .full
  ) {
    self.number = number
    self.support = support
    self.function = { (task, registers) throws(Errno) in
      try function(task, A(register: registers[0]), B(register: registers[1]), C(register: registers[2])).outcome
    }
    parameters = { [A.self, B.self, C.self] }
    descriptors = bit(A.self, 0) | bit(B.self, 1) | bit(C.self, 2)
  }

  @inline(__always)
  init<A: SyscallArgument, B: SyscallArgument, C: SyscallArgument, D: SyscallArgument, Return: SyscallReturn>(
    _ number: SyscallNumber, _ function: @escaping @Sendable (Task, A, B, C, D) throws(Errno) -> Return,
    _ support: SyscallSupport = .full
  ) {
    self.number = number
    self.support = support
    self.function = { (task, registers) throws(Errno) in
      try function(
        task, A(register: registers[0]), B(register: registers[1]), C(register: registers[2]), D(register: registers[3])
      ).outcome
    }
    parameters = { [A.self, B.self, C.self, D.self] }
    descriptors = bit(A.self, 0) | bit(B.self, 1) | bit(C.self, 2) | bit(D.self, 3)
  }

  @inline(__always)
  init<
    A: SyscallArgument, B: SyscallArgument, C: SyscallArgument, D: SyscallArgument, E: SyscallArgument,
    Return: SyscallReturn
  >(
    _ number: SyscallNumber, _ function: @escaping @Sendable (Task, A, B, C, D, E) throws(Errno) -> Return,
    _ support: SyscallSupport = .full
  ) {
    self.number = number
    self.support = support
    self.function = { (task, registers) throws(Errno) in
      try function(
        task, A(register: registers[0]), B(register: registers[1]), C(register: registers[2]),
        D(register: registers[3]), E(register: registers[4])
      ).outcome
    }
    parameters = { [A.self, B.self, C.self, D.self, E.self] }
    descriptors = bit(A.self, 0) | bit(B.self, 1) | bit(C.self, 2) | bit(D.self, 3) | bit(E.self, 4)
  }

  @inline(__always)
  init<
    A: SyscallArgument, B: SyscallArgument, C: SyscallArgument, D: SyscallArgument, E: SyscallArgument,
    F: SyscallArgument, Return: SyscallReturn
  >(
    _ number: SyscallNumber, _ function: @escaping @Sendable (Task, A, B, C, D, E, F) throws(Errno) -> Return,
    _ support: SyscallSupport = .full
  ) {
    self.number = number
    self.support = support
    self.function = { (task, registers) throws(Errno) in
      try function(
        task, A(register: registers[0]), B(register: registers[1]), C(register: registers[2]),
        D(register: registers[3]), E(register: registers[4]), F(register: registers[5])
      ).outcome
    }
    parameters = { [A.self, B.self, C.self, D.self, E.self, F.self] }
    descriptors =
      bit(A.self, 0) | bit(B.self, 1) | bit(C.self, 2) | bit(D.self, 3) | bit(E.self, 4)
      | bit(F.self, 5)
  }
}

/// A parameter's bit in `SyscallEntry.descriptors`.
@inline(__always)
private func bit<Argument: SyscallArgument>(_: Argument.Type, _ index: UInt8) -> UInt8 {
  Argument.isDescriptor ? 1 << index : 0
}
