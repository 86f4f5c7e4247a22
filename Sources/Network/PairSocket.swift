import FileSystem
import LinuxABI
import Memory

/// One end of a pair of connected UNIX domain sockets (socketpair(2), unix(7)).
package final class PairSocket: Socket {
  private let passed: PassedFiles
  private weak var peer: PairSocket?
  /// What the peer sent.
  private var messages: MessageQueue
  private var isReadShut = false
  private var isWriteShut = false
  /// The peer will send nothing any more.
  private var isPeerDone = false
  /// The peer was closed with unread bytes.
  private var isReset = false
  /// As in Linux, so that closing one does not close too many in turn.
  private static let maximumNesting = 4

  /// Files of messages that nobody will receive, which whoever closed this socket lets go of.
  private var unreceived: [OpenFile] = []

  private init(_ type: SocketType, flags: OpenFlags, owner: SocketCredentials, passed: PassedFiles) {
    self.passed = passed
    messages = MessageQueue(keepsBorders: type.keepsBorders)
    super.init(.unix, type, flags: flags, owner: owner)
  }

  /// Makes a connected pair. `passed` counts the files that wait in all sockets.
  package static func makePair(
    _ type: SocketType, flags: OpenFlags, owner: SocketCredentials, passed: PassedFiles
  ) -> (PairSocket, PairSocket) {
    let first = PairSocket(type, flags: flags, owner: owner, passed: passed)
    let second = PairSocket(type, flags: flags, owner: owner, passed: passed)
    first.peer = second
    second.peer = first
    return (first, second)
  }

  /// Nothing more will come.
  private var isAtEnd: Bool { isReadShut || isPeerDone && type.isConnectionOriented }

  // MARK: Names and connections

  package override func bind(to address: SocketAddress, by caller: SocketCaller) throws(Errno) {
    throw .invalidArgument
  }
  /// A pair has no names to be reached by.
  package override func listen(backlog: Int32) throws(Errno) {
    throw type.isConnectionOriented ? .invalidArgument : .notSupportedOnSocket
  }
  package override func accept(flags: OpenFlags) throws(Errno) -> Socket {
    throw type.isConnectionOriented ? .invalidArgument : .notSupportedOnSocket
  }
  package override func connect(to address: SocketAddress, by caller: SocketCaller) throws(Errno) {
    throw .socketIsConnected
  }
  package override func localAddress() throws(Errno) -> SocketAddress { .unix(.unnamed) }
  package override func peerAddress() throws(Errno) -> SocketAddress { .unix(.unnamed) }

  package override func shutDown(_ how: ShutdownHow) throws(Errno) {
    if how.endsReading { isReadShut = true }
    if how.endsWriting {
      isWriteShut = true
      peer?.isPeerDone = true
    }
    queue.wake()
    peer?.queue.wake()
  }

  // MARK: Messages

  package override func receive(into buffer: inout IOBuffer, _ flags: MessageFlags) throws(Errno) -> ReceivedMessage {
    guard !flags.contains(.outOfBand) else { throw .notSupportedOnSocket }
    guard !messages.isEmpty else {
      if isReset {
        isReset = false
        throw .connectionReset
      }
      if isAtEnd { return ReceivedMessage() }
      throw .wouldBlock
    }
    let length = messages.available
    let peeks = flags.contains(.peek)
    guard var received = peeks ? messages.peek(into: &buffer) : messages.take(into: &buffer) else { throw .wouldBlock }
    if !peeks {
      passed.dequeue(received.files.count)
      if let peer, !peer.queue.isEmpty { peer.queue.wakeOne(.writable) }
    }
    if type.keepsBorders, flags.contains(.truncated) { received.count = length }
    if !passesCredentials { received.credentials = nil }
    return received
  }

  /// - Throws: `EPIPE`, `EAGAIN`, `EMSGSIZE`, `ETOOMANYREFS`.
  package override func send(_ buffer: inout IOBuffer, _ message: OutgoingMessage) throws(Errno) -> Int {
    guard !message.flags.contains(.outOfBand) else { throw .notSupportedOnSocket }
    // Linux ignores where a packet should go, but not where bytes should.
    guard message.destination == nil || type == .sequencedPacket else { throw .socketIsConnected }
    for entry in message.control { if case .other(.socket, _, _) = entry { throw .invalidArgument } }
    guard !isWriteShut else { throw .brokenPipe }
    guard let peer, !peer.isReadShut else { throw type == .datagram ? .connectionRefused : .brokenPipe }
    if type == .stream, buffer.remaining == 0 { return 0 }
    guard message.files.isEmpty || passed.hasRoom(for: message.files.count) else { throw .tooManyReferences }
    let room = try peer.messages.room(for: buffer.remaining)
    let nested = message.files.reduce(0) { max($0, ($1 as? Socket).map { $0.nesting + 1 } ?? 0) }
    guard nested <= PairSocket.maximumNesting else { throw .tooManyReferences }
    peer.nesting = max(peer.nesting, nested)
    let bytes = buffer.read(room)
    passed.queue(message.files)
    peer.messages.append(QueuedMessage(bytes: bytes, files: message.files, sender: message.sender))
    if !peer.queue.isEmpty { peer.queue.wakeOne(.readable) }
    return bytes.count
  }

  // MARK: Options

  package override func option(_ option: SocketOption) throws(Errno) -> SocketOptionValue {
    switch option {
    case .passCredentials: SocketOptionValue(passesCredentials)
    default: try super.option(option)
    }
  }

  package override func setOption(_ option: SocketOption, to value: SocketOptionValue) throws(Errno) {
    switch option {
    case .passCredentials: passesCredentials = try value.integer() != 0
    default: try super.setOption(option, to: value)
    }
  }

  /// Both ends were made by the same process.
  package override var peerCredentials: SocketCredentials? { owner }

  // MARK: The open file

  package override func readiness() -> PollEvents {
    var events: PollEvents = []
    if !messages.isEmpty || isAtEnd { events.formUnion(.readable) }
    if isAtEnd { events.insert(.readHangUp) }
    if type.isConnectionOriented, isAtEnd, isWriteShut || peer == nil { events.insert(.hangUp) }
    if isReset { events.insert(.error) }
    if peer?.messages.isWritable ?? true { events.formUnion(.writable) }
    return events
  }

  package override func bytesToReceive() throws(Errno) -> Int { messages.available }
  package override func bytesSent() throws(Errno) -> Int { peer?.messages.byteCount ?? 0 }

  package override func close() {
    let hadUnread = !messages.isEmpty
    unreceived = messages.removeAll()
    passed.dequeue(unreceived.count)
    if let peer {
      peer.isPeerDone = true
      peer.isReset = hadUnread && type.isConnectionOriented
      peer.peer = nil
      peer.queue.wake()
    }
    peer = nil
  }

  package override func takeUnreceivedFiles() -> [OpenFile] {
    defer { unreceived = [] }
    return unreceived
  }
}
