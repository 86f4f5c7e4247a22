import FileSystem
import LinuxABI

/// Files on their way in a message (unix(7), `SCM_RIGHTS`). Each counts as open until it is let go of.
package struct PassedFiles {
  var files: [OpenFile] = []
  /// Whose they are in the counts of `FilesInFlight`.
  var user: UInt32 = 0

  var isEmpty: Bool { files.isEmpty }

  /// Gives up what files that were received counted for, after those that were wanted got descriptors.
  package static func drop(_ files: [OpenFile]) { for file in files { FileTable.letGo(file) } }
}

/// All files in messages of a sandbox.
final class FilesInFlight {
  private(set) var count = 0
  private var counts: [UInt32: Int] = [:]
  /// The sockets among them: Linux looks for those that nobody can reach any more, and so does `UnixGarbage`.
  private(set) var sockets: [ObjectIdentifier: UnixSocket] = [:]
  /// A socket may lie in a message of a socket that lies in a message.
  var mayBeCyclic = false
  /// How often one has lost its last reference but messages, since unreachable ones were looked for.
  var losses = 0

  /// As many as Apus keeps, whoever sends them.
  static let limit = 1 << 16

  /// Whether more may be sent. - Throws: `ETOOMANYREFS`.
  func checkRoom(for message: OutgoingMessage) throws(Errno) {
    guard !message.files.isEmpty else { return }
    guard count + message.files.count <= FilesInFlight.limit else { throw .tooManyReferences }
    if let limit = message.fileLimit, UInt64(counts[message.user] ?? 0) > limit { throw .tooManyReferences }
  }

  /// Files go into a message to a socket.
  func add(_ files: [OpenFile], of user: UInt32, to receiver: UnixSocket) -> PassedFiles {
    guard !files.isEmpty else { return PassedFiles() }
    for file in files {
      file.retainDescriptor()
      guard let socket = file as? UnixSocket else { continue }
      socket.timesInFlight += 1
      sockets[ObjectIdentifier(socket)] = socket
      receiver.socketsInMessages += 1
      if socket.socketsInMessages > 0 { mayBeCyclic = true }
    }
    if receiver.socketsInMessages > 0, receiver.mayBeInFlight { mayBeCyclic = true }
    count += files.count
    counts[user, default: 0] += files.count
    return PassedFiles(files: files, user: user)
  }

  /// Files have left a message; they count as open until they are dropped.
  func remove(_ passed: PassedFiles, from receiver: UnixSocket) {
    guard !passed.isEmpty else { return }
    for file in passed.files {
      guard let socket = file as? UnixSocket else { continue }
      socket.timesInFlight -= 1
      receiver.socketsInMessages -= 1
      if socket.timesInFlight == 0 { sockets[ObjectIdentifier(socket)] = nil }
    }
    count -= passed.files.count
    let left = (counts[passed.user] ?? 0) - passed.files.count
    counts[passed.user] = left > 0 ? left : nil
  }
}
