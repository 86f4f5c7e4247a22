import FileSystem
import LinuxABI
import Memory

/// Scheduling (sched(7)). All tasks are scheduled alike: policies other than real-time ones are kept and told back,
/// real-time ones are refused as to a process without `CAP_SYS_NICE`.
extension Syscalls {
  static let schedulerTable: [SyscallEntry] = [
    .init(.sched_yield, schedYield, []),
    .init(.sched_getaffinity, schedGetaffinity, [.pid, .uint, .pointer]),
    .init(.sched_setaffinity, schedSetaffinity, [.pid, .uint, .pointer]),
    .init(.sched_getparam, schedGetparam, [.pid, .pointer]),
    .init(.sched_setparam, schedSetparam, [.pid, .pointer]),
    .init(.sched_getscheduler, schedGetscheduler, [.pid]),
    .init(.sched_setscheduler, schedSetscheduler, [.pid, .flags(policies), .pointer]),
    .init(.sched_get_priority_max, schedGetPriorityMax, [.flags(policies)]),
    .init(.sched_get_priority_min, schedGetPriorityMin, [.flags(policies)]),
    .init(.sched_rr_get_interval, schedRRGetInterval, [.pid, .timespecResult]),
    .init(.sched_getattr, schedGetattr, [.pid, .pointer, .uint, .uint]),
    .init(.sched_setattr, schedSetattr, [.pid, .pointer, .uint]),
  ]

  private static let policies: [ArgumentKind.FlagName] = [
    .init("SCHED_OTHER", 0), .init("SCHED_FIFO", 1), .init("SCHED_RR", 2), .init("SCHED_BATCH", 3),
    .init("SCHED_IDLE", 5), .init("SCHED_DEADLINE", 6),
  ]

  private static func target(_ id: Int32, _ task: Task) throws(Errno) -> Task {
    guard id >= 0 else { throw .invalidArgument }
    if id == 0 { return task }
    guard let other = task.kernel.tasks[id] else { throw .noSuchProcess }
    return other
  }

  /// sched_yield(2).
  static func schedYield(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    task.sliceStart = 0
    return 0
  }

  /// The virtual CPUs as a mask.
  private static func onlineCPUs(_ task: Task) -> UInt64 {
    let count = task.kernel.scheduler.cpus.count
    return count >= 64 ? .max : 1 << UInt64(count) - 1
  }

  /// sched_getaffinity(2): the raw call returns the bytes it wrote.
  static func schedGetaffinity(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a.uint(1) >= 8, a.uint(1) % 8 == 0 else { throw .invalidArgument }
    guard a.int(0) >= 0 else { throw .noSuchProcess }
    let mask = try target(a.int(0), task).affinity & onlineCPUs(task)
    try task.memory.writeValue(a[2], mask)
    return 8
  }

  /// sched_setaffinity(2). The mask is told back; Apus itself places tasks.
  static func schedSetaffinity(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let bytes = try task.memory.read(a[2], count: Int(min(a.uint(1), 8)))
    let mask = bytes.reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) } & onlineCPUs(task)
    guard a.int(0) >= 0 else { throw .noSuchProcess }
    let target = try target(a.int(0), task)
    guard task.maySchedule(target) else { throw .notPermitted }
    guard mask != 0 else { throw .invalidArgument }
    target.affinity = mask
    return 0
  }

  /// sched_getparam(2).
  static func schedGetparam(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a[1] != 0 else { throw .invalidArgument }
    _ = try target(a.int(0), task)
    try task.memory.writeValue(a[1], Int32(0))
    return 0
  }

  /// sched_setparam(2).
  static func schedSetparam(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a[1] != 0 else { throw .invalidArgument }
    let priority = try task.memory.readValue(a[1], as: Int32.self)
    let target = try target(a.int(0), task)
    guard priority == 0 else { throw .invalidArgument }
    guard task.maySchedule(target) else { throw .notPermitted }
    return 0
  }

  /// sched_getscheduler(2).
  static func schedGetscheduler(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let attributes = try target(a.int(0), task).attributes
    return Int(
      attributes.schedulingPolicy.rawValue | (attributes.resetsSchedulingOnFork ? SchedulingPolicy.resetOnFork : 0))
  }

  /// sched_setscheduler(2).
  static func schedSetscheduler(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a[2] != 0 else { throw .invalidArgument }
    let priority = try task.memory.readValue(a[2], as: Int32.self)
    let target = try target(a.int(0), task)
    try setPolicy(
      a.int(1) & ~SchedulingPolicy.resetOnFork, priority: UInt32(bitPattern: priority), of: target, by: task)
    target.attributes.resetsSchedulingOnFork = a.int(1) & SchedulingPolicy.resetOnFork != 0
    return 0
  }

  private static func setPolicy(
    _ policy: Int32, priority: UInt32, of target: Task, by task: Task
  ) throws(Errno) {
    guard let policy = SchedulingPolicy(rawValue: policy) else { throw .invalidArgument }
    if policy == .deadline { throw .notPermitted }
    guard policy.priorities.contains(priority) else { throw .invalidArgument }
    guard policy.priorities == 0...0, task.maySchedule(target) else { throw .notPermitted }
    target.attributes.schedulingPolicy = policy
  }

  private static func priorities(_ policy: Int32) throws(Errno) -> ClosedRange<UInt32> {
    guard let policy = SchedulingPolicy(rawValue: policy) else { throw .invalidArgument }
    return policy.priorities
  }

  /// sched_get_priority_max(2).
  static func schedGetPriorityMax(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    Int(try priorities(a.int(0)).upperBound)
  }

  /// sched_get_priority_min(2).
  static func schedGetPriorityMin(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    Int(try priorities(a.int(0)).lowerBound)
  }

  /// sched_rr_get_interval(2).
  static func schedRRGetInterval(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    _ = try target(a.int(0), task)
    try task.memory.writeValue(a[1], Timespec(nanoseconds: Int64(Scheduler.slice)))
    return 0
  }

  /// sched_getattr(2).
  static func schedGetattr(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a[1] != 0, a.uint(2) >= SchedulingAttributes.size, a.uint(2) <= 4096, a.uint(3) == 0 else {
      throw .invalidArgument
    }
    let target = try target(a.int(0), task)
    var attributes = SchedulingAttributes()
    attributes.policy = target.attributes.schedulingPolicy.rawValue
    attributes.flags = target.attributes.resetsSchedulingOnFork ? .resetOnFork : []
    attributes.nice = target.nice
    try task.memory.writeValue(a[1], attributes)
    return 0
  }

  /// sched_setattr(2).
  static func schedSetattr(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a[1] != 0, a.uint(2) == 0 else { throw .invalidArgument }
    let size = try task.memory.readValue(a[1], as: UInt32.self)
    guard size == 0 || (SchedulingAttributes.size...4096).contains(size) else {
      try task.memory.writeValue(a[1], SchedulingAttributes.size)
      throw .argListTooLong
    }
    let new = try task.memory.readValue(a[1], as: SchedulingAttributes.self)
    guard new.flags.isSubset(of: .resetOnFork) else { throw .invalidArgument }
    let target = try target(a.int(0), task)
    let nice = NiceValue.clamped(new.nice)
    if nice < target.nice, !task.credentials.has(.sysNice) { throw .notPermitted }
    try setPolicy(new.policy, priority: new.priority, of: target, by: task)
    target.nice = nice
    target.attributes.resetsSchedulingOnFork = new.flags.contains(.resetOnFork)
    return 0
  }
}
