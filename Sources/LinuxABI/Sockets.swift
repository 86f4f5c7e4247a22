/// `AF_*` of socket(2), which are the `PF_*` as well.
package struct AddressFamily: NamedNumber, Hashable, Sendable, BitwiseCopyable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }
  package static let unspecified = AddressFamily(rawValue: 0)
  package static let unix = AddressFamily(rawValue: 1)
  package static let inet = AddressFamily(rawValue: 2)
  package static let inet6 = AddressFamily(rawValue: 10)
  package static let netlink = AddressFamily(rawValue: 16)
  package static let packet = AddressFamily(rawValue: 17)

  package static let names: [ConstantName] = [
    .init("AF_UNSPEC", unspecified), .init("AF_UNIX", unix), .init("AF_INET", inet), .init("AF_INET6", inet6),
    .init("AF_NETLINK", netlink), .init("AF_PACKET", packet),
  ]
}

/// `SOCK_*` of socket(2).
package enum SocketType: Int32, NamedConstants, Sendable {
  case stream = 1
  case datagram = 2
  case raw = 3
  case reliableDatagram = 4
  case sequencedPacket = 5
  case packet = 10

  /// The bits of the argument that are the type; the rest are flags.
  package static let mask: UInt32 = 0xf
  /// `SOCK_MAX`: from here on, types are `EINVAL` for every family.
  package static let end: Int32 = 11

  package static let names: [ConstantName] = [
    .init("SOCK_STREAM", stream), .init("SOCK_DGRAM", datagram), .init("SOCK_RAW", raw),
    .init("SOCK_RDM", reliableDatagram), .init("SOCK_SEQPACKET", sequencedPacket), .init("SOCK_PACKET", packet),
  ]

  /// Sockets of the type listen and accept.
  package var isConnectionOriented: Bool { self == .stream || self == .sequencedPacket }
}

/// `SHUT_*` of shutdown(2).
package enum ShutdownHow: Int32, NamedConstants, Sendable {
  case reading = 0
  case writing = 1
  case both = 2

  package static let names: [ConstantName] = [
    .init("SHUT_RD", reading), .init("SHUT_WR", writing), .init("SHUT_RDWR", both),
  ]

  package var endsReading: Bool { self != .writing }
  package var endsWriting: Bool { self != .reading }
}

/// `struct ucred` of unix(7): a process and whom it acts for.
package struct SocketCredentials: BitwiseCopyable, Sendable, Equatable {
  package var process: ProcessID
  package var uid: UInt32
  package var gid: UInt32
  package init(process: ProcessID, uid: UInt32, gid: UInt32) {
    self.process = process
    self.uid = uid
    self.gid = gid
  }
  /// What `SO_PEERCRED` says where there is no peer.
  package static let none = SocketCredentials(process: .zero, uid: .max, gid: .max)
}
