import LinuxABI

/// What became of a signal that was sent.
enum SignalOutcome: Sendable {
  case queued
  /// It had no effect: ignored, or its process is at its end.
  case ignored
  /// The same standard signal was pending already.
  case merged
  /// A real-time signal past `RLIMIT_SIGPENDING`.
  case overLimit
}

/// Sending: from kill(2), a fault or the kernel to the pending signals of a task or a process.
extension Kernel {
  /// Queues a signal for a process: any of its tasks that does not block it takes it (kill(2)).
  @discardableResult
  func send(_ info: SignalInfo, to group: ThreadGroup) -> SignalOutcome {
    guard let receiver = group.leader else { return .ignored }
    return send(info, to: group, receiver: receiver, isPrivate: false)
  }

  /// Queues a signal for one task (tgkill(2)).
  @discardableResult
  func send(_ info: SignalInfo, to task: Task) -> SignalOutcome {
    send(info, to: task.group, receiver: task, isPrivate: true)
  }

  /// The task causes a signal itself: SIGPIPE, SIGXFSZ (write(2)).
  func raise(_ signal: Signal, on task: Task) {
    var info = SignalInfo(signal: signal, code: SignalInfo.siUser)
    info.pid = task.group.id
    info.uid = task.credentials.uid
    send(info, to: task)
  }

  /// Delivers a signal that the task caused itself (a fault): where it is blocked or ignored, the process ends.
  func forceSignal(_ info: SignalInfo, on task: Task) {
    let handlers = task.group.signals.handlers
    let isBlocked = task.signals.mask.contains(info.signal)
    if isBlocked || handlers[info.signal].handler == SignalAction.ignoreHandler {
      handlers[info.signal].handler = SignalAction.defaultHandler
      task.signals.mask.subtract(SignalSet(info.signal))
    }
    if SignalSet.synchronous.contains(info.signal), info.code > SignalInfo.siUser {
      task.signals.fault.trapNumber = info.trapNumber
      task.signals.fault.errorCode = info.errorCode
      if info.trapNumber == .pageFault { task.signals.fault.address = info.address }
    }
    send(info, to: task)
  }

  private func send(
    _ info: SignalInfo, to group: ThreadGroup, receiver: Task, isPrivate: Bool
  ) -> SignalOutcome {
    let signal = info.signal
    guard signal.isValid, !group.isZombie, group.exitStatus == nil else { return .ignored }
    if signal == Signal.kill {
      tracer?.signalDelivered(receiver, info)
      endGroup(group, .signaled(signal))
      return .queued
    }
    if signal == Signal.cont {
      discard(.stopping, of: group)
      resume(group)
    } else if SignalSet.stopping.contains(signal) {
      discard(SignalSet(Signal.cont), of: group)
    }
    if !receiver.signals.mask.contains(signal), group.signals.handlers.ignores(signal) {
      return .ignored
    }
    let pending = isPrivate ? receiver.signals.pendingSet : group.signals.pendingSet
    if !signal.isRealTime, pending.contains(signal) { return .merged }
    let count = pendingCount(of: group)
    let isOverLimit = UInt64(count) >= group.limits[.pendingSignals].current || !reserve(count + 1, for: group)
    if isOverLimit, signal.isRealTime, info.code != SignalInfo.siUser, info.code <= SignalInfo.siUser {
      return .overLimit
    }
    let keepsInfo = !isOverLimit || !signal.isRealTime && info.code >= SignalInfo.siUser
    if isPrivate {
      receiver.signals.pending.add(info, keepsInfo: keepsInfo)
    } else {
      group.signals.pending.add(info, keepsInfo: keepsInfo)
    }
    group.signalQueue.wake(.readable)
    notify(of: info, group: group, receiver: receiver, isPrivate: isPrivate)
    return .queued
  }

  /// Chooses the task that takes a new signal, and makes sure that it does so soon.
  private func notify(of info: SignalInfo, group: ThreadGroup, receiver: Task, isPrivate: Bool) {
    let taker: Task?
    if takes(receiver, info.signal) {
      taker = receiver
    } else {
      taker = isPrivate ? nil : group.tasks.first { takes($0, info.signal) }
    }
    guard let taker else { return }
    if isFatal(info.signal, for: group) {
      // As in Linux, the whole process ends at once; only core dumps need the task itself.
      tracer?.signalDelivered(taker, info)
      endGroup(group, .signaled(info.signal))
    } else {
      kick(taker)
    }
  }

  private func takes(_ task: Task, _ signal: Signal) -> Bool {
    !task.signals.mask.contains(signal) && !task.group.isStopped && !task.mustExit
      && !task.hasEnded
  }

  private func isFatal(_ signal: Signal, for group: ThreadGroup) -> Bool {
    group.signals.handlers[signal].handler == SignalAction.defaultHandler
      && signal.defaultAction == .terminate
  }

  /// A task stops taking some signals (it blocks them, or ends): others of its process take those that are pending.
  func retargetSignals(from task: Task, _ signals: SignalSet = .all) {
    let left = task.group.signals.pendingSet.intersection(signals)
    guard !left.isEmpty else { return }
    for other in task.group.tasks where other !== task && !left.isSubset(of: other.signals.mask) { kick(other) }
  }

  /// Forgets pending signals of a process and all its tasks.
  func discard(_ signals: SignalSet, of group: ThreadGroup) {
    group.signals.pending.remove(signals)
    for task in group.tasks { task.signals.pending.remove(signals) }
  }

  /// Counted for each process, where Linux counts for each user.
  private func pendingCount(of group: ThreadGroup) -> Int {
    group.tasks.reduce(group.signals.pending.count) { $0 + $1.signals.pending.count }
  }

  /// Few signals cost nothing.
  private static let uncountedSignals = 16
  private static let signalPrice = 320

  /// Charges for the pending signals of a process; false where there is no memory for them.
  private func reserve(_ count: Int, for group: ThreadGroup) -> Bool {
    guard count > Kernel.uncountedSignals || group.signalCharge != nil else { return true }
    if group.signalCharge == nil { group.signalCharge = kernelMemory.openCharge() }
    do throws(Errno) {
      try group.signalCharge?.resize(toHold: count * Kernel.signalPrice)
    } catch { return false }
    return true
  }

  /// Takes the next pending signal in `wanted`, the task's own before its process's.
  func takeSignal(of task: Task, _ wanted: SignalSet) -> SignalInfo? {
    guard var info = task.signals.pending.take(wanted) ?? task.group.signals.pending.take(wanted) else { return nil }
    if task.group.signalCharge != nil {
      let count = pendingCount(of: task.group)
      if count == 0 { task.group.signalCharge = nil } else { _ = reserve(count, for: task.group) }
    }
    if info.code == SignalInfo.siTimer { task.group.timers?.fillOverrun(of: &info) }
    return info
  }
}
