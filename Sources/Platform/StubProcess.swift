import CStub
import Host
import LinuxABI
import Synchronization

/// A host process whose agent executes memory operations and whose threads run guest code.
///
/// `queue` is protected by its own lock, because threads of a process enter the guest without the kernel lock.
final class StubProcess: GuestProcess {
  /// Holds its processes in turn until they are over; `shutdown` ends that.
  let platform: StubPlatform
  /// Its number among the platform's processes, which says where its control area is.
  let slot: Int
  let hostPID: Int32
  let deathDescriptor: FileDescriptor

  let ring: Mutex<OperationRing>
  private let dead = Atomic<Bool>(false)
  private let reason = Atomic<UInt8>(0)
  /// Threads inside `run`.
  private let running = Atomic<Int>(0)
  private let reaped = Atomic<Bool>(false)
  private let released = Atomic<Bool>(false)
  private let retired = Atomic<Bool>(false)

  init(platform: StubPlatform, slot: Int, pid: Int32, death: FileDescriptor, ring: consuming OperationRing) {
    self.platform = platform
    self.slot = slot
    hostPID = pid
    deathDescriptor = death
    self.ring = Mutex(ring)
  }

  deinit { Host.close(deathDescriptor) }

  var isDead: Bool { dead.load(ordering: .sequentiallyConsistent) }

  // MARK: Memory operations

  func queue(_ operation: MemoryOperation) { ring.withLock { $0.append(operation) } }

  func releaseTicket() -> UInt64 { ring.withLock { $0.requestConfirmation() } }

  func flush() {
    ring.withLock { ring in
      if !isDead, ring.hasWork, !ring.isBatchRunning { _ = ring.post(resuming: nil, in: self) }
    }
  }

  // MARK: Threads

  func makeThread(registers: Registers, extendedStateOf parent: (any GuestThread)?) throws(Errno) -> any GuestThread {
    if isDead { throw .resourceTemporarilyUnavailable }
    let thread = try ring.withLock { ring throws(Errno) -> HostThread in
      if let idle = ring.idleThreads.popLast() {
        platform.count(\.threadsReused)
        return idle
      }
      guard ring.threads.count < Stub.threadLimit else { throw .resourceTemporarilyUnavailable }
      let context = Context(in: platform.contexts, number: try platform.takeContext(), index: ring.threads.count)
      context.clear(from: platform.frameFloor)
      context.prepareHeader()
      context.state.store(Stub.held)
      let thread = HostThread(context: context, isTraced: platform.kind == .ptrace)
      ring.threads.append(thread)
      ring.starts.append(thread)
      platform.count(\.threadsCreated)
      return thread
    }
    if platform.kind == .ptrace {
      return PtraceThread(process: self, host: thread, registers: registers, parent: parent as? PtraceThread)
    }
    return SeccompThread(process: self, host: thread, registers: registers, parent: parent as? SeccompThread)
  }

  func giveBack(_ thread: HostThread) { if !thread.isInCall { ring.withLock { $0.idleThreads.append(thread) } } }

  /// What became of an attempt to let a thread go.
  enum Resumption {
    /// It runs, or will once the agent is done.
    case resumed
    /// It did not go on: a preemption came while the agent still worked on what was queued before.
    case preempted
    case dead
  }

  /// Lets a thread go, after the operations that were queued before.
  func resume(_ thread: HostThread, cpu: Int?) -> Resumption {
    enter()
    let state = thread.context.state
    var counted = false
    while true {
      var wakesGuest = false
      let posting = ring.withLock { ring -> OperationRing.Posting in
        if !counted { ring.statistics.countSwitches(2, for: thread) }
        if !ring.hasWork, ring.isSettled {
          ring.clearBatch()
          thread.settles = 0
          wakesGuest = thread.release()
          return .complete
        }
        if isDead { return .complete }
        if platform.isTrusted, ring.runsInThread(thread) {
          ring.postBatch(in: self)
          thread.settles = 0
          wakesGuest = thread.release()
          return .complete
        }
        ring.clearBatch()
        ring.bindAgent(to: cpu, of: self)
        if !counted { ring.statistics.countSwitches(1, for: thread) }
        return ring.post(resuming: thread, in: self)
      }
      if posting == .complete {
        if wakesGuest { state.wake(bitset: Stub.wakeGuest) }
        return isDead ? .dead : .resumed
      }
      counted = true
      if waitForAgent(posting, before: thread) { return .dead }
      if thread.isPreempted.load(ordering: .sequentiallyConsistent) { return .preempted }
    }
  }

