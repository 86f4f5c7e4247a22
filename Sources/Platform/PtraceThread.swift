import CStub
import Host
import LinuxABI
import Synchronization

/// A guest thread under the ptrace platform. It belongs to the CPU thread that runs it first, which is its tracer.
@safe final class PtraceThread: GuestThread, @unchecked Sendable {
  private let process: StubProcess
  private let host: HostThread
  private(set) var registers: Registers
  /// The extended state to go on with, where it is not the one that the host thread has.
  private var newState: [UInt8]?

  init(process: StubProcess, host: HostThread, registers: Registers, parent: PtraceThread?) {
    self.process = process
    self.host = host
    self.registers = registers
    newState = parent?.extendedState() ?? ExtendedState.initial
  }

  func setRegisters(_ registers: Registers) { self.registers = registers }
  func setResult(_ value: UInt64) { registers.rax = value }

  func run(on placement: Placement) -> Trap {
    switch process.flush(before: host, cpu: placement.cpu) {
    case .resumed: break
    case .preempted:
      return finish(.preempted)
    case .dead: return finishDead()
    }
    do throws(Errno) {
      if host.tracer == 0 { try attach() }
      if let cpu = placement.cpu, cpu != host.cpu {
        host.cpu = cpu
        Host.pin(thread: id, to: cpu)
      }
      if let state = newState {
        newState = nil
        try restore(state)
      }
      try Host.traceWrite(TraceRegisters(registers), to: id)
      return finish(try goOn())
    } catch {
      if error != .noSuchProcess { process.die(.protocolViolation) }
      return finishDead()
    }
  }

  var waitedForAgent: Bool { true }

  /// The host process is dead or dying. It is not over, nor seen to be by others, before its tracers have taken notice.
  private func finishDead() -> Trap {
    process.noteEnd()
    return finish(nil)
  }

  private var id: Int32 { host.id.load(ordering: .relaxed) }

  private func finish(_ trap: Trap?) -> Trap {
    process.leave()
    host.noteTrap()
    host.note(trap)
    return trap ?? .died(reason: process.deathReason)
  }

  /// - Returns: nil if the process has died.
  private func goOn() throws(Errno) -> Trap? {
    var signal = Signal.null
    while true {
      try Host.traceResume(id, signal: signal)
      let stop = Host.traceWait(id)
      switch stop {
      case .ended:
        host.tracer = 0
        process.noteEnd()
        return nil
      case .systemCall:
        try readRegisters()
        return Host.traceArchitecture(id) == SyscallArchitecture.x86_64
          && registers.rax & UInt64(SyscallArchitecture.x32Bit) == 0
          ? .syscall : .foreignSyscall
      case .event:
        try readRegisters()
        return .preempted
      case .signal(let number):
        if let trap = try trap(of: number) { return trap }
        // Sent from outside, and not by us: it takes effect, as it would under the seccomp platform.
        signal = number
      }
    }
  }

  private func readRegisters() throws(Errno) {
    var state = TraceRegisters()
    try Host.traceRead(&state, of: id)
    registers = Registers(state)
  }

  private func trap(of signal: Signal) throws(Errno) -> Trap? {
    switch signal {
    case Stub.preemptSignal:
      try readRegisters()
      return .preempted
    case .ill, .trap, .bus, .fpe, .segv, .sys:
      try readRegisters()
      let info = try Host.traceSignal(id)
      if info.code <= 0 { return .preempted }
      if signal == .sys {
        guard VsyscallPage.contains(info.address) else { return .preempted }
        registers.rip = info.address
        registers.rsp = registers.rsp &- 8
        return .vsyscall
      }
      if signal == .segv, VsyscallPage.contains(registers.rip) { return .vsyscall }
      return .fault(fault(signal, info))
    default:
      return nil
    }
  }

  /// The host does not tell tracers the exception and its error code, so they are inferred. A write to a page that
  /// isn't mapped looks like a read; where the page is mapped read-only after that, it comes again as a write.
  private func fault(_ signal: Signal, _ info: TraceSignal) -> Fault {
    var trapNumber = ProcessorException.pageFault
    var errorCode = PageFaultErrorCode()
    switch signal {
    case .ill: trapNumber = .invalidOpcode
    case .trap: trapNumber = info.code == SignalInfo.trapTrace ? .debug : .breakpoint
    case .fpe: trapNumber = .divideError
    case .bus: trapNumber = info.code == SignalInfo.busAlignment ? .alignmentCheck : .pageFault
    default:
      if info.code == SignalInfo.siKernel {
        trapNumber = .generalProtection
      } else {
        errorCode = .user
        if info.code == SignalInfo.segvAccessError { errorCode.insert(.present) }
        if info.address == registers.rip {
          errorCode.insert(.instructionFetch)
        } else if info.code == SignalInfo.segvAccessError {
          errorCode.insert(.write)
        }
      }
    }
    return Fault(
      signal: signal, code: info.code, address: GuestAddress(info.address), trapNumber: trapNumber,
      errorCode: errorCode.rawValue)
  }

  // MARK: Attaching

  /// Attaches to the thread, which sleeps in the stub or is on its way there.
  private func attach() throws(Errno) {
    var attempts = 0
    // On a busy host a new thread starts late, and guest code can keep its siblings from ever telling their ids.
    while id == 0 && !process.isDead {
      host.learnID(process: process.hostPID)
      if id != 0 { break }
      Host.sleep(nanoseconds: 20_000)
      attempts += 1
      guard attempts % 1000 == 0 else { continue }
      if Host.hasEnded(process.hostPID) { process.noteEnd() }
      process.adoptRestingThread(for: host)
    }
    guard id != 0, id != process.hostPID else { throw .noSuchProcess }
    try Host.traceSeize(id)
    host.tracer = Host.threadID
    try Host.traceInterrupt(id)
    guard Host.traceWait(id) == .event else {
      process.noteEnd()
      throw .noSuchProcess
    }
    try Host.traceSetMask(0, of: id)
    if host.isPreempted.load(ordering: .sequentiallyConsistent) { host.sendSignal(in: process.hostPID) }
  }

