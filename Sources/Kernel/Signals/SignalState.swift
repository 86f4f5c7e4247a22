import FileSystem
import LinuxABI

/// The signals of one task: those that it blocks, those that wait for it, and where it handles them.
final class TaskSignals {
  var mask = SignalSet()
  /// Set by calls with a temporary mask (ppoll, sigsuspend): restored when the call ends or the handler returns.
  var maskToRestore: SignalSet?
  let pending = PendingSignals()
  var pendingSet: SignalSet { pending.set }
  var alternateStack = AlternateStack()
  /// The last fault, which signal frames show (`mcontext` of x86-64).
  var fault = FaultRecord()

  struct FaultRecord {
    var trapNumber = ProcessorException(rawValue: 0)
    var errorCode: UInt64 = 0
    var address: UInt64 = 0
  }
}

/// The handlers of a process; `CLONE_SIGHAND` shares them.
final class SignalHandlers {
  /// By signal number; index 0 is unused.
  private var actions = [SignalAction](repeating: SignalAction(), count: Int(Signal.maximum.rawValue) + 1)
  init() {}

  init(copying other: SignalHandlers) { actions = other.actions }

  /// The action of a signal; the default for a number that is none.
  subscript(signal: Signal) -> SignalAction {
    get { signal.isValid ? actions[Int(signal.rawValue)] : SignalAction() }
    set { if signal.isValid { actions[Int(signal.rawValue)] = newValue } }
  }

  /// Nothing happens when the signal is delivered.
  func ignores(_ signal: Signal) -> Bool {
    switch self[signal].handler {
    case SignalAction.ignoreHandler: true
    case SignalAction.defaultHandler: signal.isIgnoredByDefault
    default: false
    }
  }

  /// The signals that the process ignores, and those it handles (`/proc/PID/status`).
  var ignoredSet: SignalSet { signals { $0.handler == SignalAction.ignoreHandler } }
  var caughtSet: SignalSet { signals { $0.handler > SignalAction.ignoreHandler } }
  private func signals(where matches: (SignalAction) -> Bool) -> SignalSet {
    Signal.all.reduce(into: []) { if matches(self[$1]) { $0.formUnion(SignalSet($1)) } }
  }

  /// Sets every signal that has a handler to the default action; ignored signals stay ignored (execve(2)).
  func reset() {
    for index in actions.indices {
      let isIgnored = actions[index].handler == SignalAction.ignoreHandler
      actions[index] = SignalAction()
      if isIgnored { actions[index].handler = SignalAction.ignoreHandler }
    }
  }
}

/// Handlers and pending signals of a process, and where it is in being stopped.
final class GroupSignals {
  var handlers: SignalHandlers
  let pending = PendingSignals()
  var pendingSet: SignalSet { pending.set }
  /// The signal that stopped the process.
  var stopSignal = Signal.null
  /// The parent was told of the stop: all tasks have reached it.
  var isStopAnnounced = false

  init() { handlers = SignalHandlers() }
  init(sharingHandlersOf other: GroupSignals) { handlers = other.handlers }
  /// A copy of the handlers; `clearing` sets those that are not ignored to the default (`CLONE_CLEAR_SIGHAND`).
  init(copyingHandlersOf other: GroupSignals, clearing: Bool) {
    handlers = SignalHandlers(copying: other.handlers)
    if clearing { handlers.reset() }
  }
}

extension Task {
  /// The signals that wait for this task.
  var pendingSignals: SignalSet { signals.pendingSet.union(group.signals.pendingSet) }

  /// A signal is pending that is not blocked and has an effect, or the task must stop or end: interrupts waiting system
  /// calls.
  var hasDeliverableSignal: Bool {
    group.exitStatus != nil || mustExit || group.isStopped || !pendingSignals.isSubset(of: signals.mask)
  }

  /// Blocks these signals until the system call ends, or the handler that interrupts it returns (sigsuspend(2),
  /// ppoll(2)). A call that is run again keeps its mask.
  func setTemporaryMask(_ mask: SignalSet) {
    if signals.maskToRestore == nil { signals.maskToRestore = signals.mask }
    signals.mask = mask.subtracting(.unblockable)
  }

  /// Changes the signal mask. Other tasks take what this one no longer does.
  func setSignalMask(_ mask: SignalSet) {
    let mask = mask.subtracting(.unblockable)
    let added = mask.subtracting(signals.mask)
    signals.mask = mask
    if !added.isDisjoint(with: group.signals.pendingSet) { kernel.retargetSignals(from: self, added) }
  }
}

extension Task {
  /// A new program starts with no handlers, which the task shares with no other, and no alternate stack (execve(2)).
  func resetSignalsForExec() {
    group.signals.handlers = SignalHandlers(copying: group.signals.handlers)
    group.signals.handlers.reset()
    signals.alternateStack = AlternateStack()
    signals.fault = TaskSignals.FaultRecord()
    if let mask = signals.maskToRestore { signals.mask = mask }
    signals.maskToRestore = nil
  }
}

extension Task: SignalSource {
  var signalQueue: WaitQueue { group.signalQueue }
  func hasPending(_ set: SignalSet) -> Bool { !pendingSignals.isDisjoint(with: set) }
  func takePending(_ set: SignalSet) -> SignalInfo? {
    kernel.takeSignal(of: self, set.subtracting(.unblockable))
  }
}
