/// The name of a socket: `struct sockaddr`, in all the forms that the address families give it.
package enum SocketAddress: Hashable, Sendable {
  /// `AF_UNSPEC`: connect(2) with it dissolves a connection.
  case unspecified
  case unix(UnixAddress)
  case inet(InternetAddress)
  case inet6(Internet6Address)
  case netlink(NetlinkAddress)
  /// A family that has no form here: everything after `sa_family`.
  case other(AddressFamily, [UInt8])

  /// `sizeof(struct sockaddr_storage)`: calls refuse anything longer.
  package static let maximumSize = 128

  package var family: AddressFamily {
    switch self {
    case .unspecified: .unspecified
    case .unix: .unix
    case .inet: .inet
    case .inet6: .inet6
    case .netlink: .netlink
    case .other(let family, _): family
    }
  }

  /// Reads a `struct sockaddr`. - Throws: `EINVAL` where it is too short or too long for its family.
  package init(_ bytes: [UInt8]) throws(Errno) {
    guard bytes.count <= SocketAddress.maximumSize, let number = UInt16(littleEndian: bytes, at: 0) else {
      throw .invalidArgument
    }
    let family = AddressFamily(rawValue: number)
    switch family {
    case .unspecified: self = .unspecified
    case .unix: self = .unix(try UnixAddress(bytes))
    case .inet: self = .inet(try InternetAddress(bytes))
    case .inet6: self = .inet6(try Internet6Address(bytes))
    case .netlink: self = .netlink(try NetlinkAddress(bytes))
    default: self = .other(family, Array(bytes[2...]))
    }
  }

  /// The `struct sockaddr`, as long as the family has it.
  package var bytes: [UInt8] {
    let head = family.rawValue.littleEndianBytes
    switch self {
    case .unspecified: return head
    case .unix(let address): return head + address.data
    case .inet(let address): return head + address.data
    case .inet6(let address): return head + address.data
    case .netlink(let address): return head + address.data
    case .other(_, let data): return head + data
    }
  }
}

/// What follows `sun_family` in `struct sockaddr_un` (unix(7)).
package enum UnixAddress: Hashable, Sendable {
  case unnamed
  /// A file's path, without its NUL.
  case path([UInt8])
  /// A name of the abstract namespace, without the NUL that it starts with.
  case abstract([UInt8])

  /// `sizeof(struct sockaddr_un)`.
  package static let maximumSize = 110

  fileprivate init(_ bytes: [UInt8]) throws(Errno) {
    guard bytes.count <= UnixAddress.maximumSize else { throw .invalidArgument }
    let name = bytes[2...]
    if name.isEmpty {
      self = .unnamed
    } else if name.first == 0 {
      self = .abstract(Array(name.dropFirst()))
    } else {
      self = .path(Array(name.prefix { $0 != 0 }))
    }
  }

  fileprivate var data: [UInt8] {
    switch self {
    case .unnamed: []
    case .path(let path): path + [0]
    case .abstract(let name): [0] + name
    }
  }
}

/// `struct sockaddr_in` of ip(7).
package struct InternetAddress: Hashable, Sendable {
  package var address: IPv4Address
  package var port: UInt16

  package init(_ address: IPv4Address, port: UInt16) {
    self.address = address
    self.port = port
  }

  fileprivate init(_ bytes: [UInt8]) throws(Errno) {
    guard bytes.count >= 16, let port = UInt16(bigEndian: bytes, at: 2), let address = IPv4Address(bytes, at: 4)
    else { throw .invalidArgument }
    self.init(address, port: port)
  }

  fileprivate var data: [UInt8] {
    port.bigEndianBytes + address.bytes + [UInt8](repeating: 0, count: 8)
  }
}

/// `struct sockaddr_in6` of ipv6(7).
package struct Internet6Address: Hashable, Sendable {
  package var address: IPv6Address
  package var port: UInt16
  package var flowInformation: UInt32
  /// The interface that a link-local address belongs to.
  package var scope: UInt32

  package init(_ address: IPv6Address, port: UInt16, flowInformation: UInt32 = 0, scope: UInt32 = 0) {
    self.address = address
    self.port = port
    self.flowInformation = flowInformation
    self.scope = scope
  }

  fileprivate init(_ bytes: [UInt8]) throws(Errno) {
    // RFC 2133 had no scope; Linux takes its structure, too.
    guard bytes.count >= 24, let port = UInt16(bigEndian: bytes, at: 2), let flow = UInt32(bigEndian: bytes, at: 4),
      let address = IPv6Address(bytes, at: 8)
    else { throw .invalidArgument }
    let scope = UInt32(littleEndian: bytes, at: 24) ?? 0
    self.init(address, port: port, flowInformation: flow, scope: scope)
  }

  fileprivate var data: [UInt8] {
    port.bigEndianBytes + flowInformation.bigEndianBytes + address.bytes + scope.littleEndianBytes
  }
}

/// An address of the Internet Protocol, version 4; the first number is the most significant byte.
package struct IPv4Address: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  /// `INADDR_ANY`.
  package static let any = IPv4Address(rawValue: 0)
  /// `INADDR_LOOPBACK`.
  package static let loopback = IPv4Address(rawValue: 0x7f00_0001)
  /// The address at an offset of a structure, in network byte order; nil where the bytes end before it does.
  package init?(_ bytes: [UInt8], at offset: Int) {
    guard let number = UInt32(bigEndian: bytes, at: offset) else { return nil }
    rawValue = number
  }
  /// `struct in_addr`.
  package var bytes: [UInt8] { rawValue.bigEndianBytes }
  /// 127.0.0.0/8.
  package var isLoopback: Bool { rawValue >> 24 == 127 }
}

/// An address of version 6.
package struct IPv6Address: Hashable, Sendable, BitwiseCopyable {
  package let high: UInt64
  package let low: UInt64
  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
  /// The address at an offset of a structure; nil where the bytes end before it does.
  package init?(_ bytes: [UInt8], at offset: Int) {
    guard let high = UInt64(bigEndian: bytes, at: offset), let low = UInt64(bigEndian: bytes, at: offset + 8) else {
      return nil
    }
    self.init(high: high, low: low)
  }
  /// `struct in6_addr`.
  package var bytes: [UInt8] { high.bigEndianBytes + low.bigEndianBytes }
  /// `in6addr_any`.
  package static let any = IPv6Address(high: 0, low: 0)
  /// `in6addr_loopback`.
  package static let loopback = IPv6Address(high: 0, low: 1)

  /// `::ffff:a.b.c.d`, by which sockets of version 6 name peers of version 4.
  package init(mapping address: IPv4Address) {
    self.init(high: 0, low: 0xffff_0000_0000 | UInt64(address.rawValue))
  }
  /// The address of version 4 that it maps, if it does.
  package var mapped: IPv4Address? {
    guard high == 0, low >> 32 == 0xffff else { return nil }
    return IPv4Address(rawValue: UInt32(truncatingIfNeeded: low))
  }
}
