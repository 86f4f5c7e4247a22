import Host
import LinuxABI

/// Blocks signals in the calling thread, and so in all threads that it starts from then on, until `restore`.
///
/// Those that go on to guests must not end Apus itself before the kernel reads them; SIGPIPE, SIGXFSZ and SIGTTOU would
/// end or stop Apus in the middle of a guest's call, which gets an error instead (EPIPE, EFBIG).
struct BlockedSignals {
  private static let forwarded = SignalSet(
    signals: Signal.hup, Signal.int, Signal.quit, Signal.term, Signal.usr1, Signal.usr2, Signal.winch, Signal.tstp)
  private static let ofCalls = SignalSet(signals: Signal.pipe, Signal.xfsz, Signal.ttou)
  private let oldMask: SignalSet

  /// - Parameter forwarded: also those that are passed on to guests.
  init(forwarded: Bool) {
    let signals = forwarded ? BlockedSignals.ofCalls.union(BlockedSignals.forwarded) : BlockedSignals.ofCalls
    oldMask = Host.setSignalMask(signals, blocking: true)
  }

  /// Unblocks them again. Those that calls of this thread sent to it are taken away before.
  func restore() {
    Host.discardSignals(BlockedSignals.ofCalls.subtracting(oldMask))
    _ = Host.setSignalMask(oldMask, blocking: false)
  }
}
