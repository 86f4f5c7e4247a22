import FileSystem
import LinuxABI
import Memory
import Network

/// Sockets (socket(7)): their names, connections, options and ends. Messages are in `MessageSyscalls`.
extension Syscalls {
  static let socketTable: [SyscallEntry] = [
    .init(.socket, socket, [.socketFamily, .int, .int]),
    .init(.socketpair, socketpair, [.socketFamily, .int, .int, .fdPair]),
    .init(.shutdown, shutdown, [.fd, .int]),
    .init(.getsockname, getsockname, [.fd, .pointer, .pointer]),
    .init(.getpeername, getpeername, [.fd, .pointer, .pointer]),
    .init(.getsockopt, getsockopt, [.fd, .int, .int, .pointer, .pointer]),
    .init(.setsockopt, setsockopt, [.fd, .int, .int, .pointer, .uint]),
    .init(.bind, bind, [.fd, .pointer, .uint]),
    .init(.listen, listen, [.fd, .int]),
    .init(.accept, accept, [.fd, .pointer, .pointer]),
    .init(.accept4, accept4, [.fd, .pointer, .pointer, .hex]),
    .init(.connect, connect, [.fd, .pointer, .uint]),
  ]

  // MARK: Making sockets

  /// socket(2).
  static func socket(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let (family, type, flags) = try socketArguments(a)
    let socket = try task.kernel.network.makeSocket(
      family, type: type, protocolNumber: a.int(2), flags: flags, owner: task.socketCredentials)
    return Int(try task.addFile(socket, closeOnExec: flags.contains(.closeOnExec)))
  }

  /// socketpair(2).
  static func socketpair(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let (family, type, flags) = try socketArguments(a)
    let (first, second) = try task.kernel.network.makePair(
      family, type: type, protocolNumber: a.int(2), flags: flags, owner: task.socketCredentials)
    try task.addPair(first, second, closeOnExec: flags.contains(.closeOnExec), to: GuestAddress(a[3]))
    return 0
  }

  private static func socketArguments(
    _ a: SyscallArguments
  ) throws(Errno) -> (family: AddressFamily, type: Int32, flags: OpenFlags) {
    guard let family = UInt16(exactly: a.int(0)) else { throw .addressFamilyNotSupported }
    let flags = try descriptorFlags(a.uint(1) & ~SocketType.mask)
    return (AddressFamily(rawValue: family), Int32(bitPattern: a.uint(1) & SocketType.mask), flags)
  }

  // MARK: Names

  /// bind(2).
  static func bind(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let socket = try task.socket(a.int(0))
    try socket.bind(to: try task.socketAddress(a[1], size: a.int(2)), by: task.socketCaller)
    return 0
  }

  /// getsockname(2).
  static func getsockname(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let socket = try task.socket(a.int(0))
    try task.write(try socket.localAddress(), to: a[1], sizeAt: a[2])
    return 0
  }

  /// getpeername(2).
  static func getpeername(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let socket = try task.socket(a.int(0))
    try task.write(try socket.peerAddress(), to: a[1], sizeAt: a[2])
    return 0
  }

  // MARK: Connections

  /// listen(2).
  static func listen(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.socket(a.int(0)).listen(backlog: a.int(1))
    return 0
  }

  /// accept(2).
  static func accept(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try accept(task, a, flags: [])
  }

  /// accept4(2).
  static func accept4(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try accept(task, a, flags: try descriptorFlags(a.uint(3)))
  }

  private static func accept(_ task: Task, _ a: SyscallArguments, flags: OpenFlags) throws(Errno) -> Int {
    let listener = try task.socket(a.int(0))
    let socket = try task.blocking(listener, .readable) { () throws(Errno) in try listener.accept(flags: flags) }
    let descriptor: Int32
    do throws(Errno) {
      descriptor = try task.addFile(socket, closeOnExec: flags.contains(.closeOnExec))
    } catch {
      // The connection is lost, as it is in Linux.
      socket.close()
      throw error
    }
    guard a[1] != 0 else { return Int(descriptor) }
    do throws(Errno) {
      try task.write(try? socket.peerAddress(), to: a[1], sizeAt: a[2])
    } catch {
      try task.files.close(descriptor)
      throw error
    }
    return Int(descriptor)
  }

