/// `SCHED_*` of sched(7).
public enum SchedulingPolicy: Int32, NamedConstants, Sendable {
  case other = 0
  case fifo = 1
  case roundRobin = 2
  case batch = 3
  case idle = 5
  case deadline = 6

  public static let names: [ConstantName] = [
    .init("SCHED_OTHER", other), .init("SCHED_FIFO", fifo), .init("SCHED_RR", roundRobin),
    .init("SCHED_BATCH", batch), .init("SCHED_IDLE", idle), .init("SCHED_DEADLINE", deadline),
  ]

  /// The static priorities that a task of the policy may have.
  public var priorities: ClosedRange<UInt32> {
    switch self {
    case .fifo, .roundRobin: 1...99
    case .other, .batch, .idle, .deadline: 0...0
    }
  }
  /// `SCHED_RESET_ON_FORK`, which sched_setscheduler(2) takes beside the policy.
  public static let resetOnFork: Int32 = 0x4000_0000
}

/// `SCHED_FLAG_*` of sched_setattr(2).
public struct SchedulingFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static let resetOnFork = SchedulingFlags(rawValue: 1)
  public static let keepPolicy = SchedulingFlags(rawValue: 8)
  public static let keepParameters = SchedulingFlags(rawValue: 16)
}

/// `struct sched_attr` of sched_setattr(2), its first version.
package struct SchedulingAttributes: BitwiseCopyable, Sendable {
  /// `SCHED_ATTR_SIZE_VER0`.
  package static let size: UInt32 = 48
  package var size = SchedulingAttributes.size
  package var policy: Int32 = 0
  package var flags = SchedulingFlags()
  package var nice: Int32 = 0
  package var priority: UInt32 = 0
  package var runtime: UInt64 = 0
  package var deadline: UInt64 = 0
  package var period: UInt64 = 0
  package init() {}
}
