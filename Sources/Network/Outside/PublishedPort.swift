import FileSystem
import Host
import LinuxABI
import Memory

/// A port of the host whose connections, or datagrams, go to a port of the sandbox.
final class PublishedPort {
  private let host: HostWatch
  private let guestPort: UInt16
  private let transport: InternetProtocol
  private unowned let carrier: OutsideCarrier
  /// What its connections may take: idle ones hold up this port alone.
  private let budget: HostSocketBudget
  /// Whence datagrams came, by how guests see it, so that answers go back there; and the order in which they were first
  /// seen.
  private var peers: [SocketEndpoint: SocketEndpoint] = [:]
  private var order: [SocketEndpoint] = []

  /// Waits where the host has no descriptor left.
  private var retry: KernelTimer?

  private static let maximumPeers = 4096

  init(
    _ host: HostWatch, guestPort: UInt16, transport: InternetProtocol, carrier: OutsideCarrier,
    budget: HostSocketBudget
  ) {
    self.host = host
    self.budget = budget
    self.guestPort = guestPort
    self.transport = transport
    self.carrier = carrier
    host.onReport { [unowned self] _ in
      if transport == .tcp { takeConnections() } else { host.takeDatagrams { take($0, from: $1) } }
    }
    host.want(.input)
  }

  func close() {
    if let retry { carrier.services.disarm(retry) }
    retry = nil
    host.close()
  }

  /// The addresses at which a guest may listen, that of the interface to the outside first.
  private func destinations(_ isVersion4: Bool) -> [SocketEndpoint] {
    let outside = carrier.stack.interfaces.interfaces.filter { $0.kind == .ethernet }.flatMap(\.addresses)
      .map(\.address.version6).filter { $0.isVersion4 == isVersion4 }
    return (outside + [isVersion4 ? .loopbackVersion4 : .loopback]).map { SocketEndpoint($0, port: guestPort) }
  }

  // MARK: Connections

  private func takeConnections() {
    for _ in 0..<HostWatch.maximumTurn {
      let listener = host.descriptor
      do throws(Errno) {
        let descriptor = try budget.take { () throws(Errno) in try Host.Socket.accept(listener) }
        connect(HostWatch(descriptor, budget: budget, services: carrier.services))
      } catch {
        if error == .wouldBlock { break }
        // No descriptor is left, so connections stay where they are.
        let timer = KernelTimer { [weak self] in self?.host.want(.input) }
        retry = timer
        return carrier.services.arm(timer, deadline: carrier.services.monotonicTime + PublishedPort.pause)
      }
    }
    host.want(.input)
  }

  private static let pause = Nanoseconds.milliseconds(100)

  private func connect(_ connection: HostWatch) {
    guard let relay = try? StreamRelay(connection, carrier: carrier) else { return }
    guard let name = try? Host.Socket.peerAddress(of: connection.descriptor),
      let source = SocketEndpoint(hostAddress: name).map(shown)
    else { return relay.end() }
    // Who listens at the other version's address alone is reached there.
    for isVersion4 in [source.address.isVersion4, !source.address.isVersion4] {
      for destination in destinations(isVersion4) {
        let shown =
          source.address.isVersion4 == isVersion4 ? source : SocketEndpoint(destination.address, port: source.port)
        guard let listener = carrier.stack.listener(at: destination, from: shown) else { continue }
        carrier.add(relay)
        return relay.accept(from: shown, at: listener, destination)
      }
    }
    relay.end(isReset: true)
  }

  // MARK: Datagrams

  private func take(_ bytes: [UInt8], from outer: SocketEndpoint) {
    let source = shown(outer)
    for destination in destinations(source.address.isVersion4) {
      let header = DatagramHeader(from: source, to: destination)
      guard let socket = carrier.stack.receiver(of: header) else { continue }
      remember(source, outer)
      var buffer = IOBuffer(bytes: bytes)
      return socket.enqueue(&buffer, header)
    }
  }

  /// As guests see whoever comes in: programs of the host itself, which are at its loopback addresses, as the gateway. For
  /// a guest these addresses are its own, and trusted by some.
  private func shown(_ outer: SocketEndpoint) -> SocketEndpoint {
    guard carrier.stack.isLocal(outer.address) else { return outer }
    return SocketEndpoint(outer.address.isVersion4 ? carrier.gateway : carrier.gateway6, port: outer.port)
  }

  private func remember(_ peer: SocketEndpoint, _ outer: SocketEndpoint) {
    guard peers.updateValue(outer, forKey: peer) == nil else { return }
    order.append(peer)
    if order.count > PublishedPort.maximumPeers { peers[order.removeFirst()] = nil }
  }

  func knows(_ address: IPv6Address) -> Bool { peers.keys.contains { $0.address == address } }

  /// A socket's datagram is an answer to what came in here.
  func carries(from socket: UDPSocket, to destination: SocketEndpoint) -> Bool {
    transport == .udp && socket.local.port == guestPort && peers[destination] != nil
  }

  func send(_ datagram: inout IOBuffer, to destination: SocketEndpoint) throws(Errno) -> Int {
    let count = datagram.remaining
    guard let outer = peers[destination] else { throw .networkUnreachable }
    try host.sendDatagram(&datagram, to: outer)
    return count
  }
}
