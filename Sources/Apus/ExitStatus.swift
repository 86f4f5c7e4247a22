import Kernel
import LinuxABI

/// How the first process of a sandbox ended.
public enum ExitStatus: Sendable, Equatable {
  /// It called exit(3) with this status (0…255).
  case exited(Int32)
  /// A signal ended it.
  case signaled(Int32)

  /// The status as shells report it: 128 + n for signal n.
  public var shellStatus: Int32 {
    switch self {
    case .exited(let status): status
    case .signaled(let signal): 128 + signal
    }
  }

  init(_ status: WaitStatus) {
    if let signal = status.signal {
      self = .signaled(signal.rawValue)
    } else {
      self = .exited(status.exitCode ?? 0)
    }
  }
}
