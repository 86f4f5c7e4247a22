/// A signal by its number (signal(7)).
///
/// Any number can be held, as programs name any; `isValid` tells those that are signals.
public struct Signal: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// No signal: kill(2) only checks whether it could send one, elsewhere it means that none is sent.
  public static let null = Signal(rawValue: 0)
  public static let hup = Signal(rawValue: 1)
  public static let int = Signal(rawValue: 2)
  public static let quit = Signal(rawValue: 3)
  public static let ill = Signal(rawValue: 4)
  public static let trap = Signal(rawValue: 5)
  public static let abrt = Signal(rawValue: 6)
  public static let bus = Signal(rawValue: 7)
  public static let fpe = Signal(rawValue: 8)
  public static let kill = Signal(rawValue: 9)
  public static let usr1 = Signal(rawValue: 10)
  public static let segv = Signal(rawValue: 11)
  public static let usr2 = Signal(rawValue: 12)
  public static let pipe = Signal(rawValue: 13)
  public static let alrm = Signal(rawValue: 14)
  public static let term = Signal(rawValue: 15)
  public static let stkflt = Signal(rawValue: 16)
  public static let chld = Signal(rawValue: 17)
  public static let cont = Signal(rawValue: 18)
  public static let stop = Signal(rawValue: 19)
  public static let tstp = Signal(rawValue: 20)
  public static let ttin = Signal(rawValue: 21)
  public static let ttou = Signal(rawValue: 22)
  public static let urg = Signal(rawValue: 23)
  public static let xcpu = Signal(rawValue: 24)
  public static let xfsz = Signal(rawValue: 25)
  public static let vtalrm = Signal(rawValue: 26)
  public static let prof = Signal(rawValue: 27)
  public static let winch = Signal(rawValue: 28)
  public static let io = Signal(rawValue: 29)
  public static let pwr = Signal(rawValue: 30)
  public static let sys = Signal(rawValue: 31)
  /// First real-time signal of the kernel.
  public static let realTimeMinimum = Signal(rawValue: 32)
  public static let maximum = Signal(rawValue: 64)
  /// Every signal there is, in order.
  public static var all: [Signal] { (1...maximum.rawValue).map(Signal.init(rawValue:)) }

  /// The number is a signal's.
  public var isValid: Bool { rawValue >= 1 && rawValue <= Signal.maximum.rawValue }
  /// Queues, however often it is pending already.
  public var isRealTime: Bool { rawValue >= Signal.realTimeMinimum.rawValue }

  /// What a signal does where the process has no other action for it.
  public enum DefaultAction: Sendable { case terminate, dumpCore, ignore, stop, `continue` }

  /// The default actions of signal(7).
  public var defaultAction: DefaultAction {
    switch self {
    case .chld, .urg, .winch: .ignore
    case .cont: .continue
    case .stop, .tstp, .ttin, .ttou: .stop
    case .quit, .ill, .trap, .abrt, .bus, .fpe, .segv, .xcpu, .xfsz, .sys: .dumpCore
    default: .terminate
    }
  }

  /// The default action does nothing to a process that is not stopped.
  public var isIgnoredByDefault: Bool { defaultAction == .ignore || defaultAction == .continue }
}

/// A set of signals, `sigset_t` of the kernel: bit n−1 for signal n.
public struct SignalSet: OptionSet, Sendable, BitwiseCopyable, Hashable {
  public var rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// `sizeof(sigset_t)` of the kernel, which all calls with a set must name.
  public static let size: UInt64 = 8
  /// The set of one signal; empty for a number that is none.
  public init(_ signal: Signal) { rawValue = signal.isValid ? 1 << UInt64(signal.rawValue - 1) : 0 }
  public func contains(_ signal: Signal) -> Bool { !isDisjoint(with: SignalSet(signal)) }
  /// The lowest signal; nil for an empty set.
  public var lowest: Signal? {
    rawValue == 0 ? nil : Signal(rawValue: Int32(truncatingIfNeeded: rawValue.trailingZeroBitCount) + 1)
  }
  /// A set of several signals.
  public init(signals: Signal...) {
    rawValue = signals.reduce(0) { $0 | SignalSet($1).rawValue }
  }
  /// Every signal.
  public static let all = SignalSet(rawValue: .max)
  /// Those that queue.
  public static let realTime = SignalSet(rawValue: .max << UInt64(Signal.realTimeMinimum.rawValue - 1))
  /// Signals of faults, delivered before all others.
  public static let synchronous = SignalSet(signals: .segv, .bus, .ill, .trap, .fpe, .sys)
  /// Signals whose default action stops the process.
  public static let stopping = SignalSet(signals: .stop, .tstp, .ttin, .ttou)
  /// The signals that can be neither caught nor blocked.
  public static let unblockable = SignalSet(signals: .kill, .stop)
}

