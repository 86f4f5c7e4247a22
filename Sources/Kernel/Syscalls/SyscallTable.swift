import LinuxABI

/// The six argument registers of a system call (syscall(2)).
struct SyscallArguments: Sendable {
  private var words: InlineArray<6, UInt64>

  /// The arguments in a trap's registers.
  init(_ registers: Registers) {
    words = [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9]
  }
  init(_ values: UInt64...) {
    words = InlineArray(repeating: 0)
    for (index, value) in values.prefix(6).enumerated() { words[index] = value }
  }

  /// Argument `index` (0…5) as it is in the register.
  subscript(index: Int) -> UInt64 { words[index] }
}

/// The system calls: one static function each, in extensions by topic, and tables that bind them to numbers.
///
/// A function does its work and returns the result, or throws the errno. One that may have to wait returns a `CallOutcome`:
/// it hands on what `Task.wait` returns, and is run again, from its start, when the task is woken; see `CallInProgress`.
enum Syscalls {
  /// All tables; a number that is in none of them answers `ENOSYS`.
  static let table: [SyscallEntry?] = {
    var rows = [SyscallEntry?](repeating: nil, count: 512)
    for entry in allTables.joined() { rows[entry.number.rawValue] = entry }
    return rows
  }()

  /// The functions of `table` alone: all that a call needs, where a copy of its row would cost as much as a short call.
  private static let functions = table.map { $0?.function }

  /// Runs a system call of that number, nil where Apus has none.
  @inline(__always)
  static func function(_ number: UInt64) -> SyscallEntry.Function? {
    number < UInt64(functions.count) ? functions[Int(number)] : nil
  }

  private static let descriptorMasks = table.map { $0?.descriptors ?? 0 }

  /// The parameters of a call that are descriptors, one bit for each.
  static func descriptors(_ number: UInt64) -> UInt8 {
    number < UInt64(descriptorMasks.count) ? descriptorMasks[Int(number)] : 0
  }

  /// The row of a system call number, nil where Apus has none.
  static func entry(_ number: UInt64) -> SyscallEntry? {
    number < UInt64(table.count) ? table[Int(number)] : nil
  }
}
