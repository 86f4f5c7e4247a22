import LinuxABI
import Memory

/// What carries connections and datagrams whose destination is outside of the sandbox: the one way out of its sockets.
///
/// To the inside, a connection with the outside is a pair of sockets like any other, of which the carrier holds the other
/// end. What it receives outside it sends there, and the other way round; `Socket.waitQueue` tells it when.
package protocol NetworkCarrier: AnyObject {
  /// The sandbox's own address by which a destination outside is reached; nil where there is no way to it.
  func source(for destination: IPv6Address) -> IPv6Address?

  /// A stream socket connects to the outside. The carrier ends that, now or later, with `TCPSocket.join` or
  /// `TCPSocket.failConnecting`; `TCPSocket.state` tells whether the socket is still interested.
  /// - Throws: an errno that connect(2) fails with at once.
  func connect(_ socket: TCPSocket, to destination: SocketEndpoint) throws(Errno)

  /// A datagram socket sends to the outside. What comes back is given to `PacketSocket.enqueue`, and to `note` where it
  /// did not arrive.
  /// - Throws: an errno that sendto(2) fails with; `.wouldBlock` where the socket's queue reports `.writable` later.
  func send(_ datagram: inout IOBuffer, _ header: DatagramHeader, from socket: UDPSocket) throws(Errno) -> Int

  /// A socket that carries packets was closed: nothing is given to it any more.
  func forget(_ socket: PacketSocket)

  /// An option of a stream socket was set, which may be connected with the outside.
  func changed(_ option: SocketOption, of socket: TCPSocket)

  /// A stream socket that was connecting is so no longer.
  func forget(_ socket: TCPSocket)

  /// The sandbox has ended: everything outside is let go of.
  func shutDown()
}

extension NetworkStack {
  /// How a destination is reached.
  struct Route {
    /// The address that the sender has there, if it chose none.
    var source: IPv6Address
    /// What carries it; nil within the sandbox.
    var carrier: (any NetworkCarrier)?
  }

  /// The address is one of this sandbox: a loopback address, or that of another interface.
  package func isLocal(_ address: IPv6Address) -> Bool { address.isLoopback || interfaces.isLocal(.v6(address)) }

  /// - Throws: `ENETUNREACH`.
  func route(to destination: IPv6Address) throws(Errno) -> Route {
    if destination.isLoopback { return Route(source: destination.isVersion4 ? .loopbackVersion4 : .loopback) }
    if interfaces.isLocal(.v6(destination)) { return Route(source: destination) }
    guard let carrier, let source = carrier.source(for: destination) else { throw .networkUnreachable }
    return Route(source: source, carrier: carrier)
  }

  /// The socket that takes a connection (`__inet_lookup_listener` of Linux): one with the very address before one with
  /// any, and among several with `SO_REUSEPORT` one that the sender's port chooses.
  package func listener(at destination: SocketEndpoint, from source: SocketEndpoint) -> TCPSocket? {
    guard let listeners = tcpPorts.entry(destination.port)?.listeners, !listeners.isEmpty else { return nil }
    var best = 0
    var count = 0
    for listener in listeners {
      let score = listener.score(destination.address)
      if score > best { (best, count) = (score, 1) } else if score == best { count += 1 }
    }
    guard best > 0 else { return nil }
    var chosen = count > 1 ? Int(source.port &* 40503) % count : 0
    for listener in listeners where listener.score(destination.address) == best {
      if chosen == 0 { return listener }
      chosen -= 1
    }
    return nil
  }
}

extension InternetSocket {
  /// How well the socket's own address fits what is sent to an address; 0 where it does not.
  func score(_ destination: IPv6Address) -> Int {
    let own = local.address
    if own == destination { return 4 }
    if own == .anyVersion4 { return destination.isVersion4 ? 2 : 0 }
    guard own == .any else { return 0 }
    return destination.isVersion4 ? (isVersion6Only ? 0 : 1) : 3
  }
}