/// `how` of sigprocmask(2), `SIG_*`.
public enum SignalMaskChange: Int32, NamedConstants, Sendable {
  case block = 0
  case unblock = 1
  case set = 2

  public static let names: [ConstantName] = [
    .init("SIG_BLOCK", block), .init("SIG_UNBLOCK", unblock), .init("SIG_SETMASK", set),
  ]
}

/// What comes with a signal: the fields of `siginfo_t` that a sender sets (sigaction(2)).
package struct SignalInfo: Sendable, Equatable {
  package var signal: Signal
  package var code: Int32
  package var errno: Int32 = 0
  /// Sender (SI_USER, SI_QUEUE, SI_TKILL) or child (CLD_*).
  package var pid = ProcessID.zero
  package var uid: UInt32 = 0
  /// `si_status` (CLD_*), `si_overrun` (SI_TIMER), `si_fd` (SIGIO).
  package var status: Int32 = 0
  /// `si_timerid` (SI_TIMER).
  package var timer: Int32 = 0
  /// `si_value` (SI_QUEUE, SI_TIMER), in clock ticks `si_utime`/`si_stime` (CLD_*), `si_syscall` and `si_arch` (SIGSYS).
  package var value: UInt64 = 0
  package var systemTime: UInt64 = 0
  /// `si_addr` (faults), `si_band` (SIGIO), `si_call_addr` (SIGSYS).
  package var address: UInt64 = 0
  /// For faults: exception number and error code of the signal frame's `mcontext`.
  package var trapNumber = ProcessorException(rawValue: 0)
  package var errorCode: UInt64 = 0

  package init(signal: Signal, code: Int32) {
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
  package static let pollInput: Int32 = 1
  package static let pollOutput: Int32 = 2
  package static let pollError: Int32 = 4
  package static let pollHangUp: Int32 = 6
  package static let segvMapError: Int32 = 1
  package static let segvAccessError: Int32 = 2
  package static let busAlignment: Int32 = 1
  package static let busAddressError: Int32 = 2
  package static let trapTrace: Int32 = 2
  package static let sysSeccomp: Int32 = 1
}

/// `struct sigaction` as rt_sigaction(2) takes it on x86-64.
package struct SignalAction: BitwiseCopyable, Sendable, Equatable {
  package var handler: UInt64 = 0
  package var flags = SignalActionFlags()
  package var restorer: UInt64 = 0
  package var mask = SignalSet()
  package init() {}
  /// `SIG_DFL`.
  package static let defaultHandler: UInt64 = 0
  /// `SIG_IGN`.
  package static let ignoreHandler: UInt64 = 1
}

/// `SA_*` of sigaction(2).
public struct SignalActionFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static let noChildStop = SignalActionFlags(rawValue: 0x0000_0001)
  public static let noChildWait = SignalActionFlags(rawValue: 0x0000_0002)
  public static let information = SignalActionFlags(rawValue: 0x0000_0004)
  public static let exposeTagBits = SignalActionFlags(rawValue: 0x0000_0800)
  public static let hasRestorer = SignalActionFlags(rawValue: 0x0400_0000)
  public static let onStack = SignalActionFlags(rawValue: 0x0800_0000)
  public static let restart = SignalActionFlags(rawValue: 0x1000_0000)
  public static let noDefer = SignalActionFlags(rawValue: 0x4000_0000)
  public static let resetHandler = SignalActionFlags(rawValue: 0x8000_0000)
  /// The flags that the kernel keeps; others are cleared, so that programs can probe for them (sigaction(2)).
  public static let all: SignalActionFlags = [
    .noChildStop, .noChildWait, .information, .exposeTagBits, .hasRestorer, .onStack, .restart, .noDefer,
    .resetHandler,
  ]

  public static let names: [ConstantName] = [
    .init("SA_RESTORER", hasRestorer), .init("SA_ONSTACK", onStack), .init("SA_RESTART", restart),
    .init("SA_NODEFER", noDefer), .init("SA_RESETHAND", resetHandler), .init("SA_SIGINFO", information),
    .init("SA_EXPOSE_TAGBITS", exposeTagBits), .init("SA_NOCLDSTOP", noChildStop), .init("SA_NOCLDWAIT", noChildWait),
  ]
}
