import LinuxABI

/// Stopping and continuing processes (signal(7), waitpid(2)).
///
/// A task that waits in a system call counts as stopped: once woken it stops before it does anything. The parent is told
/// when no task of the process is left that runs.
extension Kernel {
  /// Stops a process.
  func stop(_ group: ThreadGroup, by signal: Signal) {
    guard !group.isStopped else { return }
    group.isStopped = true
    group.signals.stopSignal = signal
    group.signals.isStopAnnounced = false
    group.unreportedContinue = false
    for task in group.tasks where task.scheduling.isInGuest { kick(task) }
  }

  /// A task of a stopped process is about to run guest code: it stops instead.
  func enterStop(_ task: Task) {
    task.state = .stopped
    announceStop(of: task.group)
  }

  /// Tells the parent of a stop, once no task of the process is left that runs.
  func announceStop(of group: ThreadGroup) {
    guard !group.signals.isStopAnnounced, group.tasks.allSatisfy({ $0.state != .runnable }) else { return }
    group.signals.isStopAnnounced = true
    group.unreportedStop = group.signals.stopSignal
    notifyParent(of: group, .stopped(group.signals.stopSignal))
    if group === firstGroup, console != nil { stopWithCaller() }
  }

  /// The first process, whose terminal is the caller's, has stopped: Apus stops with it, so that the caller's shell takes
  /// over, and goes on with it when the shell continues Apus. Where Apus has no shell that could, the host doesn't stop it,
  /// and the first process goes on at once.
  private func stopWithCaller() {
    services.stopWithCaller()
    if let group = firstGroup { send(Signal.cont, toProcessGroup: group.processGroup.id) }
  }

  /// Ends a stop (SIGCONT).
  func resume(_ group: ThreadGroup) {
    guard group.isStopped else { return }
    group.isStopped = false
    group.unreportedStop = nil
    for task in group.tasks where task.state == .stopped {
      scheduler.makeRunnable(task)
    }
    guard group.signals.isStopAnnounced else { return }
    group.unreportedContinue = true
    notifyParent(of: group, .continued)
  }

  /// Nobody could continue a process group (see `ProcessGroup.isOrphaned`). The first process's has such a parent in the
  /// caller's shell.
  func isOrphaned(_ processGroup: ProcessGroup) -> Bool {
    if console != nil, processGroup === firstGroup?.processGroup { return false }
    return processGroup.isOrphaned
  }
}
