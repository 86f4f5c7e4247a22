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
  final var pendingError: Errno?
  /// `SO_PASSCRED`.
  final var passesCredentials = false
  /// How deep, at most, sockets ever lay in messages of sockets in messages of this one.
  final var nesting = 0

  final let queue = WaitQueue()
  private let number = AnonymousInode.next()

  /// A new socket; of `flags` only `O_NONBLOCK` counts.
  init(
    _ family: AddressFamily, _ type: SocketType, protocolNumber: Int32 = 0, flags: OpenFlags, owner: SocketCredentials
  ) {
    self.family = family
    self.type = type
    self.protocolNumber = protocolNumber
    self.owner = owner
    super.init(flags: flags.intersection(.nonBlocking).union(.readWrite), location: nil)
  }

  // MARK: Names and connections

  /// Gives the socket a name (bind(2)).
  package func bind(to address: SocketAddress, by caller: SocketCaller) throws(Errno) { throw .notSupportedOnSocket }

  /// Takes connections from now on, of which up to `backlog` wait to be accepted (listen(2)).
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
    let received = try receive(into: &buffer, [])
    PassedFiles.drop(received.files)
    return received.count
  }

  package final override func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard offset == nil else { throw .illegalSeek }
    return try send(&buffer, OutgoingMessage(sender: owner))
  }

  /// Only a stream's bytes can go in parts.
  package final override var writesFully: Bool { type == .stream }

  // MARK: Options

  /// The value of an option (getsockopt(2)). - Throws: `ENOPROTOOPT`, `EOPNOTSUPP` for a level of other families.
  package func option(_ option: SocketOption) throws(Errno) -> SocketOptionValue {
    guard option.level == .socket else { throw .notSupportedOnSocket }
    switch option {
    case .type: return SocketOptionValue(type.rawValue)
    case .error: return SocketOptionValue(takePendingError()?.rawValue ?? 0)
    case .acceptsConnections: return SocketOptionValue(false)
    case .protocolNumber: return SocketOptionValue(protocolNumber)
    case .domain: return SocketOptionValue(Int32(family.rawValue))
    case .passCredentials: return SocketOptionValue(passesCredentials)
    case .peerCredentials: return SocketOptionValue(SocketCredentials.none)
    default: throw .protocolNotAvailable
    }
  }

  /// Sets an option (setsockopt(2)). - Throws: as `option(_:)`, and `EINVAL` for a value that is too short.
  package func setOption(_ option: SocketOption, to value: SocketOptionValue) throws(Errno) {
    guard option.level == .socket else { throw .notSupportedOnSocket }
    let integer = try value.integer()
    switch option {
    case .passCredentials: passesCredentials = integer != 0
    default: throw .protocolNotAvailable
    }
  }

  /// The error that waits to be reported, which then no longer does.
  final func takePendingError() -> Errno? {
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
    stat.mode = FileMode(.socket, permissions: 0o777).rawValue
    stat.uid = owner.uid
    stat.gid = owner.gid
    return stat
  }
  package override func readiness() -> PollEvents { [] }
}
