import FileSystem
import LinuxABI
import Memory

/// Scheduling (sched(7)). All tasks are scheduled alike: policies other than real-time ones are kept and told back,
/// real-time ones are refused as to a process without `CAP_SYS_NICE`.
extension Syscalls {
  static let schedulerTable: [SyscallEntry] = [
    .init(.sched_yield, schedYield),
    .init(.sched_getaffinity, schedGetaffinity),
    .init(.sched_setaffinity, schedSetaffinity, .partial("told back; Apus itself places tasks")),
    .init(.sched_getparam, schedGetparam),
    .init(.sched_setparam, schedSetparam, .partial("no real-time priorities")),
    .init(.sched_getscheduler, schedGetscheduler),
    .init(
      .sched_setscheduler, schedSetscheduler,
      .partial("no real-time policies; others are told back, and change nothing")),
    .init(.sched_get_priority_max, schedGetPriorityMax),
    .init(.sched_get_priority_min, schedGetPriorityMin),
    .init(.sched_rr_get_interval, schedRRGetInterval),
    .init(.sched_getattr, schedGetattr),
    .init(.sched_setattr, schedSetattr, .partial("no real-time policies; others are told back, and change nothing")),
  ]

  private static func target(_ id: ProcessID, _ task: Task) throws(Errno) -> Task {
    if id.isNegative { throw .invalidArgument }
    if id == .zero { return task }
    guard let other = task.kernel.tasks[id] else { throw .noSuchProcess }
    return other
  }

  /// sched_yield(2).
  static func schedYield(_ task: Task) throws(Errno) -> Int {
    task.scheduling.sliceStart = .zero
    return 0
  }

  /// The virtual CPUs as a mask.
  private static func onlineCPUs(_ task: Task) -> UInt64 {
    let count = task.kernel.scheduler.cpus.count
    return count >= 64 ? .max : 1 << UInt64(count) - 1
  }

  /// sched_getaffinity(2): the raw call returns the bytes it wrote.
  static func schedGetaffinity(
    _ task: Task, _ id: ProcessID, _ size: UInt32, _ result: GuestAddress
  ) throws(Errno) -> Int {
    guard size >= 8, size % 8 == 0 else { throw .invalidArgument }
    guard !id.isNegative else { throw .noSuchProcess }
    let mask = try target(id, task).scheduling.affinity & onlineCPUs(task)
    try task.memory.writeValue(result, mask)
    return 8
  }

