import FileSystem
import LinuxABI
import Memory
import Network

/// Sockets (socket(7)): their names, connections, options and ends. Messages are in `MessageSyscalls`.
extension Syscalls {
  static let socketTable: [SyscallEntry] = [
    .init(.socket, socket, .partial("AF_UNIX, AF_INET and AF_INET6; of raw sockets only ICMP")),
    .init(.socketpair, socketpair),
    .init(.shutdown, shutdown),
    .init(.getsockname, getsockname),
    .init(.getpeername, getpeername),
    .init(.getsockopt, getsockopt),
    .init(.setsockopt, setsockopt, .partial("no filters")),
    .init(.bind, bind),
    .init(.listen, listen),
    .init(.accept, accept),
    .init(.accept4, accept4),
    .init(.connect, connect),
  ]

  // MARK: Making sockets

  /// socket(2).
  static func socket(
    _ task: Task, _ family: FamilyNumber, _ type: SocketTypeAndFlags, _ protocolNumber: Int32
  ) throws(Errno) -> Int {
    guard let family = family.value else { throw .addressFamilyNotSupported }
    let flags = try type.flags.openFlags()
    let socket = try task.kernel.network.makeSocket(
      family, type: type.type, protocolNumber: protocolNumber, flags: flags, owner: task.socketCredentials,
      isPrivileged: task.credentials.has(.netRaw))
    return Int(try task.addFile(socket, closeOnExec: flags.contains(.closeOnExec)).rawValue)
  }

  /// socketpair(2).
  static func socketpair(
    _ task: Task, _ family: FamilyNumber, _ type: SocketTypeAndFlags, _ protocolNumber: Int32,
    _ result: OutPointer<DescriptorPair>
  ) throws(Errno) -> Int {
    guard let family = family.value else { throw .addressFamilyNotSupported }
    let flags = try type.flags.openFlags()
    let (first, second) = try task.kernel.network.makePair(
      family, type: type.type, protocolNumber: protocolNumber, flags: flags, owner: task.socketCredentials)
    try task.addPair(first, second, closeOnExec: flags.contains(.closeOnExec), to: result)
    return 0
  }

  // MARK: Names

  /// bind(2).
  static func bind(
    _ task: Task, _ socket: FileDescriptorNumber, _ address: InBuffer, _ size: Int32
  ) throws(Errno) -> Int {
    let socket = try task.socket(socket)
    try socket.bind(to: try task.socketAddress(address.address, size: size), by: task.socketCaller)
    return 0
  }

  /// getsockname(2).
  static func getsockname(
    _ task: Task, _ socket: FileDescriptorNumber, _ address: GuestAddress, _ size: InOutPointer<Int32>
  ) throws(Errno) -> Int {
    try task.store(try task.socket(socket).localAddress(), to: address, size)
    return 0
  }

  /// getpeername(2).
  static func getpeername(
    _ task: Task, _ socket: FileDescriptorNumber, _ address: GuestAddress, _ size: InOutPointer<Int32>
  ) throws(Errno) -> Int {
    try task.store(try task.socket(socket).peerAddress(), to: address, size)
    return 0
  }

  // MARK: Connections

  /// listen(2).
  static func listen(_ task: Task, _ socket: FileDescriptorNumber, _ backlog: Int32) throws(Errno) -> Int {
    try task.socket(socket).listen(backlog: task.kernel.network.settings.backlog(backlog))
    return 0
  }

  /// accept(2).
  static func accept(
    _ task: Task, _ listener: FileDescriptorNumber, _ address: GuestAddress, _ size: InOutPointer<Int32>
  ) throws(Errno) -> CallOutcome<Int> {
    try accept4(task, listener, address, size, [])
  }

