import DequeModule
import FileSystem
import LinuxABI
import Memory

/// A UNIX domain socket (unix(7)): of a stream, of datagrams, or of packets in sequence.
///
/// Its peer is another object of the sandbox. What a socket sends lies in the queue of the receiver and counts against the
/// sender's `SO_SNDBUF` until it is taken out. Names and connections are in `UnixConnections`, messages in
/// `UnixSending` and `UnixReceiving`.
package final class UnixSocket: Socket {
  enum State {
    case closed
    case listening
    /// Of a datagram socket: it has a peer, or is one.
    case established
  }

  let domain: UnixDomain
  var state = State.closed
  /// Whom it sends to. A connection's ends are each other's; a datagram socket's peer need not know.
  var peer: UnixSocket?
  /// Nothing more comes in, nothing more goes out (shutdown(2), or the peer's end).
  var isReadShut = false
  var isWriteShut = false
  /// It was closed. Others may still refer to it.
  private(set) var isDead = false

  // Names
  var name = UnixAddress.unnamed
  /// The file that bind(2) made.
  var place: PathLocation?
  /// What carries its messages to a socket of the host, which it stands for.
  var relay: HostSocketRelay?
  /// The socket that stands for one of the host to which the last datagram with an address went, and that one's file.
  var addressed: (standIn: UnixSocket, file: ObjectIdentifier)?
  var peerOwner: SocketCredentials?

  // What waits in it
  private(set) var messages = Deque<UnixMessage>()
  /// How many there were at most since its storage was last made smaller.
  private var peakCount = 0
  /// Bytes of `messages` that were not received.
  private(set) var byteCount = 0
  /// Which of `messages` is the urgent byte (`MSG_OOB`).
  var urgentIndex: Int?
  /// What it has sent and nobody has received, in `UnixMessage.price`.
  private(set) var sentPrice = 0
  /// For the socket and for what it has sent.
  private var memory: MemoryCharge
  private static let ownPrice = 1024
  /// Those that wait for room in this socket's queue, or among its connections.
  private var waitingSenders: [ObjectIdentifier: UnixSocket] = [:]
  private var awaited: [ObjectIdentifier: UnixSocket] = [:]

  // Connections
  /// Connections that wait to be accepted, and how many may, less one.
  var connections = Deque<UnixSocket>()
  var backlog = 0
  /// It does not wait in a listener any more.
  var isAccepted = true

  // Files in messages
  /// How many messages it lies in.
  var timesInFlight = 0
  /// How many times sockets lie in its messages.
  var socketsInMessages = 0
  /// Files of messages that nobody will receive, which whoever closed this socket lets go of.
  private var unreceived: [OpenFile] = []

  // Options
  private var passesPidfd = false
  private var passesSecurity = false
  var passesRights = true

  /// A socket of `domain`; `close()` must be called, whatever becomes of it.
  /// - Throws: `ENOMEM`.
  init(_ type: SocketType, flags: OpenFlags, owner: SocketCredentials, domain: UnixDomain) throws(Errno) {
    self.domain = domain
    memory = try domain.memory.charge(UnixSocket.ownPrice)
    super.init(.unix, type, flags: flags, owner: owner)
    backlog = type.isConnectionOriented ? 0 : NetworkSettings.datagramBacklog
    domain.add(self)
  }

  /// Makes a connected pair (socketpair(2)). - Throws: `ENOMEM`.
  static func makePair(_ type: SocketType, flags: OpenFlags, owner: SocketCredentials, domain: UnixDomain) throws(Errno)
    -> (UnixSocket, UnixSocket)
  {
    let first = try UnixSocket(type, flags: flags, owner: owner, domain: domain)
    let second: UnixSocket
    do throws(Errno) { second = try UnixSocket(type, flags: flags, owner: owner, domain: domain) } catch {
      first.close()
      throw error
    }
    for (one, other) in [(first, second), (second, first)] {
      one.peer = other
      one.state = .established
      one.peerOwner = owner
    }
    return (first, second)
  }

  /// Stands for a socket of the host from now on. Descriptors cannot be sent to it.
  func becomeStandIn(for relay: HostSocketRelay, facing guest: UnixSocket, name: UnixAddress) {
    self.relay = relay
    self.name = name
    peer = guest
    state = .established
    passesRights = false
  }

  // MARK: Names, connections and messages

  package override func bind(to address: SocketAddress, by caller: SocketCaller) throws(Errno) {
    try bindName(address, caller)
  }
  package override func listen(backlog: Int32) throws(Errno) { try beginListening(backlog) }
  package override func accept(flags: OpenFlags) throws(Errno) -> Socket { try takeConnection(flags) }
  package override func connect(to address: SocketAddress, by caller: SocketCaller) throws(Errno) {
    if type.isConnectionOriented { try connectStream(address, caller) } else { try connectDatagrams(address, caller) }
  }
  package override func localAddress() throws(Errno) -> SocketAddress { .unix(name) }
  package override func peerAddress() throws(Errno) -> SocketAddress {
    guard let peer else { throw .socketNotConnected }
    return .unix(peer.name)
  }

  /// - Throws: `EPIPE`, `EAGAIN`, `EMSGSIZE`, `ETOOMANYREFS`, `ENOTCONN`, `ECONNREFUSED`, `EPERM` and others.
  package override func send(_ buffer: inout IOBuffer, _ message: OutgoingMessage) throws(Errno) -> Int {
    for entry in message.control { if case .other(.socket, _, _) = entry { throw .invalidArgument } }
    return type == .stream ? try sendStream(&buffer, message) : try sendMessage(&buffer, message)
  }
  package override func receive(into buffer: inout IOBuffer, _ flags: MessageFlags) throws(Errno) -> ReceivedMessage {
    type == .stream ? try receiveStream(into: &buffer, flags) : try receiveMessage(into: &buffer, flags)
  }

  package override func shutDown(_ how: ShutdownHow) throws(Errno) {
    if how.endsReading { isReadShut = true }
    if how.endsWriting { isWriteShut = true }
    if let peer, type.isConnectionOriented {
      if how.endsReading { peer.isWriteShut = true }
      if how.endsWriting { peer.isReadShut = true }
      peer.queue.wake()
    }
    queue.wake()
    wakeSenders()
  }

  // MARK: Options

  package override var isListening: Bool { state == .listening }
  package override var supportsPeekOffset: Bool { true }
  package override var peerCredentials: SocketCredentials? { peerOwner }
  package override var callerCredentials: SocketCredentials { domain.sender?() ?? owner }

  /// Messages to it have to say who sent them.
  var wantsSender: Bool { passesCredentials || passesPidfd }

  package override func option(_ option: SocketOption) throws(Errno) -> SocketOptionValue {
    switch option {
    case .passCredentials: SocketOptionValue(passesCredentials)
    case .passPidfd: SocketOptionValue(passesPidfd)
    case .passSecurity: SocketOptionValue(passesSecurity)
    case .passRights: SocketOptionValue(passesRights)
    default: try super.option(option)
    }
  }

  package override func setOption(_ option: SocketOption, to value: SocketOptionValue) throws(Errno) {
    switch option {
    case .passCredentials: passesCredentials = try value.integer() != 0
    case .passPidfd: passesPidfd = try value.integer() != 0
    case .passSecurity: passesSecurity = try value.integer() != 0
    case .passRights: passesRights = try value.integer() != 0
    default: try super.setOption(option, to: value)
    }
  }

  package override func buffersChanged() { if isWritable { queue.wake(.writable) } }

  /// A connection takes over what its listener wants to know.
  func inheritOptions(of listener: UnixSocket) {
    passesCredentials = listener.passesCredentials
    passesPidfd = listener.passesPidfd
    passesSecurity = listener.passesSecurity
    passesRights = listener.passesRights
  }

  /// Puts what it wants to know of a message's sender beside the bytes.
  func tellSender(of message: UnixMessage, in received: inout ReceivedMessage) {
    if let time = message.time, let entry = settings.timestampMessage(time) { received.control.append(entry) }
    guard wantsSender else { return }
    let sender = message.credentials ?? UnixMessage.unknownSender
    if passesCredentials { received.credentials = sender }
    if passesPidfd, message.credentials != nil { received.process = sender.process }
  }

  // MARK: Back-pressure

  /// What it has sent leaves room for a message.
  var hasRoomToSend: Bool { sentPrice < settings.sendBuffer }
  /// A sender need not wait: at most a quarter of the room is taken.
  var isWritable: Bool { state != .listening && (sentPrice + 1) * 4 <= settings.sendBuffer }

  /// It is about to send a message. - Throws: `ENOBUFS` where there is no memory.
  func charge(_ price: Int) throws(Errno) {
    try memory.resize(toHold: UnixSocket.ownPrice + sentPrice + price, otherwise: .noBufferSpace)
    sentPrice += price
  }

  /// A message that it sent was taken.
  func release(_ price: Int) {
    sentPrice -= price
    try? memory.resize(toHold: UnixSocket.ownPrice + sentPrice)
    if !queue.isEmpty, isWritable { queue.wakeOne(.sendable) }
  }

  /// Too much waits in it for a sender that is not its peer.
  var isFull: Bool { (state == .listening ? connections.count : messages.count) > backlog }

  /// For how many sockets' room one may wait before all who use it look again.
  private static let maximumAwaited = 64

  /// Wakes `sender` when there may be room.
  func addWaiting(_ sender: UnixSocket) {
    if sender.awaited.count >= UnixSocket.maximumAwaited {
      sender.stopWaiting()
      sender.queue.wake(.sendable)
    }
    waitingSenders[ObjectIdentifier(sender)] = sender
    sender.awaited[ObjectIdentifier(self)] = self
  }

  /// Nobody wakes it any more.
  private func stopWaiting() {
    for receiver in awaited.values { receiver.waitingSenders[ObjectIdentifier(self)] = nil }
    awaited = [:]
  }

  /// There may be room for those that wait for it.
  func wakeSenders() {
    guard !waitingSenders.isEmpty else { return }
    let senders = waitingSenders.values
    waitingSenders = [:]
    for sender in senders {
      sender.awaited[ObjectIdentifier(self)] = nil
      sender.queue.wake(.sendable)
    }
  }

  // MARK: The queue

  func append(_ message: UnixMessage) {
    messages.append(message)
    byteCount += message.bytes.count
    peakCount = max(peakCount, messages.count)
  }

  /// Some bytes of the first message were taken, and the files with them.
  func takePart(_ count: Int) {
    domain.inFlight.remove(messages[0].files, from: self)
    messages[0].files = PassedFiles()
    messages[0].taken += count
    byteCount -= count
  }

  /// A message leaves the queue, with what is left of it.
  func removeMessage(at index: Int) {
    let message = index == 0 ? messages.removeFirst() : messages.remove(at: index)
    domain.inFlight.remove(message.files, from: self)
    byteCount -= message.count
    if let urgent = urgentIndex, index <= urgent { urgentIndex = index == urgent ? nil : urgent - 1 }
    message.sender.release(message.price)
    // What a long queue took is not counted once it is short.
    guard peakCount > 64, messages.count < peakCount / 4 else { return }
    peakCount = messages.count
    var smaller = Deque<UnixMessage>(minimumCapacity: peakCount * 2)
    smaller.append(contentsOf: messages)
    messages = smaller
  }

  /// The urgent byte was taken; its place stays.
  func takeUrgent(at index: Int) {
    messages[index].taken += 1
    byteCount -= 1
    urgentIndex = nil
  }

  // MARK: The open file

  package override func readiness() -> PollEvents {
    var events: PollEvents = []
    if pendingError != nil { events.insert(.error) }
    if isReadShut, isWriteShut { events.insert(.hangUp) }
    if isReadShut { events.formUnion([.input, .readNormal, .readHangUp]) }
    if !messages.isEmpty || !connections.isEmpty { events.formUnion(.readable) }
    if urgentIndex != nil { events.insert(.priority) }
    if type.isConnectionOriented, state == .closed { events.insert(.hangUp) }
    guard isWritable else { return events }
    if !type.isConnectionOriented, let peer, peer.peer !== self, peer.isFull {
      peer.addWaiting(self)
    } else {
      events.formUnion(.sendable)
    }
    return events
  }

  package override func bytesToReceive() throws(Errno) -> Int {
    guard state != .listening else { throw .invalidArgument }
    return type == .datagram ? messages.first?.count ?? 0 : byteCount
  }

  package override func bytesSent() throws(Errno) -> Int {
    guard state != .listening else { throw .invalidArgument }
    return sentPrice
  }

  package override func isAtMark() throws(Errno) -> Bool {
    guard type == .stream else { throw .notSupportedOnSocket }
    guard let first = messages.first else { return false }
    return urgentIndex == 0 || first.count == 0 && (urgentIndex == nil || urgentIndex == 1)
  }

  /// `/proc/PID/fdinfo/N`.
  package override var information: String {
    let waiting = connections.reduce(messages.reduce(0) { $0 + $1.files.files.count }) { sum, connection in
      sum + connection.messages.reduce(0) { $0 + $1.files.files.count }
    }
    return "scm_fds: \(waiting)\n"
  }

  package override func close() {
    guard !isDead else { return }
    let hadUnread = !messages.isEmpty || !isAccepted
    isDead = true
    isReadShut = true
    isWriteShut = true
    relay?.end()
    let wasListening = state == .listening
    state = .closed
    releaseName()
    wakeSenders()
    stopWaiting()
    if let peer, type.isConnectionOriented {
      peer.isReadShut = true
      peer.isWriteShut = true
      if hadUnread { peer.pendingError = .connectionReset }
      peer.queue.wake()
    }
    peer?.relay?.pump()
    peer = nil
    addressed?.standIn.relay?.pump()
    addressed = nil
    unreceived += removeFilesOfMessages()
    if wasListening {
      for connection in connections {
        connection.close()
        unreceived += connection.takeUnreceivedFiles()
      }
      connections = []
    }
    domain.remove(self)
  }

  package override func takeUnreceivedFiles() -> [OpenFile] {
    defer { unreceived = [] }
    return unreceived
  }

  // MARK: Garbage

  /// Where only messages are left that refer to it, it may be out of reach.
  package override func lostReference() -> [OpenFile] {
    guard timesInFlight > 0, descriptorCount == timesInFlight else { return [] }
    return UnixGarbage.collect(domain.inFlight)
  }

  /// It lies in a message, or will once it is accepted by a listener that does.
  var mayBeInFlight: Bool { timesInFlight > 0 || !isAccepted }
  /// Sockets lie in its messages, or in those of its connections.
  var holdsSockets: Bool { socketsInMessages > 0 || connections.contains { $0.socketsInMessages > 0 } }

  /// Calls `body` with the sockets that lie in its messages and in those of connections that wait in it.
  func forEachSocketInMessages(_ body: (UnixSocket) -> Void) {
    if socketsInMessages > 0 {
      for message in messages where !message.files.isEmpty {
        for case let socket as UnixSocket in message.files.files { body(socket) }
      }
    }
    for connection in connections { connection.forEachSocketInMessages(body) }
  }

  /// Drops all messages, also those of connections that wait in it; returns the files that were in them.
  func removeFilesOfMessages() -> [OpenFile] {
    var files: [OpenFile] = []
    for message in messages {
      domain.inFlight.remove(message.files, from: self)
      files += message.files.files
      message.sender.release(message.price)
    }
    messages = []
    peakCount = 0
    byteCount = 0
    urgentIndex = nil
    for connection in connections { files += connection.removeFilesOfMessages() }
    return files
  }
}
