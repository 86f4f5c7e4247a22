import LinuxABI

/// What wait(2) waits for.
struct WaitSelector {
  enum Target {
    case any
    case process(Int32)
    case processGroup(Int32)
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

  func matches(_ child: ThreadGroup) -> Bool {
    let isClone = child.exitSignal != Signal.chld
    if !all, isClone != clonesOnly { return false }
    switch target {
    case .any: return true
    case .process(let id): return child.id == id
    case .processGroup(let id): return child.processGroup.id == id
    }
  }
}

/// A child's change of state, as wait(2) reports it.
struct WaitReport {
  var group: Int32
  var uid: UInt32
  var status: WaitStatus
  var usage: ResourceUsage
  /// `CLD_*`.
  var code: Int32
}

extension Kernel {
  /// Finds and takes a state change of a child.
  /// - Returns: nil where there are matching children but none has changed.
  /// - Throws: `ECHILD` where no child matches.
  func takeChange(of parent: ThreadGroup, _ selector: WaitSelector) throws(Errno) -> WaitReport? {
    var anyMatches = false
    for child in parent.children where selector.matches(child) {
      anyMatches = true
      if child.isZombie {
        guard selector.exited else { continue }
        return takeEnd(of: child, keeps: selector.keeps)
      }
      if selector.stopped, let signal = child.unreportedStop {
        if !selector.keeps { child.unreportedStop = nil }
        return report(child, .stopped(signal), code: SignalInfo.cldStopped)
      }
      if selector.continued, child.unreportedContinue {
        if !selector.keeps { child.unreportedContinue = false }
        return report(child, .continued, code: SignalInfo.cldContinued)
      }
    }
    guard anyMatches else { throw .noChildProcess }
    return nil
  }

  private func takeEnd(of child: ThreadGroup, keeps: Bool) -> WaitReport {
    let status = child.exitStatus ?? .exited(0)
    let code = status.exitCode != nil ? SignalInfo.cldExited : SignalInfo.cldKilled
    let result = report(child, status, code: code)
    if !keeps { reap(child) }
    return result
  }

  private func report(_ child: ThreadGroup, _ status: WaitStatus, code: Int32) -> WaitReport {
    var usage = child.usage
    usage.add(child.childUsage)
    return WaitReport(
      group: child.id, uid: child.leader?.credentials.uid ?? 0, status: status, usage: usage, code: code)
  }
}
