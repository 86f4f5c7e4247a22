import LinuxABI

/// Names of signals and of where they come from (signal(7), sigaction(2)).
enum SignalNames {
  private static let names: [StaticString] = [
    "0", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1",
    "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP",
    "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR",
    "SIGSYS",
  ]

  static func name(_ signal: Signal) -> String {
    let number = Int(signal.rawValue)
    if names.indices.contains(number) { return "\(names[number])" }
    // glibc takes the first two real-time signals for itself.
    if signal.isValid {
      return signal == .realTimeMinimum ? "SIGRTMIN" : "SIGRT_\(number - Int(Signal.realTimeMinimum.rawValue))"
    }
    return "\(number)"
  }

  /// A set, as `[INT TERM]`; one that holds most signals is shown by what it lacks, as `~[KILL]`.
  static func describe(_ set: SignalSet) -> String {
    let members = Signal.all.filter { set.contains($0) }
    if members.count > 32 {
      let others = Signal.all.filter { !set.contains($0) }
      return "~[\(others.map(short).joined(separator: " "))]"
    }
    return "[\(members.map(short).joined(separator: " "))]"
  }

  private static func short(_ signal: Signal) -> String {
    let name = name(signal)
    return name.hasPrefix("SIG") ? String(name.dropFirst(3)) : name
  }

  /// The fields of `siginfo_t` that matter for a signal.
  static func describe(_ info: SignalInfo) -> String {
    var fields = ["si_signo=\(name(info.signal))", "si_code=\(code(info))"]
    if info.code == SignalInfo.siTimer {
      fields.append("si_timerid=\(info.timer)")
    } else if info.code <= 0 {
      fields.append("si_pid=\(info.pid)")
      fields.append("si_uid=\(info.uid)")
      if info.code == SignalInfo.siQueue { fields.append("si_value=\(hex(info.value))") }
    } else if info.signal == Signal.chld {
      fields.append("si_pid=\(info.pid)")
      fields.append("si_uid=\(info.uid)")
      let isExit = info.code == SignalInfo.cldExited
      fields.append("si_status=\(isExit ? "\(info.status)" : name(Signal(rawValue: info.status)))")
      fields.append("si_utime=\(info.value)")
      fields.append("si_stime=\(info.systemTime)")
    } else if info.code != SignalInfo.siKernel || isFault(info.signal) {
      fields.append("si_addr=\(pointer(info.address))")
    }
    return "{\(fields.joined(separator: ", "))}"
  }

  private static func isFault(_ signal: Signal) -> Bool {
    [Signal.segv, Signal.bus, Signal.fpe, Signal.ill, Signal.trap].contains(signal)
  }

  private static func code(_ info: SignalInfo) -> String {
    switch info.code {
    case SignalInfo.siUser: return "SI_USER"
    case SignalInfo.siKernel: return "SI_KERNEL"
    case SignalInfo.siQueue: return "SI_QUEUE"
    case SignalInfo.siTimer: return "SI_TIMER"
    case SignalInfo.siTkill: return "SI_TKILL"
    default: break
    }
    let names: [StaticString]
    switch info.signal {
    case .chld:
      names = ["CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"]
    case .segv: names = ["SEGV_MAPERR", "SEGV_ACCERR"]
    case .bus: names = ["BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR"]
    case .fpe:
      names = [
        "FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV", "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES", "FPE_FLTINV", "FPE_FLTSUB",
      ]
    case .ill:
      names = [
        "ILL_ILLOPC", "ILL_ILLOPN", "ILL_ILLADR", "ILL_ILLTRP", "ILL_PRVOPC", "ILL_PRVREG", "ILL_COPROC", "ILL_BADSTK",
      ]
    case .trap: names = ["TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT"]
    default: names = []
    }
    let index = Int(info.code) - 1
    return names.indices.contains(index) ? "\(names[index])" : "\(info.code)"
  }
}
