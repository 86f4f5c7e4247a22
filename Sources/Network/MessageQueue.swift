import DequeModule
import FileSystem
import LinuxABI
import Memory

/// What was sent with one call and not received yet.
struct QueuedMessage {
  var bytes: [UInt8]
  /// Bytes of it that were received.
  var taken = 0
  /// Descriptions sent along (`SCM_RIGHTS`); each counts as open until it is received.
  var files: [OpenFile] = []
  var sender: SocketCredentials
  /// The sender's name, where it has one.
  var source: SocketAddress?
}

/// The messages that wait in a socket to be received, and how much room there is for more.
struct MessageQueue {
  /// Bytes that may wait (`net.core.wmem_default`).
  static let defaultCapacity = 212_992
  /// Messages that may wait.
  private static let maximumMessages = 1024

  /// Messages keep their borders; else they are one stream.
  let keepsBorders: Bool
  let capacity = MessageQueue.defaultCapacity
  private var messages = Deque<QueuedMessage>()
  /// Bytes that wait.
  private(set) var byteCount = 0

  init(keepsBorders: Bool) { self.keepsBorders = keepsBorders }

  var isEmpty: Bool { messages.isEmpty }
  /// Bytes that one receive would give now.
  var available: Int { keepsBorders ? messages.first?.bytes.count ?? 0 : byteCount }
  /// A sender need not wait: at most a quarter of the room is taken.
  var isWritable: Bool { byteCount * 4 <= capacity }

  /// How many of `count` bytes may be added now. - Throws: `EMSGSIZE`, `.wouldBlock`.
  func room(for count: Int) throws(Errno) -> Int {
    let room = capacity - byteCount
    guard keepsBorders else {
      guard room > 0 else { throw .wouldBlock }
      return min(count, room)
    }
    guard count <= capacity else { throw .messageTooLong }
    guard isEmpty || count <= room, messages.count < MessageQueue.maximumMessages else { throw .wouldBlock }
    return count
  }

  mutating func append(_ message: QueuedMessage) {
    messages.append(message)
    byteCount += message.bytes.count
  }

  /// Copies out of the first message, which stays; nil where there is none.
  func peek(into buffer: inout IOBuffer) -> ReceivedMessage? {
    guard let message = messages.first else { return nil }
    return copy(message, into: &buffer)
  }

  /// Takes out the first message; of a stream, what fits of as many as came from one sender without files between them.
  mutating func take(into buffer: inout IOBuffer) -> ReceivedMessage? {
    guard var message = messages.first else { return nil }
    var received = copy(message, into: &buffer)
    received.files = message.files
    if keepsBorders {
      messages.removeFirst()
      byteCount -= message.bytes.count
      return received
    }
    var part = received.count
    while true {
      byteCount -= part
      message.taken += part
      message.files = []
      if message.taken < message.bytes.count {
        messages[0] = message
        return received
      }
      messages.removeFirst()
      guard received.files.isEmpty, buffer.remaining > 0, let next = messages.first, next.files.isEmpty,
        next.sender == message.sender
      else { return received }
      message = next
      part = buffer.write(message.bytes[...])
      received.count += part
    }
  }

  private func copy(_ message: QueuedMessage, into buffer: inout IOBuffer) -> ReceivedMessage {
    var received = ReceivedMessage(count: buffer.write(message.bytes[message.taken...]))
    if keepsBorders, received.count < message.bytes.count { received.flags.insert(.truncated) }
    received.credentials = message.sender
    received.source = message.source
    return received
  }

  /// Drops everything; returns the files that were in it.
  mutating func removeAll() -> [OpenFile] {
    let files = messages.flatMap(\.files)
    messages = []
    byteCount = 0
    return files
  }
}
