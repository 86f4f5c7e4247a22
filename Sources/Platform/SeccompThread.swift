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

  init(process: StubProcess, host: HostThread, registers: Registers, parent: SeccompThread?) {
    self.process = process
    self.host = host
    self.registers = registers
    frame = HostSignalFrame(
      in: host.context, extendedState: parent.flatMap { $0.frame.extendedState(in: $0.host.context) })
  }

  func setRegisters(_ registers: Registers) { self.registers = registers }
  func setResult(_ value: UInt64) { registers.rax = value }

  func run(on placement: Placement) -> Trap {
    let context = host.context
    let isPlaced = host.place(placement, in: process.hostPID)
    frame.writeRegisters(registers, to: context)
    host.turn()
    let resumption = process.resume(host, cpu: placement.cpu)
    let trapped = resumption == .resumed && waitForTrap(on: isPlaced ? nil : placement)
    host.turn()
    process.suspend(host)
    if resumption == .preempted {
      host.noteTrap()
      return .preempted
    }
    guard trapped else { return .died(reason: process.deathReason) }
    host.noteTrap()
    if host.id.load(ordering: .relaxed) == 0 { host.learnID(process: process.hostPID) }
    guard let frame = HostSignalFrame(reportedAt: context.header(STUB_HEADER_FRAME), in: context) else {
      process.die(.protocolViolation)
      return .died(reason: process.deathReason)
    }
    self.frame = frame
    var found = Registers()
    frame.readRegisters(of: context, into: &found)
    let trap = frame.trap(signal: Signal(rawValue: context.header(STUB_HEADER_SIGNAL)), in: context, registers: &found)
    registers = found
    host.note(trap)
    return trap
  }

  /// - Parameter placement: where the thread is still to go, once it is known.
  /// - Returns: false if the process has died.
  private func waitForTrap(on placement: Placement?) -> Bool {
    let state = host.context.state
    var placement = placement
    var patience: UInt64 = 100_000
    if host.spins {
      if host.settles != 0 { waitForRelease() }
      host.spin()
    }
    var watch: Watch?
    var nextLook: UInt64?
    while true {
      if process.isDead { return false }
      let value = state.load()
      if value & Stub.trapped != 0 { return true }
      if host.isPreempted.load(ordering: .sequentiallyConsistent) {
        host.sendSignal(in: process.hostPID)
        let now = Host.monotonicTime
        if let time = nextLook, now >= time {
          look(with: &watch)
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
  private func look(with watch: inout Watch?) {
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
    case .unresponsive: if state.load() & Stub.trapped == 0 { process.die(.unresponsive) }
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
