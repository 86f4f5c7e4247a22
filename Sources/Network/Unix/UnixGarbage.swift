import FileSystem

/// Finds sockets that nobody can reach any more because all that refers to them are messages in such sockets, as
/// `net/unix/garbage.c` of Linux does: programs can send a socket into itself and close it.
///
/// A socket gets out of reach when it loses the last reference that is not a message, so it is looked for then.
enum UnixGarbage {
  /// With very many sockets in messages, not each time.
  private static let share = 64

  /// Empties the queues of all sockets that are garbage.
  /// - Returns: what was in them, for the caller to let go of. Letting go closes the sockets.
  static func collect(_ inFlight: FilesInFlight) -> [OpenFile] {
    guard inFlight.mayBeCyclic else { return [] }
    inFlight.losses += 1
    guard inFlight.losses * share >= inFlight.sockets.count else { return [] }
    inFlight.losses = 0
    // Those that only messages refer to, and how many of these messages are outside of them.
    var references: [ObjectIdentifier: Int] = [:]
    for (id, socket) in inFlight.sockets where socket.descriptorCount == socket.timesInFlight {
      references[id] = socket.timesInFlight
    }
    var isNested = false
    for id in references.keys {
      inFlight.sockets[id]?.forEachSocketInMessages { inner in
        isNested = true
        references[ObjectIdentifier(inner)]? -= 1
      }
    }
    if !isNested {
      inFlight.mayBeCyclic = inFlight.sockets.values.contains { $0.holdsSockets }
      return []
    }
    // What is referred to from outside can be reached, and what lies in its messages.
    var reached: [UnixSocket] = []
    for (id, count) in references where count > 0 {
      if let socket = inFlight.sockets[id] { reached.append(socket) }
      references[id] = nil
    }
    while let socket = reached.popLast() {
      socket.forEachSocketInMessages { inner in
        if references.removeValue(forKey: ObjectIdentifier(inner)) != nil { reached.append(inner) }
      }
    }
    var files: [OpenFile] = []
    for id in references.keys { if let socket = inFlight.sockets[id] { files += socket.removeFilesOfMessages() } }
    return files
  }
}
