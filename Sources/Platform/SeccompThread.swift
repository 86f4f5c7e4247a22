import CStub
import Host
import LinuxABI
import Synchronization

/// A thread of a guest process. It outlives the guest threads that it runs one after the other.
@safe final class HostThread: @unchecked Sendable {
  let context: Context
  /// Its id on the host; 0 until it has trapped for the first time.
  let id = Atomic<Int32>(0)
  /// When an unanswered preemption ends the process (CLOCK_MONOTONIC, nanoseconds); 0: none is outstanding.
  let deadline = Atomic<UInt64>(0)
  /// A preemption that waits for the thread's id to be known: on a busy host a new thread starts late.
  let isPreemptionPending = Atomic<Bool>(false)
  /// Used by the CPU thread that runs it.
  var cpu = -1
  /// The host thread that traces it; 0 if none does.
  var tracer: Int32 = 0
  /// Offset in the header of the word through which the agent lets it go, or tells its tracer that all is done.
  let resumeWord: UInt64
  /// The ring position that is done once this thread traps.
  var settles: UInt64 = 0
  /// Its last trap was a page fault: what it takes to go on is counted for that.
  private(set) var isAtPageFault = false

  init(context: Context, isTraced: Bool) {
    self.context = context
    resumeWord = isTraced ? UInt64(STUB_HEADER_FLUSH) : 0
  }

  /// Remembers why the thread stopped.
  func note(_ trap: Trap?) {
    if case .fault(let fault) = trap { isAtPageFault = fault.trapNumber == 14 } else { isAtPageFault = false }
  }

  /// It and the CPU thread wait for each other busily, on host CPUs of their own.
  private(set) var spins = false
  /// What its state word is to say of the CPU thread from now on: that it sleeps, or nothing while it spins.
  var expectation: UInt32 { spins ? 0 : Stub.waits }

  /// Goes to a host CPU, and from now on waits there as told.
  func place(_ placement: Placement) {
    if spins != (placement.guestCPU != nil) { setSpins(!spins) }
    guard let target = placement.guestCPU ?? placement.cpu, target != cpu else { return }
    let id = id.load(ordering: .relaxed)
    // A thread that has not started yet inherits the agent's binding.
    guard id != 0 || placement.guestCPU == nil else { return }
    cpu = target
    if id != 0 { Host.pin(thread: id, to: target) }
  }

  /// Tells a thread that waits busily to sleep at once, or to wait busily from its next trap on.
  func setSpins(_ spins: Bool) {
    self.spins = spins
    context.setHeader(STUB_HEADER_SPIN, to: spins ? Stub.spinLimit : 0)
  }

  /// Waits busily for a trap, for a short time.
  func spin() {
    let state = context.state
    for _ in 0..<Stub.spinLimit {
      if state.load() & Stub.trapped != 0 { return }
      Host.pause()
    }
  }

  /// Keeps the thread parked until the agent lets it go.
  func hold() {
    let state = context.state
    for _ in 0..<8 {
      let value = state.load()
      if state.replace(value, by: value & Stub.sleeps | Stub.held | expectation) { return }
    }
    state.store(Stub.sleeps | Stub.held | expectation)
  }

  /// Sends the pending preemption if there is one and the thread's id is known.
  func sendPendingPreemption(process: Int32, gracePeriod: UInt64) {
    let number = id.load(ordering: .sequentiallyConsistent)
    guard number != 0, isPreemptionPending.exchange(false, ordering: .sequentiallyConsistent) else { return }
    expectTrap(within: gracePeriod)
    Host.kill(process, thread: number, signal: Stub.preemptSignal)
  }

  /// Sets the deadline of a preemption. One that is outstanding keeps its own: the scheduler asks again with each slice.
  func expectTrap(within time: UInt64) {
    _ = deadline.compareExchange(
      expected: 0, desired: Host.monotonicTime &+ time, ordering: .sequentiallyConsistent)
  }

  /// How long it may take until a new thread has told its id: on a busy host it starts late, and guest code can keep its
  /// siblings from ever telling theirs.
  static func startPatience(_ gracePeriod: UInt64) -> UInt64 { gracePeriod &* 4 }

  /// Learns the thread's id from its context; the host says whether it can be true.
  func learnID(process: Int32) {
    let value: Int32 = context.header(STUB_HEADER_TID)
    // Guest code has run, or its siblings have; the agent is none of its threads.
    if value > 0, value != process, Host.isThread(value, of: process) {
      id.store(value, ordering: .sequentiallyConsistent)
    }
  }
}