  func exit() { if process.park(host) { process.giveBack(host) } }

  func preempt() {
    // A thread whose id is not known yet gets the signal when it is attached to.
    host.preempt(in: process.hostPID)
    host.context.flushWord.formUnion(Stub.notice)
    host.context.flushWord.wake(bitset: Stub.wakeGuest)
  }

  // MARK: Extended state

  func extendedState() -> [UInt8] {
    if let newState { return newState }
    guard let whole = try? Host.traceExtendedState(of: id) else { return ExtendedState.initial }
    return ExtendedState.area(fromRegisterSet: whole)
  }

  func setExtendedState(_ area: [UInt8]) throws(Errno) { newState = try ExtendedState.sanitized(area) }

  func resetExtendedState() { newState = ExtendedState.initial }

  private func restore(_ state: [UInt8]) throws(Errno) {
    var whole = try Host.traceExtendedState(of: id)
    ExtendedState.store(state, inRegisterSet: &whole)
    try Host.traceSetExtendedState(whole, of: id)
  }
}

extension StubProcess {
  /// Has the agent execute what is queued, and waits until it has. However it ends, the thread counts as running.
  func flush(before thread: HostThread, cpu: Int?) -> Resumption {
    enter()
    var counted = false
    while true {
      var isIdle = false
      let posting = ring.withLock { ring -> OperationRing.Posting in
        if !counted { ring.statistics.countSwitches(2, for: thread) }
        isIdle = !ring.hasWork && ring.isSettled
        guard !isIdle, !isDead else { return .complete }
        ring.bindAgent(to: cpu, of: self)
        if !counted { ring.statistics.countSwitches(2, for: thread) }
        return ring.post(resuming: thread, in: self)
      }
      if isIdle || isDead { return isDead ? .dead : .resumed }
      counted = true
      if posting == .full {
        Host.sleep(nanoseconds: 500_000)
        if Host.hasEnded(hostPID) { noteEnd() }
      } else {
        waitForAgent(before: thread, isPreemptible: posting == .partial)
      }
      if isDead { return .dead }
      if posting == .complete {
        ring.withLock { $0.settle(thread.settles) }
        return .resumed
      }
      if thread.isPreempted.load(ordering: .sequentiallyConsistent) { return .preempted }
    }
  }

  /// Gives a thread that has not told its id one that rests in the stub and that no other has: there they are all alike.
  func adoptRestingThread(for thread: HostThread) {
    let unknown = unknownThreads()
    ring.withLock { ring in
      let known = ring.threads.map { $0.id.load(ordering: .sequentiallyConsistent) }
      let resting = unknown.first { id in
        !known.contains(id) && (try? ParkedThreadCheck(process: hostPID, thread: id))?.isResting == true
      }
      if let resting { thread.id.store(resting, ordering: .sequentiallyConsistent) }
    }
  }

  /// Sends a traced thread back to its sleep in the stub, untraced.
  /// - Returns: false where that cannot be done: this thread isn't its tracer.
  func park(_ thread: HostThread) -> Bool {
    let id = thread.id.load(ordering: .sequentiallyConsistent)
    if thread.tracer == 0 { return id != 0 && !isDead }
    guard thread.tracer == Host.threadID, !isDead else { return false }
    var registers = TraceRegisters()
    registers.rip = Stub.base + apus_stub_rest_offset()
    do throws(Errno) {
      thread.context.state.store(Stub.held)
      try Host.traceSetMask(.max, of: id)
      try Host.traceWrite(registers, to: id)
      try Host.traceDetach(id)
    } catch {
      return false
    }
    thread.tracer = 0
    return true
  }
}

extension TraceRegisters {
  /// What a stopped thread goes on with.
  fileprivate init(_ registers: Registers) {
    self.init()
    r15 = registers.r15
    r14 = registers.r14
    r13 = registers.r13
    r12 = registers.r12
    rbp = registers.rbp
    rbx = registers.rbx
    r11 = registers.r11
    r10 = registers.r10
    r9 = registers.r9
    r8 = registers.r8
    rax = registers.rax
    rcx = registers.rcx
    rdx = registers.rdx
    rsi = registers.rsi
    rdi = registers.rdi
    rip = registers.rip
    rflags = registers.runnableFlags
    rsp = registers.rsp
    fsBase = registers.fsBase & Layout.userAddressMask
    gsBase = registers.gsBase & Layout.userAddressMask
  }
}

extension Registers {
  /// What a thread stopped with. At a system call the host keeps the number apart from `rax`.
  fileprivate init(_ state: TraceRegisters) {
    self.init()
    r15 = state.r15
    r14 = state.r14
    r13 = state.r13
    r12 = state.r12
    rbp = state.rbp
    rbx = state.rbx
    r11 = state.r11
    r10 = state.r10
    r9 = state.r9
    r8 = state.r8
    rax = state.originalRAX == .max ? state.rax : state.originalRAX
    rcx = state.rcx
    rdx = state.rdx
    rsi = state.rsi
    rdi = state.rdi
    rip = state.rip
    rflags = state.rflags
    rsp = state.rsp
    fsBase = state.fsBase
    gsBase = state.gsBase
  }
}