  /// accept4(2).
  static func accept4(
    _ task: Task, _ listener: FileDescriptorNumber, _ address: GuestAddress, _ size: InOutPointer<Int32>,
    _ flags: SocketFlags
  ) throws(Errno) -> CallOutcome<Int> {
    let flags = try flags.openFlags()
    let listener = try task.socket(listener)
    guard task.files.hasRoom(below: task.descriptorLimit) else { throw .tooManyOpenFiles }
    let socket: Socket
    switch try task.blocking(listener, .readable, { () throws(Errno) in try listener.accept(flags: flags) }) {
    case .done(let accepted): socket = accepted
    case .suspended(let suspension): return .suspended(suspension)
    }
    // Where there is no room for it, the connection is lost, as it is in Linux.
    let descriptor = try task.addFile(socket, closeOnExec: flags.contains(.closeOnExec))
    guard !address.isNull else { return .done(Int(descriptor.rawValue)) }
    do throws(Errno) {
      try task.store(try? socket.peerAddress(), to: address, size)
    } catch {
      try task.files.close(descriptor)
      throw error
    }
    return .done(Int(descriptor.rawValue))
  }

  /// connect(2).
  static func connect(
    _ task: Task, _ socket: FileDescriptorNumber, _ address: InBuffer, _ size: Int32
  ) throws(Errno) -> CallOutcome<Int> {
    let socket = try task.socket(socket)
    let address = try task.socketAddress(address.address, size: size)
    do throws(Errno) {
      try socket.connect(to: address, by: task.socketCaller)
    } catch {
      let mayGoOn = error == .nowInProgress || error == .alreadyInProcess
      guard mayGoOn || error == .wouldBlock, !socket.flags.contains(.nonBlocking) else { throw error }
      do throws(Errno) {
        return .suspended(try task.wait(for: socket, .writable))
      } catch {
        // The time that `SO_SNDTIMEO` gives is over.
        throw mayGoOn ? .nowInProgress : error
      }
    }
    return .done(0)
  }

  /// shutdown(2).
  static func shutdown(
    _ task: Task, _ socket: FileDescriptorNumber, _ how: Constant<ShutdownHow>
  ) throws(Errno) -> Int {
    let socket = try task.socket(socket)
    guard let how = how.value else { throw .invalidArgument }
    try socket.shutDown(how)
    return 0
  }

  // MARK: Options

  /// getsockopt(2).
  static func getsockopt(
    _ task: Task, _ socket: FileDescriptorNumber, _ level: SocketLevel, _ option: SocketOptionNumber,
    _ result: GuestAddress, _ size: InOutPointer<Int32>
  ) throws(Errno) -> Int {
    let socket = try task.socket(socket)
    let room = try task.load(size)
    guard room >= 0 else { throw .invalidArgument }
    let value = try self.option(task, socket, SocketOption(level, option.value), room: Int(room))
    let shown = value.bytes.prefix(Int(room))
    try task.memory.write(result, Array(shown))
    try task.store(Int32(shown.count), to: size)
    return 0
  }

  /// The value of an option. Options about processes are answered here, all others by the socket.
  private static func option(
    _ task: Task, _ socket: Socket, _ option: SocketOption, room: Int
  ) throws(Errno) -> SocketOptionValue {
    switch option {
    case .peerPidfd:
      guard let peer = socket.peerCredentials else { throw .noData }
      return SocketOptionValue(try task.addProcessDescriptor(peer.process).rawValue)
    case .peerGroups:
      guard let peer = socket.peerCredentials else { throw .noData }
      let groups = task.kernel.groups[peer.process]?.tasks.first?.credentials.groups ?? []
      guard groups.count * 4 <= room else { throw .outOfRange }
      return SocketOptionValue(bytes: groups.flatMap(\.littleEndianBytes))
    case .peerName:
      let name = try socket.option(option)
      guard name.bytes.count >= room else { throw .invalidArgument }
      return name
    case .cookie where room < 8, .networkCookie where room != 8: throw .invalidArgument
    default: return try socket.option(option)
    }
  }

  /// Most bytes that the value of an option may have.
  private static let maximumOptionSize = 4096

  /// setsockopt(2).
  static func setsockopt(
    _ task: Task, _ socket: FileDescriptorNumber, _ level: SocketLevel, _ option: SocketOptionNumber,
    _ value: InBuffer, _ size: Int32
  ) throws(Errno) -> Int {
    let socket = try task.socket(socket)
    guard size >= 0 else { throw .invalidArgument }
    let count = min(Int(size), maximumOptionSize)
    let bytes = try task.memory.readArray(value.address, count: count, as: UInt8.self)
    try socket.setOption(
      SocketOption(level, option.value), to: SocketOptionValue(bytes: bytes), by: task.credentials)
    return 0
  }
}

