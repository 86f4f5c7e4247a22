import FileSystem
import LinuxABI
import Memory

/// An open socket of any family and type (socket(7)).
///
/// Subclasses override what their kind can do; the rest answers as Linux's `sock_no_*` do. As with every open file no
/// operation blocks: it throws `.wouldBlock`, `waitQueue` is woken when `readiness` has changed, and the system call
/// runs the operation again. A socket that waits for another one's room or connections is woken by that one through
/// its own queue.
package class Socket: OpenFile {
  package final let family: AddressFamily
  package final let type: SocketType
  /// The protocol within the family; 0 for the usual one of the type.
  package final let protocolNumber: Int32
  /// Who made it.
  package final let owner: SocketCredentials
  /// An error that no call has reported yet: the next one does, or `SO_ERROR`.
  package final var pendingError: Errno?
  /// The options of level `SOL_SOCKET`.
  package final var settings = SocketSettings()
  /// `SO_PASSCRED`.
  final var passesCredentials = false
  /// What fchmod(2) and fchown(2) changed.
  private final var mode: UInt32 = 0o777
  private final var ownerIDs: (uid: UInt32, gid: UInt32)

  /// What sends signals about it (`O_ASYNC`).
  package final var signalRegistration: WaitQueue.Registration?
  final let queue = WaitQueue()
  /// Its inode number.
  package final let number = AnonymousInode.next()

  /// A new socket; of `flags` only `O_NONBLOCK` counts.
  init(
    _ family: AddressFamily, _ type: SocketType, protocolNumber: Int32 = 0, flags: OpenFlags, owner: SocketCredentials
  ) {
    self.family = family
    self.type = type
    self.protocolNumber = protocolNumber
    self.owner = owner
    ownerIDs = (owner.uid, owner.gid)
    super.init(flags: flags.intersection(.nonBlocking).union(.readWrite), location: nil)
  }

  // MARK: Names and connections

  /// Gives the socket a name (bind(2)).
  package func bind(to address: SocketAddress, by caller: SocketCaller) throws(Errno) { throw .notSupportedOnSocket }

  /// Takes connections from now on, of which up to `backlog`, as `NetworkSettings` allows it, wait to be accepted
  /// (listen(2)).
  package func listen(backlog: Int32) throws(Errno) { throw .notSupportedOnSocket }

  /// Takes a connection that waits (accept(2)); `flags`: `O_NONBLOCK` for the new socket.
  /// - Throws: `.wouldBlock` where none waits: the queue reports `.readable` when one does.
  package func accept(flags: OpenFlags) throws(Errno) -> Socket { throw .notSupportedOnSocket }

  /// Connects to a peer (connect(2)), or with an unspecified address dissolves the connection.
  /// - Throws: `EINPROGRESS` where the attempt has begun, `EALREADY` where it goes on, and `.wouldBlock` where it could
  ///   not begin: the queue reports `.writable` when it is time to call again. The first call after an attempt has
  ///   succeeded returns, later ones throw `EISCONN`.
  package func connect(to address: SocketAddress, by caller: SocketCaller) throws(Errno) { throw .notSupportedOnSocket }

  /// Ends one direction or both (shutdown(2)).
  package func shutDown(_ how: ShutdownHow) throws(Errno) { throw .notSupportedOnSocket }

  /// Its own name (getsockname(2)).
  package func localAddress() throws(Errno) -> SocketAddress { throw .notSupportedOnSocket }

  /// The name of its peer (getpeername(2)). - Throws: `ENOTCONN`.
  package func peerAddress() throws(Errno) -> SocketAddress { throw .notSupportedOnSocket }

  // MARK: Messages

  /// Sends bytes and what comes with them (sendmsg(2)): a message as a whole, of a stream as much as there is room for.
  /// - Throws: `.wouldBlock` where there is no room: the queue reports `.writable` when there is.
  package func send(_ buffer: inout IOBuffer, _ message: OutgoingMessage) throws(Errno) -> Int {
    throw .notSupportedOnSocket
  }

  /// Takes bytes and what came with them (recvmsg(2)). Of `flags`, `MSG_PEEK`, `MSG_OOB`, `MSG_TRUNC` and
  /// `MSG_ERRQUEUE` are the socket's; whether and for how much to wait is the caller's.
  /// - Throws: `.wouldBlock` where nothing has come and something may: the queue reports `.readable` when it has.
  package func receive(into buffer: inout IOBuffer, _ flags: MessageFlags) throws(Errno) -> ReceivedMessage {
    throw .notSupportedOnSocket
  }

  package final override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard offset == nil else { throw .illegalSeek }
    // read(2), unlike recv(2), does not wait for nothing.
    guard buffer.remaining > 0 else { return 0 }
    let received = try receive(into: &buffer, [])
    PassedFiles.drop(received.files)
    return received.count
  }

  package final override func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard offset == nil else { throw .illegalSeek }
    return try send(&buffer, OutgoingMessage(sender: callerCredentials))
  }

  /// Who writes to it now.
  package var callerCredentials: SocketCredentials { owner }

  /// Only a stream's bytes can go in parts.
  package final override var writesFully: Bool { type == .stream }
  package final override var raisesPipeSignal: Bool { type == .stream }
  package final override func waitLimit(for events: PollEvents) -> Nanoseconds? {
    events.contains(.output) ? settings.sendTimeout : settings.receiveTimeout
  }

  // MARK: Options

  /// The value of an option (getsockopt(2)). - Throws: `ENOPROTOOPT`, `EOPNOTSUPP` for a level of other families.
  package func option(_ option: SocketOption) throws(Errno) -> SocketOptionValue {
    guard option.level == .socket else { throw .notSupportedOnSocket }
    return try sharedOption(option)
  }

  /// Sets an option (setsockopt(2)); what its caller may do was checked.
  /// - Throws: as `option(_:)`, and `EINVAL` for a value that is too short.
  package func setOption(_ option: SocketOption, to value: SocketOptionValue) throws(Errno) {
    guard option.level == .socket else { throw .notSupportedOnSocket }
    try setSharedOption(option, to: value)
  }

  // What the shared options ask of each kind

  /// It takes connections (`SO_ACCEPTCONN`).
  package var isListening: Bool { false }
  /// Who its peer is, where it has one that the kernel vouches for (`SO_PEERCRED`).
  package var peerCredentials: SocketCredentials? { nil }
  /// It has `SO_PEEK_OFF`.
  package var supportsPeekOffset: Bool { false }
  /// `SO_BINDTODEVICE` may name this interface.
  package func hasInterface(_ name: String) -> Bool { name == "lo" }
  /// `SO_SNDBUF` or `SO_RCVBUF` was set.
  package func buffersChanged() {}
  /// `SO_COOKIE`: no other socket of the sandbox has the same.
  package final var cookie: UInt64 { number }

  /// The error that waits to be reported, which then no longer does.
  package final func takePendingError() -> Errno? {
    defer { pendingError = nil }
    return pendingError
  }

  // MARK: The open file

  package final override var waitQueue: WaitQueue? { queue }
  package final override var description: String { "socket:[\(number)]" }
  package override func attributes() throws(Errno) -> Stat {
    var stat = Stat()
    stat.device = DeviceNumber.sockets
    stat.inode = number
    stat.mode = FileMode(.socket, permissions: mode)
    stat.uid = ownerIDs.uid
    stat.gid = ownerIDs.gid
    return stat
  }
  package final override func setAttributes(_ change: AttributeChange) throws(Errno) {
    if let permissions = change.permissions { mode = permissions }
    if let uid = change.uid { ownerIDs.uid = uid }
    if let gid = change.gid { ownerIDs.gid = gid }
  }
  /// The permissions that a file gets which bind(2) makes for it, but for the umask.
  final var permissions: UInt32 { mode }

  /// Bytes that wait to be received (`SIOCINQ`). - Throws: `EINVAL` where it takes connections.
  package func bytesToReceive() throws(Errno) -> Int { throw .inappropriateIOCTLForDevice }
  /// Bytes that were sent and nobody has taken (`SIOCOUTQ`).
  package func bytesSent() throws(Errno) -> Int { throw .inappropriateIOCTLForDevice }
  /// What is read next is urgent (`SIOCATMARK`).
  package func isAtMark() throws(Errno) -> Bool { throw .notSupportedOnSocket }

  package override func control(_ request: UInt32, argument: UInt64, memory: AddressSpace) throws(Errno) -> Int {
    let address = GuestAddress(argument)
    switch request {
    case Ioctl.readable: try memory.writeValue(address, Int32(clamping: try bytesToReceive()))
    case Ioctl.outputQueue: try memory.writeValue(address, Int32(clamping: try bytesSent()))
    case Ioctl.atMark: try memory.writeValue(address, try isAtMark() ? Int32(1) : 0)
    case Ioctl.getOwner, Ioctl.getOwnerGroup: try memory.writeValue(address, signalOwner.number)
    case Ioctl.setOwner, Ioctl.setOwnerGroup:
      guard let owner = DescriptorOwner(number: try memory.readValue(address, as: Int32.self)) else {
        throw .invalidArgument
      }
      signalOwner = owner
    default: throw .inappropriateIOCTLForDevice
    }
    return 0
  }
  package override func readiness() -> PollEvents { [] }
}
