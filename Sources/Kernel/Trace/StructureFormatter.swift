import LinuxABI
import Memory

/// Arguments that point to structures.
extension CallFormatter {
  /// Nil for kinds that are no structures, and where memory can't be read.
  func structure(_ kind: ArgumentKind, _ index: Int, _ address: UInt64) -> String? {
    guard address != 0 else { return "NULL" }
    if CallFormatter.isHandedOut(kind), !succeeded { return pointer(address) }
    switch kind {
    case .timespec: return read(address, Timespec.self)?.traced
    case .signalSet: return read(address, UInt64.self).map { SignalNames.describe(SignalSet(rawValue: $0)) }
    case .stat: return read(address, Stat.self)?.traced
    case .statfs: return read(address, StatFS.self)?.traced
    case .statx: return read(address, Statx.self)?.traced
    case .iovec: return vectors(address, count: arguments[index + 1 < 6 ? index + 1 : 5])
    default: return nil
    }
  }

  private static func isHandedOut(_ kind: ArgumentKind) -> Bool {
    switch kind {
    case .stat, .statfs, .statx, .uidResult:
      true
    default: false
    }
  }

  private func read<T: BitwiseCopyable>(_ address: UInt64, _ type: T.Type) -> T? {
    try? task.memory.readValue(GuestAddress(address), as: type)
  }

  private func words<T: BitwiseCopyable>(_ address: UInt64, _ count: Int, _ type: T.Type) -> [T]? {
    try? task.memory.readArray(GuestAddress(address), count: count, as: type)
  }

  // MARK: Buffers

  func vectors(_ address: UInt64, count: UInt64) -> String {
    guard address != 0 else { return "NULL" }
    let shown = Int(min(count, 16))
    guard let words = words(address, shown * 2, UInt64.self) else { return pointer(address) }
    let parts = (0..<shown).map { "{iov_base=\(pointer(words[2 * $0])), iov_len=\(words[2 * $0 + 1])}" }
    return "[\(parts.joined(separator: ", "))\(count > 16 ? ", ..." : "")]"
  }
}
