// The target Network: the sockets of a sandbox, as open files.
//
// It uses FileSystem (open files, wait queues, the path walk), Memory and LinuxABI, and knows nothing of tasks and
// system calls. What must hold: nothing blocks (see `Socket`); a socket in this sandbox is joined to another object to
// object; whatever waits in a socket is bounded; files that wait in one are let go of by `FileTable.letGo`, not by
// recursion.

import FileSystem
import LinuxABI
import Memory

/// What the sockets of one sandbox share, and where they are made.
package final class NetworkStack {
  private let passedFiles = PassedFiles()

  /// Counts what sockets and their queues keep.
  let memory: KernelMemory

  package init(memory: KernelMemory) { self.memory = memory }

  /// Makes a socket (socket(2)): no address family is supported yet. - Throws: `EAFNOSUPPORT`.
  package func makeSocket(
    _ family: AddressFamily, type: Int32, protocolNumber: Int32, flags: OpenFlags, owner: SocketCredentials
  ) throws(Errno) -> Socket {
    throw .addressFamilyNotSupported
  }

  /// Makes two sockets that are connected to each other (socketpair(2)).
  /// - Throws: `EAFNOSUPPORT`, `EINVAL`, `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`.
  package func makePair(
    _ family: AddressFamily, type: Int32, protocolNumber: Int32, flags: OpenFlags, owner: SocketCredentials
  ) throws(Errno) -> (Socket, Socket) {
    guard family == .unix else { throw .addressFamilyNotSupported }
    guard (0..<SocketType.end).contains(type) else { throw .invalidArgument }
    let pairType: SocketType
    switch SocketType(rawValue: type) {
    case .stream: pairType = .stream
    case .datagram, .raw: pairType = .datagram
    case .sequencedPacket: pairType = .sequencedPacket
    default: throw .socketTypeNotSupported
    }
    guard protocolNumber == 0 || protocolNumber == Int32(AddressFamily.unix.rawValue) else {
      throw .protocolNotSupported
    }
    return PairSocket.makePair(pairType, flags: flags, owner: owner, passed: passedFiles)
  }
}
