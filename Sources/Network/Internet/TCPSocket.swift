import DequeModule
import FileSystem
import LinuxABI
import Memory

/// The states of a connection as tcp(7), `TCP_INFO` and `/proc/net/tcp` number them.
package enum TCPState: UInt8, Sendable {
  case established = 1
  case synSent = 2
  case synReceived = 3
  case finWait1 = 4
  case finWait2 = 5
  case timeWait = 6
  case closed = 7
  case closeWait = 8
  case lastAck = 9
  case listening = 10
  case closing = 11
}

/// A stream socket of the Internet families (tcp(7)).
///
/// There is no protocol between two of them: a connection is two sockets that know each other, and what one sends lies in
/// the other's queue at once. So no state of tcp(7) is passed through in which something is on its way; the others, and
/// what a program can see of them, are as in Linux.
///
/// How a connection begins is in `TCPConnecting`, how it ends in `TCPEnding`, what it carries in `TCPTransfer`, its
/// options in `TCPOptionValues`.
package final class TCPSocket: InternetSocket {
  package internal(set) final var state = TCPState.closed
  /// How far connect(2) is (`SS_*` of Linux's sockets).
  var connectPhase = ConnectPhase.unconnected
  /// The other end; nil where it was closed.
  var peer: TCPSocket?
  /// What the peer sent.
  var received: StreamBuffer
  /// Bytes that were ever received and read: the place in the stream.
  var readPosition: UInt64 = 0
  /// Nothing will be read any more, or nothing sent: `SHUT_RD`, `SHUT_WR`, or the peer's end.
  var isReadShut = false
  var isWriteShut = false
  /// The peer has ended its stream.
  var hasEnd = false
  /// The byte that the peer sent as urgent.
  var urgent: UrgentByte?
  /// A listener's connections.
  var listening: TCPListener?
  /// The listener that this socket waits in: for room while it connects, to be accepted, or for data to be accepted at.
  weak var waitsAt: TCPSocket?
  /// Ends the attempt to connect.
  var connectTimer: KernelTimer?
  var options = TCPOptions()

  enum ConnectPhase {
    case unconnected
    case connecting
    case connected
    case disconnecting
  }

  init(
    _ family: AddressFamily, flags: OpenFlags, owner: SocketCredentials, stack: NetworkStack
  ) {
    received = StreamBuffer(stack.chunks)
    super.init(family, .stream, .tcp, flags: flags, owner: owner, stack: stack, ports: stack.tcpPorts)
    settings.sendBuffer = TCPOptions.initialSendBuffer
    settings.receiveBuffer = TCPOptions.initialReceiveBuffer
  }

  /// Bytes that may wait in this socket: what it takes in, and what its peer keeps until it does.
  var capacity: Int { receiveRoom + (peer?.sendRoom ?? 0) }
  private var receiveRoom: Int { settings.receiveBuffer / 2 }
  private var sendRoom = TCPOptions.automaticSendRoom
  /// Room for what the peer sends.
  var room: Int { max(capacity - received.count, 0) }
  /// The peer need not wait: a third of the room is free (`sk_stream_is_writeable` of Linux).
  var hasRoom: Bool { received.count <= capacity * 2 / 3 }

  // MARK: Names and connections

  package override var isListening: Bool { state == .listening }

  override var canBind: Bool { state == .closed && super.canBind }

  package override func peerAddress() throws(Errno) -> SocketAddress {
    guard state != .closed, state != .synSent else { throw .socketNotConnected }
    return try super.peerAddress()
  }

  package override func listen(backlog: Int32) throws(Errno) { try startListening(backlog: backlog) }

  package override func accept(flags: OpenFlags) throws(Errno) -> Socket { try takeConnection(flags: flags) }

  package override func connect(to address: SocketAddress, by caller: SocketCaller) throws(Errno) {
    if case .unspecified = address { return disconnect() }
    try connect(to: try endpoint(address))
  }

  package override func shutDown(_ how: ShutdownHow) throws(Errno) { try end(how) }

  package override func close() { endForGood() }

  // MARK: Transfer

  package override func send(_ buffer: inout IOBuffer, _ message: OutgoingMessage) throws(Errno) -> Int {
    try transmit(&buffer, message)
  }

  package override func receive(into buffer: inout IOBuffer, _ flags: MessageFlags) throws(Errno) -> ReceivedMessage {
    if flags.contains(.errorQueue) { throw .wouldBlock }
    return flags.contains(.outOfBand) ? try receiveUrgent(into: &buffer, flags) : try take(into: &buffer, flags)
  }

  // MARK: Options

  package override func option(_ option: SocketOption) throws(Errno) -> SocketOptionValue {
    switch option {
    case .sendBuffer where peer != nil && !settings.isSendBufferChosen:
      SocketOptionValue(TCPOptions.connectedSendBuffer)
    case _ where option.level == .tcp: try tcpOption(option)
    default: try super.option(option)
    }
  }

  package override func setOption(_ option: SocketOption, to value: SocketOptionValue) throws(Errno) {
    if option.level == .tcp {
      try setTCPOption(option, to: value)
    } else {
      try super.setOption(option, to: value)
      if option == .outOfBandInline { urgent?.staysInLine = settings.isSet(.outOfBandInline) }
    }
    stack.carrier?.changed(option, of: self)
  }

  // MARK: The open file

  /// As `tcp_poll` of Linux.
  package override func readiness() -> PollEvents {
    if let listening { return listening.pending.isEmpty ? [] : .readable }
    var events: PollEvents = []
    if isReadShut && isWriteShut || state == .closed { events.insert(.hangUp) }
    if isReadShut { events.formUnion([.readable, .readHangUp]) }
    if state != .synSent {
      if hasBytesToRead { events.formUnion(.readable) }
      if isWriteShut || peer?.hasRoom ?? true { events.formUnion(.writable) }
      if urgent?.isUnread == true { events.insert(.priority) }
    }
    if pendingError != nil { events.insert(.error) }
    return events
  }

  package override func bytesToReceive() throws(Errno) -> Int {
    guard state != .listening else { throw .invalidArgument }
    return state == .synSent ? 0 : countToMark
  }

  package override func bytesSent() throws(Errno) -> Int {
    guard state != .listening else { throw .invalidArgument }
    guard let peer else { return 0 }
    return max(peer.received.count - peer.receiveRoom, 0)
  }

  package override func isAtMark() throws(Errno) -> Bool { urgent?.position == readPosition }

  package override func control(_ request: UInt32, argument: UInt64, memory: AddressSpace) throws(Errno) -> Int {
    guard request == Ioctl.outputQueueUnsent else {
      return try super.control(request, argument: argument, memory: memory)
    }
    try memory.writeValue(GuestAddress(argument), Int32(clamping: try bytesSent()))
    return 0
  }

  package override var supportsPeekOffset: Bool { true }

  /// There may be more room now.
  package override func buffersChanged() {
    if settings.isSendBufferChosen { sendRoom = settings.sendBuffer / 2 }
    queue.wake(.writable)
    peer?.queue.wake(.writable)
  }
}

/// What a listener holds (listen(2)).
struct TCPListener {
  /// Connections that wait to be accepted may be one more than this.
  var backlog: Int
  /// Connections that wait to be accepted.
  var pending = Deque<TCPSocket>()
  /// Sockets that connect and wait for room.
  var connecting = Deque<TCPSocket>()
  /// Connections that are accepted once they have sent something (`TCP_DEFER_ACCEPT`).
  var deferred: [ObjectIdentifier: TCPSocket] = [:]

  var isFull: Bool { pending.count + deferred.count > backlog }
}
