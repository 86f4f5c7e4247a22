import LinuxABI

/// Delivery: from pending signals to handlers, stops and ends, before a task goes on in guest code.
extension Kernel {
  /// Delivers pending signals before the task goes on in guest code: sets up handlers, stops, continues or ends it, and
  /// settles what becomes of an interrupted call. Costs next to nothing where there is nothing to do.
  @inline(__always)
  func deliverSignals(to task: Task) {
    if !task.pendingSignals.isSubset(of: task.signals.mask) || task.call.restart != nil
      || task.signals.maskToRestore != nil
      || task.group.isStopped
    {
      settleSignals(of: task)
    }
  }

  /// How many handlers are set up before other tasks have their turn.
  private static let signalsInARow = 64

  private func settleSignals(of task: Task) {
    guard task.thread.isWhole else { return task.thread.completeNext() }
    let group = task.group
    if group.isStopped {
      enterStop(task)
      if task.state != .runnable { return }
    }
    // A call with a temporary mask that was not interrupted: its mask ends first.
    if let mask = task.signals.maskToRestore, task.call.restart == nil,
      task.thread.registers.rax != Kernel.encode(.interrupted)
    {
      task.signals.mask = mask
      task.signals.maskToRestore = nil
    }
    var left = Kernel.signalsInARow
    while let info = takeSignal(of: task, SignalSet.all.subtracting(task.signals.mask)) {
      deliver(info, to: task)
      left -= 1
      if left == 0 {
        // The other signals are delivered after that, and before this task runs.
        task.call.givesWay = true
        return
      }
      if group.exitStatus != nil || task.mustExit { return }
      if group.isStopped {
        enterStop(task)
        // Stopping the first process stops Apus; here it has been continued.
        if task.state != .runnable { return }
      }
    }
    settleRestart(of: task, handler: nil)
    if let mask = task.signals.maskToRestore {
      task.signals.mask = mask
      task.signals.maskToRestore = nil
    }
  }

  private func deliver(_ info: SignalInfo, to task: Task) {
    let group = task.group
    let action = group.signals.handlers[info.signal]
    switch action.handler {
    case SignalAction.ignoreHandler: return
    case SignalAction.defaultHandler: takeDefaultAction(info, task)
    default:
      tracer?.signalDelivered(task, info)
      if action.flags.contains(.resetHandler) {
        group.signals.handlers[info.signal].handler = SignalAction.defaultHandler
      }
      settleRestart(of: task, handler: action)
      do throws(Errno) {
        try enterHandler(action, info, task)
      } catch {
        frameFailed(for: info.signal, task)
      }
    }
  }

  private func takeDefaultAction(_ info: SignalInfo, _ task: Task) {
    let group = task.group
    if info.signal.isIgnoredByDefault { return }
    tracer?.signalDelivered(task, info)
    switch info.signal.defaultAction {
    case .ignore, .continue: break
    case .stop:
      if info.signal != Signal.stop, isOrphaned(group.processGroup) { return }
      stop(group, by: info.signal)
    case .terminate, .dumpCore:
      // Apus writes no core files, so the status never says that there is one.
      endGroup(group, .signaled(info.signal))
    }
  }

  /// A signal frame can't be written or read: SIGSEGV, and the end where SIGSEGV itself could not be handled.
  func frameFailed(for signal: Signal, _ task: Task) {
    if signal == Signal.segv {
      task.group.signals.handlers[Signal.segv].handler = SignalAction.defaultHandler
    }
    forceSignal(SignalInfo(signal: Signal.segv, code: SignalInfo.siKernel), on: task)
  }

  /// Decides what becomes of a call that a signal interrupted: it ends with `EINTR` (which is in `rax` already), or it is
  /// run again (`include/linux/errno.h` of Linux; signal(7), "Interruption of system calls").
  private func settleRestart(of task: Task, handler action: SignalAction?) {
    if action != nil, task.call.forgetDeadline() {
      // A handler runs before the call could go on, so the call does not go on.
      var registers = task.thread.registers
      registers.rip &+= SyscallInstruction.length
      registers.rax = Kernel.encode(.interrupted)
      task.thread.setRegisters(registers)
    }
    guard let restart = task.call.restart else { return }
    task.call.restart = nil
    if let action {
      switch restart {
      case .restartNoIntr: break
      case .restartSys where action.flags.contains(.restart): break
      default: return
      }
    }
    var registers = task.thread.registers
    registers.rip &-= SyscallInstruction.length
    registers.rax = task.call.makeAgain(keepingDeadline: restart == .restartBlock)
    task.thread.setRegisters(registers)
  }
}
