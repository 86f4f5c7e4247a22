import LinuxABI
import Memory

/// The pending signals of the task that uses a signal file.
package protocol SignalSource: AnyObject {
  /// Woken when a signal becomes pending for the task.
  var signalQueue: WaitQueue { get }
  /// A signal of the set is pending.
  func hasPending(_ set: SignalSet) -> Bool
  /// Takes the next pending signal of the set.
  func takePending(_ set: SignalSet) -> SignalInfo?
}

/// Signals that are accepted by reading (signalfd(2)). What it shows depends on who looks, as in Linux.
package final class SignalFile: AnonymousFile {
  /// The signals accepted; signalfd(2) on an existing descriptor changes it.
  package var mask: SignalSet {
    didSet { currentTask()?.signalQueue.wake(.readable) }
  }
  private let currentTask: () -> (any SignalSource)?

  /// - Parameter currentTask: the task whose system call is served now.
  package init(mask: SignalSet, flags: OpenFlags, currentTask: @escaping () -> (any SignalSource)?) {
    self.mask = mask
    self.currentTask = currentTask
    super.init(kindName: "[signalfd]", flags: flags.intersection(.nonBlocking).union(.readWrite))
  }

  package override var waitQueue: WaitQueue? { currentTask()?.signalQueue }

  package override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard offset == nil else { throw .illegalSeek }
    let size = MemoryLayout<SignalDescriptorInfo>.size
    guard buffer.remaining >= size else { throw .invalidArgument }
    guard let source = currentTask() else { throw .wouldBlock }
    var total = 0
    while buffer.remaining >= size, let info = source.takePending(mask) {
      buffer.write(value: SignalDescriptorInfo(info))
      total += size
    }
    guard total > 0 else { throw .wouldBlock }
    return total
  }

  package override func readiness() -> PollEvents {
    currentTask()?.hasPending(mask) ?? false ? .readable : []
  }

  package override var information: String {
    let digits = String(mask.rawValue, radix: 16)
    return "sigmask:\t\(String(repeating: "0", count: 16 - digits.count))\(digits)\n"
  }
}

extension SignalDescriptorInfo {
  init(_ info: SignalInfo) {
    self.init()
    signal = UInt32(bitPattern: info.signal.rawValue)
    errno = info.errno
    code = info.code
    pid = UInt32(bitPattern: info.pid.rawValue)
    uid = info.uid
    switch info.signal {
    case .chld:
      status = info.status
      userTime = info.value
      systemTime = info.systemTime
    case .segv, .bus, .ill, .fpe, .trap:
      address = info.address
    default:
      integer = Int32(truncatingIfNeeded: info.value)
      pointer = info.value
      if info.code == SignalInfo.siTimer {
        pid = 0
        timer = UInt32(bitPattern: info.timer)
        overrun = UInt32(bitPattern: info.status)
      }
    }
  }
}
