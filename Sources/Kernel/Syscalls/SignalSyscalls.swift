import FileSystem
import LinuxABI
import Memory

/// Signals: sigaction(2), sigprocmask(2), kill(2) and relatives.
extension Syscalls {
  static let signalTable: [SyscallEntry] = [
    .init(.rt_sigaction, rtSigaction, [.signal, .signalAction, .signalAction, .uint]),
    .init(.rt_sigprocmask, rtSigprocmask, [.signalHow, .signalSet, .pointer, .uint]),
    .init(.rt_sigreturn, rtSigreturn, []),
    .init(.rt_sigpending, rtSigpending, [.pointer, .uint]),
    .init(.rt_sigtimedwait, rtSigtimedwait, [.signalSet, .pointer, .timespec, .uint]),
    .init(.rt_sigqueueinfo, rtSigqueueinfo, [.pid, .signal, .pointer]),
    .init(.rt_tgsigqueueinfo, rtTgsigqueueinfo, [.pid, .pid, .signal, .pointer]),
    .init(.rt_sigsuspend, rtSigsuspend, [.signalSet, .uint]),
    .init(.sigaltstack, sigaltstack, [.signalStack, .signalStack]),
    .init(.kill, kill, [.pid, .signal]),
    .init(.tkill, tkill, [.pid, .signal]),
    .init(.tgkill, tgkill, [.pid, .pid, .signal]),
    .init(.pause, pause, []),
    .init(.restart_syscall, restartSyscall, []),
    .init(.pidfd_open, pidfdOpen, [.pid, .hex]),
    .init(.pidfd_getfd, pidfdGetfd, [.fd, .int, .hex]),
    .init(.pidfd_send_signal, pidfdSendSignal, [.fd, .signal, .pointer, .hex]),
  ]

  /// `sizeof(sigset_t)` of the kernel, which all calls with a set must name.
  private static let signalSetSize: UInt64 = 8

  private static func checkSignal(_ signal: Signal) throws(Errno) {
    guard signal == .null || signal.isValid else { throw .invalidArgument }
  }

  // MARK: Actions and masks

  /// rt_sigaction(2).
  static func rtSigaction(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let signal = Signal(rawValue: a.int(0))
    guard a[3] == signalSetSize, signal.isValid else { throw .invalidArgument }
    let handlers = task.group.signals.handlers
    let old = handlers[signal]
    if a[1] != 0 {
      var new = try task.memory.readValue(GuestAddress(a[1]), as: SignalAction.self)
      guard !SignalSet.unblockable.contains(signal) else { throw .invalidArgument }
      new.flags.formIntersection(.all)
      new.mask.subtract(.unblockable)
      handlers[signal] = new
      if handlers.ignores(signal) { task.kernel.discard(SignalSet(signal), of: task.group) }
    }
    if a[2] != 0 { try task.memory.writeValue(GuestAddress(a[2]), old) }
    return 0
  }

  /// rt_sigprocmask(2).
  static func rtSigprocmask(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a[3] == signalSetSize else { throw .invalidArgument }
    let old = task.signalMask
    if a[1] != 0 {
      let set = try task.memory.readValue(GuestAddress(a[1]), as: SignalSet.self)
      switch SignalMaskChange(rawValue: a.int(0)) {
      case .block: task.setSignalMask(old.union(set))
      case .unblock: task.setSignalMask(old.subtracting(set))
      case .set: task.setSignalMask(set)
      case nil: throw .invalidArgument
      }
    }
    if a[2] != 0 { try task.memory.writeValue(GuestAddress(a[2]), old) }
    return 0
  }

  /// rt_sigreturn(2): goes on where the innermost signal frame says.
  static func rtSigreturn(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    task.kernel.leaveHandler(task)
    return 0
  }

  /// sigpending(2).
  static func rtSigpending(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a[1] <= signalSetSize else { throw .invalidArgument }
    let set = task.pendingSignals.intersection(task.signalMask)
    let bytes = (0..<Int(a[1])).map { UInt8(truncatingIfNeeded: set.rawValue >> UInt64(8 * $0)) }
    try task.memory.write(GuestAddress(a[0]), bytes)
    return 0
  }

