import FileSystem
import LinuxABI
import Memory
import Platform

/// From a trap to the next entry into guest code.
extension Kernel {
  /// Handles the trap of the task that `cpu` runs.
  func handle(_ trap: Trap, on cpu: CPU) {
    guard let task = cpu.current else { return }
    task.scheduling.isInGuest = false
    if task.thread.waitedForAgent { task.scheduling.pace.noteAgent() }
    if task.group.exitStatus != nil { return }
    switch trap {
    case .syscall:
      statistics.traps.syscalls &+= 1
      task.call.begin(task.thread.registers)
      if task.thread.isWhole, task.memory.countCall(at: task.call.instruction) { rewriteCall(of: task) }
      runSyscall(task)
    case .foreignSyscall:
      statistics.traps.foreignSyscalls &+= 1
      task.thread.setResult(Kernel.encode(.noFunction))
    case .vsyscall:
      emulateVsyscall(task)
    case .fault(let fault):
      handleFault(fault, of: task)
    case .preempted:
      statistics.traps.preemptions &+= 1
    case .died:
      statistics.traps.deaths &+= 1
      hostProcessDied(task)
    }
  }

  /// Calls that need all of a thread's state, or mostly end with a signal to the caller: without a signal they are slower.
  private static func isBetterWithSignal(_ number: UInt64) -> Bool {
    guard let call = SyscallNumber(rawValue: Int(UInt32(truncatingIfNeeded: number))) else { return false }
    switch call {
    case .kill, .tkill, .tgkill, .rt_sigqueueinfo, .rt_tgsigqueueinfo, .pause, .rt_sigsuspend: return true
    default: return call.needsWholeThread
    }
  }

  /// Has a place that makes calls often make them without a signal.
  @inline(never) private func rewriteCall(of task: Task) {
    guard !Kernel.isBetterWithSignal(task.call.registers.rax), task.memory.sharers == task.group.tasks.count,
      !task.group.tasks.contains(where: { $0 !== task && $0.scheduling.isInGuest })
    else { return }
    task.memory.rewriteCall(at: task.call.instruction, task.call.registers)
  }

  /// Runs the system call of a task, for the first time or again after it was parked.
  func runSyscall(_ task: Task) {
    // The upper half of the register does not count.
    let number = UInt64(UInt32(truncatingIfNeeded: task.call.registers.rax))
    let arguments = SyscallArguments(task.call.registers)
    let begin = statistics.collectsTimes ? monotonicTime : .zero
    if servedTask !== task { servedTask = task }
    let result: CallResult?
    if let function = Syscalls.function(number) {
      if let tracer, !task.call.isRetry, let entry = Syscalls.entry(number), entry.isShownAtBegin {
        tracer.syscallBegan(task, entry, number: number, arguments)
      }
      do throws(Errno) {
        switch try function(task, arguments) {
        case .done(let value): result = .value(value)
        case .suspended(.parked): result = nil
        case .suspended(.interrupted(.never)): result = .error(.interrupted)
        case .suspended(.interrupted(let restart)): result = .restart(restart)
        }
      } catch {
        result = .error(error)
      }
    } else {
      statistics.countUnknown(number)
      result = .error(.noFunction)
    }
    if statistics.collectsTimes, number < 512 {
      statistics.syscallTimes[Int(number)] &+= (monotonicTime - begin).rawValue
    }
    guard let result else {
      task.keepFiles(ofCall: number, arguments)
      return task.call.park()
    }
    if number < 512 { statistics.syscallCounts[Int(number)] &+= 1 }
    finishSyscall(task, result, number, arguments)
    task.call.end()?.letGo()
  }

  private func finishSyscall(
    _ task: Task, _ result: CallResult, _ number: UInt64, _ arguments: SyscallArguments
  ) {
    guard task.state == .runnable else { return }
    switch result {
    case .value(let value):
      if task.call.replacedRegisters {
        // execve and rt_sigreturn set all registers themselves.
        task.call.replacedRegisters = false
      } else {
        task.thread.setResult(UInt64(bitPattern: Int64(value)))
      }
    case .error(let error):
      if !task.group.hasExecuted, task.group === firstGroup { return firstExecFailed(error) }
      task.thread.setResult(Kernel.encode(error))
    case .restart(let restart):
      if !task.group.hasExecuted, task.group === firstGroup { return firstExecFailed(.interrupted) }
      task.call.restart = restart
      task.thread.setResult(Kernel.encode(.interrupted))
    }
    if let tracer { trace(task, number, arguments, result, with: tracer) }
  }

  private func trace(
    _ task: Task, _ number: UInt64, _ arguments: SyscallArguments, _ result: CallResult, with tracer: TraceWriter
  ) {
    let entry = Syscalls.entry(number)
    if entry?.neverReturns == true { return }
    tracer.syscallEnded(task, entry, number: number, arguments, result)
  }

  /// The value of `rax` that tells a guest of an error.
  static func encode(_ error: Errno) -> UInt64 { UInt64(bitPattern: -Int64(error.rawValue)) }

