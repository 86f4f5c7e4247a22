import FileSystem
import LinuxABI
import Memory

/// Receiving through UNIX sockets (unix(7)).
extension UnixSocket {
  // MARK: Streams

  func receiveStream(into buffer: inout IOBuffer, _ flags: MessageFlags) throws(Errno) -> ReceivedMessage {
    guard state == .established else { throw .invalidArgument }
    if flags.contains(.outOfBand) { return try receiveUrgent(into: &buffer, flags) }
    let received = flags.contains(.peek) ? peekStream(into: &buffer) : takeStream(into: &buffer)
    if let received { return received }
    if let error = takePendingError() { throw error }
    if isReadShut { return ReceivedMessage() }
    throw .wouldBlock
  }

  /// Takes what fits of as many pieces as belong together; nil where there are none.
  private func takeStream(into buffer: inout IOBuffer) -> ReceivedMessage? {
    var received: ReceivedMessage?
    var credentials: SocketCredentials?
    while findReadable(after: received) {
      let message = messages[0]
      if received == nil {
        received = describe(message)
        credentials = message.credentials
      } else if wantsSender, message.credentials != credentials {
        break
      }
      let part = buffer.write(message.rest)
      received?.count += part
      takePart(part)
      settings.noteTaken(part)
      if !message.files.isEmpty { received?.files = message.files.files }
      guard part == message.count else { break }
      removeMessage(at: 0)
      if !message.files.isEmpty || buffer.remaining == 0 { break }
    }
    return received
  }

  /// Looks at the pieces from `SO_PEEK_OFF` on.
  private func peekStream(into buffer: inout IOBuffer) -> ReceivedMessage? {
    var received: ReceivedMessage?
    var credentials: SocketCredentials?
    var skipped = settings.peekStart
    for (index, message) in messages.enumerated() {
      if index == urgentIndex {
        if received != nil { break }
        if !settings.isSet(.outOfBandInline) { continue }
      }
      if message.count == 0 {
        if received != nil, urgentIndex == nil { break }
        continue
      }
      guard skipped < message.count else {
        skipped -= message.count
        continue
      }
      if received == nil {
        received = describe(message)
        credentials = message.credentials
      } else if wantsSender, message.credentials != credentials {
        break
      }
      received?.count += buffer.write(message.rest.dropFirst(skipped))
      skipped = 0
      if !message.files.isEmpty {
        for file in message.files.files { file.retainDescriptor() }
        received?.files = message.files.files
        break
      }
      if buffer.remaining == 0 { break }
    }
    if let received { settings.notePeeked(received.count) }
    return received
  }

  /// What is told of the first piece.
  private func describe(_ message: UnixMessage) -> ReceivedMessage {
    var received = ReceivedMessage()
    if message.sender.name != .unnamed { received.source = .unix(message.sender.name) }
    tellSender(of: message, in: &received)
    return received
  }

  /// Whether the first piece is what a receive goes on with. One that has something stops at the urgent byte, and at the
  /// place where that was; one that has nothing drops both.
  private func findReadable(after received: ReceivedMessage?) -> Bool {
    while let first = messages.first {
      if first.count > 0, urgentIndex != 0 { return true }
      if first.count == 0 {
        if received != nil, urgentIndex == nil || urgentIndex == 0 { return false }
        dropMessage(at: 0)
        continue
      }
      if received != nil { return false }
      urgentIndex = nil
      if settings.isSet(.outOfBandInline) { return true }
      dropMessage(at: 0)
    }
    return false
  }

  /// A message goes that nobody receives.
  private func dropMessage(at index: Int) {
    let files = messages[index].files
    removeMessage(at: index)
    PassedFiles.drop(files.files)
  }

  /// The urgent byte (`MSG_OOB`). Its place stays: a receive stops there.
  private func receiveUrgent(into buffer: inout IOBuffer, _ flags: MessageFlags) throws(Errno) -> ReceivedMessage {
    guard let index = urgentIndex, !settings.isSet(.outOfBandInline) else { throw .invalidArgument }
    let message = messages[index]
    var received = describe(message)
    received.flags.insert(.outOfBand)
    buffer.write(message.rest)
    received.count = 1
    if !flags.contains(.peek) {
      takeUrgent(at: index)
      if index > 0, messages[index - 1].count == 0 { dropMessage(at: index - 1) }
    }
    return received
  }

  // MARK: Messages

  func receiveMessage(into buffer: inout IOBuffer, _ flags: MessageFlags) throws(Errno) -> ReceivedMessage {
    if type == .sequencedPacket, state != .established { throw .socketNotConnected }
    guard !flags.contains(.outOfBand) else { throw .notSupportedOnSocket }
    if let error = takePendingError() { throw error }
    let peeks = flags.contains(.peek)
    var index = 0
    var skipped = peeks ? settings.peekStart : 0
    while skipped > 0, index < messages.count, skipped >= messages[index].count {
      skipped -= messages[index].count
      index += 1
    }
    guard index < messages.count else {
      let mayWait = !flags.contains(.dontWait) && !self.flags.contains(.nonBlocking)
      if isReadShut, mayWait || type == .sequencedPacket { return ReceivedMessage() }
      throw .wouldBlock
    }
    let message = messages[index]
    var received = describe(message)
    let whole = message.count - skipped
    received.count = buffer.write(message.rest.dropFirst(skipped))
    if received.count < whole { received.flags.insert(.truncated) }
    if peeks {
      for file in message.files.files { file.retainDescriptor() }
      settings.notePeeked(received.count)
    } else {
      settings.noteTaken(message.count)
      removeMessage(at: 0)
      wakeSenders()
    }
    received.files = message.files.files
    if flags.contains(.truncated) { received.count = whole }
    return received
  }
}
