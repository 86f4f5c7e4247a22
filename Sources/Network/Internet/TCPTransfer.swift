import FileSystem
import LinuxABI
import Memory

/// The last byte that was sent as urgent (`MSG_OOB` of tcp(7)).
struct UrgentByte {
  /// Its place in the stream.
  let position: UInt64
  let value: UInt8
  /// recv(2) with `MSG_OOB` has not taken it.
  var isUnread = true
  /// `SO_OOBINLINE`: it is read among the others.
  var staysInLine: Bool
}

/// What a connection carries.
extension TCPSocket {
  // MARK: Sending

  /// As `tcp_sendmsg` of Linux. A destination is ignored, unless it is connected to first (`MSG_FASTOPEN`).
  func transmit(_ buffer: inout IOBuffer, _ message: OutgoingMessage) throws(Errno) -> Int {
    if message.flags.contains(.fastOpen), connectPhase != .connected {
      guard let destination = message.destination?.address else { throw .addressRequired }
      if connectPhase == .connecting, state == .synSent { throw .wouldBlock }
      try connect(to: try endpoint(destination))
    }
    switch state {
    case .established, .closeWait: break
    case .synSent: throw .wouldBlock
    default: throw takePendingError() ?? .brokenPipe
    }
    if let error = takePendingError() { throw error }
    guard !isWriteShut else { throw .brokenPipe }
    guard buffer.remaining > 0 else { return 0 }
    guard let peer, !(peer.state == .finWait2 && peer.isReadShut) else { return sendToNobody(&buffer) }
    let room = peer.room
    guard room > 0 else { throw .wouldBlock }
    let isUrgent = message.flags.contains(.outOfBand)
    let count = isUrgent ? peer.takeUrgent(from: &buffer, room: room) : peer.received.append(from: &buffer, limit: room)
    guard count > 0 else { throw .noBufferSpace }
    if peer.waitsAt != nil { peer.waitsAt?.endDeferral(of: peer) }
    if !peer.queue.isEmpty, peer.hasEnoughToRead || isUrgent {
      peer.queue.wakeOne(isUrgent ? [.input, .readNormal, .priority] : .readable)
    }
    return count
  }

  /// The peer was closed, or wants nothing: it answers with a reset, which this call does not see yet.
  private func sendToNobody(_ buffer: inout IOBuffer) -> Int {
    let count = buffer.remaining
    buffer.advance(count)
    let other = peer
    if let remote { stack.lingering.remove(local: remote, remote: local) }
    reset()
    other?.reset()
    return count
  }

  /// Takes bytes of which the last is urgent.
  private func takeUrgent(from buffer: inout IOBuffer, room: Int) -> Int {
    let bytes = buffer.read(room)
    guard let last = bytes.last else { return 0 }
    // A byte that was urgent and lies right before the reader is read no more.
    if let old = urgent, old.position == readPosition, !old.staysInLine, received.count > 0 {
      received.drop(1)
      readPosition &+= 1
    }
    var copy = IOBuffer(bytes: bytes)
    let count = received.append(from: &copy, limit: bytes.count)
    guard count == bytes.count else { return count }
    if buffer.remaining == 0 {
      let position = readPosition &+ UInt64(received.count - 1)
      urgent = UrgentByte(position: position, value: last, staysInLine: settings.isSet(.outOfBandInline))
      stack.reportUrgent?(self)
    }
    return bytes.count
  }

  // MARK: Receiving

  /// As `tcp_recvmsg` of Linux.
  func take(into buffer: inout IOBuffer, _ flags: MessageFlags) throws(Errno) -> ReceivedMessage {
    guard state != .listening else { throw .socketNotConnected }
    if let urgent, urgent.position == readPosition, !urgent.staysInLine { skipUrgent(isPeek: flags.contains(.peek)) }
    guard received.count > hole else {
      if hasEnd { return ReceivedMessage() }
      if let error = takePendingError() { throw error }
      if isReadShut { return ReceivedMessage() }
      guard state != .closed else { throw .socketNotConnected }
      throw .wouldBlock
    }
    var message = ReceivedMessage()
    let limit = countToMark
    if flags.contains(.peek) {
      let offset = settings.peekStart
      guard offset < limit else { throw .wouldBlock }
      message.count = received.copy(from: hole + offset, into: &buffer, limit: limit - offset)
      settings.notePeeked(message.count)
      return message
    }
    let peer = peer
    let wasFull = peer != nil && !hasRoom
    if flags.contains(.truncated) {
      message.count = received.drop(min(limit, buffer.remaining))
      buffer.advance(message.count)
    } else {
      message.count = received.take(into: &buffer, limit: limit)
    }
    advance(by: message.count)
    if wasFull, hasRoom, let peer, !peer.queue.isEmpty { peer.queue.wakeOne(.writable) }
    if options.tellsQueue { message.control.append(.tcpInQueue(Int32(clamping: received.count))) }
    return message
  }

  private func advance(by count: Int) {
    readPosition &+= UInt64(count)
    settings.noteTaken(count)
    if let urgent, readPosition > urgent.position { self.urgent = nil }
  }

  /// Bytes that a peek passes over: an urgent one that is not in line.
  private var hole: Int {
    guard let urgent, urgent.position == readPosition, !urgent.staysInLine else { return 0 }
    return 1
  }

  /// The reader stands before the urgent byte and goes past it.
  private func skipUrgent(isPeek: Bool) {
    guard !isPeek else { return }
    received.drop(1)
    advance(by: 1)
  }

  /// How much can be read at once, and what `SIOCINQ` tells: not past the urgent byte.
  var countToMark: Int {
    let count = received.count - hole
    guard let urgent, urgent.position > readPosition else { return count }
    return min(count, Int(clamping: urgent.position - readPosition))
  }

  /// Takes the urgent byte (`tcp_recv_urg` of Linux).
  func receiveUrgent(into buffer: inout IOBuffer, _ flags: MessageFlags) throws(Errno) -> ReceivedMessage {
    guard let byte = urgent, byte.isUnread, !byte.staysInLine else { throw .invalidArgument }
    guard state != .closed || hasEnd else { throw .socketNotConnected }
    if !flags.contains(.peek) { urgent?.isUnread = false }
    var message = ReceivedMessage()
    message.flags = .outOfBand
    if buffer.remaining > 0 {
      if !flags.contains(.truncated) { buffer.write([byte.value]) }
      message.count = 1
    } else {
      message.flags.insert(.truncated)
    }
    return message
  }

  // MARK: What there is

  /// A read would not wait.
  var hasBytesToRead: Bool { received.count - hole >= Int(settings.receiveLowWater) }
  /// Who waits for bytes is to be woken.
  private var hasEnoughToRead: Bool { settings.receiveLowWater <= 1 || hasBytesToRead }
}
