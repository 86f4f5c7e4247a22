import FileSystem
import LinuxABI
import Memory

/// Processes: clone(2), exit(2), wait(2) and relatives.
extension Syscalls {
  static let processTable: [SyscallEntry] = [
    .init(.clone, clone, .partial("no namespaces, and nothing of ptrace(2)")),
    .init(.clone3, clone3, .partial("no namespaces, no cgroups, no choice of thread ids, and nothing of ptrace(2)")),
    .init(.fork, fork),
    .init(.vfork, vfork),
    .init(.exit, exit),
    .init(.exit_group, exitGroup),
    .init(.wait4, wait4),
    .init(.waitid, waitid),
  ]

  /// clone(2), raw argument order of x86-64: flags, stack, parent_tid, child_tid, tls.
  static func clone(
    _ task: Task, _ how: CloneFlagsAndSignal, _ stack: ShownBefore<GuestAddress>,
    _ parentTID: ShownBefore<GuestAddress>, _ childTID: ShownBefore<GuestAddress>, _ tls: ShownBefore<GuestAddress>
  ) throws(Errno) -> CallOutcome<Int> {
    var arguments = CloneArguments()
    arguments.flags = how.flags.rawValue
    arguments.exitSignal = UInt64(how.signal.rawValue)
    arguments.stack = stack.value.rawValue
    arguments.parentTID = parentTID.value.rawValue
    arguments.childTID = childTID.value.rawValue
    arguments.tls = tls.value.rawValue
    // Both results go to the same address.
    if how.flags.isSuperset(of: [.pidfd, .parentSetTID]) { throw .invalidArgument }
    arguments.pidfd = arguments.parentTID
    return try start(task, arguments)
  }

  /// clone3(2).
  static func clone3(
    _ task: Task, _ request: InPointer<CloneArguments>, _ size: UInt64
  ) throws(Errno) -> CallOutcome<Int> {
    guard size >= 64 else { throw .invalidArgument }
    guard size <= 4096 else { throw .argListTooLong }
    var bytes = try task.memory.read(request.address, count: Int(size))
    let known = MemoryLayout<CloneArguments>.size
    guard bytes.dropFirst(known).allSatisfy({ $0 == 0 }) else { throw .argListTooLong }
    bytes += [UInt8](repeating: 0, count: max(0, known - bytes.count))
    guard let arguments = bytes.value(as: CloneArguments.self) else { throw .invalidArgument }
    if (arguments.stack == 0) != (arguments.stackSize == 0) { throw .invalidArgument }
    let flags = CloneFlags(rawValue: arguments.flags)
    guard flags.isSubset(of: .ofClone3) else { throw .invalidArgument }
    if arguments.exitSignal != 0, !flags.isDisjoint(with: [.thread, .parent]) { throw .invalidArgument }
    return try start(task, arguments)
  }

  /// fork(2).
  static func fork(_ task: Task) throws(Errno) -> CallOutcome<Int> {
    var arguments = CloneArguments()
    arguments.exitSignal = UInt64(Signal.chld.rawValue)
    return try start(task, arguments)
  }

  /// vfork(2).
  static func vfork(_ task: Task) throws(Errno) -> CallOutcome<Int> {
    var arguments = CloneArguments()
    arguments.flags = CloneFlags([.vm, .vfork]).rawValue
    arguments.exitSignal = UInt64(Signal.chld.rawValue)
    return try start(task, arguments)
  }

  private static func start(_ task: Task, _ arguments: CloneArguments) throws(Errno) -> CallOutcome<Int> {
    // A vfork parent is run again when its child lets go of the memory.
    if case .vfork(let child) = task.call.kept { return awaitVfork(task, child) }
    let child = try cloneWithDescriptor(task, arguments)
    guard CloneFlags(rawValue: arguments.flags).contains(.vfork) else { return .done(Int(child.id.rawValue)) }
    return awaitVfork(task, child.id)
  }

