import LinuxABI

/// A group that a socket has joined (`IP_ADD_MEMBERSHIP` of ip(7), RFC 3678).
struct GroupMembership {
  let group: IPv6Address
  let interface: Int32
  /// Whom it hears, or with `isExcluding` does not hear.
  var sources: [IPv6Address] = []
  var isExcluding = true

  func hears(_ source: IPv6Address) -> Bool { sources.contains(source) != isExcluding }
}

extension InternetSocket {
  /// `net.ipv4.igmp_max_memberships`, and of sources `igmp_max_msf`.
  private static let maximumMemberships = 20
  private static let maximumSources = 10

  private enum Change {
    case join
    case leave
    case joinSource(IPv6Address)
    case leaveSource(IPv6Address)
    case block(IPv6Address)
    case unblock(IPv6Address)
  }

  final func changeMembership(_ option: SocketOption, _ value: SocketOptionValue) throws(Errno) {
    guard type != .stream else { throw .protocolError }
    let (group, interface, change) = try request(option, value.bytes)
    guard group.isMulticast, group.isVersion4 == (option.level == .ip) else { throw .invalidArgument }
    let index = memberships.firstIndex { $0.group == group && (interface == 0 || $0.interface == interface) }
    switch change {
    case .join:
      guard interface != 0, stack.hasInterface(interface) else { throw .operationNotSupportedByDevice }
      guard index == nil else { throw .addressInUse }
      guard memberships.count < InternetSocket.maximumMemberships else { throw .noBufferSpace }
      memberships.append(GroupMembership(group: group, interface: interface))
    case .leave:
      guard let index else { throw .addressNotAvailable }
      memberships.remove(at: index)
    case .joinSource(let source):
      guard interface != 0, stack.hasInterface(interface) else { throw .operationNotSupportedByDevice }
      guard let index else {
        guard memberships.count < InternetSocket.maximumMemberships else { throw .noBufferSpace }
        memberships.append(
          GroupMembership(group: group, interface: interface, sources: [source], isExcluding: false))
        return
      }
      guard !memberships[index].isExcluding else { throw .invalidArgument }
      try add(source, to: index)
    case .leaveSource(let source):
      guard let index, !memberships[index].isExcluding else { throw .invalidArgument }
      try remove(source, from: index)
      if memberships[index].sources.isEmpty { memberships.remove(at: index) }
    case .block(let source):
      guard let index, memberships[index].isExcluding else { throw .invalidArgument }
      try add(source, to: index)
    case .unblock(let source):
      guard let index, memberships[index].isExcluding else { throw .invalidArgument }
      try remove(source, from: index)
    }
  }

  private func add(_ source: IPv6Address, to index: Int) throws(Errno) {
    guard !memberships[index].sources.contains(source) else { throw .addressNotAvailable }
    guard memberships[index].sources.count < InternetSocket.maximumSources else { throw .noBufferSpace }
    memberships[index].sources.append(source)
  }

  private func remove(_ source: IPv6Address, from index: Int) throws(Errno) {
    guard let place = memberships[index].sources.firstIndex(of: source) else { throw .addressNotAvailable }
    memberships[index].sources.remove(at: place)
  }

  /// Takes a request apart: `struct ip_mreqn`, `ip_mreq_source`, `ipv6_mreq`, `group_req` or `group_source_req`.
  private func request(
    _ option: SocketOption, _ bytes: [UInt8]
  ) throws(Errno) -> (group: IPv6Address, interface: Int32, change: Change) {
    switch option {
    case .ipAddMembership, .ipDropMembership:
      guard let group = IPv4Address(bytes, at: 0), let address = IPv4Address(bytes, at: 4) else {
        throw .invalidArgument
      }
      let number = Int32(littleEndian: bytes, at: 8) ?? 0
      let interface = number != 0 ? number : stack.interface(with: address)
      return (IPv6Address(mapping: group), interface, option == .ipAddMembership ? .join : .leave)
    case .ipAddSourceMembership, .ipDropSourceMembership, .ipBlockSource, .ipUnblockSource:
      guard let group = IPv4Address(bytes, at: 0), let address = IPv4Address(bytes, at: 4),
        let plain = IPv4Address(bytes, at: 8)
      else { throw .invalidArgument }
      let source = IPv6Address(mapping: plain)
      let change: Change =
        switch option {
        case .ipAddSourceMembership: .joinSource(source)
        case .ipDropSourceMembership: .leaveSource(source)
        case .ipBlockSource: .block(source)
        default: .unblock(source)
        }
      return (IPv6Address(mapping: group), stack.interface(with: address), change)
    case .ipv6AddMembership, .ipv6DropMembership:
      guard let group = IPv6Address(bytes, at: 0), let interface = Int32(littleEndian: bytes, at: 16) else {
        throw .invalidArgument
      }
      return (group, interface, option == .ipv6AddMembership ? .join : .leave)
    default: return try groupRequest(option, bytes)
    }
  }

  private func groupRequest(
    _ option: SocketOption, _ bytes: [UInt8]
  ) throws(Errno) -> (group: IPv6Address, interface: Int32, change: Change) {
    // The interface, padding, and one or two `struct sockaddr_storage`.
    let hasSource = option.number != SocketOption.joinGroup && option.number != SocketOption.leaveGroup
    guard bytes.count >= (hasSource ? 264 : 136), let interface = Int32(littleEndian: bytes, at: 0) else {
      throw .invalidArgument
    }
    let group = try address(SocketAddress(Array(bytes[8..<136])))
    switch option.number {
    case SocketOption.joinGroup: return (group, interface, .join)
    case SocketOption.leaveGroup: return (group, interface, .leave)
    default: break
    }
    let source = try address(SocketAddress(Array(bytes[136..<264])))
    let change: Change =
      switch option.number {
      case SocketOption.blockSource: .block(source)
      case SocketOption.unblockSource: .unblock(source)
      case SocketOption.joinSourceGroup: .joinSource(source)
      default: .leaveSource(source)
      }
    return (group, interface, change)
  }

  private func address(_ address: SocketAddress) throws(Errno) -> IPv6Address {
    guard let endpoint = SocketEndpoint(address) else { throw .invalidArgument }
    return endpoint.address
  }

  /// `IP_MULTICAST_IF`: an address of the interface (`struct in_addr`, `ip_mreq`), or its number (`ip_mreqn`).
  final func setMulticastInterface(_ value: SocketOptionValue) throws(Errno) {
    guard type != .stream else { throw .invalidArgument }
    let bytes = value.bytes
    let address = bytes.count >= 8 ? IPv4Address(bytes, at: 4) : IPv4Address(bytes, at: 0)
    guard let address else { throw .invalidArgument }
    let number = Int32(littleEndian: bytes, at: 8) ?? 0
    if number == 0, address == .any {
      internet.multicastInterface = 0
      internet.multicastAddress = .any
      return
    }
    let interface = number != 0 ? number : stack.interface(with: address)
    guard interface != 0, stack.hasInterface(interface) else { throw .addressNotAvailable }
    internet.multicastInterface = interface
    internet.multicastAddress = address
  }
}

extension NetworkStack {
  func hasInterface(_ index: Int32) -> Bool { interfaces[index] != nil }

  /// The interface that has an address; 0 for none.
  func interface(with address: IPv4Address) -> Int32 {
    address.isLoopback ? NetworkInterface.Kind.loopback.rawValue : 0
  }
}
