import FileSystem
import LinuxABI
import Memory

/// A socket of AF_INET or AF_INET6 (ip(7), ipv6(7)): its addresses, its port, and the options of the level of IP.
package class InternetSocket: Socket {
  final let stack: NetworkStack
  /// Where its port is from; nil for protocols without ports.
  final let ports: PortTable?
  /// Its own address and port, as getsockname(2) tells them.
  package final var local: SocketEndpoint
  /// Its peer.
  package final var remote: SocketEndpoint?
  /// `IPV6_V6ONLY`.
  package final var isVersion6Only = false
  /// The address was given by bind(2), so that it stays when a connection ends.
  final var isAddressLocked = false
  /// The same for the port.
  final var isPortLocked = false
  /// What is set of the options of IP.
  final var internet = InternetOptions()

  /// Groups that it hears.
  final var memberships: [GroupMembership] = []

  /// Its place in `ports`.
  final var portEntry: PortTable.Entry?
  final var portIndex = 0

  init(
    _ family: AddressFamily, _ type: SocketType, _ number: InternetProtocol, flags: OpenFlags,
    owner: SocketCredentials, stack: NetworkStack, ports: PortTable?
  ) {
    self.stack = stack
    self.ports = ports
    local = SocketEndpoint(unspecifiedOf: family)
    super.init(family, type, protocolNumber: number.rawValue, flags: flags, owner: owner)
  }

  /// With whom it shares its port.
  final var reuse: PortTable.Reuse {
    PortTable.Reuse(address: settings.isSet(.reuseAddress), port: settings.isSet(.reusePort))
  }

  // MARK: Names

  /// An address as a socket of this family takes it. - Throws: `EAFNOSUPPORT`.
  final func endpoint(_ address: SocketAddress) throws(Errno) -> SocketEndpoint {
    guard address.family == family, let endpoint = SocketEndpoint(address) else { throw .addressFamilyNotSupported }
    return endpoint
  }

  /// - Throws: `EAFNOSUPPORT`, `EADDRNOTAVAIL`, `EACCES`, `EINVAL` where it has a name, `EADDRINUSE`.
  package override func bind(to address: SocketAddress, by caller: SocketCaller) throws(Errno) {
    let wanted = try endpoint(address)
    try checkBind(to: wanted)
    if wanted.port != 0, wanted.port < stack.settings.firstUnprivilegedPort,
      !caller.paths.credentials.has(.netBindService), ports != nil
    {
      throw .permissionDenied
    }
    guard canBind else { throw .invalidArgument }
    let old = local
    local.address = wanted.address
    if let ports {
      stack.lingering.dropOld()
      do throws(Errno) {
        try ports.bind(self, to: wanted.port)
      } catch {
        local = old
        throw error
      }
    }
    isAddressLocked = !wanted.address.isUnspecified
    isPortLocked = wanted.port != 0
  }

  /// It may be given a name.
  var canBind: Bool { portEntry == nil }

  private func checkBind(to wanted: SocketEndpoint) throws(Errno) {
    let address = wanted.address
    if family == .inet6, address.isVersion4, isVersion6Only { throw .invalidArgument }
    if address.isMulticast, family == .inet6, type == .stream { throw .invalidArgument }
    let isOwn =
      address.isUnspecified || address.isMulticast || address.isBroadcast || stack.isLocal(address)
      || internet.bindsFreely
    guard isOwn else { throw .addressNotAvailable }
  }

  /// Gives up the port.
  final func releasePort() { ports?.remove(self) }

  package override func localAddress() throws(Errno) -> SocketAddress { local.socketAddress(family) }

  /// - Throws: `ENOTCONN`.
  package override func peerAddress() throws(Errno) -> SocketAddress {
    guard let remote else { throw .socketNotConnected }
    return remote.socketAddress(family)
  }

  // MARK: Options

  package override func option(_ option: SocketOption) throws(Errno) -> SocketOptionValue {
    switch option.level {
    case .socket: try super.option(option)
    case .ip: try internetOption(option)
    case .ipv6 where family == .inet6: try internet6Option(option)
    default: throw family == .inet ? .notSupportedOnSocket : .protocolNotAvailable
    }
  }

  package override func setOption(_ option: SocketOption, to value: SocketOptionValue) throws(Errno) {
    switch option.level {
    case .socket: try super.setOption(option, to: value)
    case .ip: try setInternetOption(option, to: value)
    case .ipv6 where family == .inet6: try setInternet6Option(option, to: value)
    default: throw .protocolNotAvailable
    }
  }
}