  /// Waits, without any lock, until the agent has done a part of what is queued, or the thread is to be preempted.
  /// - Returns: true if the process is dead.
  private func waitForAgent(_ posting: OperationRing.Posting, before thread: HostThread) -> Bool {
    switch posting {
    case .complete: break
    case .partial: waitForAgent(before: thread, isPreemptible: true)
    // Another thread's operations fill the ring, and that one watches the agent.
    case .full: Host.sleep(nanoseconds: 500_000)
    }
    return isDead
  }

  /// Sleeps until the agent has let go of a thread's flush word, or the process is dead. The agent may take as long as it
  /// works; but the guest can write the word, too, and keep it held.
  func waitForAgent(before thread: HostThread, isPreemptible: Bool) {
    let word = thread.context.flushWord
    let watch = Watch(limit: .max, runsOperations: false)
    var nextLook = Host.monotonicTime &+ watch.delay
    while !isDead {
      let value = word.load()
      if value & Stub.held == 0 { return }
      if isPreemptible, thread.isPreempted.load(ordering: .sequentiallyConsistent) { return }
      word.wait(expected: value, bitset: Stub.wakeGuest, deadline: nextLook)
      guard Host.monotonicTime >= nextLook, word.load() & Stub.held != 0 else { continue }
      // The pidfd of a traced process tells nothing before its tracers have taken notice.
      if platform.kind == .ptrace, Host.hasEnded(hostPID) { noteEnd() }
      switch watch.look(at: [], of: hostPID, agent: true, expectsSignal: false) {
      case .patience: break
      case .asleep: ring.withLock { $0.publish() }
      case .unresponsive: if word.load() & Stub.held != 0 { die(.unresponsive) }
      }
      nextLook = Host.monotonicTime &+ watch.delay
    }
  }

  /// Sends the preemption signal to all guest threads whose ids Apus does not know, and returns them. Who does not run
  /// guest code now takes it when it next does.
  func preemptUnknownThreads() -> [Int32] {
    let unknown = unknownThreads()
    for thread in unknown { Host.kill(hostPID, thread: thread, signal: Stub.preemptSignal) }
    return unknown
  }

  /// The guest threads whose ids Apus does not know: they have not told them yet, or were kept from it.
  func unknownThreads() -> [Int32] {
    let known = ring.withLock { $0.threads.map { $0.id.load(ordering: .sequentiallyConsistent) } }
    return Host.threads(of: hostPID).filter { $0 != hostPID && !known.contains($0) }
  }

  /// A thread has come back from the guest (or died there).
  func suspend(_ thread: HostThread) {
    if thread.settles != 0 {
      ring.withLock { $0.settle(thread.settles) }
    } else if platform.isTrusted {
      ring.withLock { $0.isBatchRunning = false }
    }
    leave()
  }

  /// A thread is about to run.
  func enter() {
    running.add(1, ordering: .sequentiallyConsistent)
    platform.auditor?.noteActivity()
  }

  var isRunning: Bool { running.load(ordering: .sequentiallyConsistent) > 0 }

  /// It runs no longer.
  func leave() {
    running.subtract(1, ordering: .sequentiallyConsistent)
    if isDead { retireIfOver() }
  }

  // MARK: End

  func recycle() {
    if beginRecycling() { platform.keep(self) } else { kill() }
  }

  func kill() {
    die(.killed)
    if released.exchange(true, ordering: .sequentiallyConsistent) { return }
    // It may have been reaped before, as one that died by itself.
    if reap() { retireIfOver() } else { platform.noteDying(self) }
  }

