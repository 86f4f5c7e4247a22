import CStub
import Host
import LinuxABI
import Synchronization

/// A thread of a guest process. It outlives the guest threads that it runs one after the other.
@safe final class HostThread: @unchecked Sendable {
  let context: Context
  /// Its id on the host; 0 until it has trapped for the first time.
  let id = Atomic<Int32>(0)
  /// It was asked to trap and has not done so yet.
  let isPreempted = Atomic<Bool>(false)
  /// It has been sent the signal for that; a new thread can be sent it only once its id is known.
  let isSignalSent = Atomic<Bool>(false)
  /// Grows with each entry into guest code and with each trap: odd while it may run.
  let turns = Atomic<UInt64>(0)
  /// Used by the CPU thread that runs it.
  var cpu = -1
  /// The host thread that traces it; 0 if none does.
  var tracer: Int32 = 0
  /// Offset in the header of the word through which the agent lets it go, or tells its tracer that all is done.
  let resumeWord: UInt64
  /// The ring position that is done once this thread traps.
  var settles: UInt64 = 0
  /// It reported a call without a signal, and is parked where those are: what belongs to the guest is in its registers.
  var isInCall = false
  /// How many such calls it has reported.
  var calls: UInt32 = 0
  /// Its last trap was a page fault: what it takes to go on is counted for that.
  private(set) var isAtPageFault = false

  init(context: Context, isTraced: Bool) {
    self.context = context
    resumeWord = isTraced ? UInt64(STUB_HEADER_FLUSH) : 0
  }

  /// Remembers why the thread stopped.
  func note(_ trap: Trap?) {
    if case .fault(let fault) = trap { isAtPageFault = fault.trapNumber == .pageFault } else { isAtPageFault = false }
  }

  /// It enters guest code, or has trapped. Called by the CPU thread that runs it.
  @inline(__always) func turn() {
    turns.store(turns.load(ordering: .relaxed) &+ 1, ordering: .releasing)
  }

  /// It and the CPU thread wait for each other busily, on host CPUs of their own.
  private(set) var spins = false
  /// What its state word is to say of the CPU thread from now on: that it sleeps, or nothing while it spins.
  var expectation: UInt32 { spins ? 0 : Stub.waits }

  /// Moves the thread to a host CPU, and sets how both sides wait there: asleep or busily.
  ///
  /// A new thread inherits the binding of its agent, which works now here, now there. So it counts as placed only once it
  /// has been bound itself.
  /// - Returns: false where that has to wait until the thread's id is known.
  @inline(__always) @discardableResult
  func place(_ placement: Placement, in process: Int32) -> Bool {
    if spins != (placement.guestCPU != nil) { setSpins(!spins) }
    guard let target = placement.guestCPU ?? placement.cpu, target != cpu else { return true }
    return bind(to: target, in: process)
  }

  @inline(never) private func bind(to target: Int, in process: Int32) -> Bool {
    if id.load(ordering: .relaxed) == 0 { learnID(process: process) }
    let id = id.load(ordering: .relaxed)
    guard id != 0 else { return false }
    cpu = target
    Host.pin(thread: id, to: target)
    return true
  }

  /// Tells a thread that waits busily to sleep at once, or to wait busily from its next trap on.
  func setSpins(_ spins: Bool) {
    self.spins = spins
    context.setHeader(STUB_HEADER_SPIN, to: spins ? Stub.spinLimit : 0)
  }

  /// Waits busily for a trap, for a short time: until of these bits only `trapped` is set.
  func spin(until bits: UInt32) {
    let state = context.state
    for _ in 0..<Stub.spinLimit {
      if state.load() & bits == Stub.trapped { return }
      Host.pause()
    }
  }

  /// Lets the parked thread go. - Returns: whether it sleeps, and has to be woken.
  func release() -> Bool {
    let value = context.state.exchange(expectation)
    noteRelease(value)
    return value & Stub.sleeps != 0
  }

  /// A thread that is parked in a call takes signals, and one that it took just now has told nobody.
  private func noteRelease(_ value: UInt32) {
    if isInCall, value & Stub.calls == 0 { isSignalSent.store(false, ordering: .sequentiallyConsistent) }
  }

  /// Keeps the thread parked until the agent lets it go.
  func hold() {
    let state = context.state
    for _ in 0..<8 {
      let value = state.load()
      if state.replace(value, by: value & Stub.sleeps | Stub.held | expectation) { return noteRelease(value) }
    }
    state.store(Stub.sleeps | Stub.held | expectation)
  }

  // MARK: Preemption

  /// Asks for a trap. The signal waits where the thread's id is not known yet.
  func preempt(in process: Int32) {
    isPreempted.store(true, ordering: .sequentiallyConsistent)
    sendSignal(in: process)
  }

  /// Sends the signal, if that has not been done.
  func sendSignal(in process: Int32) {
    let number = id.load(ordering: .sequentiallyConsistent)
    guard number != 0, !isSignalSent.exchange(true, ordering: .sequentiallyConsistent) else { return }
    Host.kill(process, thread: number, signal: Stub.preemptSignal)
  }

  /// It has trapped, for whatever reason. A signal that is on its way shows as one more preemption.
  @inline(__always) func noteTrap() {
    guard isPreempted.load(ordering: .relaxed) else { return }
    isPreempted.store(false, ordering: .sequentiallyConsistent)
    isSignalSent.store(false, ordering: .sequentiallyConsistent)
  }

  /// Learns the thread's id from its context; the host says whether it can be true.
  func learnID(process: Int32) {
    let value: Int32 = context.header(STUB_HEADER_TID)
    // Guest code has run, or its siblings have; the agent is none of its threads.
    if value > 0, value != process, Host.isThread(value, of: process) {
      id.store(value, ordering: .sequentiallyConsistent)
    }
  }
}
