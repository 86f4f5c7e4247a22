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

/// `struct nlmsghdr` of netlink(7).
package struct NetlinkHeader: Sendable, Equatable {
  package static let size = 16
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
    length = UInt32(NetlinkHeader.size)
    self.type = type
    self.flags = flags
    self.sequence = sequence
    self.port = port
  }

  package init?(_ bytes: [UInt8], at offset: Int) {
    guard let length = UInt32(littleEndian: bytes, at: offset), let type = UInt16(littleEndian: bytes, at: offset + 4),
      let flags = UInt16(littleEndian: bytes, at: offset + 6),
      let sequence = UInt32(littleEndian: bytes, at: offset + 8),
      let port = UInt32(littleEndian: bytes, at: offset + 12)
    else { return nil }
    self.init(type: type, flags: NetlinkFlags(rawValue: flags), sequence: sequence, port: port)
    self.length = length
  }

  package var bytes: [UInt8] {
    length.littleEndianBytes + type.littleEndianBytes + flags.rawValue.littleEndianBytes + sequence.littleEndianBytes
      + port.littleEndianBytes
  }
}

/// What a program asks: one message of those that it sent together.
package struct NetlinkRequest: Sendable {
  package let header: NetlinkHeader
  /// What follows the header.
  package let payload: [UInt8]

  package init(header: NetlinkHeader, payload: [UInt8]) {
    self.header = header
    self.payload = payload
  }

  /// Takes messages apart. As in Linux, what is cut off is dropped.
  package static func decode(_ bytes: [UInt8]) -> [NetlinkRequest] {
    var requests: [NetlinkRequest] = []
    var offset = 0
    while let header = NetlinkHeader(bytes, at: offset) {
      let length = Int(header.length)
      guard length >= NetlinkHeader.size, length <= bytes.count - offset else { break }
      let payload = Array(bytes[offset + NetlinkHeader.size..<offset + length])
      requests.append(NetlinkRequest(header: header, payload: payload))
      offset += NetlinkMessage.aligned(length)
    }
    return requests
  }

  /// The attributes behind a fixed part of `offset` bytes, by their numbers (`struct nlattr`).
  package func attributes(from offset: Int) -> [UInt16: [UInt8]] {
    var result: [UInt16: [UInt8]] = [:]
    var offset = NetlinkMessage.aligned(offset)
    while let length = UInt16(littleEndian: payload, at: offset),
      let type = UInt16(littleEndian: payload, at: offset + 2)
    {
      guard length >= 4, Int(length) <= payload.count - offset else { break }
      // The two highest bits tell of nesting and byte order.
      result[type & 0x3fff] = Array(payload[offset + 4..<offset + Int(length)])
      offset += NetlinkMessage.aligned(Int(length))
    }
    return result
  }
}

/// A message that the kernel sends: a header, a fixed part, attributes.
package struct NetlinkMessage: Sendable {
  /// The whole message, padded.
  package private(set) var bytes: [UInt8]

  /// Parts begin at multiples of four (`NLMSG_ALIGN`, `NLA_ALIGN`).
  package static func aligned(_ size: Int) -> Int { (size + 3) & ~3 }

  package init(_ header: NetlinkHeader, fixed: [UInt8] = []) {
    bytes = header.bytes + fixed
    finish()
  }

  package mutating func append(_ attribute: UInt16, _ data: [UInt8]) {
    bytes += UInt16(clamping: data.count + 4).littleEndianBytes + attribute.littleEndianBytes + data
    finish()
  }
  package mutating func append(_ attribute: UInt16, _ value: UInt32) { append(attribute, value.littleEndianBytes) }
  package mutating func append(_ attribute: UInt16, _ value: UInt8) { append(attribute, [value]) }
  package mutating func append(_ attribute: UInt16, _ text: String) { append(attribute, Array(text.utf8) + [0]) }

  private mutating func finish() {
    bytes += [UInt8](repeating: 0, count: NetlinkMessage.aligned(bytes.count) - bytes.count)
    for (index, byte) in UInt32(clamping: bytes.count).littleEndianBytes.enumerated() { bytes[index] = byte }
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
