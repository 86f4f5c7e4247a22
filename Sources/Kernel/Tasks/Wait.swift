import LinuxABI

/// What wait(2) waits for.
struct WaitSelector {
  enum Target {
    case any
    case process(ProcessID)
    case processGroup(ProcessID)
  }
  var target: Target
  var exited = true
  var stopped = false
  var continued = false
  /// Leave the child waitable (`WNOWAIT`).
  var keeps = false
  /// `__WALL`, `__WCLONE`: children whose exit signal is not SIGCHLD.
  var all = false
  var clonesOnly = false
  /// `__WNOTHREAD`: only children of this thread.
  var thread: ProcessID?

  func matches(_ child: ThreadGroup) -> Bool {
    let isClone = child.exitSignal != Signal.chld
    if !all, isClone != clonesOnly { return false }
    if let thread, child.parentThread != thread { return false }
    switch target {
    case .any: return true
    case .process(let id): return child.id == id
    case .processGroup(let id): return child.processGroup.id == id
    }
  }
}

/// A child's change of state, as wait(2) reports it.
struct WaitReport {
  var group: ProcessID
  var uid: UInt32
  var status: WaitStatus
  var usage: ResourceUsage
}

extension WaitStatus {
  /// `si_code` and `si_status` of the SIGCHLD that tells of it (sigaction(2)).
  var childInformation: (code: Int32, status: Int32) {
    if self == .continued { return (SignalInfo.cldContinued, Signal.cont.rawValue) }
    if let stopSignal { return (SignalInfo.cldStopped, stopSignal.rawValue) }
    if let exitCode { return (SignalInfo.cldExited, exitCode) }
    return (SignalInfo.cldKilled, signal?.rawValue ?? 0)
  }
}

extension Kernel {
  /// Finds and takes a state change of a child.
  /// - Returns: nil where there are matching children but none has changed.
  /// - Throws: `ECHILD` where no child matches, or all that do have ended and the ends of children are not asked for.
  func takeChange(of parent: ThreadGroup, _ selector: WaitSelector) throws(Errno) -> WaitReport? {
    var anyMatches = false
    for child in parent.children where selector.matches(child) {
      if child.isZombie {
        // It will never stop nor continue.
        guard selector.exited else { continue }
        return takeEnd(of: child, keeps: selector.keeps)
      }
      anyMatches = true
      if selector.stopped, let signal = child.unreportedStop {
        if !selector.keeps { child.unreportedStop = nil }
        return report(child, .stopped(signal))
      }
      if selector.continued, child.unreportedContinue {
        if !selector.keeps { child.unreportedContinue = false }
        return report(child, .continued)
      }
    }
    guard anyMatches else { throw .noChildProcess }
    return nil
  }

  private func takeEnd(of child: ThreadGroup, keeps: Bool) -> WaitReport {
    let result = report(child, child.exitStatus ?? .exited(0))
    if !keeps { reap(child) }
    return result
  }

  private func report(_ child: ThreadGroup, _ status: WaitStatus) -> WaitReport {
    var usage = child.usage
    usage.add(child.childUsage)
    return WaitReport(group: child.id, uid: child.leader?.credentials.uid ?? 0, status: status, usage: usage)
  }

  /// Tells the parent that a child has ended, stopped or goes on: by a signal, where it wants one (`SA_NOCLDSTOP` of
  /// sigaction(2); clone(2) says which one at the end), and in wait(2).
  func notifyParent(of group: ThreadGroup, _ status: WaitStatus) {
    guard let parent = group.parent else { return }
    let action = parent.signals.handlers[Signal.chld]
    let isWanted =
      group.isZombie
      ? group.exitSignal != .null
      : action.handler != SignalAction.ignoreHandler && !action.flags.contains(.noChildStop)
    if isWanted {
      let change = status.childInformation
      var info = SignalInfo(signal: group.isZombie ? group.exitSignal : Signal.chld, code: change.code)
      info.pid = group.id
      info.uid = group.leader?.credentials.uid ?? 0
      info.status = change.status
      let times = times(of: group)
      info.value = times.user / .clockTick
      info.systemTime = times.system / .clockTick
      send(info, to: parent)
    }
    parent.childQueue.wake()
  }
}
