import LinuxABI

/// The processes that the first argument of kill(2) or wait4(2) names.
enum ProcessSelection: SyscallArgument {
  case process(ProcessID)
  /// 0 and numbers below −1; nil for the caller's own process group.
  case processGroup(ProcessID?)
  /// −1: all processes that the caller may signal, all children.
  case all
  /// The lowest number, which is no process group's negative.
  case impossible

  init(register: UInt64) {
    let id = Int32(truncatingIfNeeded: register)
    self =
      switch id {
      case 0: .processGroup(nil)
      case -1: .all
      case .min: .impossible
      case ..<0: .processGroup(ProcessID(rawValue: -id))
      default: .process(ProcessID(rawValue: id))
      }
  }

  func describe(in call: CallFormatter) -> String? {
    switch self {
    case .process(let id): "\(id)"
    case .processGroup(let id): "\(id.map { -$0.rawValue } ?? 0)"
    case .all: "-1"
    case .impossible: "\(Int32.min)"
    }
  }
}
