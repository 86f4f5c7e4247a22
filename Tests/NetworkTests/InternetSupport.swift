import FileSystem
import LinuxABI
import Memory
import TestSupport

@testable import Network

/// The sockets of a sandbox without a kernel, whose clock the test turns.
struct TestNetwork {
  let services: TestServices
  let stack: NetworkStack
  let caller: SocketCaller

  init() throws {
    services = try TestServices()
    stack = NetworkStack(services: services)
    let vfs = VFS(context: FileSystemContext(services: services))
    let paths = PathContext(root: vfs.root, base: vfs.root, credentials: Credentials(uid: 7, gid: 8))
    caller = SocketCaller(credentials: maker, vfs: vfs, paths: paths)
  }

  func tcp(_ family: AddressFamily = .inet, _ flags: OpenFlags = []) -> TCPSocket {
    TCPSocket(family, flags: flags, owner: maker, stack: stack)
  }

  func udp(_ family: AddressFamily = .inet) -> UDPSocket {
    UDPSocket(family, flags: [], owner: maker, stack: stack)
  }

  static func loopback(_ port: UInt16) -> SocketAddress { .inet(InternetAddress(.loopback, port: port)) }

  func bind(_ socket: Socket, _ port: UInt16) throws(Errno) {
    try socket.bind(to: TestNetwork.loopback(port), by: caller)
  }

  func connect(_ socket: Socket, _ port: UInt16) throws(Errno) {
    try socket.connect(to: TestNetwork.loopback(port), by: caller)
  }

  func listener(_ port: UInt16, backlog: Int32 = 8) throws(Errno) -> TCPSocket {
    let socket = tcp()
    try bind(socket, port)
    try socket.listen(backlog: backlog)
    return socket
  }

  /// Two ends of a connection: who connected, and who was accepted.
  func pair(_ port: UInt16 = 8080) throws(Errno) -> (TCPSocket, TCPSocket) {
    let listener = try listener(port)
    let client = tcp()
    try connect(client, port)
    let server = try listener.takeConnection(flags: [])
    listener.close()
    return (client, server)
  }
}
