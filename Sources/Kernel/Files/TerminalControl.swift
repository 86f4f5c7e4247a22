import FileSystem
import LinuxABI
import Memory

/// Sessions and process groups of terminals (ioctl_tty(2), credentials(7)). The line discipline is the host's.
extension Syscalls {
  /// Answers the requests that concern sessions; nil for others.
  static func terminalControl(
    _ task: Task, _ terminal: Terminal, _ request: UInt32, _ address: GuestAddress
  ) throws(Errno) -> CallOutcome<Int>? {
    let group = task.group
    task.kernel.adopt(terminal)
    switch request {
    case Ioctl.getProcessGroup:
      guard terminal.session == group.session.id else { throw .inappropriateIOCTLForDevice }
      try task.memory.writeValue(address, terminal.foregroundGroup)
    case Ioctl.getSession:
      guard terminal.session == group.session.id else { throw .inappropriateIOCTLForDevice }
      try task.memory.writeValue(address, terminal.session)
    case Ioctl.setProcessGroup:
      guard terminal.session == group.session.id else { throw .inappropriateIOCTLForDevice }
      let wanted = try task.memory.readValue(address, as: ProcessID.self)
      guard wanted.isPositive else { throw .invalidArgument }
      if let suspension = try task.stopToChange(terminal) { return .suspended(suspension) }
      guard let chosen = task.kernel.processTable.processGroups[wanted],
        chosen.members.contains(where: { !$0.isZombie })
      else { throw .noSuchProcess }
      guard chosen.session === group.session else { throw .notPermitted }
      terminal.foregroundGroup = wanted
    case Ioctl.setControllingTerminal:
      if terminal.session == group.session.id { return .done(0) }
      guard group.isSessionLeader, terminal.session.isNegative || (address == 1 && task.credentials.has(.sysAdmin))
      else {
        throw .notPermitted
      }
      terminal.session = group.session.id
      terminal.foregroundGroup = group.processGroup.id
    case Ioctl.noControllingTerminal:
      guard terminal.session == group.session.id else { throw .inappropriateIOCTLForDevice }
      guard group.isSessionLeader else { return .done(0) }
      for signal in [Signal.hup, Signal.cont] { task.kernel.send(signal, toProcessGroup: terminal.foregroundGroup) }
      terminal.session = .nobody
      terminal.foregroundGroup = .zero
    default: return nil
    }
    return .done(0)
  }
}

extension Kernel {
  /// The caller's terminal belongs to the first process's session until that gives it up.
  func adopt(_ terminal: Terminal) {
    guard terminal.session == .zero, let first = firstGroup else { return }
    terminal.session = first.session.id
    terminal.foregroundGroup = first.processGroup.id
  }

  /// Sends a signal to every process of a process group.
  func send(_ signal: Signal, toProcessGroup id: ProcessID) {
    for member in processTable.processGroups[id]?.members ?? [] where !member.isZombie {
      send(SignalInfo(signal: signal, code: SignalInfo.siKernel), to: member)
    }
  }
}

extension Task {
  /// A background process that reads from its terminal is stopped. - Throws: `EIO` where it doesn't take SIGTTIN.
  func stopToRead(_ terminal: Terminal) throws(Errno) -> Suspension? {
    kernel.adopt(terminal)
    guard terminal.session == group.session.id, group.processGroup.id != terminal.foregroundGroup else { return nil }
    if ignores(Signal.ttin) || kernel.isOrphaned(group.processGroup) { throw .ioError }
    kernel.send(Signal.ttin, toProcessGroup: group.processGroup.id)
    return .interrupted(.restartSys)
  }

  /// A background process that changes its terminal is stopped, unless it ignores SIGTTOU.
  func stopToChange(_ terminal: Terminal) throws(Errno) -> Suspension? {
    guard group.processGroup.id != terminal.foregroundGroup, !ignores(Signal.ttou) else { return nil }
    if kernel.isOrphaned(group.processGroup) { throw .ioError }
    kernel.send(Signal.ttou, toProcessGroup: group.processGroup.id)
    return .interrupted(.restartSys)
  }

  private func ignores(_ signal: Signal) -> Bool {
    signals.mask.contains(signal)
      || group.signals.handlers[signal].handler == SignalAction.ignoreHandler
  }
}
