import FileSystem
import Host
import LinuxABI
import Memory

/// Carries connections and datagrams between a sandbox and the outside through sockets of the host, which no guest sees,
/// and decides what may be reached.
package final class OutsideCarrier: NetworkCarrier {
  unowned let stack: NetworkStack
  let services: any KernelServices
  let budget: HostSocketBudget
  private var policy: OutsidePolicy
  private let nameServers: [NameServer]
  /// How guests see the host itself.
  let (gateway, gateway6): (IPAddress, IPAddress)
  /// What the host would do with packets; nil where guests reach nothing outside.
  private let routes: HostRoutes?
  /// What the user of the sandbox says of a destination that the policy allows.
  private let mayReach: ((IPAddress, UInt16, InternetProtocol) -> Bool)?
  /// Tells the user, and the trace, why something was refused.
  private let report: (String) -> Void
  /// What was reported, so that it is once.
  private var reported: Set<String> = []
  private static let maximumReports = 256

  private var streams: [ObjectIdentifier: StreamRelay] = [:]
  /// Those whose sockets are connecting, by these.
  private var connecting: [ObjectIdentifier: StreamRelay] = [:]
  /// Those that are connected, by the ends that they hold.
  private var connected: [ObjectIdentifier: StreamRelay] = [:]
  private var datagrams: [ObjectIdentifier: DatagramRelay] = [:]
  private var published: [PublishedPort] = []

  /// - Parameters:
  ///   - gateways: how guests see the host itself, in version 4 and 6.
  ///   - reachesOut: guests reach destinations outside; else only what comes to published ports is carried.
  ///   - mayReach: asked about each destination that the policy allows.
  ///   - report: told why a destination was refused.
  /// - Throws: what the host throws where it doesn't tell its routes.
  package init(
    _ stack: NetworkStack, policy: OutsidePolicy, nameServers: [NameServer], gateways: (IPAddress, IPAddress),
    reachesOut: Bool, budget: HostSocketBudget,
    mayReach: ((IPAddress, UInt16, InternetProtocol) -> Bool)?, report: @escaping (String) -> Void
  ) throws(Errno) {
    self.stack = stack
    services = stack.services
    self.policy = policy
    self.nameServers = nameServers
    (gateway, gateway6) = gateways
    self.budget = budget
    self.mayReach = mayReach
    self.report = report
    routes = reachesOut ? try HostRoutes() : nil
  }

  /// A name server of the sandbox's own network, and the host's that answers in its place.
  package struct NameServer: Sendable {
    package let inner: IPAddress
    package let outer: SocketEndpoint
    package init(inner: IPAddress, outer: IPAddress) {
      self.inner = inner
      self.outer = SocketEndpoint(outer, port: DNSMessage.port)
    }
  }

  // MARK: What may be reached

  /// Where a destination is on the host. - Throws: an errno where it is out of reach.
  func outerEndpoint(_ destination: SocketEndpoint, _ transport: InternetProtocol) throws(Errno) -> SocketEndpoint {
    let address = IPAddress.v6(destination.address).unmapped
    if destination.port == DNSMessage.port, let server = nameServers.first(where: { $0.inner == address }) {
      // Queries in a stream are not looked at: they may ask for anything, or for nothing.
      guard transport == .udp || policy.mayAskForAll else { throw .connectionRefused }
      return server.outer
    }
    guard let routes else { throw .networkUnreachable }
    guard routes.route(to: address) != nil else { throw .networkUnreachable }
    switch verdict(address, destination.port, routes, transport) {
    case .allowed: return destination
    case .refused(let refusal):
      let place = EndpointText.join("\(address)", destination.port)
      tell("\(transport == .tcp ? "tcp" : "udp") \(place) refused: \(refusal.reason)")
      throw refusal.errno
    }
  }

  private func verdict(
    _ address: IPAddress, _ port: UInt16, _ routes: HostRoutes, _ transport: InternetProtocol
  ) -> OutsidePolicy.Verdict {
    if stack.interfaces.interfaces.contains(where: { $0.addresses.contains { $0.network.contains(address) } }) {
      // A neighbour in a network where there are none.
      return .refused(.special)
    }
    let verdict = policy.verdict(on: address, port: port, route: routes.route(to:))
    guard verdict == .allowed, let mayReach, !mayReach(address, port, transport) else { return verdict }
    return .refused(.delegate)
  }

  private func tell(_ text: String) {
    guard reported.count < OutsideCarrier.maximumReports, reported.insert(text).inserted else { return }
    report(text)
  }

  // MARK: Names

  /// What a name server of the host answers in a query's place: nil where the query may go on to it.
  func refusal(of query: [UInt8]) -> [UInt8]? {
    if policy.mayAskForAll { return nil }
    guard let question = DNSMessage.question(of: query), policy.mayAsk(for: question.name) else {
      let name = DNSMessage.question(of: query)?.name.description
      tell("name \(name ?? "in an odd query") not asked for: no --allow-connect names it")
      return DNSMessage.refusal(of: query) ?? []
    }
    return nil
  }

  func note(_ answer: [UInt8], to question: DNSMessage.Question) {
    policy.note(DNSMessage.addresses(in: answer, to: question), of: question.name)
  }

  func isNameServer(_ destination: SocketEndpoint) -> Bool {
    destination.port == DNSMessage.port
      && nameServers.contains { SocketEndpoint($0.inner, port: DNSMessage.port) == destination }
  }

  // MARK: The carrier of the stack

  package func source(for destination: IPv6Address) -> IPv6Address? {
    if let source = stack.interfaces.source(for: .v6(destination)) { return source.version6 }
    // Who came in through a published port is answered, without a way to others.
    guard published.contains(where: { $0.knows(destination) }) else { return nil }
    return destination.isVersion4 ? .loopbackVersion4 : .loopback
  }

  package func connect(_ socket: TCPSocket, to destination: SocketEndpoint) throws(Errno) {
    let outer = try outerEndpoint(destination, .tcp)
    let descriptor = try makeSocket(outer.address.isVersion4 ? .inet : .inet6, .stream)
    let relay = try StreamRelay(HostWatch(descriptor, budget: budget, services: services), carrier: self)
    try relay.connect(socket, to: outer)
    add(relay)
    connecting[ObjectIdentifier(socket)] = relay
  }

  package func send(
    _ datagram: inout IOBuffer, _ header: DatagramHeader, from socket: UDPSocket
  ) throws(Errno) -> Int {
    if let port = published.first(where: { $0.carries(from: socket, to: header.destination) }) {
      return try port.send(&datagram, to: header.destination)
    }
    let relay: DatagramRelay
    if let known = datagrams[ObjectIdentifier(socket)] {
      relay = known
    } else {
      relay = DatagramRelay(socket, carrier: self)
      datagrams[ObjectIdentifier(socket)] = relay
    }
    return try relay.send(&datagram, header)
  }

  package func changed(_ option: SocketOption, of socket: TCPSocket) {
    guard let relay = connecting[ObjectIdentifier(socket)] ?? socket.peer.flatMap({ connected[ObjectIdentifier($0)] })
    else { return }
    relay.follow(option, of: socket)
  }

  package func forget(_ socket: PacketSocket) {
    datagrams.removeValue(forKey: ObjectIdentifier(socket))?.close()
  }

  package func forget(_ socket: TCPSocket) { connecting[ObjectIdentifier(socket)]?.end() }

  func endConnecting(_ socket: TCPSocket) { connecting[ObjectIdentifier(socket)] = nil }

  /// Makes a socket of the host.
  func makeSocket(_ family: AddressFamily, _ type: SocketType) throws(Errno) -> FileDescriptor {
    try budget.take { () throws(Errno) in try Host.Socket.make(family, type) }
  }

  func add(_ relay: StreamRelay) { streams[ObjectIdentifier(relay)] = relay }
  func remove(_ relay: StreamRelay) { streams[ObjectIdentifier(relay)] = nil }
  func attach(_ end: TCPSocket, _ relay: StreamRelay) { connected[ObjectIdentifier(end)] = relay }
  func detach(_ end: TCPSocket) { connected[ObjectIdentifier(end)] = nil }

  /// Takes what comes in at a port of the host. Its connections take up to `limit` descriptors.
  package func publish(
    _ descriptor: FileDescriptor, guestPort: UInt16, transport: InternetProtocol, limit: Int
  ) throws(Errno) {
    let port = PublishedPort(
      HostWatch(try budget.take { () throws(Errno) in descriptor }, budget: budget, services: services),
      guestPort: guestPort, transport: transport, carrier: self, budget: HostSocketBudget(limit, of: budget))
    published.append(port)
  }

  /// Everything ends: no socket of the host remains.
  package func shutDown() {
    for relay in Array(streams.values) { relay.end() }
    for relay in datagrams.values { relay.close() }
    for port in published { port.close() }
    (streams, connecting, connected, datagrams, published) = ([:], [:], [:], [:], [])
  }
}

extension SocketEndpoint {
  /// As sockets of the host for this address are told it.
  var hostAddress: SocketAddress { socketAddress(address.isVersion4 ? .inet : .inet6) }
  /// Where a socket of the host says that something comes from; nil for what has no such address.
  init?(hostAddress bytes: [UInt8]) {
    guard let address = try? SocketAddress(bytes) else { return nil }
    self.init(address)
  }
}
