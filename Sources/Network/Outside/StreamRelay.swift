import FileSystem
import Host
import LinuxABI
import Memory

/// A connection between a guest's socket and one of the host.
///
/// To the guest its peer is a socket of the sandbox like any other, `inner`, which this object reads and writes as a
/// program would: so the buffers of both sides push back, and a slow peer holds up nobody else.
final class StreamRelay: Waiter {
  private let host: HostWatch
  private unowned let carrier: OutsideCarrier
  /// The guest's socket while the host's connects.
  private var connecting: TCPSocket?
  private var outer: SocketEndpoint?
  /// The end that the guest's socket is connected to.
  private var inner: TCPSocket?
  private var registration: WaitQueue.Registration?
  /// Bytes of the guest's that the host had no room for, and of the outside's that the sandbox has no memory for.
  private var pending: [UInt8] = []
  private var undelivered: [UInt8] = []
  private var charge: MemoryCharge
  private var retry: KernelTimer?
  private var (isOutDone, isInDone) = (false, false)
  private var isPumping = false
  /// The host's socket has the options of the guest's.
  private var isFollowing = false
  private var isEnded = false

  /// Bytes that are moved at once.
  private static let portion = 65536
  /// Portions that are moved before others have their turn.
  private static let maximumPortions = 16

  /// What it takes beside the bytes that it holds, the buffers of the host not among it.
  private static let price = 1024

  /// Owns a socket of the host. - Throws: `ENOBUFS`; the socket is closed then.
  init(_ host: HostWatch, carrier: OutsideCarrier) throws(Errno) {
    self.host = host
    self.carrier = carrier
    do throws(Errno) {
      charge = try carrier.stack.memory.charge(StreamRelay.price, otherwise: .noBufferSpace)
    } catch {
      host.close()
      throw error
    }
    host.onReport { [unowned self] _ in hostReported() }
    // The guest's own writes are joined, or not, before they come here.
    try? Host.Socket.enable(.tcpNoDelay, of: host.descriptor)
  }

  // MARK: Beginnings

  /// Begins to connect the guest's socket to a destination.
  func connect(_ socket: TCPSocket, to outer: SocketEndpoint) throws(Errno) {
    self.outer = outer
    followAll(of: socket)
    do throws(Errno) {
      try Host.Socket.connect(host.descriptor, to: outer.hostAddress.bytes)
    } catch {
      guard error == .nowInProgress else {
        end()
        throw error
      }
    }
    connecting = socket
    host.want(.output)
  }

  /// The host's attempt has ended.
  private func finishConnecting(_ socket: TCPSocket) {
    guard socket.state == .synSent, let remote = socket.remote else { return end() }
    let bytes = (try? Host.Socket.option(.error, of: host.descriptor)) ?? []
    let error = Int32(littleEndian: bytes, at: 0) ?? 0
    guard error == 0 else {
      end()
      return socket.failConnecting(Errno(rawValue: error))
    }
    guard (try? Host.Socket.peerAddress(of: host.descriptor)) != nil else { return host.want(.output) }
    forgetConnecting()
    let peer = TCPSocket(outside: remote, facing: socket.local, socket.family, carrier.stack)
    socket.join(peer)
    attach(peer)
    socket.queue.wake()
    pump()
  }

  private func forgetConnecting() {
    if let connecting { carrier.endConnecting(connecting) }
    connecting = nil
  }

  /// Connects a socket of the host that came in at a published port with the guest's listener, at once or when that has
  /// room.
  func accept(from source: SocketEndpoint, at listener: TCPSocket, _ destination: SocketEndpoint) {
    let peer = TCPSocket(outside: source, facing: destination, listener.family, carrier.stack)
    attach(peer)
    peer.call(listener)
    pump()
  }

  private func attach(_ peer: TCPSocket) {
    inner = peer
    carrier.attach(peer, self)
    registration = peer.queue.add(self)
  }

  // MARK: Options

  /// Sets an option of the guest's socket on the host's, too, where it says how the connection is carried.
  func follow(_ option: SocketOption, of socket: TCPSocket) {
    guard !isEnded, HostSocketOptions.ofConnections.contains(where: { $0.option == option }),
      let value = try? socket.option(option)
    else { return }
    try? Host.Socket.setOption(option, of: host.descriptor, to: value.bytes)
  }

  /// The same for all that the guest's socket has set.
  private func followAll(of socket: TCPSocket) {
    isFollowing = true
    for (option, usual) in HostSocketOptions.ofConnections where option.level != .ipv6 || socket.family == .inet6 {
      guard let value = try? socket.option(option).integer(), value != usual else { continue }
      follow(option, of: socket)
    }
  }

  // MARK: Moving bytes

  private func hostReported() {
    if let connecting { return finishConnecting(connecting) }
    pump()
  }

  func wake(by queue: WaitQueue, events: PollEvents) -> Bool {
    pump()
    return false
  }

