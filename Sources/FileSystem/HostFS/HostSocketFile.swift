import Host
import LinuxABI

/// Sockets of the host that lie in a volume.
extension HostInode {
  /// Guests may connect to sockets of its volume (`connectsSockets`).
  package var mayBeConnectedTo: Bool { fileSystem.connectsSockets }

  /// Connects a UNIX socket of the host to this one (connect(2)): to the very file that was looked up, whatever is at its
  /// name by now.
  /// - Throws: `ECONNREFUSED` where nobody listens or it isn't the same file any more, `EAGAIN`, `EPROTOTYPE`, `EACCES`.
  package func connect(_ socket: FileDescriptor) throws(Errno) {
    guard kind == .socket, let parent else { throw .connectionRefused }
    let directory = try fileSystem.descriptor(of: parent)
    let opened = try Host.open(at: directory, name, [.path, .noFollow])
    defer { Host.close(opened) }
    guard HostFileKey(try Host.status(opened)) == key else { throw .connectionRefused }
    let path = "/proc/self/fd/\(opened.rawValue)"
    try Host.Socket.connect(socket, to: SocketAddress.unix(.path(Array(path.utf8))).bytes)
  }
}
