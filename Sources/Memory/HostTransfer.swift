import Host
import LinuxABI

/// Transfers between guest memory and host descriptors, without a copy in between. Each moves what one host call moves,
/// advances the buffer by it, and returns it.
extension IOBuffer {
  /// Fills the buffer from a host file.
  /// - Throws: where `waits` is false, `EAGAIN` for what is not in the page cache, `EOPNOTSUPP` where nobody can tell.
  package mutating func fill(from file: FileDescriptor, at offset: UInt64, waits: Bool) throws(Errno) -> Int {
    try unsafe move { (segments) throws(Errno) in try unsafe Host.read(file, into: segments, at: offset, wait: waits) }
  }

  /// Empties the buffer into a host file, at its end where `offset` is nil.
  package mutating func drain(into file: FileDescriptor, at offset: UInt64?) throws(Errno) -> Int {
    try unsafe move { (segments) throws(Errno) in try unsafe Host.write(file, from: segments, at: offset) }
  }

  /// Fills the buffer from one of the caller's open files, at its position or at an offset.
  package mutating func fill(
    fromStream stream: FileDescriptor, at offset: UInt64? = nil, flags: TransferFlags = []
  ) throws(Errno) -> Int {
    try unsafe move { (segments) throws(Errno) in
      try unsafe Host.Stream.read(stream, into: segments, at: offset, flags: flags)
    }
  }

  /// Empties the buffer into one of the caller's open files, at its position or at an offset.
  package mutating func drain(
    intoStream stream: FileDescriptor, at offset: UInt64? = nil, flags: TransferFlags = []
  ) throws(Errno) -> Int {
    try unsafe move { (segments) throws(Errno) in
      try unsafe Host.Stream.write(stream, from: segments, at: offset, flags: flags)
    }
  }

  /// Receives from a host socket without waiting, as much as fits the first piece of guest memory.
  package mutating func fill(fromSocket socket: FileDescriptor) throws(Errno) -> Int {
    try unsafe move { (segments) throws(Errno) in
      guard let first = unsafe segments.first else { return 0 }
      return try unsafe Host.Stream.receive(socket, into: first)
    }
  }

  /// Sends the first piece of guest memory on a host socket without waiting.
  package mutating func drain(intoSocket socket: FileDescriptor) throws(Errno) -> Int {
    try unsafe move { (segments) throws(Errno) in
      guard let first = unsafe segments.first else { return 0 }
      return try unsafe Host.Stream.send(socket, from: first)
    }
  }

  /// Sends what is left of the buffer as one message on a host socket, without waiting; returns how much of it went.
  package mutating func send(_ message: Host.Socket.Message, on socket: FileDescriptor) throws(Errno) -> Int {
    try unsafe move { (segments) throws(Errno) in try unsafe Host.Socket.send(message, on: socket, from: segments) }
  }

  /// Receives a message from a host socket, without waiting. Its count may be more than the buffer got (`MSG_TRUNC`).
  package mutating func receive(
    on socket: FileDescriptor, _ flags: MessageFlags, controlRoom: Int = 0
  ) throws(Errno) -> Host.Socket.Message {
    let message = try unsafe Host.Socket.receive(
      on: socket, into: pendingSegments, flags, controlRoom: controlRoom)
    advance(message.count)
    return message
  }

  private mutating func move(
    _ transfer: ([UnsafeMutableRawBufferPointer]) throws(Errno) -> Int
  ) throws(Errno) -> Int {
    let count = try unsafe transfer(pendingSegments)
    advance(count)
    return count
  }
}
