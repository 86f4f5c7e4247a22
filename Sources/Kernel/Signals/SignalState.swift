import FileSystem
import LinuxABI

/// Pending signals and the alternate stack of one task.
package struct TaskSignals {
  package var pending: [SignalInfo] = []
  package var pendingSet = SignalSet()
  package var alternateStack = AlternateStack()
  package init() {}
}

/// `stack_t` of sigaltstack(2).
package struct AlternateStack: BitwiseCopyable, Sendable, Equatable {
  package var address: UInt64 = 0
  package var flags: Int32 = 2
  private var padding: Int32 = 0
  package var size: UInt64 = 0
  package init() {}
}

/// The handlers of a process; `CLONE_SIGHAND` shares them.
package final class SignalHandlers {
  /// By signal number; index 0 is unused.
  package var actions = [SignalAction](repeating: SignalAction(), count: 65)
  package init() {}
}

/// Handlers and pending signals of a process.
package final class GroupSignals {
  package var handlers: SignalHandlers
  package var pending: [SignalInfo] = []
  package var pendingSet = SignalSet()

  package init() { handlers = SignalHandlers() }
  package init(sharingHandlersOf other: GroupSignals) { handlers = other.handlers }
  /// A copy of the handlers; `clearing` sets those that are not ignored to the default (`CLONE_CLEAR_SIGHAND`, execve(2)).
  package init(copyingHandlersOf other: GroupSignals, clearing: Bool) {
    handlers = SignalHandlers()
    handlers.actions = other.handlers.actions
    if clearing { resetHandlers() }
  }

  /// Sets every signal that has a handler to the default action; ignored signals stay ignored (execve(2)).
  package func resetHandlers() {
    for index in handlers.actions.indices where handlers.actions[index].handler != SignalAction.ignoreHandler {
      handlers.actions[index] = SignalAction()
    }
  }
}

extension Task {
  /// A signal is pending that is not blocked and has an effect: interrupts waiting system calls.
  package var hasDeliverableSignal: Bool {
    group.exitStatus != nil || mustExit
      || !signals.pendingSet.union(group.signals.pendingSet).subtracting(signalMask).isEmpty
  }
}

extension Kernel {
  /// Queues a signal for a process: any of its tasks that does not block it takes it (kill(2)).
  package func send(_ info: SignalInfo, to group: ThreadGroup) {}
  /// Queues a signal for one task (tgkill(2)).
  package func send(_ info: SignalInfo, to task: Task) {}
  /// Delivers a signal that the task caused itself (a fault): where it is blocked or ignored, the process ends.
  func forceSignal(_ info: SignalInfo, on task: Task) { endGroup(task.group, .signaled(info.signal)) }
  /// Delivers pending signals before the task goes on in guest code: sets up handlers, stops, continues or ends it, and
  /// settles `pendingRestart`.
  func deliverSignals(to task: Task) {}
  /// Passes host signals (SIGINT, SIGTERM, … sent to Apus) to the first process.
  func forwardHostSignals(from descriptor: FileDescriptor) {}
  func stopTimers(of group: ThreadGroup) {}
  /// Handlers, alternate stack and timers at execve(2).
  func resetSignalsForExec(_ task: Task) {}
}