  /// sched_setaffinity(2). The mask is told back; Apus itself places tasks.
  static func schedSetaffinity(
    _ task: Task, _ id: ProcessID, _ size: UInt32, _ mask: GuestAddress
  ) throws(Errno) -> Int {
    let bytes = try task.memory.read(mask, count: Int(min(size, 8)))
    let mask = bytes.reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) } & onlineCPUs(task)
    guard !id.isNegative else { throw .noSuchProcess }
    let target = try target(id, task)
    guard task.maySchedule(target) else { throw .notPermitted }
    guard mask != 0 else { throw .invalidArgument }
    target.scheduling.affinity = mask
    return 0
  }

  /// sched_getparam(2).
  static func schedGetparam(_ task: Task, _ id: ProcessID, _ priority: OutPointer<Int32>) throws(Errno) -> Int {
    guard !priority.isNull else { throw .invalidArgument }
    _ = try target(id, task)
    try task.store(0, to: priority)
    return 0
  }

  /// sched_setparam(2).
  static func schedSetparam(_ task: Task, _ id: ProcessID, _ priority: InPointer<Int32>) throws(Errno) -> Int {
    guard !priority.isNull else { throw .invalidArgument }
    let priority = try task.load(priority)
    let target = try target(id, task)
    guard priority == 0 else { throw .invalidArgument }
    guard task.maySchedule(target) else { throw .notPermitted }
    return 0
  }

  /// sched_getscheduler(2).
  static func schedGetscheduler(_ task: Task, _ id: ProcessID) throws(Errno) -> Int {
    let scheduling = try target(id, task).scheduling
    return Int(scheduling.policy.rawValue | (scheduling.resetsOnFork ? SchedulingPolicy.resetOnFork : 0))
  }

  /// sched_setscheduler(2).
  static func schedSetscheduler(
    _ task: Task, _ id: ProcessID, _ policy: Constant<SchedulingPolicy>, _ priority: InPointer<Int32>
  ) throws(Errno) -> Int {
    guard !priority.isNull else { throw .invalidArgument }
    let priority = try task.load(priority)
    let target = try target(id, task)
    try setPolicy(
      policy.rawValue & ~SchedulingPolicy.resetOnFork, priority: UInt32(bitPattern: priority), of: target, by: task)
    target.scheduling.resetsOnFork = policy.rawValue & SchedulingPolicy.resetOnFork != 0
    return 0
  }

  private static func setPolicy(
    _ policy: Int32, priority: UInt32, of target: Task, by task: Task
  ) throws(Errno) {
    guard let policy = SchedulingPolicy(rawValue: policy) else { throw .invalidArgument }
    if policy == .deadline { throw .notPermitted }
    guard policy.priorities.contains(priority) else { throw .invalidArgument }
    guard policy.priorities == 0...0, task.maySchedule(target) else { throw .notPermitted }
    target.scheduling.policy = policy
  }

  private static func priorities(_ policy: Constant<SchedulingPolicy>) throws(Errno) -> ClosedRange<UInt32> {
    guard let policy = policy.value else { throw .invalidArgument }
    return policy.priorities
  }

  /// sched_get_priority_max(2).
  static func schedGetPriorityMax(_ task: Task, _ policy: Constant<SchedulingPolicy>) throws(Errno) -> Int {
    Int(try priorities(policy).upperBound)
  }

  /// sched_get_priority_min(2).
  static func schedGetPriorityMin(_ task: Task, _ policy: Constant<SchedulingPolicy>) throws(Errno) -> Int {
    Int(try priorities(policy).lowerBound)
  }

  /// sched_rr_get_interval(2).
  static func schedRRGetInterval(
    _ task: Task, _ id: ProcessID, _ interval: OutPointer<Timespec>
  ) throws(Errno) -> Int {
    _ = try target(id, task)
    try task.store(Timespec(Scheduler.slice), to: interval)
    return 0
  }

  /// sched_getattr(2).
  static func schedGetattr(
    _ task: Task, _ id: ProcessID, _ result: OutPointer<SchedulingAttributes>, _ size: UInt32, _ flags: UInt32
  ) throws(Errno) -> Int {
    guard !result.isNull, size >= SchedulingAttributes.size, size <= 4096, flags == 0 else { throw .invalidArgument }
    let target = try target(id, task)
    var attributes = SchedulingAttributes()
    attributes.policy = target.scheduling.policy.rawValue
    attributes.flags = target.scheduling.resetsOnFork ? .resetOnFork : []
    attributes.nice = target.scheduling.nice
    try task.store(attributes, to: result)
    return 0
  }

  /// sched_setattr(2).
  static func schedSetattr(
    _ task: Task, _ id: ProcessID, _ request: InPointer<SchedulingAttributes>, _ flags: UInt32
  ) throws(Errno) -> Int {
    guard !request.isNull, flags == 0 else { throw .invalidArgument }
    let size = try task.memory.readValue(request.address, as: UInt32.self)
    guard size == 0 || (SchedulingAttributes.size...4096).contains(size) else {
      try task.memory.writeValue(request.address, SchedulingAttributes.size)
      throw .argListTooLong
    }
    let new = try task.load(request)
    guard new.flags.isSubset(of: .resetOnFork) else { throw .invalidArgument }
    let target = try target(id, task)
    let nice = NiceValue.clamped(new.nice)
    if nice < target.scheduling.nice, !task.credentials.has(.sysNice) { throw .notPermitted }
    try setPolicy(new.policy, priority: new.priority, of: target, by: task)
    target.scheduling.nice = nice
    target.scheduling.resetsOnFork = new.flags.contains(.resetOnFork)
    return 0
  }
}
