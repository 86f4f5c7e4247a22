import LinuxABI

/// Where a socket of the Internet families is, or what it talks to: an address and a port. An address of version 4 is in
/// the form in which sockets of version 6 see it, `::ffff:a.b.c.d`, so both families share one kind of endpoint.
package struct SocketEndpoint: Hashable, Sendable, BitwiseCopyable {
  package var address: IPv6Address
  package var port: UInt16
  package init(_ address: IPv6Address, port: UInt16) {
    self.address = address
    self.port = port
  }

  package init(_ address: IPAddress, port: UInt16) { self.init(address.version6, port: port) }

  /// Where an address leads; nil for one that is not of the Internet families.
  init?(_ address: SocketAddress) {
    switch address {
    case .inet(let name): self.init(IPv6Address(mapping: name.address), port: name.port)
    case .inet6(let name): self.init(name.address, port: name.port)
    default: return nil
    }
  }

  /// No address of a family, and no port.
  init(unspecifiedOf family: AddressFamily) { self.init(family == .inet ? .anyVersion4 : .any, port: 0) }

  /// As a socket of a family names it.
  package func socketAddress(_ family: AddressFamily) -> SocketAddress {
    guard family == .inet else { return .inet6(Internet6Address(address, port: port)) }
    return .inet(InternetAddress(address.mapped ?? .any, port: port))
  }
}

extension IPv6Address {
  /// `INADDR_ANY`.
  package static let anyVersion4 = IPv6Address(mapping: .any)
  package static let loopbackVersion4 = IPv6Address(mapping: .loopback)

  /// An address of version 4.
  @inline(__always)
  package var isVersion4: Bool { high == 0 && low >> 32 == 0xffff }
  /// `::` or 0.0.0.0: any address of the host.
  @inline(__always)
  package var isUnspecified: Bool { self == .any || self == .anyVersion4 }
  /// `::1`, or one of 127.0.0.0/8.
  package var isLoopback: Bool { high == 0 && (low == 1 || low >> 24 == 0xffff_7f) }
  /// ff00::/8, or 224.0.0.0/4.
  package var isMulticast: Bool { high >> 56 == 0xff || isVersion4 && (low >> 28) & 0xf == 0xe }
  /// 255.255.255.255, or the broadcast address of `lo`.
  package var isBroadcast: Bool { isVersion4 && (low & 0xffff_ffff == 0xffff_ffff || low & 0xffff_ffff == 0x7fff_ffff) }
}
