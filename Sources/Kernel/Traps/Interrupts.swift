import FileSystem
import LinuxABI
import Platform

/// What reaches the kernel from outside of guest code.
extension Kernel {
  /// When the machine serves interrupts next.
  package enum InterruptStep: Sendable {
    /// At this time (CLOCK_MONOTONIC) at the latest, or when the host reports something.
    case wait(until: MonotonicTime?)
    /// Never: the sandbox has ended.
    case stop
  }

  /// Serves what the host has reported, in `reports`, and the timers that are due.
  package func serveInterrupts(_ reports: () -> Void) -> InterruptStep {
    timers.beginServing()
    reports()
    let next = timers.finishServing(at: monotonicTime)
    return result == nil ? .wait(until: next) : .stop
  }

  /// Apus got a signal that goes on to the first process; one that a terminal sent, to its foreground process group.
  package func hostSignalArrived(_ signal: Signal, isFromTerminal: Bool) {
    guard let group = firstGroup else { return }
    if isFromTerminal {
      let foreground = terminal(of: group)?.foregroundGroup ?? .zero
      send(signal, toProcessGroup: foreground.isPositive ? foreground : group.processGroup.id)
    } else {
      send(SignalInfo(signal: signal, code: SignalInfo.siUser), to: group)
    }
  }
}
