import Host
import Synchronization

/// Finds guest threads that compute although they have reported a trap.
///
/// A guest thread can write its context: it can report a trap that did not happen, and go on. Apus then takes it for
/// parked, and it is outside of the scheduler, of accounting and of stops. But who is parked uses no CPU. So while guests
/// run, a thread of the host's asks the host from time to time for what those threads do that should be parked. It starts
/// when the first look is due, which short runs end before, and rests when no guest process has used CPU time since it
/// last looked: parked threads wake up by themselves no more.
final class Auditor: Sendable {
  /// A thread that was found running although it is parked as far as Apus knows. It may be on its way to sleep.
  private struct Suspect {
    let process: StubProcess
    let thread: HostThread
    let id: Int32
    /// What the thread's count of turns was: another means that it has been let go in between.
    let turns: UInt64
    var processorTime: UInt64
    /// At how many looks it had used CPU time since the one before, and how many there were.
    var findings = 0
    var looks = 0
  }

  /// What the thread remembers from one look to the next.
  private struct Memory {
    /// The CPU time of each process, by slot.
    var times: [Int: UInt64] = [:]
    var suspects: [Suspect] = []
    var nextProcess = 0
    var nextThread: [Int: Int] = [:]
  }

  private let isResting = Atomic<Bool>(false)
  private let isStarted = Atomic<Bool>(false)
  private let isOver = Atomic<Bool>(false)
  private let wakeup = Wakeup()
  private let hasEnded = Wakeup()

  /// How long it waits between looks, nanoseconds; shorter while there are suspects.
  private static let interval: UInt64 = 50_000_000
  private static let shortInterval: UInt64 = 20_000_000
  /// How many processes, threads and suspects one look takes in: it must cost next to nothing.
  private static let processesAtOnce = 256
  private static let threadsAtOnce = 16
  private static let suspectsAtOnce = 8
  /// The CPU time that a parked thread can't have used between two looks, and at how many looks a suspect must have.
  private static let limit: UInt64 = 1_000_000
  private static let findingsLimit = 2
  /// For how many looks a thread stays under suspicion.
  private static let looksLimit = 100

  /// A guest thread is about to run.
  @inline(__always) func noteActivity() {
    if isResting.load(ordering: .relaxed) { goOn() }
  }

  @inline(never) private func goOn() {
    if isResting.exchange(false, ordering: .sequentiallyConsistent) { wakeup.signal() }
  }

  /// Starts the thread.
  func start(_ platform: StubPlatform) {
    if isStarted.exchange(true, ordering: .sequentiallyConsistent) { return }
    if (try? Host.startThread { self.serve(platform) }) == nil { hasEnded.signal() }
  }

  /// Ends the thread if it was started, and waits for that. It starts no more.
  func shutdown() {
    isOver.store(true, ordering: .sequentiallyConsistent)
    guard isStarted.exchange(true, ordering: .sequentiallyConsistent) else { return }
    wakeup.signal()
    hasEnded.sleep()
  }

  private func serve(_ platform: StubPlatform) {
    var memory = Memory()
    while !isOver.load(ordering: .sequentiallyConsistent) {
      if !look(at: platform, &memory) { rest(&memory, platform) }
      let delay = memory.suspects.isEmpty ? Auditor.interval : Auditor.shortInterval
      wakeup.sleep(until: Host.monotonicTime &+ delay)
    }
    hasEnded.signal()
  }

  /// Sleeps until a guest thread runs again.
  private func rest(_ memory: inout Memory, _ platform: StubPlatform) {
    isResting.store(true, ordering: .sequentiallyConsistent)
    // A thread that came in between has not seen it.
    if platform.liveProcesses.contains(where: \.isRunning) {
      isResting.store(false, ordering: .sequentiallyConsistent)
    } else {
      memory = Memory()
      wakeup.sleep()
      // `shutdown` signals once.
      if isOver.load(ordering: .sequentiallyConsistent) { wakeup.signal() }
    }
  }

  /// - Returns: false where all guest processes have been at rest since the last look.
  private func look(at platform: StubPlatform, _ memory: inout Memory) -> Bool {
    memory.suspects = memory.suspects.compactMap(lookAgain)
    let processes = platform.liveProcesses
    var isAnyoneActive = !memory.suspects.isEmpty
    var budget = Auditor.threadsAtOnce
    let count = min(processes.count, Auditor.processesAtOnce)
    for step in 0..<count {
      let process = processes[(memory.nextProcess + step) % processes.count]
      guard let time = Host.processorTime(ofProcess: process.hostPID) else { continue }
      let before = memory.times.updateValue(time, forKey: process.slot)
      guard before != time || process.isRunning else { continue }
      isAnyoneActive = true
      look(at: process, &memory, &budget)
    }
    memory.nextProcess = processes.isEmpty ? 0 : (memory.nextProcess + count) % processes.count
    return isAnyoneActive || count < processes.count
  }

  /// Looks for suspects in a process that has used CPU time.
  private func look(at process: StubProcess, _ memory: inout Memory, _ budget: inout Int) {
    let threads = process.ring.withLock { $0.threads }
    let first = memory.nextThread[process.slot] ?? 0
    var step = 0
    while step < threads.count, budget > 0, memory.suspects.count < Auditor.suspectsAtOnce {
      let thread = threads[(first + step) % threads.count]
      step += 1
      let turns = thread.turns.load(ordering: .acquiring)
      guard turns != 0, turns & 1 == 0 else { continue }
      let id = thread.id.load(ordering: .relaxed)
      // Whose id was never told is one of those that nobody else has.
      for candidate in id != 0 ? [id] : process.unknownThreads() {
        budget -= 1
        guard let account = Host.account(of: candidate, in: process.hostPID), !account.isAsleep,
          !memory.suspects.contains(where: { $0.id == candidate })
        else { continue }
        memory.suspects.append(
          Suspect(process: process, thread: thread, id: candidate, turns: turns, processorTime: account.processorTime))
      }
    }
    if !threads.isEmpty { memory.nextThread[process.slot] = (first + step) % threads.count }
  }

  /// - Returns: nil where there is nothing to suspect any more.
  private func lookAgain(at suspect: Suspect) -> Suspect? {
    var suspect = suspect
    suspect.looks += 1
    guard suspect.looks < Auditor.looksLimit, !suspect.process.isDead,
      let account = Host.account(of: suspect.id, in: suspect.process.hostPID), !account.isAsleep
    else { return nil }
    if account.processorTime &- suspect.processorTime >= Auditor.limit {
      suspect.findings += 1
      suspect.processorTime = account.processorTime
    }
    guard suspect.thread.turns.load(ordering: .acquiring) == suspect.turns else { return nil }
    if suspect.findings < Auditor.findingsLimit { return suspect }
    suspect.process.die(.protocolViolation)
    return nil
  }
}
