import Host
import LinuxABI

/// Blocks signals in the calling thread, and so in all threads that it starts from then on, until `restore`.
///
/// Those that go on to guests must not end Apus itself before the kernel reads them; SIGPIPE and SIGTTOU would end or
/// stop Apus in the middle of a guest's call.
struct BlockedSignals {
  private let oldMask: SignalSet

  init() {
    let signals = SignalSet(
      signals: Signal.hup, Signal.int, Signal.quit, Signal.term, Signal.usr1, Signal.usr2, Signal.winch, Signal.pipe,
      Signal.ttou, Signal.tstp)
    oldMask = Host.setSignalMask(signals, blocking: true)
  }

  func restore() { _ = Host.setSignalMask(oldMask, blocking: false) }
}
