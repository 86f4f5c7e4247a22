import LinuxABI
import Memory

/// Signals: sigaction(2), sigprocmask(2), kill(2) and relatives.
extension Syscalls {
  static let signalTable: [SyscallEntry] = [
    .init(.rt_sigaction, rtSigaction),
    .init(.rt_sigprocmask, rtSigprocmask),
    .init(.rt_sigreturn, rtSigreturn),
    .init(.rt_sigpending, rtSigpending),
    .init(.rt_sigtimedwait, rtSigtimedwait),
    .init(.rt_sigqueueinfo, rtSigqueueinfo),
    .init(.rt_tgsigqueueinfo, rtTgsigqueueinfo),
    .init(.rt_sigsuspend, rtSigsuspend),
    .init(.sigaltstack, sigaltstack),
    .init(.kill, kill),
    .init(.tkill, tkill),
    .init(.tgkill, tgkill),
    .init(.pause, pause),
    .init(
      .restart_syscall, .interrupted,
      because: "an interrupted call is run again itself, so that there is nothing to do", []),
  ]

  /// - Throws: `EINVAL` for what is neither a signal nor 0.
  static func checkSignal(_ signal: Signal) throws(Errno) {
    guard signal == .null || signal.isValid else { throw .invalidArgument }
  }

  // MARK: Actions and masks

  /// rt_sigaction(2).
  static func rtSigaction(
    _ task: Task, _ signal: Signal, _ action: InPointer<SignalAction>, _ previous: OutPointer<SignalAction>,
    _ size: UInt64
  ) throws(Errno) -> Int {
    guard size == SignalSet.size, signal.isValid else { throw .invalidArgument }
    let handlers = task.group.signals.handlers
    let old = handlers[signal]
    if !action.isNull {
      var new = try task.load(action)
      guard !SignalSet.unblockable.contains(signal) else { throw .invalidArgument }
      new.flags.formIntersection(.all)
      new.mask.subtract(.unblockable)
      handlers[signal] = new
      if handlers.ignores(signal) { task.kernel.discard(SignalSet(signal), of: task.group) }
    }
    if !previous.isNull { try task.store(old, to: previous) }
    return 0
  }

  /// rt_sigprocmask(2).
  static func rtSigprocmask(
    _ task: Task, _ change: Constant<SignalMaskChange>, _ set: InPointer<SignalSet>, _ previous: OutPointer<SignalSet>,
    _ size: UInt64
  ) throws(Errno) -> Int {
    guard size == SignalSet.size else { throw .invalidArgument }
    let old = task.signals.mask
    if !set.isNull {
      let set = try task.load(set)
      switch change.value {
      case .block: task.setSignalMask(old.union(set))
      case .unblock: task.setSignalMask(old.subtracting(set))
      case .set: task.setSignalMask(set)
      case nil: throw .invalidArgument
      }
    }
    if !previous.isNull { try task.store(old, to: previous) }
    return 0
  }

  /// rt_sigreturn(2): goes on where the innermost signal frame says.
  static func rtSigreturn(_ task: Task) throws(Errno) -> Int {
    task.kernel.leaveHandler(task)
    return 0
  }

  /// sigpending(2).
  static func rtSigpending(_ task: Task, _ result: GuestAddress, _ size: UInt64) throws(Errno) -> Int {
    guard size <= SignalSet.size else { throw .invalidArgument }
    let set = task.pendingSignals.intersection(task.signals.mask)
    let bytes = (0..<Int(size)).map { UInt8(truncatingIfNeeded: set.rawValue >> UInt64(8 * $0)) }
    try task.memory.write(result, bytes)
    return 0
  }

  /// sigaltstack(2).
  static func sigaltstack(
    _ task: Task, _ stack: InPointer<AlternateStack>, _ previous: OutPointer<AlternateStack>
  ) throws(Errno) -> Int {
    let stackPointer = task.call.registers.rsp
    let new = stack.isNull ? nil : try task.load(stack)
    var old = task.signals.alternateStack
    old.flags = old.reportedFlags(at: stackPointer)
    if let new { try task.setAlternateStack(new, at: stackPointer) }
    if !previous.isNull { try task.store(old, to: previous) }
    return 0
  }

  // MARK: Waiting

  /// sigsuspend(2).
  static func rtSigsuspend(
    _ task: Task, _ mask: InPointer<SignalSet>, _ size: UInt64
  ) throws(Errno) -> CallOutcome<Int> {
    guard size == SignalSet.size else { throw .invalidArgument }
    if !task.call.isRetry { task.setTemporaryMask(try task.load(mask)) }
    return .suspended(task.wait(on: [], interrupted: .restartNoHand))
  }

  /// pause(2).
  static func pause(_ task: Task) throws(Errno) -> CallOutcome<Int> {
    return .suspended(task.wait(on: [], interrupted: .restartNoHand))
  }

