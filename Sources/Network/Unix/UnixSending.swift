import FileSystem
import LinuxABI
import Memory

/// Sending through UNIX sockets (unix(7)).
extension UnixSocket {
  // MARK: Streams

  func sendStream(_ buffer: inout IOBuffer, _ message: OutgoingMessage) throws(Errno) -> Int {
    let isUrgent = message.flags.contains(.outOfBand)
    let total = buffer.remaining
    guard !isUrgent || total > 0 else { throw .notSupportedOnSocket }
    guard message.destination == nil else { throw state == .established ? .socketIsConnected : .notSupportedOnSocket }
    guard let peer else { throw .socketNotConnected }
    guard !isWriteShut else { throw .brokenPipe }
    try domain.inFlight.checkRoom(for: message)
    guard message.files.isEmpty || peer.passesRights else { throw .notPermitted }
    var sent = 0
    while sent < total {
      let isLast = isUrgent && total - sent == 1
      var count = total - sent
      if isUrgent, !isLast { count -= 1 }
      count = max(min(count, settings.sendBuffer / 2 - 64, UnixMessage.maximumPiece), 1)
      let price = UnixMessage.price(ofPiece: count)
      do throws(Errno) {
        if let error = takePendingError() { throw error }
        guard hasRoomToSend else { throw .wouldBlock }
        guard !peer.isDead, !peer.isReadShut else { throw .brokenPipe }
        try charge(price)
      } catch {
        guard sent > 0 else { throw error }
        break
      }
      let bytes = buffer.read(count)
      enqueue(bytes, price: price, sent == 0 ? message.files : [], message, to: peer)
      if isLast {
        peer.urgentIndex = peer.messages.count - 1
        domain.signalUrgent?(peer)
        peer.queue.wake(.priority)
      }
      sent += bytes.count
    }
    return sent
  }

  // MARK: Messages

  func sendMessage(_ buffer: inout IOBuffer, _ message: OutgoingMessage) throws(Errno) -> Int {
    let isSequence = type == .sequencedPacket
    if isSequence {
      if let error = takePendingError() { throw error }
      guard state == .established else { throw .socketNotConnected }
    }
    guard !message.flags.contains(.outOfBand) else { throw .notSupportedOnSocket }
    // Linux ignores where a packet of a sequence should go.
    let destination = isSequence ? nil : message.destination
    if let destination {
      guard case .unix(let name) = destination.address, name != .unnamed else { throw .invalidArgument }
    }
    if wantsSender { try nameAutomatically() }
    try domain.inFlight.checkRoom(for: message)
    let count = buffer.remaining
    guard count <= settings.sendBuffer - 32 else { throw .messageTooLong }
    if let error = takePendingError() { throw error }
    guard !isWriteShut else { throw .brokenPipe }
    guard hasRoomToSend else { throw .wouldBlock }
    let receiver: UnixSocket
    if let destination {
      receiver = try findReceiver(destination.address, destination.caller)
    } else if let peer {
      receiver = peer
    } else {
      throw .socketNotConnected
    }
    guard receiver.peer == nil || receiver.peer === self else { throw .notPermitted }
    guard !receiver.isDead else {
      if isSequence { throw .brokenPipe }
      peer = nil
      state = .closed
      disconnect(from: receiver)
      throw .connectionRefused
    }
    guard !receiver.isReadShut else { throw .brokenPipe }
    guard message.files.isEmpty || receiver.passesRights else { throw .notPermitted }
    guard receiver === self || receiver.peer === self || !receiver.isFull else {
      let waits = !flags.contains(.nonBlocking) && !message.flags.contains(.dontWait)
      if waits || peer === receiver { receiver.addWaiting(self) }
      throw .wouldBlock
    }
    let price = UnixMessage.price(ofMessage: count)
    try charge(price)
    let bytes = buffer.read(count)
    enqueue(bytes, price: price, message.files, message, to: receiver)
    return bytes.count
  }

  /// The socket that an address names, or what stands for one of the host.
  private func findReceiver(_ address: SocketAddress, _ caller: SocketCaller) throws(Errno) -> UnixSocket {
    switch try find(address, caller) {
    case .socket(let socket): return socket
    case .host(let file, let connector):
      if let addressed, addressed.file == ObjectIdentifier(file), !addressed.standIn.isDead { return addressed.standIn }
      addressed?.standIn.relay?.end()
      addressed = nil
      let standIn = try connector.connect(self, to: file, name: .unnamed)
      addressed = (standIn, ObjectIdentifier(file))
      return standIn
    }
  }

  // MARK: Queueing

  private func enqueue(
    _ bytes: [UInt8], price: Int, _ files: [OpenFile], _ message: OutgoingMessage, to receiver: UnixSocket
  ) {
    let tellsSender = message.statesSender || wantsSender || receiver.wantsSender || !receiver.isAccepted
    receiver.append(
      UnixMessage(
        bytes: bytes, price: price, sender: self, credentials: tellsSender ? message.sender : nil,
        files: domain.inFlight.add(files, of: message.user, to: receiver),
        time: receiver.settings.timestamp == nil ? nil : domain.now?()))
    if !receiver.queue.isEmpty { receiver.queue.wakeOne(.readable) }
  }
}