  private func handleFault(_ fault: Fault, of task: Task) {
    if fault.trapNumber == .pageFault, fault.signal == Signal.segv || fault.signal == Signal.bus {
      statistics.traps.pageFaults &+= 1
      task.group.usage.minorFaults &+= 1
      let code = PageFaultErrorCode(rawValue: fault.errorCode)
      let access: MemoryAccess = code.contains(.instructionFetch) ? .execute : code.contains(.write) ? .write : .read
      switch task.memory.fault(at: fault.address, access: access, isBusError: fault.signal == Signal.bus) {
      case .resolved: return
      case .outOfMemory:
        // The task faults again, after those that end have had the CPU.
        task.scheduling.sliceStart = .zero
        if !relieveMemoryPressure() { endGroup(task.group, .signaled(Signal.kill)) }
        return
      case .outOfMappings:
        report?("too many mappings: ended process \(task.group.id) (\(task.name))")
        endGroup(task.group, .signaled(Signal.kill))
        return
      case .signal(let signal, let code):
        var info = SignalInfo(signal: signal, code: code)
        info.address = fault.address.rawValue
        info.trapNumber = fault.trapNumber
        info.errorCode = fault.errorCode
        return forceSignal(info, on: task)
      }
    }
    statistics.traps.otherFaults &+= 1
    var info = SignalInfo(signal: fault.signal, code: fault.code)
    info.address = fault.address.rawValue
    info.trapNumber = fault.trapNumber
    info.errorCode = fault.errorCode
    forceSignal(info, on: task)
  }

  /// How many tasks in a row may go on with their calls before others get the kernel lock.
  private static let longestRound = 32
  /// Frames that an idle CPU gives back to the host at a time.
  private static let returnedFrames = 4096

  /// Chooses what the CPU does next: goes on with its task, takes another, or sleeps.
  func nextStep(on cpu: CPU) -> CPUStep {
    var left = Kernel.longestRound
    while true {
      if outcome != nil { return .stop }
      if left == 0 { return .again }
      left -= 1
      guard let task = cpu.current ?? takeTask(for: cpu) else {
        if physicalMemory.returnFrames(Kernel.returnedFrames) { return .again }
        cpu.isIdle = true
        return .sleep(mayWaitBusily: scheduler.canBorrow && cpu.borrower == nil)
      }
      if task.call.givesWay {
        task.call.givesWay = false
        cpu.chargeSystemTime(of: task, until: monotonicTime)
        scheduler.release(cpu)
        if task.state == .runnable { scheduler.enqueue(task) }
        return .again
      }
      if task.state == .runnable, task.call.isParked, task.group.exitStatus == nil, !task.mustExit,
        !task.group.isStopped
      {
        runSyscall(task)
        if task.call.givesWay { continue }
      }
      if task.state == .runnable { prepareForGuest(task) }
      if task.call.givesWay { continue }
      guard task.state == .runnable else {
        cpu.chargeSystemTime(of: task, until: monotonicTime)
        task.usage.voluntarySwitches &+= 1
        scheduler.release(cpu)
        continue
      }
      if task.call.isParked { continue }
      if scheduler.shouldYield(task, on: cpu) {
        cpu.chargeSystemTime(of: task, until: monotonicTime)
        task.usage.involuntarySwitches &+= 1
        scheduler.release(cpu)
        scheduler.enqueue(task)
        continue
      }
      task.scheduling.isInGuest = true
      cpu.chargeSystemTime(of: task, until: monotonicTime)
      scheduler.adaptPlacement(of: cpu, running: task)
      return .run(task.thread, cpu.placement)
    }
  }

  private func takeTask(for cpu: CPU) -> Task? {
    guard let task = scheduler.dequeue(for: cpu) else { return nil }
    scheduler.run(task, on: cpu)
    return task
  }

  /// Whatever has to happen before a task may run guest code: its end, signals, stops.
  private func prepareForGuest(_ task: Task) {
    if task.group.exitStatus != nil || task.mustExit { return endTask(task) }
    deliverSignals(to: task)
    if task.group.exitStatus != nil, task.state == .runnable { endTask(task) }
  }

  /// Takes a task out of guest code soon, so that it sees a signal or its end.
  func kick(_ task: Task) {
    switch task.state {
    case .runnable: if task.scheduling.isInGuest { task.thread.preempt() }
    case .waiting: task.wakeUp()
    case .stopped, .zombie, .dead: break
    }
  }

  /// The vsyscall page's three calls, for old static programs (`arch/x86/entry/vsyscall` of Linux).
  private func emulateVsyscall(_ task: Task) {
    var registers = task.thread.registers
    guard let number = VsyscallPage.call(at: registers.rip),
      let target = try? task.memory.readValue(GuestAddress(registers.rsp), as: UInt64.self)
    else {
      var info = SignalInfo(signal: Signal.segv, code: SignalInfo.segvMapError)
      info.address = registers.rip
      return forceSignal(info, on: task)
    }
    registers.rip = target
    registers.rsp &+= 8
    registers.rax = UInt64(number.rawValue)
    task.thread.setRegisters(registers)
    task.call.begin(registers)
    runSyscall(task)
  }
}
