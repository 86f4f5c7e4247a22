import FileSystem
import LinuxABI

/// How connections begin: listen(2), connect(2), accept(2).
extension TCPSocket {
  // MARK: Listeners

  func startListening(backlog: Int32) throws(Errno) {
    guard connectPhase == .unconnected, state == .closed || state == .listening else { throw .invalidArgument }
    guard state == .closed else {
      listening?.backlog = Int(backlog)
      admitConnecting()
      return
    }
    if portEntry == nil {
      try stack.tcpPorts.bind(self, to: 0)
    } else {
      // Who may share a port need not be able to listen on it.
      state = .listening
      defer { state = .closed }
      guard !stack.tcpPorts.conflicts(self, local.port) else { throw .addressInUse }
    }
    state = .listening
    (isReadShut, isWriteShut, hasEnd) = (false, false, false)
    listening = TCPListener(backlog: Int(backlog))
    portEntry?.listeners.append(self)
  }

  /// All connections that wait end, and those that connect are refused.
  func stopListening() {
    guard let listener = listening else { return }
    listening = nil
    portEntry?.listeners.removeAll { $0 === self }
    state = .closed
    for connection in Array(listener.pending) + Array(listener.deferred.values) {
      connection.waitsAt = nil
      connection.abort()
    }
    for socket in listener.connecting {
      socket.waitsAt = nil
      socket.reset()
    }
  }

  func takeConnection(flags: OpenFlags) throws(Errno) -> TCPSocket {
    guard let connection = listening?.pending.popFirst() else {
      guard listening != nil else { throw .invalidArgument }
      throw .wouldBlock
    }
    connection.waitsAt = nil
    connection.flags = flags.intersection(.nonBlocking).union(.readWrite)
    admitConnecting()
    return connection
  }

  /// A listener has room: those that wait for it are connected.
  private func admitConnecting() {
    while let listener = listening, !listener.isFull, let socket = listening?.connecting.popFirst() {
      socket.waitsAt = nil
      socket.meet(self)
      socket.queue.wake(.writable)
    }
  }

  /// A connection may be accepted now.
  func offer(_ connection: TCPSocket) {
    listening?.pending.append(connection)
    if !queue.isEmpty { queue.wakeOne(.readable) }
  }

  /// A connection that was to send something first has.
  func endDeferral(of connection: TCPSocket) {
    guard listening?.deferred.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
    offer(connection)
  }

  // MARK: Connecting

  func connect(to destination: SocketEndpoint) throws(Errno) {
    switch connectPhase {
    case .connected: throw .socketIsConnected
    case .disconnecting: throw .invalidArgument
    case .connecting: guard state != .synSent else { throw .alreadyInProcess }
    case .unconnected:
      guard state == .closed else { throw .socketIsConnected }
      try startConnecting(to: destination)
      connectPhase = .connecting
      // As in Linux even where the peer has answered by now: the answer is looked at when the call has ended.
      guard state != .synSent, !self.flags.contains(.nonBlocking) else { throw .nowInProgress }
    }
    guard state == .closed else { return connectPhase = .connected }
    let error = takePendingError() ?? .connectionAbort
    disconnect()
    throw error
  }

