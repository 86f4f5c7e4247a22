/// The protocols of AF_NETLINK, `NETLINK_*` of netlink(7).
package enum NetlinkProtocol: Int32, Sendable {
  case route = 0
  case socketDiagnostics = 4
  case kobjectEvents = 15
}

/// `struct sockaddr_nl` of netlink(7), after the family.
package struct NetlinkAddress: Hashable, Sendable {
  /// Who in the protocol; 0 is the kernel.
  package var port: UInt32
  /// Multicast groups, one bit for each.
  package var groups: UInt32

  package init(port: UInt32, groups: UInt32 = 0) {
    self.port = port
    self.groups = groups
  }
  /// The kernel itself.
  package static let kernel = NetlinkAddress(port: 0)

  init(_ bytes: [UInt8]) throws(Errno) {
    guard let port = UInt32(littleEndian: bytes, at: 4), let groups = UInt32(littleEndian: bytes, at: 8) else {
      throw .invalidArgument
    }
    self.init(port: port, groups: groups)
  }

  var data: [UInt8] { [0, 0] + port.littleEndianBytes + groups.littleEndianBytes }
}

/// `NLM_F_*` of netlink(7).
package struct NetlinkFlags: OptionSet, Sendable, BitwiseCopyable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }
  package static let request = NetlinkFlags(rawValue: 0x1)
  package static let multi = NetlinkFlags(rawValue: 0x2)
  package static let acknowledge = NetlinkFlags(rawValue: 0x4)
  /// The error has the header alone of what it answers.
  package static let capped = NetlinkFlags(rawValue: 0x100)
  /// `NLM_F_ROOT|NLM_F_MATCH`: all there is.
  package static let dump = NetlinkFlags(rawValue: 0x300)
  /// Of a request for a new thing: not where there is one already.
  package static let exclusive = NetlinkFlags(rawValue: 0x200)
  package static let create = NetlinkFlags(rawValue: 0x400)

  /// Any of the two bits of a dump asks for one.
  package var asksForDump: Bool { !isDisjoint(with: .dump) }
}

/// A structure of fixed layout in messages of netlink(7).
package protocol NetlinkStructure: BitwiseCopyable, Sendable {}

/// `struct nlmsghdr` of netlink(7).
package struct NetlinkHeader: NetlinkStructure, Equatable {
  package var length: UInt32
  package var type: UInt16
  package var flags: NetlinkFlags
  package var sequence: UInt32
  package var port: UInt32

  /// `NLMSG_ERROR`.
  package static let errorType: UInt16 = 2
  /// `NLMSG_DONE`.
  package static let doneType: UInt16 = 3
  /// `NLMSG_MIN_TYPE`: lower ones control the transport.
  package static let firstType: UInt16 = 0x10

  package init(type: UInt16, flags: NetlinkFlags = [], sequence: UInt32 = 0, port: UInt32 = 0) {
    length = UInt32(MemoryLayout<NetlinkHeader>.size)
    self.type = type
    self.flags = flags
    self.sequence = sequence
    self.port = port
  }
}

extension SocketOption {
  // `NETLINK_*` of netlink(7).
  package static let netlinkAddMembership = SocketOption(.netlink, 1)
  package static let netlinkDropMembership = SocketOption(.netlink, 2)
  package static let netlinkPacketInformation = SocketOption(.netlink, 3)
  package static let netlinkBroadcastError = SocketOption(.netlink, 4)
  package static let netlinkNoBufferErrors = SocketOption(.netlink, 5)
  package static let netlinkListenAllNamespaces = SocketOption(.netlink, 8)
  package static let netlinkListMemberships = SocketOption(.netlink, 9)
  package static let netlinkCapAcknowledge = SocketOption(.netlink, 10)
  package static let netlinkExtendedAcknowledge = SocketOption(.netlink, 11)
  package static let netlinkStrictCheck = SocketOption(.netlink, 12)

  static let netlinkNames: [SocketOption: StaticString] = [
    netlinkAddMembership: "NETLINK_ADD_MEMBERSHIP", netlinkDropMembership: "NETLINK_DROP_MEMBERSHIP",
    netlinkPacketInformation: "NETLINK_PKTINFO", netlinkBroadcastError: "NETLINK_BROADCAST_ERROR",
    netlinkNoBufferErrors: "NETLINK_NO_ENOBUFS", netlinkListenAllNamespaces: "NETLINK_LISTEN_ALL_NSID",
    netlinkListMemberships: "NETLINK_LIST_MEMBERSHIPS", netlinkCapAcknowledge: "NETLINK_CAP_ACK",
    netlinkExtendedAcknowledge: "NETLINK_EXT_ACK", netlinkStrictCheck: "NETLINK_GET_STRICT_CHK",
  ]
}
