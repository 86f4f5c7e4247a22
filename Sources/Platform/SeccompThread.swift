import CStub
import Host
import LinuxABI
import Synchronization

/// A guest thread under the seccomp platform.
@safe final class SeccompThread: GuestThread, @unchecked Sendable {
  private let process: StubProcess
  private let host: HostThread
  private var frame: HostSignalFrame
  private(set) var registers: Registers
  /// All of the thread's state is needed before it goes on.
  private var wantsFrame = false

  init(process: StubProcess, host: HostThread, registers: Registers, parent: SeccompThread?) {
    self.process = process
    self.host = host
    self.registers = registers
    frame = HostSignalFrame(
      in: host.context, extendedState: parent.flatMap { $0.frame.extendedState(in: $0.host.context) })
  }

  func setRegisters(_ registers: Registers) { self.registers = registers }
  func setResult(_ value: UInt64) { registers.rax = value }

  // MARK: Running

  func run(on placement: Placement) -> Trap {
    let context = host.context
    let isPlaced = host.place(placement, in: process.hostPID)
    let place = isPlaced ? nil : placement
    if host.isInCall {
      if wantsFrame || host.isSignalSent.load(ordering: .sequentiallyConsistent) {
        return completeFrame(on: place) ? .preempted : .died(reason: process.deathReason)
      }
      context.storeRegisters(registers, at: StubCall.registers)
    } else {
      frame.writeRegisters(registers, to: context)
    }
    host.turn()
    let resumption = process.resume(host, cpu: placement.cpu)
    let trapped = resumption == .resumed && waitForTrap(on: place)
    host.turn()
    let isCall = trapped && context.state.load() & Stub.calls != 0
    // A signal that comes before the thread has gone on says nothing of what the agent was to do before.
    if trapped, !isCall, host.isInCall, hasNotGoneOn { host.settles = 0 }
    process.suspend(host)
    if resumption == .preempted {
      host.noteTrap()
      return .preempted
    }
    guard trapped else { return .died(reason: process.deathReason) }
    return isCall ? takeCall() : takeFrame()
  }

  /// The thread has reported a call without a signal.
  private func takeCall() -> Trap {
    let context = host.context
    if host.id.load(ordering: .relaxed) == 0 { host.learnID(process: process.hostPID) }
    host.isInCall = true
    host.calls = context.header(STUB_HEADER_CALLS)
    var found = Registers()
    context.loadRegisters(StubCall.registers, into: &found)
    registers = found
    host.note(nil)
    if StubCall.needsFrame(found.rax) || host.isSignalSent.load(ordering: .sequentiallyConsistent) {
      return completeFrame(on: nil) ? .syscall : .died(reason: process.deathReason)
    }
    host.noteTrap()
    return .syscall
  }

  /// The thread has reported a signal.
  private func takeFrame() -> Trap {
    let context = host.context
    host.noteTrap()
    if host.id.load(ordering: .relaxed) == 0 { host.learnID(process: process.hostPID) }
    guard findFrame() else { return .died(reason: process.deathReason) }
    var found = Registers()
    frame.readRegisters(of: context, into: &found)
    var trap = frame.trap(
      signal: Signal(rawValue: context.header(STUB_HEADER_SIGNAL)), in: context, registers: &found)
    if trap == .preempted, StubCall.place(found.rip) != .elsewhere { trap = settleCall(&found) }
    registers = found
    host.note(trap)
    return trap
  }

  /// Finds the frame of the signal that the thread has reported. - Returns: false where there is none; the process has died
  /// of that.
  private func findFrame() -> Bool {
    guard let frame = reportedFrame else {
      process.die(.protocolViolation)
      return false
    }
    self.frame = frame
    host.isInCall = false
    return true
  }

  private var reportedFrame: HostSignalFrame? {
    HostSignalFrame(reportedAt: host.context.header(STUB_HEADER_FRAME), in: host.context)
  }

  /// A preemption has found the thread on its way into a call, or out of one. - Returns: what that amounts to.
  private func settleCall(_ found: inout Registers) -> Trap {
    let context = host.context
    let calls: UInt32 = context.header(STUB_HEADER_CALLS)
    defer { host.calls = calls }
    switch StubCall.place(found.rip) {
    case .elsewhere: break
    case .begun:
      // The call has not been made: back to its instruction.
      found.rip = found.rcx &- SyscallInstruction.length
    case .stored:
      context.loadRegisters(StubCall.registers, into: &found)
      found.rip = found.rcx &- SyscallInstruction.length
    case .reported where calls != host.calls:
      context.loadRegisters(StubCall.registers, into: &found)
      return .syscall
    case .reported:
      // It had been answered.
      found = registers
    }
    return .preempted
  }