  private func pump() {
    guard !isPumping, !isEnded, let inner else { return }
    isPumping = true
    defer { isPumping = false }
    if inner.state != .synSent, !isFollowing {
      isFollowing = true
      if let guest = inner.peer { followAll(of: guest) }
    }
    switch inner.state {
    case .synSent: return
    case .closed:
      // The guest's side is gone: broken off, or it ended after the outside had.
      if !flush(inner) { return }
      return end(isReset: !(isOutDone && isInDone))
    default: break
    }
    sendOut(inner)
    if !isEnded { takeIn(inner) }
    if isOutDone, isInDone || inner.peer == nil { end() }
  }

  /// Sends what is left of a connection that the guest's side has closed; true where nothing is.
  private func flush(_ inner: TCPSocket) -> Bool {
    if inner.pendingError == nil, !isOutDone { sendOut(inner) }
    return isEnded || isOutDone || inner.pendingError != nil
  }

  private func sendOut(_ inner: TCPSocket) {
    for _ in 0..<StreamRelay.maximumPortions where !isOutDone {
      if pending.isEmpty {
        var buffer = IOBuffer(collecting: StreamRelay.portion)
        do throws(Errno) {
          guard try inner.receive(into: &buffer, []).count > 0 else {
            isOutDone = true
            try? Host.Socket.shutDown(host.descriptor, .writing)
            return
          }
          pending = buffer.collected
        } catch {
          if error != .wouldBlock { end(isReset: true) }
          return
        }
      }
      do throws(Errno) {
        let count = try Host.Socket.send(pending, on: host.descriptor)
        pending.removeFirst(count)
        carrier.stack.interfaces.count(bytes: count, on: .ethernet, isSent: true)
      } catch {
        guard error == .wouldBlock else { return fail(error) }
        guard hold() else { return fail(.noBufferSpace) }
        return host.want(.output)
      }
    }
    // There is more: after the others.
    if !isOutDone { host.want(.output) }
  }

  private func takeIn(_ inner: TCPSocket) {
    for _ in 0..<StreamRelay.maximumPortions where !isInDone {
      guard deliver(to: inner) else { return }
      // Nobody is there to read it: the host's socket answers for itself once it is closed.
      guard let guest = inner.peer else { return }
      let room = min(guest.room, StreamRelay.portion)
      // The guest wakes this end when it has read.
      guard room > 0 else { return }
      do throws(Errno) {
        let bytes = try Host.Socket.receive(on: host.descriptor, limit: room)
        guard !bytes.isEmpty else {
          isInDone = true
          try? inner.shutDown(.writing)
          return
        }
        carrier.stack.interfaces.count(bytes: bytes.count, on: .ethernet, isSent: false)
        undelivered = bytes
      } catch {
        guard error == .wouldBlock else { return fail(error) }
        return host.want(.input)
      }
    }
    if !isInDone, deliver(to: inner) { host.want(.input) }
  }

  /// Gives the guest what came for it; false where something is left, for want of memory: then it is tried again.
  private func deliver(to inner: TCPSocket) -> Bool {
    while !undelivered.isEmpty {
      var buffer = IOBuffer(bytes: undelivered)
      let count = (try? inner.send(&buffer, OutgoingMessage(sender: inner.owner))) ?? 0
      guard count > 0 else {
        guard hold() else {
          fail(.noBufferSpace)
          return false
        }
        let timer = KernelTimer { [weak self] in self?.pump() }
        retry = timer
        carrier.services.arm(timer, deadline: carrier.services.monotonicTime + StreamRelay.pause)
        return false
      }
      undelivered.removeFirst(count)
    }
    return true
  }

  private static let pause = Nanoseconds.milliseconds(20)

  /// Counts what is held; false where there is no room for it.
  private func hold() -> Bool {
    (try? charge.resize(toHold: StreamRelay.price + pending.count + undelivered.count)) != nil
  }

  // MARK: The end

  /// The connection outside has failed: the guest's socket reports why.
  private func fail(_ error: Errno) {
    let guest = inner?.peer
    inner?.abort()
    if let guest, guest !== inner {
      guest.pendingError = error
      guest.queue.wake()
    }
    end()
  }

  /// Closes the host's socket, with a reset where the guest has broken the connection off.
  func end(isReset: Bool = false) {
    guard !isEnded else { return }
    isEnded = true
    if isReset {
      let linger = SocketOptionValue(Linger(isOn: true, seconds: 0))
      try? Host.Socket.setOption(.linger, of: host.descriptor, to: linger.bytes)
    }
    host.close()
    if let registration { inner?.queue.remove(registration) }
    registration = nil
    forgetConnecting()
    if let inner { carrier.detach(inner) }
    inner?.close()
    inner = nil
    (pending, undelivered) = ([], [])
    if let retry { carrier.services.disarm(retry) }
    retry = nil
    carrier.remove(self)
  }
}