  /// Makes the child, and the process descriptor that `CLONE_PIDFD` asks for.
  private static func cloneWithDescriptor(_ task: Task, _ arguments: CloneArguments) throws(Errno) -> Task {
    guard CloneFlags(rawValue: arguments.flags).contains(.pidfd) else {
      return try task.kernel.clone(task, arguments)
    }
    // The descriptor is taken before there is a child, so that nothing can fail afterwards.
    let descriptor = try task.addFile(ProcessFile(process: task.group, flags: []), closeOnExec: true)
    do throws(Errno) {
      try task.memory.writeValue(GuestAddress(arguments.pidfd), descriptor)
      let child = try task.kernel.clone(task, arguments)
      if child.files !== task.files { try child.files.close(descriptor) }
      try task.files.set(
        descriptor, to: ProcessFile(process: child.group, flags: []),
        closeOnExec: true, limit: .max)
      return child
    } catch {
      _ = try? task.files.close(descriptor)
      throw error
    }
  }

  /// Parks a vfork(2) parent until the child ends or executes a program; only SIGKILL interrupts it.
  private static func awaitVfork(_ task: Task, _ child: ProcessID) -> CallOutcome<Int> {
    guard task.kernel.tasks[child]?.vforkParent === task, task.group.exitStatus == nil else {
      return .done(Int(child.rawValue))
    }
    task.call.kept = .vfork(child: child)
    return .suspended(task.waitUninterruptibly())
  }

  /// exit(2): ends the calling thread.
  static func exit(_ task: Task, _ code: Int32) throws(Errno) -> Int {
    task.exitCode = code & 0xff
    task.kernel.endTask(task)
    return 0
  }

  /// exit_group(2).
  static func exitGroup(_ task: Task, _ code: Int32) throws(Errno) -> Int {
    task.exitCode = code & 0xff
    task.kernel.endGroup(task.group, .exited(code & 0xff))
    return 0
  }

  /// wait4(2), which waitpid(2) calls.
  static func wait4(
    _ task: Task, _ child: ProcessSelection, _ status: ChildStatusPointer, _ options: WaitOptions,
    _ usage: OutPointer<Rusage>
  ) throws(Errno) -> CallOutcome<Int> {
    guard options.isSubset(of: [.noHang, .stopped, .continued, .noThread, .all, .clone]) else {
      throw .invalidArgument
    }
    var selector = WaitSelector(target: try target(child, task))
    selector.stopped = options.contains(.stopped)
    selector.continued = options.contains(.continued)
    selector.all = options.contains(.all)
    selector.clonesOnly = options.contains(.clone)
    if options.contains(.noThread) { selector.thread = task.id }
    let change: WaitReport?
    switch try takeChange(of: task, selector, options) {
    case .done(let report): change = report
    case .suspended(let suspension): return .suspended(suspension)
    }
    guard let report = change else { return .done(0) }
    if !status.address.isNull { try task.memory.writeValue(status.address, report.status) }
    if !usage.isNull { try task.store(Rusage(report.usage), to: usage) }
    return .done(Int(report.group.rawValue))
  }

  /// waitid(2).
  static func waitid(
    _ task: Task, _ type: Constant<WaitIDType>, _ id: ProcessID, _ information: GuestAddress, _ options: WaitOptions,
    _ usage: OutPointer<Rusage>
  ) throws(Errno) -> CallOutcome<Int> {
    let changes: WaitOptions = [.exited, .stopped, .continued]
    guard options.isSubset(of: changes.union([.noHang, .noWait, .noThread, .all, .clone])),
      !options.isDisjoint(with: changes)
    else { throw .invalidArgument }
    let (target, isNonBlocking) = try target(type, id, task)
    var selector = WaitSelector(target: target)
    selector.exited = options.contains(.exited)
    selector.stopped = options.contains(.stopped)
    selector.continued = options.contains(.continued)
    selector.keeps = options.contains(.noWait)
    selector.all = options.contains(.all)
    selector.clonesOnly = options.contains(.clone)
    if options.contains(.noThread) { selector.thread = task.id }
    let report: WaitReport?
    switch try takeChange(of: task, selector, isNonBlocking ? options.union(.noHang) : options) {
    case .done(let change): report = change
    case .suspended(let suspension): return .suspended(suspension)
    }
    if isNonBlocking, report == nil, !options.contains(.noHang) { throw .resourceTemporarilyUnavailable }
    if !information.isNull { try task.memory.write(information, childInformation(report)) }
    if let report, !usage.isNull { try task.store(Rusage(report.usage), to: usage) }
    return .done(0)
  }

