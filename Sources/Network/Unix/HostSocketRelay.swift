import FileSystem
import Host
import LinuxABI
import Memory

/// A connection between a guest's UNIX socket and one of the host that lies in a volume.
///
/// To the guest its peer is a socket of the sandbox like any other, `standIn`, which this object reads and writes as a
/// program would. Bytes and messages pass, descriptors and credentials do not.
final class HostSocketRelay: Waiter {
  private let host: HostWatch
  /// The end that the guest's socket is connected to. It holds this object until the connection ends.
  private let standIn: UnixSocket
  private var registration: WaitQueue.Registration?
  /// What the guest sent and the host had no room for, and what came for the guest and it has no room for.
  private var outgoing: [UInt8]?
  private var incoming: [UInt8] = []
  private var (isOutDone, isInDone) = (false, false)
  private var isPumping = false
  private var isEnded = false

  /// Bytes of a stream that are moved at once, the longest message, and how often others have to wait.
  private static let portion = 65536
  private static let maximumMessage = 256 << 10
  private static let maximumPortions = 16

  /// Carries what passes between a socket of the host, which is connected, and the one that stands for it.
  init(_ host: HostWatch, _ standIn: UnixSocket) {
    self.host = host
    self.standIn = standIn
    registration = standIn.queue.add(self)
    host.onReport { [unowned self] _ in pump() }
  }

  private var isStream: Bool { standIn.type == .stream }
  /// Nobody is left to read what comes.
  private var isGuestGone: Bool { standIn.peer?.isDead ?? true }

  func wake(by queue: WaitQueue, events: PollEvents) -> Bool {
    pump()
    return false
  }

  /// Moves what both sides have room for.
  func pump() {
    guard !isPumping, !isEnded else { return }
    isPumping = true
    defer { isPumping = false }
    sendOut()
    if !isEnded, !isInDone, standIn.type.isConnectionOriented { takeIn() }
    if !isEnded, isOutDone, isInDone || isGuestGone { end() }
  }

  private func sendOut() {
    for _ in 0..<HostSocketRelay.maximumPortions where !isOutDone {
      do throws(Errno) {
        guard let bytes = try nextOutgoing() else {
          isOutDone = true
          if standIn.type.isConnectionOriented { try Host.Socket.shutDown(host.descriptor, .writing) }
          return
        }
        outgoing = bytes
        let count = try Host.Socket.send(bytes, on: host.descriptor)
        outgoing = isStream && count < bytes.count ? Array(bytes.dropFirst(count)) : nil
      } catch {
        if error == .wouldBlock {
          if outgoing != nil { host.want(.output) }
          return
        }
        failToSend(error)
        if isOutDone { return }
      }
    }
    if !isOutDone { host.want(.output) }
  }

  /// What goes to the host next; nil at the end. - Throws: `.wouldBlock`.
  private func nextOutgoing() throws(Errno) -> [UInt8]? {
    if let outgoing { return outgoing }
    var buffer = IOBuffer(collecting: isStream ? HostSocketRelay.portion : HostSocketRelay.maximumMessage)
    do throws(Errno) {
      let received = try standIn.receive(into: &buffer, [])
      PassedFiles.drop(received.files)
      // A packet may be empty; a stream that has nothing is at its end, and so is one of packets whose writer is gone.
      if received.count == 0, isStream || standIn.isReadShut { return nil }
      return buffer.collected
    } catch {
      if error == .wouldBlock, standIn.type == .datagram, isGuestGone { return nil }
      throw error
    }
  }

  private func takeIn() {
    for _ in 0..<HostSocketRelay.maximumPortions {
      guard deliver() else { return }
      guard !isGuestGone else {
        isInDone = true
        return
      }
      // The guest wakes the stand-in when it has read.
      guard standIn.hasRoomToSend else { return }
      do throws(Errno) {
        let limit = isStream ? HostSocketRelay.portion : HostSocketRelay.maximumMessage
        incoming = try Host.Socket.receive(on: host.descriptor, limit: limit)
        guard !incoming.isEmpty else {
          isInDone = true
          try standIn.shutDown(.writing)
          return
        }
      } catch {
        guard error != .wouldBlock else { return host.want(.input) }
        fail(error)
        return
      }
    }
    if deliver() { host.want(.input) }
  }

