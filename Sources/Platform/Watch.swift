import Host

/// Watches threads of a guest process that Apus waits for, and tells when there is no point in waiting on.
///
/// Nothing here is measured in wall-clock time: on a busy host, or while the sandbox is stopped, a thread may get no CPU
/// for seconds. What counts is what the host says of the threads at each look: the CPU time that they have used, and
/// whether they sleep although nothing keeps them from running. Each look counts for little, so that time which the host
/// charges in a lump (a virtual machine that was paused) does no harm.
final class Watch {
  enum Verdict: Equatable {
    case patience
    /// Nobody works and nobody wants to: a wake-up is missing.
    case asleep
    case unresponsive
  }

  /// How long a thread that runs is left alone until the next look, nanoseconds.
  static let interval: UInt64 = 5_000_000
  /// The most CPU time that counts at one look, nanoseconds.
  private static let mostAtOnce: UInt64 = 10_000_000
  /// Looks at which a thread ran that had taken the signal, and not reported it.
  private static let ignoredLimit = 4
  /// Looks in a row at which all slept.
  private static let asleepLimit = 20

  /// The CPU time for which a thread may leave the signal pending: in the host's kernel, at a page fault.
  private let limit: UInt64
  /// The CPU time for which it may run with the signal blocked.
  private let blockedLimit: UInt64
  private(set) var delay = Watch.interval
  private var used: UInt64 = 0
  private var usedBlocked: UInt64 = 0
  private var ignored = 0
  private var asleep = 0
  private var last: [Int32: UInt64] = [:]

  /// - Parameter runsOperations: threads run memory operations themselves, in the stub, which blocks the signal. Without
  ///   that the stub needs microseconds.
  init(limit: UInt64, runsOperations: Bool) {
    self.limit = limit
    blockedLimit = runsOperations ? limit : min(limit, 20_000_000)
  }

  /// Looks at threads that owe a trap, and at the agent where they may be waiting for it.
  ///
  /// - Parameter expectsSignal: the threads have been sent the preemption signal.
  func look(at threads: [Int32], of process: Int32, agent: Bool, expectsSignal: Bool = true) -> Verdict {
    var isAnyoneAwake = false
    var progress: UInt64 = 0
    for thread in threads {
      guard let account = Host.account(of: thread, in: process) else {
        isAnyoneAwake = true  // it ends; so does the process
        continue
      }
      let share = advance(thread, to: account)
      progress &+= share
      if !account.isAsleep { isAnyoneAwake = true }
      guard expectsSignal, share > 0 else { continue }
      if account.blockedSignals.contains(Stub.preemptSignal) {
        usedBlocked &+= share
      } else {
        usedBlocked = 0
        if account.pendingSignals.contains(Stub.preemptSignal) {
          ignored = 0
        } else {
          // An earlier trap may have taken it.
          ignored += 1
          Host.kill(process, thread: thread, signal: Stub.preemptSignal)
        }
      }
    }
    used &+= progress
    // The agent sleeps only once it has done all that it was given. What it uses when it is woken to look again is no work.
    if agent, Host.account(of: process, in: process)?.isAsleep != true { isAnyoneAwake = true }
    if expectsSignal, used >= limit || usedBlocked >= blockedLimit || ignored >= Watch.ignoredLimit {
      return .unresponsive
    }
    delay = progress > 0 ? Watch.interval : min(delay &* 2, 50_000_000)
    if isAnyoneAwake || progress > 0 {
      asleep = 0
      return .patience
    }
    asleep += 1
    return asleep >= Watch.asleepLimit ? .unresponsive : .asleep
  }

  /// The CPU time that a thread has used since the last look, so far as it counts; 0 at the first.
  private func advance(_ thread: Int32, to account: ThreadAccount) -> UInt64 {
    let before = last.updateValue(account.processorTime, forKey: thread)
    guard let before, account.processorTime > before else { return 0 }
    return min(account.processorTime - before, Watch.mostAtOnce)
  }
}
