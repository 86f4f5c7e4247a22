import FileSystem
import Host
import LinuxABI

/// Signals that Apus itself gets: they are meant for the program it runs.
extension Kernel {
  /// Host signals that are passed on.
  private static let forwardedSignals = SignalSet(
    signals: Signal.hup, Signal.int, Signal.quit, Signal.term, Signal.usr1, Signal.usr2, Signal.winch, Signal.tstp)

  /// Blocks the signals that are passed on to guests in the calling thread, and reads them from a descriptor instead.
  /// Call it before other threads are started, which inherit the mask.
  package func attachHostSignals() throws(Errno) {
    _ = Host.setSignalMask(Kernel.forwardedSignals, blocking: true)
    let descriptor = try Host.makeSignalDescriptor(Kernel.forwardedSignals)
    guard interrupts.add(descriptor, .hostSignals(descriptor)) else {
      try? descriptor.close()
      throw .resourceTemporarilyUnavailable
    }
  }

  /// Passes host signals to the first process; those that a terminal sent, to its foreground process group.
  func forwardHostSignals(from descriptor: FileDescriptor) {
    while let signal = Host.readSignal(descriptor) {
      guard let group = firstGroup else { return }
      if signal.isFromKernel {
        let foreground = terminal(of: group)?.foregroundGroup ?? 0
        send(signal.number, toProcessGroup: foreground > 0 ? foreground : group.processGroup)
      } else {
        send(SignalInfo(signal: signal.number, code: SignalInfo.siUser), to: group)
      }
    }
  }
}
