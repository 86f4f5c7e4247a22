/// `SOL_*` and `IPPROTO_*`: whom an option of setsockopt(2), or a control message, is for.
package struct SocketLevel: NamedNumber, Hashable, Sendable, BitwiseCopyable {
  package let rawValue: Int32
  package init(rawValue: Int32) { self.rawValue = rawValue }
  package static let ip = SocketLevel(rawValue: 0)
  package static let socket = SocketLevel(rawValue: 1)
  package static let tcp = SocketLevel(rawValue: 6)
  package static let udp = SocketLevel(rawValue: 17)
  package static let ipv6 = SocketLevel(rawValue: 41)
  package static let netlink = SocketLevel(rawValue: 270)

  package static let names: [ConstantName] = [
    .init("SOL_IP", ip), .init("SOL_SOCKET", socket), .init("SOL_TCP", tcp), .init("SOL_UDP", udp),
    .init("SOL_IPV6", ipv6), .init("SOL_NETLINK", netlink),
  ]
}

/// The name of an option of getsockopt(2): a number that its level gives a meaning.
package struct SocketOption: Hashable, Sendable, BitwiseCopyable {
  package let level: SocketLevel
  package let number: Int32
  package init(_ level: SocketLevel, _ number: Int32) {
    self.level = level
    self.number = number
  }

  // `SO_*` of socket(7) and <asm-generic/socket.h>.
  package static let reuseAddress = SocketOption(.socket, 2)
  package static let type = SocketOption(.socket, 3)
  package static let error = SocketOption(.socket, 4)
  package static let broadcast = SocketOption(.socket, 6)
  package static let sendBuffer = SocketOption(.socket, 7)
  package static let receiveBuffer = SocketOption(.socket, 8)
  package static let keepAlive = SocketOption(.socket, 9)
  package static let linger = SocketOption(.socket, 13)
  package static let reusePort = SocketOption(.socket, 15)
  package static let passCredentials = SocketOption(.socket, 16)
  package static let peerCredentials = SocketOption(.socket, 17)
  package static let receiveLowWater = SocketOption(.socket, 18)
  package static let sendLowWater = SocketOption(.socket, 19)
  package static let receiveTimeout = SocketOption(.socket, 20)
  package static let sendTimeout = SocketOption(.socket, 21)
  package static let acceptsConnections = SocketOption(.socket, 30)
  package static let protocolNumber = SocketOption(.socket, 38)
  package static let domain = SocketOption(.socket, 39)
  package static let peekOffset = SocketOption(.socket, 42)

  /// What the option is called; nil where its level gives its number no name.
  package var name: StaticString? { SocketOption.names[self] }

  private static let names: [SocketOption: StaticString] = [
    reuseAddress: "SO_REUSEADDR", type: "SO_TYPE", error: "SO_ERROR", broadcast: "SO_BROADCAST",
    sendBuffer: "SO_SNDBUF", receiveBuffer: "SO_RCVBUF", keepAlive: "SO_KEEPALIVE", linger: "SO_LINGER",
    reusePort: "SO_REUSEPORT", passCredentials: "SO_PASSCRED", peerCredentials: "SO_PEERCRED",
    receiveLowWater: "SO_RCVLOWAT", sendLowWater: "SO_SNDLOWAT", receiveTimeout: "SO_RCVTIMEO",
    sendTimeout: "SO_SNDTIMEO", acceptsConnections: "SO_ACCEPTCONN", protocolNumber: "SO_PROTOCOL",
    domain: "SO_DOMAIN", peekOffset: "SO_PEEK_OFF",
  ]
}

/// The value of an option, as it lies in the guest's memory; the option decides which type it has.
package struct SocketOptionValue: Equatable, Sendable {
  package let bytes: [UInt8]
  package init(bytes: [UInt8]) { self.bytes = bytes }
  package init(_ integer: Int32) { bytes = integer.littleEndianBytes }
  package init(_ flag: Bool) { self.init(flag ? 1 : 0) }
  package init(_ credentials: SocketCredentials) { bytes = credentials.bytes }

  /// The value as an `int`, which most options have. - Throws: `EINVAL` where it is shorter.
  package func integer() throws(Errno) -> Int32 {
    guard let value = Int32(littleEndian: bytes, at: 0) else { throw .invalidArgument }
    return value
  }
}