  /// The thread was let go out of a call, and a signal found it before it went on.
  private var hasNotGoneOn: Bool {
    let context = host.context
    guard context.header(STUB_HEADER_CALLS, as: UInt32.self) == host.calls,
      let frame = reportedFrame
    else { return false }
    var found = Registers()
    frame.readRegisters(of: context, into: &found)
    return StubCall.place(found.rip) == .reported
  }

  var isWhole: Bool { !host.isInCall }
  func completeNext() { wantsFrame = true }

  /// Has a thread that is parked in a call report all of its state, with a signal. - Returns: false if the process has
  /// died.
  private func completeFrame(on placement: Placement?) -> Bool {
    host.settles = 0
    process.enter()
    host.turn()
    if !host.isPreempted.load(ordering: .sequentiallyConsistent) { host.preempt(in: process.hostPID) }
    let isReported = waitForTrap(on: placement, outOfCall: true)
    host.turn()
    process.leave()
    guard isReported else { return false }
    host.noteTrap()
    wantsFrame = false
    return findFrame()
  }

  /// - Parameters:
  ///   - placement: where the thread is still to go, once it is known.
  ///   - outOfCall: the call that the thread has reported is no trap to wait for; the next signal is.
  /// - Returns: false if the process has died.
  private func waitForTrap(on placement: Placement?, outOfCall: Bool = false) -> Bool {
    let state = host.context.state
    let bits = outOfCall ? Stub.trapped | Stub.calls : Stub.trapped
    var placement = placement
    var patience: UInt64 = 100_000
    if host.spins {
      if host.settles != 0 { waitForRelease() }
      host.spin(until: bits)
    }
    var watch: Watch?
    var nextLook: UInt64?
    while true {
      if process.isDead { return false }
      let value = state.load()
      if value & bits == Stub.trapped { return true }
      if host.isPreempted.load(ordering: .sequentiallyConsistent) {
        host.sendSignal(in: process.hostPID)
        let now = Host.monotonicTime
        if let time = nextLook, now >= time {
          look(with: &watch, until: bits)
          nextLook = Host.monotonicTime &+ (watch?.delay ?? Watch.interval)
          continue
        }
        if nextLook == nil { nextLook = now &+ Watch.interval }
      }
      if value & Stub.waits == 0, !state.replace(value, by: value | Stub.waits) { continue }
      var deadline = nextLook
      if let place = placement {
        if host.place(place, in: process.hostPID) {
          placement = nil
        } else {
          deadline = min(deadline ?? .max, Host.monotonicTime &+ patience)
          patience = min(patience &* 2, 50_000_000)
        }
      }
      state.wait(expected: value | Stub.waits, bitset: Stub.wakeApus, deadline: deadline)
    }
  }

  /// A preemption has not been answered yet.
  private func look(with watch: inout Watch?, until bits: UInt32) {
    let platform = process.platform
    if host.id.load(ordering: .relaxed) == 0 { host.learnID(process: process.hostPID) }
    let id = host.id.load(ordering: .relaxed)
    // A thread that has not told its id, or whose claim is false, is among those that the host knows.
    let threads = id != 0 ? [id] : process.preemptUnknownThreads()
    let current = watch ?? Watch(limit: platform.gracePeriod, runsOperations: platform.isTrusted)
    let verdict = current.look(at: threads, of: process.hostPID, agent: host.settles != 0 || threads.isEmpty)
    watch = current
    let state = host.context.state
    switch verdict {
    case .patience: break
    case .asleep:
      // Others of the process may have taken the wake-ups of the thread.
      process.ring.withLock { $0.publish() }
      state.wake(count: Int(Int32.max), bitset: Stub.wakeGuest)
    case .unresponsive: if state.load() & bits != Stub.trapped { process.die(.unresponsive) }
    }
  }

  /// Leaves the host CPU to the agent for a while, until it is done.
  private func waitForRelease() {
    let word = host.context.flushWord
    let value = word.load()
    guard value & Stub.held != 0 else { return }
    word.wait(expected: value, bitset: Stub.wakeGuest, deadline: Host.monotonicTime &+ 10_000_000)
  }

  var waitedForAgent: Bool { host.settles != 0 }

  func preempt() {
    host.preempt(in: process.hostPID)
    // The CPU thread watches what comes of it, and sends the signal itself where the id is not known yet. The bits make
    // sure that it looks before it sleeps, whether it waits for the trap or for the agent.
    host.context.state.formUnion(Stub.notice)
    host.context.state.wake(bitset: Stub.wakeApus)
    host.context.flushWord.formUnion(Stub.notice)
    host.context.flushWord.wake(bitset: Stub.wakeGuest)
  }

  func extendedState() -> [UInt8] { frame.extendedState(in: host.context) ?? ExtendedState.initial }

  func setExtendedState(_ area: [UInt8]) throws(Errno) {
    frame = HostSignalFrame(in: host.context, extendedState: try ExtendedState.sanitized(area))
  }

  func resetExtendedState() { frame = HostSignalFrame(in: host.context, extendedState: nil) }

  func exit() { process.giveBack(host) }
}
