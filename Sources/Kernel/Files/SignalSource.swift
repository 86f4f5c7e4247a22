import FileSystem
import LinuxABI

/// What signal files show of a task (signalfd(2)).
extension Task: SignalSource {
  package var signalQueue: WaitQueue { group.signalQueue }

  package func hasPending(_ set: SignalSet) -> Bool {
    !signals.pendingSet.union(group.signals.pendingSet).isDisjoint(with: set)
  }

  /// The lowest signal of the set, the task's own before the process's.
  package func takePending(_ set: SignalSet) -> SignalInfo? {
    if let info = Task.take(set, from: &signals.pending) {
      signals.pendingSet = Task.union(signals.pending)
      return info
    }
    guard let info = Task.take(set, from: &group.signals.pending) else { return nil }
    group.signals.pendingSet = Task.union(group.signals.pending)
    return info
  }

  private static func take(_ set: SignalSet, from pending: inout [SignalInfo]) -> SignalInfo? {
    var best: Int?
    for index in pending.indices where set.contains(signal: pending[index].signal) {
      if let best, pending[best].signal <= pending[index].signal { continue }
      best = index
    }
    return best.map { pending.remove(at: $0) }
  }

  private static func union(_ pending: [SignalInfo]) -> SignalSet {
    pending.reduce(into: SignalSet()) { $0.formUnion(SignalSet($1.signal)) }
  }
}
