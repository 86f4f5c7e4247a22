import DequeModule
import LinuxABI
import Memory

/// One end of a pair of connected UNIX domain sockets (socketpair(2), unix(7)).
package final class PairSocket: OpenFile {
  /// `SOCK_*` of socket(2).
  package enum Kind: Int32, Sendable {
    case stream = 1
    case datagram = 2
    case sequencedPacket = 5
    /// Messages keep their borders.
    package var keepsBorders: Bool { self != .stream }
  }

  /// What was sent with one call.
  private struct Message {
    var bytes: [UInt8]
    /// Bytes of it that were read.
    var taken = 0
    /// Descriptions sent along (`SCM_RIGHTS`); each counts as open until it is received.
    var files: [OpenFile]
    var sender: SocketCredentials
  }

  /// What one receive gives beside the bytes.
  package struct Received {
    package var count = 0
    /// Bytes of the message that did not fit and are lost.
    package var isTruncated = false
    package var files: [OpenFile] = []
    package var sender: SocketCredentials?
    /// The full length of the message.
    package var fullCount = 0
    package init() {}
  }

  package let kind: Kind
  /// Who made the pair (`SO_PEERCRED`).
  package let owner: SocketCredentials
  /// `SO_PASSCRED`.
  package var passesCredentials = false
  private let queue = WaitQueue()
  private let number = AnonymousInode.next()
  private let passed: PassedFiles
  private weak var peer: PairSocket?
  private var messages = Deque<Message>()
  private var queuedBytes = 0
  private var isReadShut = false
  private var isWriteShut = false
  /// The peer will send nothing any more.
  private var isPeerDone = false
  /// The peer was closed with unread bytes.
  private var isReset = false
  /// Sockets wait in messages of sockets that wait in messages of this one: how often, at most, there ever was.
  private var nesting = 0
  /// As in Linux, so that closing one does not close too many in turn.
  private static let maximumNesting = 4

  /// Bytes that wait to be received at most (`net.core.wmem_default`).
  package static let capacity = 212_992

  /// Files of messages that nobody will receive, which whoever closed this socket lets go of.
  private var unreceived: [OpenFile] = []

  private init(_ kind: Kind, flags: OpenFlags, owner: SocketCredentials, passed: PassedFiles) {
    self.kind = kind
    self.owner = owner
    self.passed = passed
    super.init(flags: flags.intersection(.nonBlocking).union(.readWrite), location: nil)
  }

  /// Makes a connected pair. `passed` counts the files that wait in all sockets.
  package static func makePair(
    _ kind: Kind, flags: OpenFlags, owner: SocketCredentials, passed: PassedFiles = PassedFiles()
  ) -> (PairSocket, PairSocket) {
    let first = PairSocket(kind, flags: flags, owner: owner, passed: passed)
    let second = PairSocket(kind, flags: flags, owner: owner, passed: passed)
    first.peer = second
    second.peer = first
    return (first, second)
  }

  package override var waitQueue: WaitQueue? { queue }
  package override var writesFully: Bool { kind == .stream }
  package override var description: String { "socket:[\(number)]" }
  package override func attributes() throws(Errno) -> Stat {
    var stat = Stat()
    stat.device = DeviceNumber.sockets
    stat.inode = number
    stat.mode = FileMode(.socket, permissions: 0o777).rawValue
    stat.uid = owner.uid
    stat.gid = owner.gid
    return stat
  }

  /// Bytes that a receive would give now.
  private var available: Int {
    guard kind.keepsBorders else { return queuedBytes }
    return messages.first?.bytes.count ?? 0
  }

  // MARK: Receiving

  package override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard offset == nil else { throw .illegalSeek }
    let received = try receive(into: &buffer)
    PairSocket.drop(received.files)
    return received.count
  }

  /// Takes bytes and what came with them (recvmsg(2)). The files are the caller's to install or to drop.
  /// - Throws: `EAGAIN` where nothing is there and the peer may still send.
  package func receive(into buffer: inout IOBuffer, peeks: Bool = false) throws(Errno) -> Received {
    var received = Received()
    guard var message = messages.first else {
      if isReset {
        isReset = false
        throw .connectionReset
      }
      if isReadShut || isPeerDone && kind != .datagram { return received }
      throw .wouldBlock
    }
    received.sender = message.sender
    received.files = peeks ? [] : message.files
    received.fullCount = message.bytes.count - message.taken
    if peeks {
      received.count = buffer.write(message.bytes[message.taken...])
      received.isTruncated = kind.keepsBorders && received.count < received.fullCount
      return received
    }
    passed.count -= message.files.count
    while true {
      let part = buffer.write(message.bytes[message.taken...])
      received.count += part
      message.taken += part
      message.files = []
      if kind.keepsBorders || message.taken == message.bytes.count {
        received.isTruncated = message.taken < message.bytes.count
        queuedBytes -= kind.keepsBorders ? message.bytes.count : part
        messages.removeFirst()
      } else {
        queuedBytes -= part
        messages[0] = message
      }
      // A stream goes on, but not past a message that carries files or that somebody else sent.
      guard kind == .stream, buffer.remaining > 0, let next = messages.first, next.files.isEmpty,
        received.files.isEmpty, next.sender == message.sender
      else { break }
      message = next
    }
    if let peer, !peer.queue.isEmpty { peer.queue.wakeOne(.writable) }
    return received
  }

  // MARK: Sending

  package override func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard offset == nil else { throw .illegalSeek }
    return try send(&buffer, files: [], sender: owner)
  }

  /// Sends bytes, with files (sendmsg(2)). - Throws: `EPIPE`, `EAGAIN`, `EMSGSIZE`, `ETOOMANYREFS`.
  package func send(
    _ buffer: inout IOBuffer, files: [OpenFile], sender: SocketCredentials
  ) throws(Errno) -> Int {
    guard !isWriteShut else { throw .brokenPipe }
    guard let peer, !peer.isReadShut else { throw kind == .datagram ? .connectionRefused : .brokenPipe }
    if kind == .stream, buffer.remaining == 0 { return 0 }
    guard files.isEmpty || passed.count + files.count <= PassedFiles.limit else { throw .tooManyReferences }
    let room = PairSocket.capacity - peer.queuedBytes
    if kind.keepsBorders {
      guard buffer.remaining <= PairSocket.capacity else { throw .messageTooLong }
      guard peer.messages.isEmpty || buffer.remaining <= room, peer.messages.count < 1024 else { throw .wouldBlock }
    } else {
      guard room > 0 else { throw .wouldBlock }
    }
    let nested = files.reduce(0) { max($0, ($1 as? PairSocket).map { $0.nesting + 1 } ?? 0) }
    guard nested <= PairSocket.maximumNesting else { throw .tooManyReferences }
    peer.nesting = max(peer.nesting, nested)
    let bytes = buffer.read(min(buffer.remaining, kind.keepsBorders ? buffer.remaining : room))
    for file in files { file.retainDescriptor() }
    passed.count += files.count
    peer.messages.append(Message(bytes: bytes, files: files, sender: sender))
    peer.queuedBytes += bytes.count
    if !peer.queue.isEmpty { peer.queue.wakeOne(.readable) }
    return bytes.count
  }

  /// Gives up files that were sent and that nobody installed.
  package static func drop(_ files: [OpenFile]) {
    for file in files { FileTable.letGo(file) }
  }

  // MARK: State

  package override func readiness() -> PollEvents {
    var events: PollEvents = []
    if !messages.isEmpty || isReadShut || isPeerDone && kind != .datagram { events.formUnion(.readable) }
    if isReadShut || isPeerDone && kind != .datagram { events.insert(.readHangUp) }
    if kind != .datagram, isPeerDone || isReadShut, isWriteShut || peer == nil { events.insert(.hangUp) }
    if isReset { events.insert(.error) }
    if peer.map({ $0.queuedBytes * 4 <= PairSocket.capacity }) ?? true { events.formUnion(.writable) }
    return events
  }

  /// shutdown(2).
  package func shutDown(reading: Bool, writing: Bool) {
    if reading { isReadShut = true }
    if writing {
      isWriteShut = true
      peer?.isPeerDone = true
    }
    queue.wake()
    peer?.queue.wake()
  }

  package override func control(_ request: UInt32, argument: UInt64, memory: AddressSpace) throws(Errno) -> Int {
    switch request {
    case Ioctl.readable: try memory.writeValue(argument, Int32(clamping: available))
    case Ioctl.outputQueue: try memory.writeValue(argument, Int32(clamping: peer?.queuedBytes ?? 0))
    default: throw .inappropriateIOCTLForDevice
    }
    return 0
  }

  package override func close() {
    let left = messages
    messages = []
    queuedBytes = 0
    if let peer {
      peer.isPeerDone = true
      peer.isReset = !left.isEmpty && kind != .datagram
      peer.peer = nil
      peer.queue.wake()
    }
    peer = nil
    unreceived = left.flatMap(\.files)
    passed.count -= unreceived.count
  }

  package override func takeUnreceivedFiles() -> [OpenFile] {
    defer { unreceived = [] }
    return unreceived
  }
}

/// Counts the files that were sent and not received yet.
///
/// Sockets that wait in each other's queues are never closed: Linux looks for them and frees them, here the limit
/// bounds what they can hold.
package final class PassedFiles {
  fileprivate(set) var count = 0
  /// As Linux's for a process with the usual `RLIMIT_NOFILE` (unix(7), `ETOOMANYREFS`).
  static let limit = 1024
  package init() {}
}
