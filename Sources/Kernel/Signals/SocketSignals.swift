import FileSystem
import LinuxABI
import Network

/// The signals that the owner of a socket gets (fcntl(2), `F_SETOWN`): SIGURG where urgent bytes have come, and with
/// `O_ASYNC` SIGIO, or what `F_SETSIG` chose, where it can be read or written.
extension Kernel {
  func signalUrgent(_ socket: Socket) {
    tellOwner(of: socket, SignalInfo(signal: Signal.urg, code: SignalInfo.siKernel))
  }

  /// Turns `O_ASYNC` on or off; false for files that have none.
  func setAsync(_ file: OpenFile, _ descriptor: FileDescriptorNumber, _ isOn: Bool) -> Bool {
    guard let socket = file as? Socket, let queue = socket.waitQueue else { return false }
    guard isOn != socket.flags.contains(.async) else { return true }
    if isOn {
      socket.flags.insert(.async)
      socket.signalRegistration = queue.add(ReadinessNotice(self, socket, descriptor))
    } else {
      socket.flags.remove(.async)
      if let registration = socket.signalRegistration { queue.remove(registration) }
      socket.signalRegistration = nil
    }
    return true
  }

  fileprivate func signalReady(_ socket: Socket, _ events: PollEvents, _ descriptor: FileDescriptorNumber) {
    var info = SignalInfo(signal: Signal.io, code: SignalInfo.siKernel)
    if socket.ownerSignal != .null {
      info = SignalInfo(
        signal: socket.ownerSignal, code: events.contains(.input) ? SignalInfo.pollInput : SignalInfo.pollOutput)
      if events.contains(.error) { info.code = SignalInfo.pollError }
      if events.contains(.hangUp) { info.code = SignalInfo.pollHangUp }
      info.address = UInt64(events.rawValue)
      info.status = descriptor.rawValue
    }
    tellOwner(of: socket, info)
  }

  private func tellOwner(of socket: Socket, _ info: SignalInfo) {
    let owner = socket.signalOwner
    guard owner.id != .zero, let kind = DescriptorOwner.Kind(rawValue: owner.type) else { return }
    switch kind {
    case .thread:
      guard let task = tasks[owner.id], maySignal(socket, task) else { return }
      send(info, to: task)
    case .process: if let group = groups[owner.id] { tell(group, of: socket, info) }
    case .processGroup:
      for group in processTable.processGroups[owner.id]?.members ?? [] { tell(group, of: socket, info) }
    }
  }

  private func tell(_ group: ThreadGroup, of socket: Socket, _ info: SignalInfo) {
    guard let leader = group.leader, maySignal(socket, leader) else { return }
    send(info, to: group)
  }

  /// As `sigio_perm` of Linux, for who made the socket.
  private func maySignal(_ socket: Socket, _ task: Task) -> Bool {
    let uid = socket.owner.uid
    return uid == 0 || uid == task.credentials.uid || uid == task.credentials.suid
  }
}

/// Waits on a socket's queue for as long as the socket has `O_ASYNC`.
private final class ReadinessNotice: Waiter {
  private unowned let kernel: Kernel
  /// It owns the queue, and the queue owns this waiter.
  private unowned let socket: Socket
  private let descriptor: FileDescriptorNumber

  init(_ kernel: Kernel, _ socket: Socket, _ descriptor: FileDescriptorNumber) {
    self.kernel = kernel
    self.socket = socket
    self.descriptor = descriptor
  }

  func wake(by queue: WaitQueue, events: PollEvents) -> Bool {
    guard socket.descriptorCount > 0 else { return false }
    let ready = socket.readiness().intersection(events)
    if !ready.isEmpty { kernel.signalReady(socket, ready, descriptor) }
    // Who waits for the bytes themselves is woken all the same.
    return false
  }
}
