import FileSystem
import LinuxABI
import Memory

/// Pipes, event files, timer files and signal files.
extension Syscalls {
  static let pipeTable: [SyscallEntry] = [
    .init(.pipe, pipe, [.fdPair]),
    .init(.pipe2, pipe2, [.fdPair, .pipeFlags]),
    .init(.eventfd, eventfd, [.uint]),
    .init(.eventfd2, eventfd2, [.uint, .eventFlags]),
    .init(.timerfd_create, timerfdCreate, [.clock, .openFlags]),
    .init(.timerfd_settime, timerfdSettime, [.fd, .hex, .itimerspec, .pointer]),
    .init(.timerfd_gettime, timerfdGettime, [.fd, .pointer]),
    .init(.signalfd, signalfd, [.fd, .signalSet, .uint]),
    .init(.signalfd4, signalfd4, [.fd, .signalSet, .uint, .openFlags]),
  ]

  /// pipe(2).
  static func pipe(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { try makePipe(task, a[0], []) }

  /// pipe2(2); packet mode (`O_DIRECT`) is refused.
  static func pipe2(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try makePipe(task, a[0], try descriptorFlags(a.uint(1)))
  }

  private static func makePipe(_ task: Task, _ address: UInt64, _ flags: OpenFlags) throws(Errno) -> Int {
    let (reader, writer) = Pipe.make(flags: flags, owner: task.credentials, time: task.kernel.realTime)
    try task.addPair(reader, writer, closeOnExec: flags.contains(.closeOnExec), to: GuestAddress(address))
    return 0
  }

  /// The flags of calls that make a descriptor. - Throws: `EINVAL` for others than `O_CLOEXEC` and `O_NONBLOCK`.
  static func descriptorFlags(_ value: UInt32) throws(Errno) -> OpenFlags {
    let flags = OpenFlags(rawValue: value)
    guard flags.isSubset(of: [.closeOnExec, .nonBlocking]) else { throw .invalidArgument }
    return flags
  }

  /// eventfd(2).
  static func eventfd(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    Int(try task.addFile(EventFile(initial: a.uint(0), isSemaphore: false, flags: []), closeOnExec: false))
  }

  /// eventfd2, which eventfd(2) of glibc calls.
  static func eventfd2(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = try descriptorFlags(a.uint(1) & ~EventFlags.semaphore.rawValue)
    let file = EventFile(
      initial: a.uint(0), isSemaphore: EventFlags(rawValue: a.uint(1)).contains(.semaphore), flags: flags)
    return Int(try task.addFile(file, closeOnExec: flags.contains(.closeOnExec)))
  }

  /// timerfd_create(2).
  static func timerfdCreate(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard let clock = ClockID(rawValue: a.int(0)) else { throw .invalidArgument }
    let flags = try descriptorFlags(a.uint(1))
    let isAlarm = clock == .realTimeAlarm || clock == .bootTimeAlarm
    if isAlarm, !task.credentials.has(.wakeAlarm) { throw .notPermitted }
    let file = TimerFile(clock: clock, flags: flags, services: task.services)
    return Int(try task.addFile(file, closeOnExec: flags.contains(.closeOnExec)))
  }

  /// timerfd_settime(2). `TFD_TIMER_CANCEL_ON_SET` has no effect: the clock is not set.
  static func timerfdSettime(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let file = try timerFile(task, a.int(0))
    let flags = TimerFlags(rawValue: a.uint(1))
    guard flags.isSubset(of: [.absolute, .cancelOnSet]) else { throw .invalidArgument }
    let setting = try task.memory.readValue(GuestAddress(a[2]), as: TimerSetting.self)
    let old = try file.set(setting, isAbsolute: flags.contains(.absolute))
    if a[3] != 0 { try task.memory.writeValue(GuestAddress(a[3]), old) }
    return 0
  }

  /// timerfd_gettime(2).
  static func timerfdGettime(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.memory.writeValue(GuestAddress(a[1]), try timerFile(task, a.int(0)).current)
    return 0
  }

  private static func timerFile(_ task: Task, _ descriptor: Int32) throws(Errno) -> TimerFile {
    guard let file = try task.openFile(descriptor) as? TimerFile else { throw .invalidArgument }
    return file
  }

  /// signalfd(2) without flags.
  static func signalfd(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try signalfd4(task, SyscallArguments(a[0], a[1], a[2], 0))
  }

  /// signalfd4, which signalfd(2) of glibc calls.
  static func signalfd4(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a[2] == 8 else { throw .invalidArgument }
    let flags = try descriptorFlags(a.uint(3))
    let mask = try task.memory.readValue(GuestAddress(a[1]), as: SignalSet.self).subtracting(.unblockable)
    if a.int(0) != -1 {
      guard let file = try task.openFile(a.int(0)) as? SignalFile else { throw .invalidArgument }
      file.mask = mask
      return Int(a.int(0))
    }
    let kernel = task.kernel
    let file = SignalFile(mask: mask, flags: flags) { [unowned kernel] in kernel.servedTask }
    return Int(try task.addFile(file, closeOnExec: flags.contains(.closeOnExec)))
  }
}
