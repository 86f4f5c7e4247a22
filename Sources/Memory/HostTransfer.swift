import Host
import LinuxABI

/// Transfers between guest memory and host descriptors, without a copy in between. Each moves what one host call moves,
/// advances the buffer by it, and returns it.
extension IOBuffer {
  /// Fills the buffer from a host file (`Host.read`).
  /// - Throws: where `waits` is false, `EAGAIN` for what is not in the page cache, `EOPNOTSUPP` where nobody can tell.
  package mutating func fill(from file: FileDescriptor, at offset: UInt64, waits: Bool) throws(Errno) -> Int {
    let count = try unsafe Host.read(file, into: pendingSegments, at: offset, wait: waits)
    advance(count)
    return count
  }

  /// Empties the buffer into a host file, at its end where `offset` is nil (`Host.write`).
  package mutating func drain(into file: FileDescriptor, at offset: UInt64?) throws(Errno) -> Int {
    let count = try unsafe Host.write(file, from: pendingSegments, at: offset)
    advance(count)
    return count
  }

  /// Fills the buffer from one of the caller's open files, at its position or at an offset.
  package mutating func fill(
    fromStream stream: FileDescriptor, at offset: UInt64? = nil, flags: Int = 0
  ) throws(Errno) -> Int {
    let count =
      if let offset {
        try unsafe Host.Stream.read(stream, into: pendingSegments, at: offset)
      } else {
        try unsafe Host.Stream.read(stream, into: pendingSegments, flags: flags)
      }
    advance(count)
    return count
  }

  /// Empties the buffer into one of the caller's open files, at its position or at an offset.
  package mutating func drain(
    intoStream stream: FileDescriptor, at offset: UInt64? = nil, flags: Int = 0
  ) throws(Errno) -> Int {
    let count =
      if let offset {
        try unsafe Host.Stream.write(stream, from: pendingSegments, at: offset)
      } else {
        try unsafe Host.Stream.write(stream, from: pendingSegments, flags: flags)
      }
    advance(count)
    return count
  }

  /// Receives from a host socket without waiting, as much as fits the first piece of guest memory.
  package mutating func fill(fromSocket socket: FileDescriptor) throws(Errno) -> Int {
    guard remaining > 0 else { return 0 }
    let count = try unsafe Host.Stream.receive(socket, into: current)
    advance(count)
    return count
  }

  /// Sends the first piece of guest memory on a host socket without waiting.
  package mutating func drain(intoSocket socket: FileDescriptor) throws(Errno) -> Int {
    guard remaining > 0 else { return 0 }
    let count = try unsafe Host.Stream.send(socket, from: current)
    advance(count)
    return count
  }
}
