// The messages of NETLINK_SOCK_DIAG (sock_diag(7)) for sockets of the Internet families.

/// `SOCK_DIAG_BY_FAMILY`.
package enum SocketDiagnostics {
  package static let byFamily: UInt16 = 20

  /// `INET_DIAG_*`.
  package enum Attribute {
    package static let shutdown: UInt16 = 8
    package static let isVersion6Only: UInt16 = 11
  }
}

/// `struct inet_diag_req_v2`.
package struct SocketDiagnosticsRequest: Sendable {
  package static let size = 56
  package let family: AddressFamily
  package let protocolNumber: UInt8
  /// One bit for each state that is asked for.
  package let states: UInt32
  /// The socket that is asked for, where not all are.
  package let identity: SocketIdentity

  package init?(_ bytes: [UInt8]) {
    guard bytes.count >= SocketDiagnosticsRequest.size, let states = UInt32(littleEndian: bytes, at: 4),
      let identity = SocketIdentity(bytes, at: 8)
    else { return nil }
    family = AddressFamily(rawValue: UInt16(bytes[0]))
    protocolNumber = bytes[1]
    self.states = states
    self.identity = identity
  }
}

/// `struct inet_diag_sockid`: two endpoints and a cookie.
package struct SocketIdentity: Sendable, Equatable {
  package var local: (address: IPAddress, port: UInt16)
  package var remote: (address: IPAddress, port: UInt16)
  package var interface: UInt32 = 0
  package var cookie: UInt64

  /// What stands for any cookie.
  package static let anyCookie = UInt64.max

  package init(
    local: (address: IPAddress, port: UInt16), remote: (address: IPAddress, port: UInt16), cookie: UInt64
  ) {
    self.local = local
    self.remote = remote
    self.cookie = cookie
  }

  fileprivate init?(_ bytes: [UInt8], at offset: Int) {
    guard let source = UInt16(bigEndian: bytes, at: offset), let destination = UInt16(bigEndian: bytes, at: offset + 2),
      let interface = UInt32(littleEndian: bytes, at: offset + 36),
      let cookie = UInt64(littleEndian: bytes, at: offset + 40),
      let from = IPAddress(bytes: Array(bytes[offset + 4..<offset + 20])),
      let to = IPAddress(bytes: Array(bytes[offset + 20..<offset + 36]))
    else { return nil }
    self.init(local: (from, source), remote: (to, destination), cookie: cookie)
    self.interface = interface
  }

  package var bytes: [UInt8] {
    func field(_ address: IPAddress) -> [UInt8] {
      address.bytes + [UInt8](repeating: 0, count: 16 - address.bytes.count)
    }
    return local.port.bigEndianBytes + remote.port.bigEndianBytes + field(local.address) + field(remote.address)
      + interface.littleEndianBytes + cookie.littleEndianBytes
  }

  package static func == (one: SocketIdentity, other: SocketIdentity) -> Bool { one.bytes == other.bytes }
}

/// `struct inet_diag_msg`.
package struct SocketDiagnosticsMessage: Sendable {
  package var family: AddressFamily
  package var state: UInt8
  package var identity: SocketIdentity
  package var receiveQueue: UInt32
  package var sendQueue: UInt32
  package var uid: UInt32
  package var inode: UInt32

  package init(
    family: AddressFamily, state: UInt8, identity: SocketIdentity, receiveQueue: UInt32, sendQueue: UInt32,
    uid: UInt32, inode: UInt32
  ) {
    self.family = family
    self.state = state
    self.identity = identity
    self.receiveQueue = receiveQueue
    self.sendQueue = sendQueue
    self.uid = uid
    self.inode = inode
  }

  package var bytes: [UInt8] {
    [UInt8(truncatingIfNeeded: family.rawValue), state, 0, 0] + identity.bytes + UInt32(0).littleEndianBytes
      + receiveQueue.littleEndianBytes + sendQueue.littleEndianBytes + uid.littleEndianBytes + inode.littleEndianBytes
  }
}