  private func startConnecting(to destination: SocketEndpoint) throws(Errno) {
    var destination = destination
    if destination.address.isUnspecified {
      destination.address = destination.address == .any && !local.address.isVersion4 ? .loopback : .loopbackVersion4
      if family == .inet6, isVersion6Only { destination.address = .loopback }
    }
    if family == .inet6 {
      guard !destination.address.isVersion4 || !isVersion6Only else { throw .networkUnreachable }
      let isOther = !local.address.isUnspecified && local.address.isVersion4 != destination.address.isVersion4
      guard !isOther else { throw .networkUnreachable }
    }
    guard !destination.address.isMulticast, !destination.address.isBroadcast else { throw .networkUnreachable }
    let route = try stack.route(to: destination.address)
    let source = local.address.isUnspecified ? route.source : local.address
    pendingError = nil
    (isReadShut, isWriteShut, hasEnd, urgent) = (false, false, false, nil)
    let oldAddress = local.address
    (remote, local.address) = (destination, source)
    do throws(Errno) {
      if portEntry == nil {
        try stack.tcpPorts.bindToConnect(self)
      } else {
        let isTaken = portEntry?.members.contains { $0 !== self && $0.remote == destination && $0.local == local }
        guard isTaken != true else { throw .addressNotAvailable }
      }
      stack.lingering.remove(local: local, remote: destination)
      if let carrier = route.carrier {
        state = .synSent
        try carrier.connect(self, to: destination)
        return
      }
    } catch {
      state = .closed
      (remote, local.address) = (nil, oldAddress)
      if !isPortLocked { releasePort() }
      throw error
    }
    if destination == local { return joinItself() }
    guard let listener = stack.listener(at: destination, from: local) else {
      state = .synSent
      return reset()
    }
    call(listener)
  }

  /// Connects with a listener, at once or when that has room.
  func call(_ listener: TCPSocket) {
    guard listener.listening?.isFull == false else {
      state = .synSent
      waitsAt = listener
      listener.listening?.connecting.append(self)
      return armConnectTimer()
    }
    meet(listener)
  }

  /// Connects with a socket that the listener will give to accept(2).
  private func meet(_ listener: TCPSocket) {
    guard let remote else { return }
    let connection = TCPSocket(inheriting: listener, local: remote, remote: local)
    stack.tcpPorts.add(connection, to: remote.port)
    join(connection)
    guard listener.options.deferAccept == 0 else {
      connection.waitsAt = listener
      listener.listening?.deferred[ObjectIdentifier(connection)] = connection
      return
    }
    listener.offer(connection)
  }

  /// Makes two sockets the ends of one connection.
  package func join(_ other: TCPSocket) {
    disarmConnectTimer()
    (peer, other.peer) = (other, self)
    (state, other.state) = (.established, .established)
    other.connectPhase = .connected
  }

  /// A socket that connects to its own address is both ends (a simultaneous open).
  private func joinItself() {
    peer = self
    state = .established
  }

  /// The end of a connection with the outside that the stack's carrier holds.
  convenience init(
    outside local: SocketEndpoint, facing remote: SocketEndpoint, _ family: AddressFamily, _ stack: NetworkStack
  ) {
    self.init(family, flags: [], owner: .none, stack: stack)
    self.local = local
    self.remote = remote
  }

  private convenience init(inheriting listener: TCPSocket, local: SocketEndpoint, remote: SocketEndpoint) {
    self.init(listener.family, flags: [], owner: listener.owner, stack: listener.stack)
    inheritOptions(from: listener)
    self.local = local
    self.remote = remote
  }

  // MARK: Attempts that take time

  /// How long Linux tries with the usual `TCP_SYNCNT` of 6: 1 + 2 + 4 + … seconds.
  private var connectTimeout: Nanoseconds { .second * (UInt64(2) << UInt64(options.synCount) - 1) }

  func armConnectTimer() {
    let timer = KernelTimer { [weak self] in self?.giveUpConnecting() }
    connectTimer = timer
    stack.services.arm(timer, deadline: stack.services.monotonicTime + connectTimeout)
  }

  func disarmConnectTimer() {
    guard let timer = connectTimer else { return }
    stack.services.disarm(timer)
    connectTimer = nil
  }

  private func giveUpConnecting() {
    guard state == .synSent else { return }
    failConnecting(.timedOut)
  }

  /// The attempt to connect has failed.
  package func failConnecting(_ error: Errno) {
    leaveListener()
    pendingError = error
    finish()
    queue.wake()
  }

  /// Does not wait at a listener any longer.
  func leaveListener() {
    disarmConnectTimer()
    if state == .synSent { stack.carrier?.forget(self) }
    guard let listener = waitsAt else { return }
    waitsAt = nil
    if state == .synSent {
      listener.listening?.connecting.removeAll { $0 === self }
    }
  }
}
