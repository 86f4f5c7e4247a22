import DequeModule
import LinuxABI

/// Signals that wait to be delivered to a task or a process (signal(7)).
///
/// A standard signal is kept once; real-time signals queue, and come out in the order they were sent.
final class PendingSignals {
  /// The signals that are pending.
  private(set) var set = SignalSet()
  private var queue = Deque<SignalInfo>()

  /// Signals that are kept with what came with them: what `RLIMIT_SIGPENDING` counts.
  var count: Int { queue.count }

  /// Adds a signal. Without `keepsInfo` only its number is kept: who sent it is lost.
  func add(_ info: SignalInfo, keepsInfo: Bool = true) {
    set.formUnion(SignalSet(info.signal))
    if keepsInfo { queue.append(info) }
  }

  /// Takes the next signal that is in `wanted`: faults first, then the lowest number.
  func take(_ wanted: SignalSet) -> SignalInfo? {
    var candidates = set.intersection(wanted)
    let faults = candidates.intersection(.synchronous)
    if !faults.isEmpty { candidates = faults }
    guard let signal = candidates.lowest else { return nil }
    guard let index = queue.firstIndex(where: { $0.signal == signal }) else {
      set.subtract(SignalSet(signal))
      return SignalInfo(signal: signal, code: SignalInfo.siUser)
    }
    let info = queue.remove(at: index)
    if !signal.isRealTime || !queue.contains(where: { $0.signal == signal }) {
      set.subtract(SignalSet(signal))
    }
    return info
  }

  /// Forgets all signals of a set.
  func remove(_ signals: SignalSet) {
    guard !set.isDisjoint(with: signals) else { return }
    set.subtract(signals)
    queue.removeAll { signals.contains($0.signal) }
  }
}
