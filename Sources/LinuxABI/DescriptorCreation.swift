/// The flags of a call that makes a descriptor. Each such call has names of its own for two of the bits of open(2).
public protocol DescriptorCreationFlags: NamedFlags where RawValue == UInt32 {}

extension DescriptorCreationFlags {
  public static var closeOnExec: Self { Self(rawValue: OpenFlags.closeOnExec.rawValue) }
  public static var nonBlocking: Self { Self(rawValue: OpenFlags.nonBlocking.rawValue) }

  /// As flags of open(2). - Throws: `EINVAL` for others than these two, and `also`.
  public func openFlags(also: OpenFlags = []) throws(Errno) -> OpenFlags {
    let flags = OpenFlags(rawValue: rawValue)
    guard flags.isSubset(of: also.union([.closeOnExec, .nonBlocking])) else { throw .invalidArgument }
    return flags
  }
}

/// The flags of pipe2(2).
public struct PipeFlags: DescriptorCreationFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let direct = PipeFlags(rawValue: OpenFlags.direct.rawValue)
  public static let notification = PipeFlags(rawValue: OpenFlags.exclusive.rawValue)

  public static let names: [ConstantName] = [
    .init("O_NONBLOCK", nonBlocking), .init("O_CLOEXEC", closeOnExec), .init("O_DIRECT", direct),
    .init("O_NOTIFICATION_PIPE", notification),
  ]
}

/// `EFD_*` of eventfd(2).
public struct EventFlags: DescriptorCreationFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let semaphore = EventFlags(rawValue: 1)

  public static let names: [ConstantName] = [
    .init("EFD_SEMAPHORE", semaphore), .init("EFD_NONBLOCK", nonBlocking), .init("EFD_CLOEXEC", closeOnExec),
  ]
}

/// `SFD_*` of signalfd(2).
public struct SignalFileFlags: DescriptorCreationFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let names: [ConstantName] = [.init("SFD_NONBLOCK", nonBlocking), .init("SFD_CLOEXEC", closeOnExec)]
}

/// `TFD_*` of timerfd_create(2).
public struct TimerFileFlags: DescriptorCreationFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let names: [ConstantName] = [.init("TFD_NONBLOCK", nonBlocking), .init("TFD_CLOEXEC", closeOnExec)]
}

/// `EPOLL_CLOEXEC` of epoll_create1(2).
public struct EpollCreateFlags: DescriptorCreationFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let names: [ConstantName] = [.init("EPOLL_CLOEXEC", closeOnExec)]
}

/// The flags of accept4(2); `SOCK_*` of socket(2) that stand beside the type.
public struct SocketFlags: DescriptorCreationFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let names: [ConstantName] = [.init("SOCK_NONBLOCK", nonBlocking), .init("SOCK_CLOEXEC", closeOnExec)]
}

/// `PIDFD_NONBLOCK` of pidfd_open(2).
public struct ProcessFileFlags: DescriptorCreationFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let names: [ConstantName] = [.init("PIDFD_NONBLOCK", nonBlocking)]
}

/// The two ends that pipe(2) and socketpair(2) hand out.
package struct DescriptorPair: BitwiseCopyable, Sendable, Equatable {
  package var first: FileDescriptorNumber
  package var second: FileDescriptorNumber
  package init(_ first: FileDescriptorNumber, _ second: FileDescriptorNumber) {
    self.first = first
    self.second = second
  }
}
