import FileSystem
import LinuxABI
import Memory
import TestSupport

@testable import Network

extension Socket {
  func receive(_ count: Int, _ flags: MessageFlags = []) throws(Errno) -> (bytes: [UInt8], message: ReceivedMessage) {
    var buffer = IOBuffer(collecting: count)
    let message = try receive(into: &buffer, flags)
    return (buffer.collected, message)
  }

  func send(_ bytes: [UInt8], files: [OpenFile] = [], sender: SocketCredentials? = nil) throws(Errno) -> Int {
    var buffer = IOBuffer(bytes: bytes)
    var message = OutgoingMessage(sender: sender ?? owner)
    message.files = files
    return try send(&buffer, message)
  }
}

let maker = SocketCredentials(process: ProcessID(rawValue: 2), uid: 7, gid: 8)

func makeDomain() -> UnixDomain { UnixDomain(memory: KernelMemory()) }

func makePair(_ type: SocketType, domain: UnixDomain = makeDomain()) throws(Errno) -> (UnixSocket, UnixSocket) {
  try UnixSocket.makePair(type, flags: [], owner: maker, domain: domain)
}

/// Two sockets of which one was connected to the other, whose name is abstract; and the listener.
func makeConnection(
  domain: UnixDomain = makeDomain()
) throws(Errno) -> (client: UnixSocket, server: UnixSocket, listener: UnixSocket) {
  let listener = try UnixSocket(.stream, flags: [], owner: maker, domain: domain)
  let client = try UnixSocket(.stream, flags: [], owner: maker, domain: domain)
  let name = SocketAddress.unix(.abstract([1]))
  let caller = try makeCaller()
  try listener.bind(to: name, by: caller)
  try listener.listen(backlog: 4)
  try client.connect(to: name, by: caller)
  guard let server = try listener.accept(flags: []) as? UnixSocket else { throw .invalidArgument }
  return (client, server, listener)
}

/// Somebody for whom no path is looked up.
func makeCaller() throws(Errno) -> SocketCaller {
  let services = try TestServices()
  return withExtendedLifetime(services) {
    let vfs = VFS(context: FileSystemContext(services: services))
    let paths = PathContext(root: vfs.root, base: vfs.root, credentials: Credentials(uid: 7, gid: 8))
    return SocketCaller(credentials: maker, vfs: vfs, paths: paths)
  }
}
