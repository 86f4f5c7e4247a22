import FileSystem
import LinuxABI

/// Timer files: timerfd_create(2) and relatives.
extension Syscalls {
  static let timerfdTable: [SyscallEntry] = [
    .init(.timerfd_create, timerfdCreate),
    .init(.timerfd_settime, timerfdSettime),
    .init(.timerfd_gettime, timerfdGettime),
  ]

  /// timerfd_create(2).
  static func timerfdCreate(_ task: Task, _ clock: ClockNumber, _ flags: TimerFileFlags) throws(Errno) -> Int {
    guard let clock = TimerClock(clock) else { throw .invalidArgument }
    let flags = try flags.openFlags()
    let isAlarm = clock == .realTimeAlarm || clock == .bootTimeAlarm
    if isAlarm, !task.credentials.has(.wakeAlarm) { throw .notPermitted }
    let file = TimerFile(clock: clock, flags: flags, services: task.services)
    return Int(try task.addFile(file, closeOnExec: flags.contains(.closeOnExec)).rawValue)
  }

  /// timerfd_settime(2). `TFD_TIMER_CANCEL_ON_SET` has no effect: the clock is not set.
  static func timerfdSettime(
    _ task: Task, _ descriptor: FileDescriptorNumber, _ flags: TimerFlags, _ setting: InPointer<TimerSetting>,
    _ old: OutPointer<TimerSetting>
  ) throws(Errno) -> Int {
    let file = try timerFile(task, descriptor)
    guard flags.isSubset(of: [.absolute, .cancelOnSet]) else { throw .invalidArgument }
    let previous = try file.set(try task.load(setting), isAbsolute: flags.contains(.absolute))
    if !old.isNull { try task.store(previous, to: old) }
    return 0
  }

  /// timerfd_gettime(2).
  static func timerfdGettime(
    _ task: Task, _ descriptor: FileDescriptorNumber, _ result: OutPointer<TimerSetting>
  ) throws(Errno) -> Int {
    try task.store(try timerFile(task, descriptor).current, to: result)
    return 0
  }

  private static func timerFile(_ task: Task, _ descriptor: FileDescriptorNumber) throws(Errno) -> TimerFile {
    guard let file = try task.openFile(descriptor) as? TimerFile else { throw .invalidArgument }
    return file
  }
}