// MARK: Arguments

/// The family of socket(2), an `int` there.
struct FamilyNumber: SyscallArgument {
  private let rawValue: Int32
  init(register: UInt64) { rawValue = Int32(register: register) }
  /// Nil for a number that no family can have.
  var value: AddressFamily? { UInt16(exactly: rawValue).map { AddressFamily(rawValue: $0) } }
  func describe(in call: CallFormatter) -> String? { ConstantName.one(rawValue.zeroExtended, AddressFamily.names) }
}

/// The type of socket(2), and flags beside it.
struct SocketTypeAndFlags: SyscallArgument {
  /// A `SocketType`, or any other number.
  let type: Int32
  let flags: SocketFlags

  init(register: UInt64) {
    let value = UInt32(register: register)
    type = Int32(bitPattern: value & SocketType.mask)
    flags = SocketFlags(rawValue: value & ~SocketType.mask)
  }

  func describe(in call: CallFormatter) -> String? {
    let name = ConstantName.one(type.zeroExtended, SocketType.names)
    return flags.isEmpty ? name : name + "|" + ConstantName.join(flags.rawValue.zeroExtended, SocketFlags.names)
  }
}

/// The number of an option, to which the level before it gives a meaning.
struct SocketOptionNumber: SyscallArgument {
  let value: Int32
  init(register: UInt64) { value = Int32(register: register) }
  func describe(in call: CallFormatter) -> String? {
    let name = call.argument(SocketLevel.self).flatMap { SocketOption($0, value).name }
    return name.map { "\($0)" } ?? "\(value)"
  }
}

/// Sockets as their system calls use them.
extension Task {
  /// The socket behind a descriptor. - Throws: `EBADF`, `ENOTSOCK`.
  func socket(_ descriptor: FileDescriptorNumber) throws(Errno) -> Socket {
    guard let socket = try openFile(descriptor) as? Socket else { throw .notSocket }
    return socket
  }

  /// What `SO_PEERCRED` says of this task.
  var socketCredentials: SocketCredentials { .init(process: group.id, uid: credentials.euid, gid: credentials.egid) }

  /// What `SCM_CREDENTIALS` says of this task, unless it says something else.
  var senderCredentials: SocketCredentials { .init(process: group.id, uid: credentials.uid, gid: credentials.gid) }

  /// Makes a descriptor of a process (`SO_PEERPIDFD`, `SCM_PIDFD`). - Throws: `ESRCH` where it is gone, `EMFILE`.
  func addProcessDescriptor(_ process: ProcessID) throws(Errno) -> FileDescriptorNumber {
    guard let group = kernel.groups[process] else { throw .noSuchProcess }
    return try addFile(ProcessFile(process: group, flags: []), closeOnExec: true)
  }

  /// Whom sockets look names up for.
  var socketCaller: SocketCaller { SocketCaller(credentials: socketCredentials, vfs: kernel.vfs, paths: paths) }

  /// Reads a socket address. - Throws: `EINVAL` for a size that no address has.
  func socketAddress(_ address: GuestAddress, size: Int32) throws(Errno) -> SocketAddress {
    guard size >= 0, size <= SocketAddress.maximumSize else { throw .invalidArgument }
    return try SocketAddress(try memory.readArray(address, count: Int(size), as: UInt8.self))
  }

  /// Writes as much of a socket address as the program has room for, and its full size where the program said how much
  /// that is (`move_addr_to_user` of Linux). Where nobody has a name, the size is 0.
  func store(
    _ socketAddress: SocketAddress?, to address: GuestAddress, _ size: InOutPointer<Int32>
  ) throws(Errno) {
    let room = try load(size)
    guard room >= 0 else { throw .invalidArgument }
    let bytes = socketAddress?.bytes ?? []
    try memory.write(address, Array(bytes.prefix(Int(room))))
    try store(Int32(bytes.count), to: size)
  }
}
