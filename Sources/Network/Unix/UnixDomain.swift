import FileSystem
import LinuxABI
import Memory

/// What the UNIX sockets of one sandbox share: the abstract names, and the files in their messages.
final class UnixDomain {
  /// Counts what the sockets and their queues keep.
  let memory: KernelMemory
  let inFlight = FilesInFlight()
  /// All sockets, by inode number.
  private(set) var sockets: [UInt64: UnixSocket] = [:]
  private var names: [Name: UnixSocket] = [:]
  private var lastAutomaticName: UInt32 = 0
  /// Who makes the system call that is served, by its real and by its effective ids, and what time it is; nil outside of
  /// a kernel.
  var sender: (() -> SocketCredentials?)?
  var caller: (() -> SocketCredentials?)?
  var now: (() -> Nanoseconds)?
  /// Tells a file's owner that urgent data has come (SIGURG).
  var signalUrgent: ((Socket) -> Void)?

  /// Connects with sockets of the host that lie in volumes; nil where no volume allows that.
  var connector: HostSocketConnector?
  /// Tells the user why something was refused.
  var report: ((String) -> Void)?
  private var reported: Set<String> = []
  private static let maximumReports = 64

  init(memory: KernelMemory) { self.memory = memory }

  /// A socket of the host lies in a volume that does not allow to connect to it.
  func noteRefusedHostSocket(_ path: String) {
    guard reported.count < UnixDomain.maximumReports, reported.insert(path).inserted else { return }
    report?("socket \(path.debugDescription) of the host refused: its volume is not given with :sockets")
  }

  /// A name of the abstract namespace. As in Linux, each type of socket has names of its own.
  private struct Name: Hashable {
    let type: SocketType
    let bytes: [UInt8]
  }

  /// Closes what is left at the end of the sandbox.
  func closeAll() {
    for socket in sockets.values {
      socket.close()
      PassedFiles.drop(socket.takeUnreceivedFiles())
    }
  }

  func add(_ socket: UnixSocket) { sockets[socket.number] = socket }
  func remove(_ socket: UnixSocket) { sockets[socket.number] = nil }

  // MARK: Names

  /// The socket that has an abstract name.
  func socket(named name: [UInt8], type: SocketType) -> UnixSocket? { names[Name(type: type, bytes: name)] }

  /// Gives a socket an abstract name. - Throws: `EADDRINUSE`.
  func setName(_ name: [UInt8], of socket: UnixSocket) throws(Errno) {
    let key = Name(type: socket.type, bytes: name)
    guard names[key] == nil else { throw .addressInUse }
    names[key] = socket
  }

  func removeName(_ name: [UInt8], of socket: UnixSocket) {
    let key = Name(type: socket.type, bytes: name)
    if names[key] === socket { names[key] = nil }
  }

  /// Gives a socket an abstract name of five digits that is free. - Throws: `ENOSPC`.
  func nameAutomatically(_ socket: UnixSocket) throws(Errno) -> [UInt8] {
    for _ in 0..<0x10_0000 {
      lastAutomaticName = (lastAutomaticName + 1) & 0xF_FFFF
      let digits = String(lastAutomaticName, radix: 16)
      let name = Array(String(repeating: "0", count: 5 - digits.utf8.count).utf8) + Array(digits.utf8)
      if (try? setName(name, of: socket)) != nil { return name }
    }
    throw .noSpace
  }
}
