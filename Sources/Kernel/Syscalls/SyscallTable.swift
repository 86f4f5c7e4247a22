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
  /// As a C `int`.
  func int(_ index: Int) -> Int32 { Int32(truncatingIfNeeded: words[index]) }
  /// As a C `unsigned int`.
  func uint(_ index: Int) -> UInt32 { UInt32(truncatingIfNeeded: words[index]) }
  /// As a C `long`.
  func long(_ index: Int) -> Int64 { Int64(bitPattern: words[index]) }
}

/// How an argument is shown by `--trace`, as strace(1) decodes it.
enum ArgumentKind: Sendable {
  case int, uint, long, hex, pointer
  case fd
  /// A directory descriptor (`AT_FDCWD` by name).
  case directory
  case path, string
  /// Bytes the guest hands in; the count is the argument with this index.
  case bytes(count: Int)
  /// Bytes the call hands out; the count is the result.
  case resultBytes
  case openFlags, mode, accessMode, atFlags
  case signal, signalSet, signalAction, signalHow, signalStack
  case cloneFlags
  case timespec
  case stat, statfs, statx
  case iovec
  /// Structures and ids that the call hands out.
  case uidResult
  case ioctl, stringArray, uid, pid
  case flags([FlagName])
  /// A named bit for `.flags`.
  struct FlagName: Sendable {
    let name: StaticString
    let bits: UInt64
    init(_ name: StaticString, _ bits: UInt64) {
      self.name = name
      self.bits = bits
    }
  }
}

/// The system calls: one static function each, in extensions by topic, and tables that bind them to numbers.
///
/// A function decodes its arguments, does its work and returns the result, or throws the errno. A call that must block
/// throws what `Task.wait` returns and is run again, from its start, when the task is woken; see `SyscallRetry`.
enum Syscalls {
  /// All tables; a number that is in none of them answers `ENOSYS`.
  static let table: [SyscallEntry?] = {
    var rows = [SyscallEntry?](repeating: nil, count: 512)
    for entry in allTables.joined() { rows[entry.number.rawValue] = entry }
    return rows
  }()

  /// The row of a system call number, nil where Apus has none.
  static func entry(_ number: UInt64) -> SyscallEntry? {
    number < UInt64(table.count) ? table[Int(number)] : nil
  }
}