  /// connect(2).
  static func connect(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let socket = try task.socket(a.int(0))
    let address = try task.socketAddress(a[1], size: a.int(2))
    do throws(Errno) {
      try socket.connect(to: address, by: task.socketCaller)
    } catch {
      let mayWait = error == .nowInProgress || error == .alreadyInProcess || error == .wouldBlock
      guard mayWait, !socket.flags.contains(.nonBlocking) else { throw error }
      throw task.waitError(socket, .writable)
    }
    return 0
  }

  /// shutdown(2).
  static func shutdown(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let socket = try task.socket(a.int(0))
    guard let how = ShutdownHow(rawValue: a.int(1)) else { throw .invalidArgument }
    try socket.shutDown(how)
    return 0
  }

  // MARK: Options

  /// getsockopt(2).
  static func getsockopt(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let socket = try task.socket(a.int(0))
    let room = try task.memory.readValue(GuestAddress(a[4]), as: Int32.self)
    guard room >= 0 else { throw .invalidArgument }
    let value = try socket.option(SocketOption(SocketLevel(rawValue: a.int(1)), a.int(2)))
    let shown = value.bytes.prefix(Int(room))
    try task.memory.write(GuestAddress(a[3]), Array(shown))
    try task.memory.writeValue(GuestAddress(a[4]), Int32(shown.count))
    return 0
  }

  /// Most bytes that the value of an option may have.
  private static let maximumOptionSize = 4096

  /// setsockopt(2).
  static func setsockopt(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let socket = try task.socket(a.int(0))
    guard a.int(4) >= 0 else { throw .invalidArgument }
    let count = min(Int(a.int(4)), maximumOptionSize)
    let value = SocketOptionValue(bytes: try task.memory.readArray(GuestAddress(a[3]), count: count, as: UInt8.self))
    try socket.setOption(SocketOption(SocketLevel(rawValue: a.int(1)), a.int(2)), to: value)
    return 0
  }
}

/// Sockets as their system calls use them.
extension Task {
  /// The socket behind a descriptor. - Throws: `EBADF`, `ENOTSOCK`.
  func socket(_ descriptor: Int32) throws(Errno) -> Socket {
    guard let socket = try openFile(descriptor) as? Socket else { throw .notSocket }
    return socket
  }

  /// What `SO_PEERCRED` and `SCM_CREDENTIALS` say of this task.
  var socketCredentials: SocketCredentials { .init(process: group.id, uid: credentials.euid, gid: credentials.egid) }

  /// Whom sockets look names up for.
  var socketCaller: SocketCaller { SocketCaller(credentials: socketCredentials, vfs: kernel.vfs, paths: paths) }

  /// Reads a socket address. - Throws: `EINVAL` for a size that no address has.
  func socketAddress(_ address: UInt64, size: Int32) throws(Errno) -> SocketAddress {
    guard size >= 0, size <= SocketAddress.maximumSize else { throw .invalidArgument }
    return try SocketAddress(try memory.readArray(GuestAddress(address), count: Int(size), as: UInt8.self))
  }

  /// Writes as much of a socket address as the program has room for, and its full size where the program said how much
  /// that is (`move_addr_to_user` of Linux). Where nobody has a name, the size is 0.
  func write(_ socketAddress: SocketAddress?, to address: UInt64, sizeAt sizeAddress: UInt64) throws(Errno) {
    let room = try memory.readValue(GuestAddress(sizeAddress), as: Int32.self)
    guard room >= 0 else { throw .invalidArgument }
    let bytes = socketAddress?.bytes ?? []
    try memory.write(GuestAddress(address), Array(bytes.prefix(Int(room))))
    try memory.writeValue(GuestAddress(sizeAddress), Int32(bytes.count))
  }
}
