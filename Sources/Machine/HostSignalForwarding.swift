import Host
import LinuxABI

/// Signals that Apus itself gets: they are meant for the program it runs.
extension HostServices {
  /// Host signals that are passed on.
  private static let forwardedSignals = SignalSet(
    signals: Signal.hup, Signal.int, Signal.quit, Signal.term, Signal.usr1, Signal.usr2, Signal.winch, Signal.tstp)

  /// Blocks the signals that are passed on to guests in the calling thread, and reads them from a descriptor instead.
  /// Call it before other threads are started, which inherit the mask.
  package func attachHostSignals() throws(Errno) {
    _ = Host.setSignalMask(HostServices.forwardedSignals, blocking: true)
    let descriptor = try Host.makeSignalDescriptor(HostServices.forwardedSignals)
    guard interrupts.add(descriptor, .hostSignals(descriptor)) else {
      try? descriptor.close()
      throw .resourceTemporarilyUnavailable
    }
  }
}