  /// Gives the guest what came for it; false where something is left: the guest makes room when it reads.
  private func deliver() -> Bool {
    while !incoming.isEmpty {
      var buffer = IOBuffer(bytes: incoming)
      do throws(Errno) {
        let count = try standIn.send(&buffer, OutgoingMessage(sender: UnixMessage.unknownSender))
        incoming.removeFirst(isStream ? count : incoming.count)
      } catch {
        guard error != .wouldBlock else { return false }
        // There is no memory for it, or nobody reads any more.
        if error == .brokenPipe { end() } else { fail(error) }
        return false
      }
    }
    return true
  }

  /// The host did not take what was sent: a datagram that was lost is told of, of a connection the other direction goes on.
  private func failToSend(_ error: Errno) {
    outgoing = nil
    if standIn.type.isConnectionOriented {
      isOutDone = true
      try? standIn.shutDown(.reading)
    } else {
      tellGuest(error)
    }
  }

  private func tellGuest(_ error: Errno) {
    standIn.peer?.pendingError = error
    standIn.peer?.queue.wake()
  }

  private func fail(_ error: Errno) {
    tellGuest(error)
    end()
  }

  /// Lets go of the host's socket and of the guest's.
  func end() {
    guard !isEnded else { return }
    isEnded = true
    host.close()
    if let registration { standIn.queue.remove(registration) }
    registration = nil
    (outgoing, incoming) = (nil, [])
    let rest = standIn
    rest.relay = nil
    rest.close()
    PassedFiles.drop(rest.takeUnreceivedFiles())
  }
}

/// What connects guests with sockets of the host that lie in volumes.
package final class HostSocketConnector {
  private let budget: HostSocketBudget
  private let services: any KernelServices

  package init(budget: HostSocketBudget, services: any KernelServices) {
    self.budget = budget
    self.services = services
  }

  private static let pause = Nanoseconds.milliseconds(10)

  /// Connects to a socket of the host. - Returns: what stands for it, whose peer is the guest's socket.
  /// - Throws: what the host's connect(2) throws, `ENFILE`, `ENOMEM`.
  func connect(_ guest: UnixSocket, to file: HostInode, name: UnixAddress) throws(Errno) -> UnixSocket {
    let type = guest.type
    let descriptor = try budget.take { () throws(Errno) in try Host.Socket.make(.unix, type) }
    let watch = HostWatch(descriptor, budget: budget, services: services)
    do throws(Errno) { try file.connect(descriptor) } catch {
      watch.close()
      if error == .wouldBlock, !guest.flags.contains(.nonBlocking) { retry(guest) }
      throw error
    }
    let credentials = (try? Host.Socket.option(.peerCredentials, of: descriptor)) ?? []
    var owner = UnixMessage.unknownSender
    if let uid = UInt32(littleEndian: credentials, at: 4), let gid = UInt32(littleEndian: credentials, at: 8) {
      owner = SocketCredentials(process: .zero, uid: uid, gid: gid)
    }
    do throws(Errno) {
      let standIn = try UnixSocket(type, flags: [], owner: owner, domain: guest.domain)
      standIn.becomeStandIn(for: HostSocketRelay(watch, standIn), facing: guest, name: name)
      return standIn
    } catch {
      watch.close()
      throw error
    }
  }

  /// The host does not tell when a listener has room: who waits for it tries again after a while.
  private func retry(_ guest: UnixSocket) {
    let timer = KernelTimer { [weak guest] in guest?.queue.wake([.output, .writeNormal, .writeBand]) }
    services.arm(timer, deadline: services.monotonicTime + HostSocketConnector.pause)
  }
}
