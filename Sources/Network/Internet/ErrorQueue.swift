import DequeModule
import LinuxABI

/// An error that a packet caused, and as much of the packet as is known of it (`IP_RECVERR` of ip(7)).
struct QueuedError {
  let error: Errno
  /// The packet's.
  let header: DatagramHeader
  let bytes: [UInt8]

  init(_ error: Errno, _ header: DatagramHeader, _ bytes: [UInt8]) {
    self.error = error
    self.header = header
    self.bytes = bytes
  }

  // `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6` of <linux/errqueue.h>, and "port unreachable" of either.
  private static let version4: [UInt8] = [2, 3, 3, 0]
  private static let version6: [UInt8] = [3, 1, 4, 0]

  /// A `struct sock_extended_err`, and the address of who noticed.
  func controlMessage(_ family: AddressFamily) -> ControlMessage {
    let isVersion4 = header.destination.address.isVersion4
    let origin = isVersion4 ? QueuedError.version4 : QueuedError.version6
    let head = UInt32(bitPattern: error.rawValue).littleEndianBytes + origin + [UInt8](repeating: 0, count: 8)
    let offender = SocketEndpoint(header.destination.address, port: 0).socketAddress(family)
    let option: SocketOption = family == .inet ? .ipReceiveErrors : .ipv6ReceiveErrors
    return .other(level: option.level, type: option.number, data: head + offender.bytes)
  }
}

/// The errors that wait in a socket.
struct ErrorQueue {
  private var errors = Deque<QueuedError>()
  private var size = 0
  private static let overhead = 256

  var isEmpty: Bool { errors.isEmpty }
  var first: QueuedError? { errors.first }

  /// Adds an error, or loses it where there is no room.
  mutating func append(_ error: QueuedError, limit: Int) {
    let needed = error.bytes.count + ErrorQueue.overhead
    guard size + needed <= limit else { return }
    size += needed
    errors.append(error)
  }

  mutating func take() -> QueuedError? {
    guard let error = errors.popFirst() else { return nil }
    size -= error.bytes.count + ErrorQueue.overhead
    return error
  }

  mutating func removeAll() {
    errors = []
    size = 0
  }
}
