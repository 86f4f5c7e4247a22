import FileSystem
import LinuxABI
import Network

/// SIGURG: what the owner of a socket gets when urgent bytes have come (fcntl(2), `F_SETOWN`; socket(7)).
extension Kernel {
  func signalUrgent(_ socket: Socket) {
    let owner = socket.signalOwner
    guard owner.id != .zero, let kind = DescriptorOwner.Kind(rawValue: owner.type) else { return }
    let info = SignalInfo(signal: Signal.urg, code: SignalInfo.siKernel)
    switch kind {
    case .thread:
      guard let task = tasks[owner.id], maySignal(socket, task) else { return }
      send(info, to: task)
    case .process: if let group = groups[owner.id] { signal(info, socket, group) }
    case .processGroup:
      for group in processTable.processGroups[owner.id]?.members ?? [] { signal(info, socket, group) }
    }
  }

  private func signal(_ info: SignalInfo, _ socket: Socket, _ group: ThreadGroup) {
    guard let leader = group.leader, maySignal(socket, leader) else { return }
    send(info, to: group)
  }

  /// As `sigio_perm` of Linux, for who made the socket.
  private func maySignal(_ socket: Socket, _ task: Task) -> Bool {
    let uid = socket.owner.uid
    return uid == 0 || uid == task.credentials.uid || uid == task.credentials.suid
  }
}
