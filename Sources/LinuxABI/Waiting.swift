/// The options of wait4(2) and waitid(2).
public struct WaitOptions: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// `WNOHANG`.
  public static let noHang = WaitOptions(rawValue: 1)
  /// `WUNTRACED`, and `WSTOPPED` of waitid(2).
  public static let stopped = WaitOptions(rawValue: 2)
  /// `WEXITED`.
  public static let exited = WaitOptions(rawValue: 4)
  /// `WCONTINUED`.
  public static let continued = WaitOptions(rawValue: 8)
  /// `WNOWAIT`.
  public static let noWait = WaitOptions(rawValue: 0x0100_0000)
  /// `__WNOTHREAD`.
  public static let noThread = WaitOptions(rawValue: 0x2000_0000)
  /// `__WALL`.
  public static let all = WaitOptions(rawValue: 0x4000_0000)
  /// `__WCLONE`.
  public static let clone = WaitOptions(rawValue: 0x8000_0000)

  public static let names: [ConstantName] = [
    .init("WNOHANG", noHang), .init("WUNTRACED", stopped), .init("WEXITED", exited), .init("WCONTINUED", continued),
    .init("WNOWAIT", noWait), .init("__WNOTHREAD", noThread), .init("__WALL", all), .init("__WCLONE", clone),
  ]
}

/// `idtype_t` of waitid(2).
public enum WaitIDType: Int32, NamedConstants, Sendable {
  case all = 0
  case process = 1
  case processGroup = 2
  case processDescriptor = 3

  public static let names: [ConstantName] = [
    .init("P_ALL", all), .init("P_PID", process), .init("P_PGID", processGroup), .init("P_PIDFD", processDescriptor),
  ]
}

/// The status word of wait(2).
public struct WaitStatus: RawRepresentable, Sendable, Equatable, BitwiseCopyable {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }
  public static func exited(_ code: Int32) -> WaitStatus { WaitStatus(rawValue: (code & 0xff) << 8) }
  public static func signaled(_ signal: Signal) -> WaitStatus {
    WaitStatus(rawValue: signal.rawValue & terminationMask)
  }
  public static func stopped(_ signal: Signal) -> WaitStatus { WaitStatus(rawValue: signal.rawValue << 8 | stopMark) }
  public static let continued = WaitStatus(rawValue: 0xffff)
  /// `WEXITSTATUS`: the exit code; nil where a signal ended the process.
  public var exitCode: Int32? { rawValue & WaitStatus.terminationMask == 0 ? rawValue >> 8 & 0xff : nil }
  /// `WTERMSIG`: the signal that ended the process.
  public var signal: Signal? {
    let termination = rawValue & WaitStatus.terminationMask
    return (1..<WaitStatus.stopMark).contains(termination) ? Signal(rawValue: termination) : nil
  }
  /// `WSTOPSIG`: the signal that stopped the process.
  public var stopSignal: Signal? {
    rawValue & 0xff == WaitStatus.stopMark ? Signal(rawValue: rawValue >> 8 & 0xff) : nil
  }

  private static let terminationMask: Int32 = 0x7f
  private static let stopMark: Int32 = 0x7f
}
