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
    case .signalAction: return read(address, SignalAction.self).map(describe)
    case .signalStack: return read(address, AlternateStack.self).map(describe)
    case .stat: return read(address, Stat.self)?.traced
    case .statfs: return read(address, StatFS.self)?.traced
    case .statx: return read(address, Statx.self)?.traced
    case .uidResult: return read(address, UInt32.self).map { "[\($0)]" }
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

  // MARK: Signals

  private func describe(_ action: SignalAction) -> String {
    let handler =
      switch action.handler {
      case SignalAction.defaultHandler: "SIG_DFL"
      case SignalAction.ignoreHandler: "SIG_IGN"
      default: pointer(action.handler)
      }
    let field = action.flags.contains(.information) ? "sa_sigaction" : "sa_handler"
    let flags = action.flags.isEmpty ? "0" : FlagNames.join(action.flags.rawValue, FlagNames.signalActionFlags)
    let restorer = action.flags.contains(.hasRestorer) ? ", sa_restorer=\(pointer(action.restorer))" : ""
    return "{\(field)=\(handler), sa_mask=\(SignalNames.describe(action.mask)), sa_flags=\(flags)\(restorer)}"
  }

  private func describe(_ stack: AlternateStack) -> String {
    let flags = FlagNames.join(UInt64(UInt32(bitPattern: stack.flags)), FlagNames.stackFlags)
    return "{ss_sp=\(pointer(stack.address)), ss_flags=\(flags), ss_size=\(stack.size)}"
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