  private static func target(_ child: ProcessSelection, _ task: Task) throws(Errno) -> WaitSelector.Target {
    if case .child(let target) = task.call.kept { return target }
    return switch child {
    case .all: .any
    case .processGroup(let id): .processGroup(id ?? task.group.processGroup.id)
    case .process(let id): .process(id)
    case .impossible: throw .noSuchProcess
    }
  }

  /// Whom waitid(2) waits for, and whether the descriptor that says so is non-blocking.
  private static func target(
    _ type: Constant<WaitIDType>, _ id: ProcessID, _ task: Task
  ) throws(Errno) -> (target: WaitSelector.Target, isNonBlocking: Bool) {
    if case .child(let target) = task.call.kept { return (target, false) }
    switch type.value {
    case .all: return (.any, false)
    case .process where id.isPositive: return (.process(id), false)
    case .processGroup where !id.isNegative:
      return (.processGroup(id == .zero ? task.group.processGroup.id : id), false)
    case .processDescriptor:
      guard let file = try task.files.file(FileDescriptorNumber(rawValue: id.rawValue)) as? ProcessFile else {
        throw .badFileDescriptor
      }
      return (.process(file.process.processID), file.flags.contains(.nonBlocking))
    default: throw .invalidArgument
    }
  }

  /// Takes a child's change, or parks the task until there is one; nil with `WNOHANG`.
  private static func takeChange(
    of task: Task, _ selector: WaitSelector, _ options: WaitOptions
  ) throws(Errno) -> CallOutcome<WaitReport?> {
    if let report = try task.kernel.takeChange(of: task.group, selector) { return .done(report) }
    if options.contains(.noHang) { return .done(nil) }
    task.call.kept = .child(selector.target)
    return .suspended(task.wait(on: [task.group.childQueue]))
  }

  /// `siginfo_t` as waitid(2) fills it: 128 bytes, all zero where no child has changed.
  private static func childInformation(_ report: WaitReport?) -> [UInt8] {
    var words = [Int32](repeating: 0, count: 32)
    if let report {
      words[0] = Signal.chld.rawValue
      (words[2], words[6]) = report.status.childInformation
      words[4] = report.group.rawValue
      words[5] = Int32(bitPattern: report.uid)
    }
    return words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  }
}

/// The first argument of clone(2): flags, and in the low byte the signal that tells the parent of the child's end. It
/// shows all arguments in the order that strace(1) has, those that the flags ask for.
struct CloneFlagsAndSignal: SyscallArgument {
  let flags: CloneFlags
  let signal: Signal

  init(register: UInt64) {
    flags = CloneFlags(rawValue: register & ~CloneFlags.signalMask)
    signal = Signal(rawValue: Int32(register & CloneFlags.signalMask))
  }

  func describe(in call: CallFormatter) -> String? {
    var names = ConstantName.join(flags.rawValue, CloneFlags.names)
    if signal != .null { names = (flags.isEmpty ? "" : names + "|") + SignalNames.name(signal) }
    var shown = ["child_stack=\(pointer(call.arguments[1]))", "flags=\(names)"]
    if flags.contains(.parentSetTID) || flags.contains(.pidfd) {
      let child = call.result.flatMap { $0 > 0 ? "[\($0)]" : nil }
      shown.append("parent_tid=\(child ?? pointer(call.arguments[2]))")
    }
    if flags.contains(.setTLS) { shown.append("tls=\(pointer(call.arguments[4]))") }
    if !flags.isDisjoint(with: [.childSetTID, .childClearTID]) {
      shown.append("child_tidptr=\(pointer(call.arguments[3]))")
    }
    return shown.joined(separator: ", ")
  }
}

/// Where wait4(2) writes the status of the child that it found, if it found one.
struct ChildStatusPointer: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  func describe(in call: CallFormatter) -> String? {
    (call.result ?? 0) > 0 ? call.value(address, as: WaitStatus.self) : pointer(address.rawValue)
  }
}
