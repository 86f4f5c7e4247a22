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
      if !isDead, ring.hasWork, !ring.isBatchRunning { ring.post(resuming: nil, in: self) }
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

  func giveBack(_ thread: HostThread) { ring.withLock { $0.idleThreads.append(thread) } }

  /// Lets a thread go, after the operations that were queued before.
  /// - Returns: false if the process is dead.
  func resume(_ thread: HostThread, cpu: Int?) -> Bool {
    enter()
    let state = thread.context.state
    let wakesGuest = ring.withLock { ring -> Bool in
      ring.statistics.countSwitches(2, for: thread)
      if !ring.hasWork, ring.isSettled {
        ring.clearBatch()
        thread.settles = 0
        return state.exchange(thread.expectation) & Stub.sleeps != 0
      }
      if isDead { return false }
      if platform.isTrusted, ring.runsInThread(thread) {
        ring.postBatch(in: self)
        thread.settles = 0
        return state.exchange(thread.expectation) & Stub.sleeps != 0
      }
      ring.clearBatch()
      if let cpu, cpu != ring.agentCPU {
        ring.agentCPU = cpu
        Host.pin(thread: hostPID, to: cpu)
      }
      ring.statistics.countSwitches(1, for: thread)
      thread.hold()
      if thread.spins { thread.context.flushWord.store(Stub.held | Stub.sleeps) }
      ring.post(resuming: thread, in: self)
      return false
    }
    if wakesGuest { state.wake(bitset: Stub.wakeGuest) }
    return !isDead
  }

  /// Sleeps until the agent has let go of a thread's flush word, but no longer than for `patience` nanoseconds: the guest
  /// can write the word, too, and keep it held.
  /// - Returns: false if the agent has not let go.
  @discardableResult
  func waitForAgent(_ word: SharedWord, patience: UInt64) -> Bool {
    let limit = Host.monotonicTime &+ patience
    while !isDead {
      let value = word.load()
      if value & Stub.held == 0 { return true }
      word.wait(
        expected: value, bitset: Stub.wakeGuest, deadline: min(limit, Host.monotonicTime &+ 100_000_000))
      // The pidfd of a traced process tells nothing before its tracers have taken notice.
      if platform.kind == .ptrace, word.load() == value, Host.hasEnded(hostPID) { noteEnd() }
      if Host.monotonicTime >= limit { return false }
    }
    return false
  }

  /// Sends the preemption signal to all guest threads whose ids Apus does not know. Who does not run guest code now
  /// takes it when it next does.
  /// - Returns: true if there are any.
  func preemptUnknownThreads() -> Bool {
    let known = ring.withLock { $0.threads.map { $0.id.load(ordering: .sequentiallyConsistent) } }
    let unknown = Host.threads(of: hostPID).filter { $0 != hostPID && !known.contains($0) }
    for thread in unknown { Host.kill(hostPID, thread: thread, signal: Stub.preemptSignal) }
    return !unknown.isEmpty
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
  func enter() { running.add(1, ordering: .sequentiallyConsistent) }

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
    if !reaped.load(ordering: .sequentiallyConsistent) { Host.kill(hostPID, signal: Host.signalKill) }
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
    if !isGone { Host.kill(hostPID, signal: Host.signalKill) }
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
