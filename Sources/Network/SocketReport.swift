import LinuxABI

/// What tools are told of a socket of the Internet families (`/proc/net`, sock_diag(7)).
package struct SocketReport {
  package let family: AddressFamily
  package let state: TCPState
  package let local: SocketEndpoint
  package let remote: SocketEndpoint?
  package let receiveQueue: Int
  package let sendQueue: Int
  package let uid: UInt32
  package let inode: UInt64
  package let isVersion6Only: Bool
  /// Packets lost for want of room; 0 for streams.
  package let dropped: UInt32

  init(_ socket: InternetSocket) {
    family = socket.family
    if let stream = socket as? TCPSocket {
      state = stream.state
      receiveQueue = stream.listening.map(\.pending.count) ?? stream.received.count
      sendQueue = stream.listening?.backlog ?? ((try? stream.bytesSent()) ?? 0)
    } else {
      state = socket.remote == nil ? .closed : .established
      receiveQueue = (socket as? PacketSocket)?.received.size ?? 0
      sendQueue = 0
    }
    local = socket.local
    remote = socket.remote
    uid = socket.owner.uid
    inode = socket.number
    isVersion6Only = socket.isVersion6Only
    dropped = (socket as? PacketSocket)?.dropped ?? 0
  }

  /// The endpoints as a socket of this family tells them.
  package func shown(_ endpoint: SocketEndpoint?) -> (address: IPAddress, port: UInt16) {
    let version6 = endpoint?.address ?? .any
    guard family == .inet else { return (.v6(version6), endpoint?.port ?? 0) }
    return (.v4(version6.mapped ?? .any), endpoint?.port ?? 0)
  }
}

/// What tools are told of a UNIX socket.
package struct UnixSocketReport {
  package let type: SocketType
  package let name: UnixAddress
  package let isListening: Bool
  /// It has a peer.
  package let isConnected: Bool
  /// It does not wait in a listener.
  package let isAccepted: Bool
  package let inode: UInt64

  init(_ socket: UnixSocket) {
    type = socket.type
    name = socket.name
    isListening = socket.isListening
    isConnected = socket.state == .established
    isAccepted = socket.isAccepted
    inode = socket.number
  }
}

extension NetworkStack {
  /// What is told of the sockets of a protocol, in the order in which they were made.
  package func reports(_ transport: InternetProtocol) -> [SocketReport] {
    let sockets: [InternetSocket] =
      switch transport {
      case .tcp: tcpPorts.sockets.filter { ($0 as? TCPSocket)?.state != .closed }
      case .udp: udpPorts.sockets
      default: rawSockets.filter { $0.type == .raw }
      }
    return sockets.map { SocketReport($0) }.sorted { $0.inode < $1.inode }
  }
}
