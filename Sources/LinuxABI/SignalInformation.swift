/// `siginfo_t` of x86-64, 128 bytes (sigaction(2)).
package struct SignalInformation: BitwiseCopyable, Sendable {
  package var signal = Signal.null
  package var errno: Int32 = 0
  package var code: Int32 = 0
  private var padding: Int32 = 0
  private var fields = InlineArray<14, UInt64>(repeating: 0)
  package init() {}

  /// Which members of the union a signal fills.
  private enum Form { case sender, value, timer, child, fault, poll, syscall }

  private static func form(signal: Signal, code: Int32) -> Form {
    if code > SignalInfo.siUser, code < SignalInfo.siKernel {
      switch signal {
      case .ill, .fpe, .segv, .bus, .trap: return .fault
      case .chld: return .child
      case .io: return .poll
      case .sys: return .syscall
      default: return code <= 6 ? .poll : .sender
      }
    }
    switch code {
    case SignalInfo.siTimer: return .timer
    case SignalInfo.siSigIO: return .poll
    case ..<0: return .value
    default: return .sender
    }
  }

  private static func pair(_ low: UInt32, _ high: UInt32) -> UInt64 { UInt64(high) << 32 | UInt64(low) }

  package init(_ info: SignalInfo) {
    signal = info.signal
    errno = info.errno
    code = info.code
    let sender = SignalInformation.pair(UInt32(bitPattern: info.pid.rawValue), info.uid)
    let status = UInt64(UInt32(bitPattern: info.status))
    switch SignalInformation.form(signal: signal, code: code) {
    case .sender: fields[0] = sender
    case .value:
      fields[0] = sender
      fields[1] = info.value
    case .timer:
      fields[0] = SignalInformation.pair(UInt32(bitPattern: info.timer), UInt32(bitPattern: info.status))
      fields[1] = info.value
    case .child:
      fields[0] = sender
      fields[1] = status
      fields[2] = info.value
      fields[3] = info.systemTime
    case .fault: fields[0] = info.address
    case .poll:
      fields[0] = info.address
      fields[1] = status
    case .syscall:
      fields[0] = info.address
      fields[1] = info.value
    }
  }

  /// What a guest put into a `siginfo_t` (rt_sigqueueinfo(2)).
  package var info: SignalInfo {
    var info = SignalInfo(signal: signal, code: code)
    info.errno = errno
    let low = Int32(truncatingIfNeeded: fields[0])
    let high = UInt32(truncatingIfNeeded: fields[0] >> 32)
    switch SignalInformation.form(signal: signal, code: code) {
    case .sender, .value:
      info.pid = ProcessID(rawValue: low)
      info.uid = high
      info.value = fields[1]
    case .timer:
      info.timer = low
      info.status = Int32(bitPattern: high)
      info.value = fields[1]
    case .child:
      info.pid = ProcessID(rawValue: low)
      info.uid = high
      info.status = Int32(truncatingIfNeeded: fields[1])
      info.value = fields[2]
      info.systemTime = fields[3]
    case .fault: info.address = fields[0]
    case .poll:
      info.address = fields[0]
      info.status = Int32(truncatingIfNeeded: fields[1])
    case .syscall:
      info.address = fields[0]
      info.value = fields[1]
    }
    return info
  }
}
