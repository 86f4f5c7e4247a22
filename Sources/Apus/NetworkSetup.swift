import FileSystem
import Host
import Kernel
import LinuxABI
import Network

/// What is made of the host for a sandbox's network before anything runs.
struct NetworkSetup {
  private let network: SandboxConfiguration.Network
  private let names: HostNames?
  private let hasVersion6: Bool
  /// Sockets of the host that listen at published ports.
  private var listeners: [(descriptor: FileDescriptor, port: SandboxConfiguration.Network.PublishedPort)] = []

  // A network that few others have. All sandboxes have the same: nobody else sees it.
  private static let address = address("10.131.97.2")
  private static let gateway = address("10.131.97.1")
  private static let address6 = address("fd61:7075:7300::2")
  private static let gateway6 = address("fd61:7075:7300::1")
  private static let servers = ["10.131.97.53", "10.131.97.54", "10.131.97.55"].map(address)

  private static func address(_ text: String) -> IPAddress { IPAddress(text) ?? .v4(.any) }

  /// Reads what the host's files say of its network, and looks at its routes.
  init(_ network: SandboxConfiguration.Network) {
    self.network = network
    names = network.mode == .outbound ? HostNames() : nil
    // Where the host has no way out with version 6, guests that try it first would wait for nothing.
    let global = IPAddress("2001:4860:4860::8888") ?? .v6(.any)
    hasVersion6 = network.mode == .outbound && (try? HostRoutes().route(to: global)) == .unicast
  }

  /// Listens at the published ports. - Throws: for one that can't be had.
  mutating func listen() throws(SandboxError) {
    for port in network.publishedPorts { listeners.append((try NetworkSetup.listen(port), port)) }
  }

  /// Guests may connect to sockets of the host in volumes.
  mutating func allowHostSockets() { connectsSockets = true }
  private var connectsSockets = false

  /// Closes what no carrier has taken.
  mutating func close() {
    for listener in listeners { Host.close(listener.descriptor) }
    listeners = []
  }

  private static func listen(
    _ port: SandboxConfiguration.Network.PublishedPort
  ) throws(SandboxError) -> FileDescriptor {
    guard let address = IPAddress(port.hostAddress) else { throw SandboxError("\(port.hostAddress) is no address") }
    var opened: FileDescriptor?
    do throws(Errno) {
      let socket = try Host.Socket.make(address.family, port.transport == .tcp ? .stream : .datagram)
      opened = socket
      if port.transport == .tcp { try Host.Socket.enable(.reuseAddress, of: socket) }
      if address.family == .inet6 { try Host.Socket.enable(.ipv6Only, of: socket) }
      try Host.Socket.bind(socket, to: address.socketAddress(port: port.hostPort).bytes)
      if port.transport == .tcp { try Host.Socket.listen(socket, backlog: 4096) }
      return socket
    } catch {
      if let opened { Host.close(opened) }
      let remedy: String? =
        switch error {
        case .addressInUse: "end the program that listens there (`ss -lntup` names it), or publish another port"
        case .permissionDenied: "ports below 1024 are for privileged users: publish one from 1024 on"
        case .addressNotAvailable: "name an address of this host (`ip addr` lists them)"
        default: nil
        }
      throw SandboxError("cannot publish port \(port): \(error)", remedy: remedy)
    }
  }

  // MARK: The sandbox's side

  /// Gives the sandbox its interface.
  func configure(_ settings: inout KernelConfiguration) {
    guard network.mode == .outbound else { return }
    settings.networkAddresses = [.init(NetworkSetup.address, prefix: 24)]
    settings.gateways = [NetworkSetup.gateway]
    guard hasVersion6 else { return }
    settings.networkAddresses.append(.init(NetworkSetup.address6, prefix: 64))
    settings.gateways.append(NetworkSetup.gateway6)
  }

  /// What `/etc/resolv.conf` says to guests; nil: what it says there.
  var resolverConfiguration: String? {
    guard let names else { return nil }
    let servers = zip(NetworkSetup.servers, names.servers).map { "nameserver \($0.0)\n" }
    return servers.joined() + names.options.map { $0 + "\n" }.joined()
  }

  /// Gives the sandbox its way outside.
  mutating func connect(
    _ stack: NetworkStack, descriptors: Int, report: @escaping (String) -> Void
  ) throws(SandboxError) {
    let budget = HostSocketBudget(descriptors / 2)
    stack.onRefusal(report)
    if connectsSockets { stack.connectHostSockets(budget) }
    if network.mode == .host { stack.hostSockets = budget }
    guard network.mode == .outbound || !listeners.isEmpty else { return }
    let policy = OutsidePolicy(
      allowed: network.allowedDestinations.map { $0.compactMap(\.allowed) }, known: names?.known ?? [:])
    let servers = zip(NetworkSetup.servers, names?.servers ?? []).map {
      OutsideCarrier.NameServer(inner: $0.0, outer: $0.1)
    }
    var mayReach: ((IPAddress, UInt16, InternetProtocol) -> Bool)?
    if let delegate = network.delegate {
      mayReach = { address, port, transport in
        delegate.mayConnect(
          .init(address: "\(address)", port: port, transport: transport == .tcp ? .tcp : .udp))
      }
    }
    let reachesOut = network.mode == .outbound
    let taken = listeners
    listeners = []
    try attempt("the host does not tell its routes", remedy: "leave the container that forbids netlink sockets") {
      () throws(Errno) in
      let carrier = try OutsideCarrier(
        stack, policy: policy, nameServers: servers,
        gateways: (NetworkSetup.gateway, NetworkSetup.gateway6), reachesOut: reachesOut, budget: budget,
        mayReach: mayReach,
        report: report)
      stack.carrier = carrier
      // The connections of one port leave room for those of the others, and for what goes out.
      let limit = max(descriptors / 2 / (taken.count + 1), 1)
      for (descriptor, port) in taken {
        try carrier.publish(
          descriptor, guestPort: port.guestPort, transport: port.transport == .tcp ? .tcp : .udp, limit: limit)
      }
    }
  }
}
