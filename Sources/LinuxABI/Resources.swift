/// `struct rlimit` of getrlimit(2).
package struct ResourceLimit: BitwiseCopyable, Sendable, Equatable {
  package var current: UInt64
  package var maximum: UInt64
  package init(current: UInt64, maximum: UInt64) {
    self.current = current
    self.maximum = maximum
  }
  /// `RLIM_INFINITY`.
  package static let infinity = UInt64.max
}

/// `RLIMIT_*` of getrlimit(2).
public enum Resource: Int32, NamedConstants, Sendable, CaseIterable {
  case cpu = 0
  case fileSize = 1
  case data = 2
  case stack = 3
  case core = 4
  case residentSet = 5
  case processes = 6
  case openFiles = 7
  case lockedMemory = 8
  case addressSpace = 9
  case locks = 10
  case pendingSignals = 11
  case messageQueue = 12
  case nice = 13
  case realTimePriority = 14
  case realTime = 15

  public static let names: [ConstantName] = [
    .init("RLIMIT_CPU", cpu), .init("RLIMIT_FSIZE", fileSize), .init("RLIMIT_DATA", data),
    .init("RLIMIT_STACK", stack), .init("RLIMIT_CORE", core), .init("RLIMIT_RSS", residentSet),
    .init("RLIMIT_NPROC", processes), .init("RLIMIT_NOFILE", openFiles), .init("RLIMIT_MEMLOCK", lockedMemory),
    .init("RLIMIT_AS", addressSpace), .init("RLIMIT_LOCKS", locks), .init("RLIMIT_SIGPENDING", pendingSignals),
    .init("RLIMIT_MSGQUEUE", messageQueue), .init("RLIMIT_NICE", nice), .init("RLIMIT_RTPRIO", realTimePriority),
    .init("RLIMIT_RTTIME", realTime),
  ]
}

/// `RUSAGE_*` of getrusage(2).
public enum UsageTarget: Int32, NamedConstants, Sendable {
  case children = -1
  case process = 0
  case thread = 1

  public static let names: [ConstantName] = [
    .init("RUSAGE_CHILDREN", children), .init("RUSAGE_SELF", process), .init("RUSAGE_THREAD", thread),
  ]
}

/// `PRIO_*` of getpriority(2).
public enum PriorityTarget: Int32, NamedConstants, Sendable {
  case process = 0
  case processGroup = 1
  case user = 2

  public static let names: [ConstantName] = [
    .init("PRIO_PROCESS", process), .init("PRIO_PGRP", processGroup), .init("PRIO_USER", user),
  ]
}

/// `IOPRIO_WHO_*` of ioprio_get(2).
public enum IOPriorityTarget: Int32, NamedConstants, Sendable {
  case process = 1
  case processGroup = 2
  case user = 3

  public static let names: [ConstantName] = [
    .init("IOPRIO_WHO_PROCESS", process), .init("IOPRIO_WHO_PGRP", processGroup), .init("IOPRIO_WHO_USER", user),
  ]

  /// What getpriority(2) calls the same.
  public var target: PriorityTarget {
    switch self {
    case .process: .process
    case .processGroup: .processGroup
    case .user: .user
    }
  }
}

/// An I/O priority of ioprio_get(2): a class and data of 13 bits.
public struct IOPriority: RawRepresentable, Sendable, BitwiseCopyable {
  public var rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }
  /// `IOPRIO_CLASS_*`.
  public enum Class: Int32, Sendable {
    case none = 0
    case realTime = 1
    case bestEffort = 2
    case idle = 3
  }
  /// What it says besides the class: the level, mostly.
  public var data: Int32 { rawValue & 0x1fff }
  /// The class; nil for a number that is none.
  public var `class`: Class? { Class(rawValue: rawValue >> 13) }
}

/// Nice values of getpriority(2).
public enum NiceValue {
  public static let range: ClosedRange<Int32> = -20...19
  /// A value moved into the range.
  public static func clamped(_ value: Int32) -> Int32 { min(max(value, range.lowerBound), range.upperBound) }
}
