/// `POLL*` events of poll(2); the values of `EPOLL*` are the same.
public struct PollEvents: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let input = PollEvents(rawValue: 0x001)
  public static let priority = PollEvents(rawValue: 0x002)
  public static let output = PollEvents(rawValue: 0x004)
  public static let error = PollEvents(rawValue: 0x008)
  public static let hangUp = PollEvents(rawValue: 0x010)
  public static let invalid = PollEvents(rawValue: 0x020)
  public static let readNormal = PollEvents(rawValue: 0x040)
  public static let readBand = PollEvents(rawValue: 0x080)
  public static let writeNormal = PollEvents(rawValue: 0x100)
  public static let writeBand = PollEvents(rawValue: 0x200)
  public static let readHangUp = PollEvents(rawValue: 0x2000)
  public static let all = PollEvents(rawValue: .max)
  /// What a readable file reports.
  public static let readable: PollEvents = [.input, .readNormal]
  /// What a writable file reports.
  public static let writable: PollEvents = [.output, .writeNormal]
  /// What a socket reports that has room for a message.
  public static let sendable: PollEvents = [.output, .writeNormal, .writeBand]

  public static let names: [ConstantName] = [
    .init("POLLIN", input), .init("POLLPRI", priority), .init("POLLOUT", output), .init("POLLERR", error),
    .init("POLLHUP", hangUp), .init("POLLNVAL", invalid), .init("POLLRDNORM", readNormal),
    .init("POLLRDBAND", readBand), .init("POLLWRNORM", writeNormal), .init("POLLWRBAND", writeBand),
    .init("POLLRDHUP", readHangUp),
  ]
}

/// `struct pollfd` of poll(2).
package struct PollDescriptor: BitwiseCopyable, Sendable, Equatable {
  /// Negative where the entry is to be left out.
  package var descriptor: FileDescriptorNumber
  package var events: UInt16
  package var returned: UInt16
  package init(
    descriptor: FileDescriptorNumber = FileDescriptorNumber(rawValue: -1), events: UInt16 = 0, returned: UInt16 = 0
  ) {
    self.descriptor = descriptor
    self.events = events
    self.returned = returned
  }
}

/// The last argument of pselect6 (select(2)): a signal mask in memory and its size.
package struct SignalMaskReference: BitwiseCopyable, Sendable {
  package var address = GuestAddress.null
  package var size: UInt64 = 0
  package init() {}
}

/// `struct epoll_event` of epoll_ctl(2), packed as on x86-64.
package struct EpollEvent: BitwiseCopyable, Sendable, Equatable {
  package var events: UInt32
  private var low: UInt32
  private var high: UInt32
  /// What the program wants to get back.
  package var data: UInt64 { UInt64(high) << 32 | UInt64(low) }
  package init(events: UInt32 = 0, data: UInt64 = 0) {
    self.events = events
    low = UInt32(truncatingIfNeeded: data)
    high = UInt32(truncatingIfNeeded: data >> 32)
  }
}

/// `EPOLL_CTL_*` of epoll_ctl(2).
public enum EpollOperation: Int32, NamedConstants, Sendable {
  case add = 1
  case delete = 2
  case modify = 3

  public static let names: [ConstantName] = [
    .init("EPOLL_CTL_ADD", add), .init("EPOLL_CTL_DEL", delete), .init("EPOLL_CTL_MOD", modify),
  ]
}

/// The flags of epoll_ctl(2) that stand beside the events.
public struct EpollFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let exclusive = EpollFlags(rawValue: 1 << 28)
  public static let wakeUp = EpollFlags(rawValue: 1 << 29)
  public static let oneShot = EpollFlags(rawValue: 1 << 30)
  public static let edgeTriggered = EpollFlags(rawValue: 1 << 31)
  public static let all: EpollFlags = [.exclusive, .wakeUp, .oneShot, .edgeTriggered]

  /// Their names, and those of the events beside them.
  public static let names: [ConstantName] = [
    .init("EPOLLIN", PollEvents.input), .init("EPOLLPRI", PollEvents.priority), .init("EPOLLOUT", PollEvents.output),
    .init("EPOLLERR", PollEvents.error), .init("EPOLLHUP", PollEvents.hangUp),
    .init("EPOLLRDNORM", PollEvents.readNormal), .init("EPOLLRDBAND", PollEvents.readBand),
    .init("EPOLLWRNORM", PollEvents.writeNormal), .init("EPOLLWRBAND", PollEvents.writeBand),
    .init("EPOLLRDHUP", PollEvents.readHangUp), .init("EPOLLEXCLUSIVE", exclusive), .init("EPOLLWAKEUP", wakeUp),
    .init("EPOLLONESHOT", oneShot), .init("EPOLLET", edgeTriggered),
  ]
}

/// `struct itimerspec` of timerfd_settime(2) and timer_settime(2).
package struct TimerSetting: BitwiseCopyable, Sendable, Hashable {
  package var interval = Timespec()
  package var value = Timespec()
  package init() {}
  package init(interval: Timespec, value: Timespec) {
    self.interval = interval
    self.value = value
  }
}

/// `struct signalfd_siginfo` of signalfd(2).
package struct SignalDescriptorInfo: BitwiseCopyable, Sendable {
  package var signal: UInt32 = 0
  package var errno: Int32 = 0
  package var code: Int32 = 0
  package var pid: UInt32 = 0
  package var uid: UInt32 = 0
  package var descriptor: Int32 = 0
  package var timer: UInt32 = 0
  package var band: UInt32 = 0
  package var overrun: UInt32 = 0
  package var trap: UInt32 = 0
  package var status: Int32 = 0
  package var integer: Int32 = 0
  package var pointer: UInt64 = 0
  package var userTime: UInt64 = 0
  package var systemTime: UInt64 = 0
  package var address: UInt64 = 0
  package var addressLowBits: UInt16 = 0
  private var pad2: UInt16 = 0
  package var syscall: Int32 = 0
  package var callAddress: UInt64 = 0
  package var architecture: UInt32 = 0
  private var pad = InlineArray<28, UInt8>(repeating: 0)
  package init() {}
}
