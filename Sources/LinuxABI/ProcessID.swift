/// The id of a process, a thread, a process group or a session: a `pid_t` (credentials(7)).
///
/// Any number can be held, as guests name any. Ids of host processes are plain numbers: they mean nothing to guests.
public struct ProcessID: RawRepresentable, Hashable, Comparable, Sendable, BitwiseCopyable {
  public let rawValue: Int32
  @inlinable @inline(__always) public init(rawValue: Int32) { self.rawValue = rawValue }

  /// The caller, where a call takes an id; nobody, where one is told.
  public static let zero = ProcessID(rawValue: 0)
  /// Process 1.
  public static let initial = ProcessID(rawValue: 1)
  /// No process, where one is told and zero means something else.
  public static let nobody = ProcessID(rawValue: -1)

  public var isPositive: Bool { rawValue > 0 }
  public var isNegative: Bool { rawValue < 0 }

  @inlinable public static func < (left: ProcessID, right: ProcessID) -> Bool { left.rawValue < right.rawValue }
}

extension ProcessID: CustomStringConvertible {
  public var description: String { "\(rawValue)" }
}