  /// sigtimedwait(2) and sigwaitinfo(2).
  static func rtSigtimedwait(
    _ task: Task, _ set: InPointer<SignalSet>, _ result: OutPointer<SignalInformation>,
    _ timeout: InPointer<Timespec>, _ size: UInt64
  ) throws(Errno) -> CallOutcome<Int> {
    guard size == SignalSet.size else { throw .invalidArgument }
    let set = try task.load(set)
    if !timeout.isNull, !task.call.isRetry {
      let timeout = try task.load(timeout)
      guard timeout.isValid else { throw .invalidArgument }
      task.call.deadline = task.kernel.deadline(timeout, clock: .monotonic, isAbsolute: false)
    }
    if let info = task.takePending(set) {
      if !result.isNull { try task.store(SignalInformation(info), to: result) }
      return .done(Int(info.signal.rawValue))
    }
    if let deadline = task.call.deadline, deadline <= task.kernel.monotonicTime {
      throw .resourceTemporarilyUnavailable
    }
    return .suspended(task.wait(on: [task.signalQueue], deadline: task.call.deadline, interrupted: .never))
  }

  // MARK: Sending

  /// What a signal that a task sends says of it.
  static func information(_ signal: Signal, _ code: Int32, from task: Task) -> SignalInfo {
    var info = SignalInfo(signal: signal, code: code)
    info.pid = task.group.id
    info.uid = task.credentials.uid
    return info
  }

  /// kill(2). Process 1 is Apus: like any init, it ignores signals that it has no handler for.
  static func kill(_ task: Task, _ target: ProcessSelection, _ signal: Signal) throws(Errno) -> Int {
    try checkSignal(signal)
    let info = information(signal, SignalInfo.siUser, from: task)
    let kernel = task.kernel
    switch target {
    case .process(.initial): try checkInit(task)
    case .process(let id): try kernel.send(info, from: task, to: group(of: id, kernel))
    case .processGroup(let id):
      try kernel.send(info, from: task, toProcessGroup: id ?? task.group.processGroup.id)
    case .all: try kernel.sendToAll(info, from: task)
    case .impossible: throw .noSuchProcess
    }
    return 0
  }

  /// Whether a task may signal process 1, which ignores all signals. - Throws: `EPERM`.
  static func checkInit(_ task: Task) throws(Errno) {
    guard task.credentials.euid == 0 || task.credentials.has(.kill) else { throw .notPermitted }
  }

  /// The process of a process or thread id, as kill(2) accepts it.
  private static func group(of id: ProcessID, _ kernel: Kernel) throws(Errno) -> ThreadGroup {
    if let group = kernel.groups[id] ?? kernel.tasks[id]?.group { return group }
    throw .noSuchProcess
  }

  /// tkill(2).
  static func tkill(_ task: Task, _ thread: ProcessID, _ signal: Signal) throws(Errno) -> Int {
    try send(task, to: thread, of: nil, signal: signal)
  }

  /// tgkill(2).
  static func tgkill(
    _ task: Task, _ group: ProcessID, _ thread: ProcessID, _ signal: Signal
  ) throws(Errno) -> Int {
    guard group.isPositive else { throw .invalidArgument }
    return try send(task, to: thread, of: group, signal: signal)
  }

  private static func send(_ task: Task, to id: ProcessID, of group: ProcessID?, signal: Signal) throws(Errno) -> Int {
    guard id.isPositive else { throw .invalidArgument }
    try checkSignal(signal)
    let target = try thread(id, of: group, task)
    if let target {
      try task.kernel.send(information(signal, SignalInfo.siTkill, from: task), from: task, to: target)
    }
    return 0
  }

  /// A thread by its id, and the process that it must belong to; nil for process 1.
  private static func thread(_ id: ProcessID, of group: ProcessID?, _ task: Task) throws(Errno) -> Task? {
    if id == .initial, group ?? .initial == .initial {
      try checkInit(task)
      return nil
    }
    guard let target = task.kernel.tasks[id], group ?? target.group.id == target.group.id else {
      throw .noSuchProcess
    }
    return target
  }

  /// Reads a `siginfo_t` that a guest sends; only to itself may it claim to be the kernel or kill(2).
  static func information(
    _ information: InPointer<SignalInformation>, _ signal: Signal, from task: Task, to target: ProcessID
  ) throws(Errno) -> SignalInfo {
    var info = try task.load(information).info
    info.signal = signal
    if info.code >= 0 || info.code == SignalInfo.siTkill, target != task.group.id, target != task.id {
      throw .notPermitted
    }
    return info
  }

  /// rt_sigqueueinfo(2).
  static func rtSigqueueinfo(
    _ task: Task, _ target: ProcessID, _ signal: Signal, _ information: InPointer<SignalInformation>
  ) throws(Errno) -> Int {
    let info = try self.information(information, signal, from: task, to: target)
    try checkSignal(info.signal)
    if target == .initial {
      try checkInit(task)
    } else {
      try task.kernel.send(info, from: task, to: group(of: target, task.kernel))
    }
    return 0
  }

  /// rt_tgsigqueueinfo(2).
  static func rtTgsigqueueinfo(
    _ task: Task, _ group: ProcessID, _ thread: ProcessID, _ signal: Signal,
    _ information: InPointer<SignalInformation>
  ) throws(Errno) -> Int {
    guard group.isPositive, thread.isPositive else { throw .invalidArgument }
    let info = try self.information(information, signal, from: task, to: thread)
    try checkSignal(info.signal)
    if let target = try self.thread(thread, of: group, task) {
      try task.kernel.send(info, from: task, to: target)
    }
    return 0
  }
}
