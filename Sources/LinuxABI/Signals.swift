/// Signal numbers of x86-64 Linux (signal(7)).
package enum Signal {
  package static let hup: Int32 = 1
  package static let int: Int32 = 2
  package static let quit: Int32 = 3
  package static let ill: Int32 = 4
  package static let trap: Int32 = 5
  package static let abrt: Int32 = 6
  package static let bus: Int32 = 7
  package static let fpe: Int32 = 8
  package static let kill: Int32 = 9
  package static let usr1: Int32 = 10
  package static let segv: Int32 = 11
  package static let usr2: Int32 = 12
  package static let pipe: Int32 = 13
  package static let alrm: Int32 = 14
  package static let term: Int32 = 15
  package static let stkflt: Int32 = 16
  package static let chld: Int32 = 17
  package static let cont: Int32 = 18
  package static let stop: Int32 = 19
  package static let tstp: Int32 = 20
  package static let ttin: Int32 = 21
  package static let ttou: Int32 = 22
  package static let urg: Int32 = 23
  package static let xcpu: Int32 = 24
  package static let xfsz: Int32 = 25
  package static let vtalrm: Int32 = 26
  package static let prof: Int32 = 27
  package static let winch: Int32 = 28
  package static let io: Int32 = 29
  package static let pwr: Int32 = 30
  package static let sys: Int32 = 31
  /// First real-time signal of the kernel.
  package static let realTimeMinimum: Int32 = 32
  package static let maximum: Int32 = 64
}

/// A set of signals, `sigset_t` of the kernel: bit n−1 for signal n.
public struct SignalSet: OptionSet, Sendable, BitwiseCopyable, Hashable {
  public var rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// The set of one signal; empty for a number that is none.
  public init(_ signal: Int32) { rawValue = (1...64).contains(signal) ? 1 << UInt64(signal - 1) : 0 }
  public func contains(signal: Int32) -> Bool { !isDisjoint(with: SignalSet(signal)) }
  /// The lowest signal; nil for an empty set.
  public var lowest: Int32? { rawValue == 0 ? nil : Int32(rawValue.trailingZeroBitCount) + 1 }
  /// A set of several signals.
  public init(signals: Int32...) {
    rawValue = signals.reduce(0) { $0 | SignalSet($1).rawValue }
  }
  /// Signals of faults, delivered before all others.
  public static let synchronous = SignalSet(
    signals: Signal.segv, Signal.bus, Signal.ill, Signal.trap, Signal.fpe, Signal.sys)
  /// Signals whose default action is to do nothing.
  public static let ignoredByDefault = SignalSet(signals: Signal.chld, Signal.cont, Signal.winch, Signal.urg)
  /// Signals whose default action stops the process.
  public static let stopping = SignalSet(signals: Signal.stop, Signal.tstp, Signal.ttin, Signal.ttou)
  /// Signals whose default action dumps core.
  public static let dumpingCore = SignalSet(
    signals: Signal.quit, Signal.ill, Signal.trap, Signal.abrt, Signal.fpe, Signal.segv, Signal.bus, Signal.sys,
    Signal.xcpu, Signal.xfsz)
  /// The signals that can be neither caught nor blocked.
  public static let unblockable: SignalSet = [SignalSet(Signal.kill), SignalSet(Signal.stop)]
}

/// What comes with a signal: the fields of `siginfo_t` that a sender sets (sigaction(2)).
package struct SignalInfo: Sendable, Equatable {
  package var signal: Int32
  package var code: Int32
  package var errno: Int32 = 0
  /// Sender (SI_USER, SI_QUEUE, SI_TKILL) or child (CLD_*).
  package var pid: Int32 = 0
  package var uid: UInt32 = 0
  /// `si_status` (CLD_*), `si_overrun` (SI_TIMER; the timer's id, `si_timerid`, is in `pid`), `si_fd` (SIGIO).
  package var status: Int32 = 0
  /// `si_value` (SI_QUEUE, SI_TIMER), in clock ticks `si_utime`/`si_stime` (CLD_*), `si_syscall` and `si_arch` (SIGSYS).
  package var value: UInt64 = 0
  package var systemTime: UInt64 = 0
  /// `si_addr` (faults), `si_band` (SIGIO), `si_call_addr` (SIGSYS).
  package var address: UInt64 = 0
  /// For faults: exception number and error code of the signal frame's `mcontext`.
  package var trapNumber: UInt64 = 0
  package var errorCode: UInt64 = 0

  package init(signal: Int32, code: Int32) {
    self.signal = signal
    self.code = code
  }
  package static let siUser: Int32 = 0
  package static let siKernel: Int32 = 0x80
  package static let siQueue: Int32 = -1
  package static let siTimer: Int32 = -2
  package static let siSigIO: Int32 = -5
  package static let siTkill: Int32 = -6
  package static let cldExited: Int32 = 1
  package static let cldKilled: Int32 = 2
  package static let cldDumped: Int32 = 3
  package static let cldTrapped: Int32 = 4
  package static let cldStopped: Int32 = 5
  package static let cldContinued: Int32 = 6
  package static let segvMapError: Int32 = 1
  package static let segvAccessError: Int32 = 2
}

/// `struct sigaction` as rt_sigaction(2) takes it on x86-64.
package struct SignalAction: BitwiseCopyable, Sendable, Equatable {
  package var handler: UInt64 = 0
  package var flags: UInt64 = 0
  package var restorer: UInt64 = 0
  package var mask = SignalSet()
  package init() {}
  package static let defaultHandler: UInt64 = 0
  package static let ignoreHandler: UInt64 = 1
  package static let noChildStop: UInt64 = 1
  package static let noChildWait: UInt64 = 2
  package static let sigInfo: UInt64 = 4
  package static let onStack: UInt64 = 0x0800_0000
  package static let restart: UInt64 = 0x1000_0000
  /// The flags that the kernel keeps; others are cleared, so that programs can probe for them (sigaction(2)).
  package static let knownFlags: UInt64 = 0xdc00_0807
  package static let noDefer: UInt64 = 0x4000_0000
  package static let resetHandler: UInt64 = 0x8000_0000
  package static let hasRestorer: UInt64 = 0x0400_0000
}