  /// sigaltstack(2).
  static func sigaltstack(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let stackPointer = task.syscallRegisters.rsp
    let new = a[0] == 0 ? nil : try task.memory.readValue(GuestAddress(a[0]), as: AlternateStack.self)
    var old = task.signals.alternateStack
    old.flags = old.reportedFlags(at: stackPointer)
    if let new { try task.setAlternateStack(new, at: stackPointer) }
    if a[1] != 0 { try task.memory.writeValue(GuestAddress(a[1]), old) }
    return 0
  }

  // MARK: Waiting

  /// sigsuspend(2).
  static func rtSigsuspend(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a[1] == signalSetSize else { throw .invalidArgument }
    if !task.retry.isRetry { task.setTemporaryMask(try task.memory.readValue(GuestAddress(a[0]), as: SignalSet.self)) }
    throw task.wait(on: [], interrupted: .restartNoHand)
  }

  /// pause(2).
  static func pause(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    throw task.wait(on: [], interrupted: .restartNoHand)
  }

  /// sigtimedwait(2) and sigwaitinfo(2).
  static func rtSigtimedwait(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a[3] == signalSetSize else { throw .invalidArgument }
    let set = try task.memory.readValue(GuestAddress(a[0]), as: SignalSet.self)
    if a[2] != 0, !task.retry.isRetry {
      let timeout = try task.memory.readValue(GuestAddress(a[2]), as: Timespec.self)
      guard timeout.isValid else { throw .invalidArgument }
      task.retry.deadline = task.kernel.deadline(timeout, clock: .monotonic, isAbsolute: false)
    }
    if let info = task.takePending(set) {
      if a[1] != 0 { try task.memory.writeValue(GuestAddress(a[1]), SignalInformation(info)) }
      return Int(info.signal.rawValue)
    }
    if let deadline = task.retry.deadline, deadline <= task.kernel.monotonicTime {
      throw .resourceTemporarilyUnavailable
    }
    throw task.wait(on: [task.signalQueue], deadline: task.retry.deadline, interrupted: .interrupted)
  }