/// A guest thread under the seccomp platform.
@safe final class SeccompThread: GuestThread, @unchecked Sendable {
  private let process: StubProcess
  private let host: HostThread
  private var frame: SignalFrame
  var registers: Registers

  init(process: StubProcess, host: HostThread, registers: Registers, parent: SeccompThread?) {
    self.process = process
    self.host = host
    self.registers = registers
    frame = SignalFrame(
      in: host.context, extendedState: parent.flatMap { $0.frame.extendedState(in: $0.host.context) })
  }

  func run(on placement: Placement) -> Trap {
    let context = host.context
    if host.deadline.load(ordering: .relaxed) != 0 {
      host.deadline.store(Host.monotonicTime &+ process.platform.gracePeriod, ordering: .sequentiallyConsistent)
    }
    host.place(placement)
    frame.writeRegisters(registers, to: context)
    let trapped = process.resume(host, cpu: placement.cpu) && waitForTrap()
    process.suspend(host)
    guard trapped else { return .died(reason: process.deathReason) }
    if host.deadline.load(ordering: .relaxed) != 0 { host.deadline.store(0, ordering: .sequentiallyConsistent) }
    if host.isPreemptionPending.load(ordering: .relaxed) {
      host.isPreemptionPending.store(false, ordering: .sequentiallyConsistent)
    }
    if host.id.load(ordering: .relaxed) == 0 { host.learnID(process: process.hostPID) }
    guard let frame = SignalFrame(reportedAt: context.header(STUB_HEADER_FRAME), in: context) else {
      process.die(.protocolViolation)
      return .died(reason: process.deathReason)
    }
    self.frame = frame
    frame.readRegisters(of: context, into: &registers)
    let trap = frame.trap(signal: context.header(STUB_HEADER_SIGNAL), in: context, registers: &registers)
    host.note(trap)
    return trap
  }

  /// - Returns: false if the process has died.
  private func waitForTrap() -> Bool {
    let state = host.context.state
    if host.spins {
      if host.settles != 0 { process.waitForAgent(host.context.flushWord, patience: 10_000_000) }
      host.spin()
    }
    while true {
      if process.isDead { return false }
      let value = state.load()
      if value & Stub.trapped != 0 { return true }
      var deadline: UInt64?
      if host.isPreemptionPending.load(ordering: .sequentiallyConsistent) {
        if host.id.load(ordering: .relaxed) == 0 { host.learnID(process: process.hostPID) }
        if host.id.load(ordering: .relaxed) == 0 { preemptUnknown() }
        host.sendPendingPreemption(process: process.hostPID, gracePeriod: process.platform.gracePeriod)
      }
      let limit = host.deadline.load(ordering: .sequentiallyConsistent)
      if limit != 0 {
        if Host.monotonicTime >= limit {
          process.die(.unresponsive)
          return false
        }
        deadline = limit
        // Still pending: the id is to be asked for again.
        if host.isPreemptionPending.load(ordering: .relaxed) { deadline = min(limit, Host.monotonicTime &+ 1_000_000) }
      }
      if value & Stub.waits == 0, !state.replace(value, by: value | Stub.waits) { continue }
      state.wait(expected: value | Stub.waits, bitset: Stub.wakeApus, deadline: deadline)
    }
  }

  /// Preempts a thread that has not told its id, or whose claim is false: it is among those that the host knows.
  private func preemptUnknown() {
    let gracePeriod = process.platform.gracePeriod
    host.expectTrap(
      within: process.preemptUnknownThreads() ? gracePeriod : HostThread.startPatience(gracePeriod))
  }

  var waitedForAgent: Bool { host.settles != 0 }

  func preempt() {
    host.isPreemptionPending.store(true, ordering: .sequentiallyConsistent)
    host.sendPendingPreemption(process: process.hostPID, gracePeriod: process.platform.gracePeriod)
    // The CPU thread keeps the deadline, and sends the signal itself where the id is not known yet. The bit makes
    // sure that it does not go to sleep before it has looked.
    host.context.state.formUnion(Stub.notice)
    host.context.state.wake(bitset: Stub.wakeApus)
  }

  func extendedState() -> [UInt8] { frame.extendedState(in: host.context) ?? ExtendedState.initial }

  func setExtendedState(_ area: [UInt8]) throws(Errno) {
    frame = SignalFrame(in: host.context, extendedState: try ExtendedState.sanitized(area))
  }

  func resetExtendedState() { frame = SignalFrame(in: host.context, extendedState: nil) }

  func exit() { process.giveBack(host) }
}
