import LinuxABI

/// What a new task has from the one that made it (clone(2), fork(2)), where it is not shared.
///
/// What clone(2) shares on request (memory, files, working directory) and the name and credentials, which every task has
/// from the start, are arguments of `Task.init`.
extension Task {
  func inherit(from parent: Task, _ flags: CloneFlags) {
    // A call with a mask of its own, as in ppoll(2), does not hand that one on.
    signals.mask = parent.signals.maskToRestore ?? parent.signals.mask
    // Two tasks on one stack would overwrite each other's frames, unless one waits for the other.
    if !flags.contains(.vm) || flags.contains(.vfork) { signals.alternateStack = parent.signals.alternateStack }
    scheduling.inherit(from: parent.scheduling)
    attributes = parent.attributes.inherited()
  }
}

extension ThreadGroup {
  func inherit(from parent: ThreadGroup) {
    executable = parent.executable
    limits = parent.limits
    isDumpable = parent.isDumpable
    argumentRange = parent.argumentRange
    environmentRange = parent.environmentRange
    auxiliaryVector = parent.auxiliaryVector
  }
}

extension TaskAttributes {
  fileprivate func inherited() -> TaskAttributes {
    var child = self
    child.defaultTimerSlack = timerSlack
    child.parentDeathSignal = .null
    return child
  }
}

extension GroupSignals {
  /// Those of a new process: it shares its parent's handlers, or has a copy of them.
  convenience init(of parent: GroupSignals, _ flags: CloneFlags) {
    if flags.contains(.signalHandlers) {
      self.init(sharingHandlersOf: parent)
    } else {
      self.init(copyingHandlersOf: parent, clearing: flags.contains(.clearSignalHandlers))
    }
  }
}
