import DequeModule
import LinuxABI

/// What is told of a packet that did not arrive, by whom (`struct sock_extended_err` of <linux/errqueue.h>).
struct PacketError {
  let error: Errno
  /// `SO_EE_ORIGIN_*`, and type and code of the message of ICMP.
  private let origin: UInt8
  private let type: UInt8
  private let code: UInt8
  private let information: UInt32
  /// Who noticed; nil where that isn't known.
  private(set) var offender: IPv6Address?

  // `SO_EE_ORIGIN_ICMP`, `SO_EE_ORIGIN_ICMP6`.
  private static let (icmp, icmp6): (UInt8, UInt8) = (2, 3)

  /// Nobody listens at the port: "port unreachable".
  static func portUnreachable(_ address: IPv6Address) -> PacketError {
    address.isVersion4
      ? PacketError(error: .connectionRefused, origin: icmp, type: 3, code: 3, information: 0, offender: address)
      : PacketError(error: .connectionRefused, origin: icmp6, type: 1, code: 4, information: 0, offender: address)
  }

  private init(error: Errno, origin: UInt8, type: UInt8, code: UInt8, information: UInt32, offender: IPv6Address?) {
    self.error = error
    (self.origin, self.type, self.code) = (origin, type, code)
    self.information = information
    self.offender = offender
  }

  /// Reads what a socket of the host tells; nil where it is something else.
  init?(_ message: ControlMessage) {
    guard case .other(let level, let number, let data) = message,
      [.ipReceiveErrors, .ipv6ReceiveErrors].contains(SocketOption(level, number)),
      let error = Int32(littleEndian: data, at: 0), error > 0, let information = UInt32(littleEndian: data, at: 8),
      data.count >= 16, [PacketError.icmp, PacketError.icmp6].contains(data[4])
    else { return nil }
    self.init(
      error: Errno(rawValue: error), origin: data[4], type: data[5], code: data[6], information: information,
      offender: SocketEndpoint(hostAddress: Array(data[16...]))?.address)
  }

  /// Connected sockets hear of it, and not only those with `IP_RECVERR` (`icmp_err_convert` and `icmpv6_err_convert` of
  /// Linux): not of networks and hosts that can't be reached now, nor of packets that went too far.
  var isFinal: Bool {
    switch (origin, type) {
    case (PacketError.icmp, 3): ![0, 1, 4, 5, 11, 12].contains(code)
    case (PacketError.icmp, 12), (PacketError.icmp6, 4): true
    case (PacketError.icmp6, 1): ![0, 2, 3].contains(code)
    default: false
    }
  }

  /// For a socket of a family, which may know the place of who noticed by another address.
  func controlMessage(_ family: AddressFamily, knownAs name: IPv6Address?) -> ControlMessage {
    let head = error.rawValue.littleEndianBytes + [origin, type, code, 0] + information.littleEndianBytes
    let address = (name ?? offender).map { SocketEndpoint($0, port: 0).socketAddress(family).bytes }
    let none = [UInt8](repeating: 0, count: 16)
    let option: SocketOption = family == .inet ? .ipReceiveErrors : .ipv6ReceiveErrors
    return .other(level: option.level, type: option.number, data: head + [0, 0, 0, 0] + (address ?? none))
  }
}

/// An error that a packet caused, and as much of the packet as is known of it (`IP_RECVERR` of ip(7)).
struct QueuedError {
  let report: PacketError
  /// The packet's.
  let header: DatagramHeader
  let bytes: [UInt8]
  /// The receiver itself noticed.
  var isFromDestination = true

  init(_ report: PacketError, _ header: DatagramHeader, _ bytes: [UInt8]) {
    self.report = report
    self.header = header
    self.bytes = bytes
  }

  var error: Errno { report.error }

  func controlMessage(_ family: AddressFamily) -> ControlMessage {
    report.controlMessage(family, knownAs: isFromDestination ? header.destination.address : nil)
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