  /// The number by which Linux goes on with an interrupted call; Apus re-runs the call itself, so there is nothing to do.
  static func restartSyscall(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { throw .interrupted }

  // MARK: Sending

  private static func information(_ signal: Signal, _ code: Int32, from task: Task) -> SignalInfo {
    var info = SignalInfo(signal: signal, code: code)
    info.pid = task.group.id
    info.uid = task.credentials.uid
    return info
  }

  /// kill(2). Process 1 is Apus: like any init it ignores what it has no handler for.
  static func kill(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let target = a.int(0)
    let signal = Signal(rawValue: a.int(1))
    try checkSignal(signal)
    let info = information(signal, SignalInfo.siUser, from: task)
    let kernel = task.kernel
    switch target {
    case 1: try checkInit(task)
    case 0: try kernel.send(info, from: task, toProcessGroup: task.group.processGroup.id)
    case -1: try kernel.sendToAll(info, from: task)
    case .min: throw .noSuchProcess
    case ..<0: try kernel.send(info, from: task, toProcessGroup: -target)
    default: try kernel.send(info, from: task, to: group(of: target, kernel))
    }
    return 0
  }

  private static func checkInit(_ task: Task) throws(Errno) {
    guard task.credentials.euid == 0 || task.credentials.has(.kill) else { throw .notPermitted }
  }

  /// The process of a process or thread id, as kill(2) accepts it.
  private static func group(of id: Int32, _ kernel: Kernel) throws(Errno) -> ThreadGroup {
    if let group = kernel.groups[id] ?? kernel.tasks[id]?.group { return group }
    throw .noSuchProcess
  }

  /// tkill(2).
  static func tkill(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try send(task, to: a.int(0), of: nil, signal: Signal(rawValue: a.int(1)))
  }

  /// tgkill(2).
  static func tgkill(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a.int(0) > 0 else { throw .invalidArgument }
    return try send(task, to: a.int(1), of: a.int(0), signal: Signal(rawValue: a.int(2)))
  }

  private static func send(_ task: Task, to id: Int32, of group: Int32?, signal: Signal) throws(Errno) -> Int {
    guard id > 0 else { throw .invalidArgument }
    try checkSignal(signal)
    let target = try thread(id, of: group, task)
    if let target {
      try task.kernel.send(information(signal, SignalInfo.siTkill, from: task), from: task, to: target)
    }
    return 0
  }

  /// A thread by its id, and the process that it must belong to; nil for process 1.
  private static func thread(_ id: Int32, of group: Int32?, _ task: Task) throws(Errno) -> Task? {
    if id == 1, group ?? 1 == 1 {
      try checkInit(task)
      return nil
    }
    guard let target = task.kernel.tasks[id], group ?? target.group.id == target.group.id else {
      throw .noSuchProcess
    }
    return target
  }

  /// Reads a `siginfo_t` that a guest sends; only to itself may it claim to be the kernel or kill(2).
  private static func information(
    at address: UInt64, _ signal: Signal, from task: Task, to target: Int32
  ) throws(Errno) -> SignalInfo {
    var info = try task.memory.readValue(GuestAddress(address), as: SignalInformation.self).info
    info.signal = signal
    if info.code >= 0 || info.code == SignalInfo.siTkill, target != task.group.id, target != task.id {
      throw .notPermitted
    }
    return info
  }

  /// rt_sigqueueinfo(2).
  static func rtSigqueueinfo(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let target = a.int(0)
    let info = try information(at: a[2], Signal(rawValue: a.int(1)), from: task, to: target)
    try checkSignal(info.signal)
    if target == 1 {
      try checkInit(task)
    } else {
      try task.kernel.send(info, from: task, to: group(of: target, task.kernel))
    }
    return 0
  }

  /// rt_tgsigqueueinfo(2).
  static func rtTgsigqueueinfo(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a.int(0) > 0, a.int(1) > 0 else { throw .invalidArgument }
    let info = try information(at: a[3], Signal(rawValue: a.int(2)), from: task, to: a.int(1))
    try checkSignal(info.signal)
    if let target = try thread(a.int(1), of: a.int(0), task) {
      try task.kernel.send(info, from: task, to: target)
    }
    return 0
  }

  // MARK: Process descriptors

  /// `PIDFD_NONBLOCK`.
  private static let nonBlocking: UInt32 = 0o4000

  /// pidfd_open(2).
  static func pidfdOpen(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a.int(0) > 0, a.uint(1) & ~nonBlocking == 0 else { throw .invalidArgument }
    guard let group = task.kernel.groups[a.int(0)] else {
      throw task.kernel.tasks[a.int(0)] == nil ? .noSuchProcess : .invalidArgument
    }
    let file = ProcessFile(process: group, flags: a.uint(1) != 0 ? .nonBlocking : [])
    return Int(try task.files.add(file, closeOnExec: true, limit: task.group.limits[.openFiles].current))
  }

  /// pidfd_getfd(2).
  static func pidfdGetfd(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a.uint(2) == 0 else { throw .invalidArgument }
    guard let group = (try task.openFile(a.int(0)) as? ProcessFile)?.process as? ThreadGroup else {
      throw .badFileDescriptor
    }
    guard let owner = group.tasks.first, group.exitStatus == nil else { throw .noSuchProcess }
    guard task.mayAccess(owner) else { throw .notPermitted }
    return Int(try task.addFile(try owner.files.file(a.int(1)), closeOnExec: true))
  }

  /// The process of a descriptor: of pidfd_open(2), or of an open `/proc/PID`.
  private static func process(_ file: OpenFile) throws(Errno) -> ThreadGroup {
    if let file = file as? ProcessFile, let group = file.process as? ThreadGroup { return group }
    if let inode = file.inode, let group = ProcessDirectory.process(of: inode) { return group }
    throw .badFileDescriptor
  }

  /// pidfd_send_signal(2).
  static func pidfdSendSignal(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a.uint(3) == 0 else { throw .invalidArgument }
    let group = try process(try task.files.file(a.int(0)))
    let signal = Signal(rawValue: a.int(1))
    try checkSignal(signal)
    guard task.kernel.groups[group.id] === group else { throw .noSuchProcess }
    var info = information(signal, SignalInfo.siUser, from: task)
    if a[2] != 0 {
      let given = try task.memory.readValue(GuestAddress(a[2]), as: SignalInformation.self)
      guard given.signal == signal else { throw .invalidArgument }
      info = try information(at: a[2], signal, from: task, to: group.id)
    }
    try task.kernel.send(info, from: task, to: group)
    return 0
  }
}

extension ThreadGroup: ProcessHandle {
  var processID: Int32 { id }
  var hasEnded: Bool { isZombie }
}