  /// Kills the host process because of something it did.
  func die(_ reason: Trap.DeathReason) {
    noteReason(reason)
    if !reaped.load(ordering: .sequentiallyConsistent) { Host.kill(hostPID, signal: .kill) }
    markDead()
  }

  func noteDeath() {
    reap()
    markDead()
  }

  var deathReason: Trap.DeathReason {
    switch reason.load(ordering: .sequentiallyConsistent) {
    case 2: .unresponsive
    case 3: .memoryOperationFailed
    case 4: .protocolViolation
    default: .killed
    }
  }

  /// A traced thread is gone, so the process is ending.
  func noteEnd() {
    if !isGone { Host.kill(hostPID, signal: .kill) }
    reap(waiting: true)
    noteReason(.killed)
    markDead()
  }

  private func noteReason(_ value: Trap.DeathReason) {
    let code: UInt8 =
      switch value {
      case .killed: 1
      case .unresponsive: 2
      case .memoryOperationFailed: 3
      case .protocolViolation: 4
      }
    _ = reason.compareExchange(expected: 0, desired: code, ordering: .sequentiallyConsistent)
  }

  private func markDead() {
    dead.store(true, ordering: .sequentiallyConsistent)
    if !retired.load(ordering: .sequentiallyConsistent) {
      ring.withLock { ring in
        for thread in ring.threads {
          thread.context.state.formUnion(Stub.dead)
          thread.context.state.wake(bitset: Stub.wakeApus)
          thread.context.flushWord.formUnion(Stub.dead)
          thread.context.flushWord.wake()
        }
      }
    }
    retireIfOver()
  }

  /// Takes the exit status if the process has ended.
  /// - Returns: true once it has.
  @discardableResult
  func reap(waiting: Bool = false) -> Bool {
    if reaped.load(ordering: .sequentiallyConsistent) { return true }
    guard let status = platform.kind == .ptrace ? reapTraced(waiting) : reapAlone(waiting) else { return isGone }
    reaped.store(true, ordering: .sequentiallyConsistent)
    switch status {
    case .exited(STUB_EXIT_OPERATION), .exited(STUB_EXIT_CLONE), .exited(STUB_EXIT_SETUP):
      noteReason(.memoryOperationFailed)
    default: noteReason(.killed)
    }
    retireIfOver()
    return true
  }

  private func reapAlone(_ waiting: Bool) -> ChildStatus? { (try? Host.reap(hostPID, waiting: waiting)) ?? nil }

  /// A process is not over before its tracers have taken notice of its threads' ends. A thread may vanish with its
  /// tracer, though, of which those who wait for it are not told: so this looks again and again.
  private func reapTraced(_ waiting: Bool) -> ChildStatus? {
    while !isGone {
      for thread in ring.withLock({ $0.threads }) where thread.tracer != 0 {
        _ = try? Host.reap(thread.id.load(ordering: .sequentiallyConsistent), waiting: false)
      }
      do throws(Errno) {
        if let status = try Host.reap(hostPID, waiting: false) { return status }
      } catch { return nil }
      guard waiting else { return nil }
      Host.sleep(nanoseconds: 100_000)
    }
    return nil
  }

  /// True once the host process and its memory are gone.
  var isGone: Bool { reaped.load(ordering: .sequentiallyConsistent) }

  /// Gives slot and contexts back once nobody can touch them any more: neither a thread in `run`, nor an agent.
  private func retireIfOver() {
    guard reaped.load(ordering: .sequentiallyConsistent), released.load(ordering: .sequentiallyConsistent),
      running.load(ordering: .sequentiallyConsistent) == 0,
      !retired.exchange(true, ordering: .sequentiallyConsistent)
    else { return }
    ring.withLock { ring in
      platform.retire(self, lastTicket: ring.ticket, contexts: ring.threads.map(\.context.number))
      platform.add(ring.statistics)
      ring.statistics = PlatformStatistics()
      ring.threads = []
      ring.idleThreads = []
      ring.starts = []
    }
  }
}
