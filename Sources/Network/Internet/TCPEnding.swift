import LinuxABI

/// How connections end: shutdown(2), close(2), resets, and connect(2) to nothing.
extension TCPSocket {
  /// As `inet_shutdown` of Linux.
  func end(_ how: ShutdownHow) throws(Errno) {
    if connectPhase == .connecting {
      connectPhase = state == .synSent || state == .closed ? .disconnecting : .connected
    }
    defer { queue.wake() }
    switch state {
    case .closed:
      shut(how)
      throw .socketNotConnected
    case .listening: if how.endsReading { disconnect() }
    case .synSent: disconnect()
    default:
      shut(how)
      if how.endsWriting { sendEnd() }
    }
  }

  private func shut(_ how: ShutdownHow) {
    if how.endsReading { isReadShut = true }
    if how.endsWriting { isWriteShut = true }
  }

  /// Tells the peer that nothing more comes (FIN), which has it at once.
  private func sendEnd() {
    switch state {
    case .established:
      state = .finWait2
      peer?.receiveEnd()
    case .closeWait:
      // The peer has ended first, and it is the one that lingers.
      if let peer {
        peer.receiveEnd()
      } else {
        stack.lingering.refresh(local: remote, remote: local)
      }
      finish()
    default: break
    }
  }

  /// The peer has ended its stream.
  private func receiveEnd() {
    isReadShut = true
    hasEnd = true
    switch state {
    case .established: state = .closeWait
    case .finWait2:
      linger()
      finish()
    default: break
    }
    queue.wake()
  }

  /// Keeps the two addresses from being used again for a while (TIME_WAIT).
  private func linger() {
    guard let remote else { return }
    stack.lingering.add(local: local, remote: remote, reuse: reuse)
  }

  /// The connection is over: nobody is connected to this socket any more. What was received can still be read.
  func finish() {
    state = .closed
    (isReadShut, isWriteShut) = (true, true)
    if let peer, peer !== self, peer.peer === self { peer.peer = nil }
    peer = nil
    if !isPortLocked { releasePort() }
  }

  /// The peer has broken the connection off (RST; `tcp_reset` of Linux).
  func reset() {
    guard state != .closed else { return }
    switch state {
    case .synSent: pendingError = .connectionRefused
    case .closeWait: pendingError = .brokenPipe
    default: pendingError = .connectionReset
    }
    disarmConnectTimer()
    finish()
    queue.wake()
  }

  /// Breaks the connection off (RST).
  package func abort() {
    let other = peer
    dropReceived()
    if other == nil, let remote { stack.lingering.remove(local: remote, remote: local) }
    finish()
    if let other, other !== self { other.reset() }
  }

  private func dropReceived() {
    received.removeAll()
    urgent = nil
  }

  /// connect(2) to `AF_UNSPEC`, and the end of a failed one (`tcp_disconnect` of Linux).
  func disconnect() {
    switch state {
    case .listening: stopListening()
    case .closed: break
    default:
      let isEnding = state == .synSent || isConnected
      leaveListener()
      abort()
      if isEnding { pendingError = .connectionReset }
    }
    dropReceived()
    connectPhase = .unconnected
    (isReadShut, isWriteShut, hasEnd) = (false, false, false)
    remote = nil
    if !isPortLocked { releasePort() }
    if !isAddressLocked { local.address = SocketEndpoint(unspecifiedOf: family).address }
    queue.wake()
  }

  private var isConnected: Bool { state == .established || state == .closeWait || state == .finWait2 }

  /// The last descriptor is gone.
  func endForGood() {
    defer {
      dropReceived()
      releasePort()
    }
    switch state {
    case .listening: stopListening()
    case .synSent:
      leaveListener()
      finish()
    case .closed: break
    default:
      guard received.count == 0, !settings.linger.isOn || settings.linger.seconds != 0 else { return abort() }
      if state == .closeWait { return sendEnd() }
      // The peer may go on for as long as it does not send.
      linger()
      let other = peer
      peer = nil
      let hadEnded = state == .finWait2
      finish()
      guard let other, other !== self else { return }
      other.peer = nil
      if !hadEnded { other.receiveEnd() }
    }
  }
}
