import FileSystem
import LinuxABI
import Memory

/// Scheduling (sched(7)).
extension Syscalls {
  static let schedulerTable: [SyscallEntry] = [
    .init(.sched_yield, schedYield),
    .init(.sched_getaffinity, schedGetaffinity),
    .init(.sched_setaffinity, schedSetaffinity, .partial("told back alone with --platform ptrace")),
    .init(.sched_getparam, schedGetparam),
    .init(.sched_setparam, schedSetparam),
    .init(.sched_getscheduler, schedGetscheduler),
    .init(.sched_setscheduler, schedSetscheduler, .partial("no priority inheritance")),
    .init(.sched_get_priority_max, schedGetPriorityMax),
    .init(.sched_get_priority_min, schedGetPriorityMin),
    .init(.sched_rr_get_interval, schedRRGetInterval),
    .init(.sched_getattr, schedGetattr),
    .init(
      .sched_setattr, schedSetattr,
      .partial("SCHED_DEADLINE comes before all others, but has no deadlines; no utilisation clamps")),
  ]

  private static func target(_ id: ProcessID, _ task: Task) throws(Errno) -> SchedulingTarget {
    if id.isNegative { throw .invalidArgument }
    guard let target = task.kernel.schedulingTarget(id, by: task) else { throw .noSuchProcess }
    return target
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

  /// sched_setaffinity(2).
  static func schedSetaffinity(
    _ task: Task, _ id: ProcessID, _ size: UInt32, _ mask: GuestAddress
  ) throws(Errno) -> Int {
    let bytes = try task.memory.read(mask, count: Int(min(size, 8)))
    let mask = bytes.reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) } & onlineCPUs(task)
    guard !id.isNegative else { throw .noSuchProcess }
    let target = try target(id, task)
    guard task.maySchedule(target) else { throw .notPermitted }
    guard mask != 0 else { throw .invalidArgument }
    task.kernel.scheduler.setAffinity(mask, of: target.scheduling, target.task)
    return 0
  }

  /// sched_getparam(2).
  static func schedGetparam(_ task: Task, _ id: ProcessID, _ priority: OutPointer<Int32>) throws(Errno) -> Int {
    guard !priority.isNull else { throw .invalidArgument }
    let target = try target(id, task)
    try task.store(Int32(bitPattern: target.scheduling.parameters.priority), to: priority)
    return 0
  }

  /// sched_setparam(2).
  static func schedSetparam(_ task: Task, _ id: ProcessID, _ priority: InPointer<Int32>) throws(Errno) -> Int {
    guard !priority.isNull else { throw .invalidArgument }
    let priority = try task.load(priority)
    let target = try target(id, task)
    var new = target.scheduling.parameters
    new.priority = UInt32(bitPattern: priority)
    try set(new, resetsOnFork: target.scheduling.resetsOnFork, of: target, by: task)
    return 0
  }

  /// sched_getscheduler(2).
  static func schedGetscheduler(_ task: Task, _ id: ProcessID) throws(Errno) -> Int {
    let scheduling = try target(id, task).scheduling
    return Int(scheduling.parameters.policy.rawValue | (scheduling.resetsOnFork ? SchedulingPolicy.resetOnFork : 0))
  }

  /// sched_setscheduler(2).
  static func schedSetscheduler(
    _ task: Task, _ id: ProcessID, _ policy: Constant<SchedulingPolicy>, _ priority: InPointer<Int32>
  ) throws(Errno) -> Int {
    guard !priority.isNull, policy.rawValue >= 0 else { throw .invalidArgument }
    let priority = try task.load(priority)
    let target = try target(id, task)
    guard let known = SchedulingPolicy(rawValue: policy.rawValue & ~SchedulingPolicy.resetOnFork) else {
      throw .invalidArgument
    }
    var new = SchedulingParameters()
    new.policy = known
    new.nice = target.scheduling.parameters.nice
    new.priority = UInt32(bitPattern: priority)
    let resets = policy.rawValue & SchedulingPolicy.resetOnFork != 0
    try set(new, resetsOnFork: resets, of: target, by: task)
    return 0
  }

  /// Checks new parameters, and whether the caller may set them; then they hold. - Throws: `EINVAL`, `EPERM`, `EBUSY`.
  private static func set(
    _ new: SchedulingParameters, resetsOnFork: Bool, of target: SchedulingTarget, by task: Task
  ) throws(Errno) {
    var new = new
    if new.policy == .deadline {
      if new.period == 0 { new.period = new.deadline }
      guard new.hasValidDeadline else { throw .invalidArgument }
    }
    guard new.policy.priorities.contains(new.priority) else { throw .invalidArgument }
    let old = target.scheduling.parameters
    if !task.credentials.has(.sysNice) {
      let limit = target.limits[.realTimePriority].current
      let floor = target.lowestNice
      let needsPrivilege =
        switch new.policy {
        case .deadline: true
        case .fifo, .roundRobin:
          new.policy != old.policy && limit == 0 || new.priority > old.priority && UInt64(new.priority) > limit
        case .idle: false
        case .other, .batch: new.nice < old.nice && new.nice < floor || old.policy == .idle && old.nice < floor
        }
      guard !needsPrivilege, task.maySchedule(target), resetsOnFork || !target.scheduling.resetsOnFork else {
        throw .notPermitted
      }
    }
    if new.policy == .deadline {
      let online = onlineCPUs(task)
      guard target.scheduling.affinity & online == online else { throw .notPermitted }
      guard task.kernel.hasTime(for: new, besides: target.task) else { throw .resourceBusy }
    }
    task.kernel.scheduler.set(new, of: target.scheduling, target.task)
    target.scheduling.resetsOnFork = resetsOnFork
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

  /// What sched_rr_get_interval(2) tells for `SCHED_RR` (`sched_rr_timeslice_ms`).
  private static let roundRobinInterval = Nanoseconds.milliseconds(100)

  /// sched_rr_get_interval(2).
  static func schedRRGetInterval(
    _ task: Task, _ id: ProcessID, _ interval: OutPointer<Timespec>
  ) throws(Errno) -> Int {
    let time: Nanoseconds =
      switch try target(id, task).scheduling.parameters.policy {
      case .fifo, .deadline: .zero
      case .roundRobin: roundRobinInterval
      case .other, .batch, .idle: Scheduler.slice
      }
    try task.store(Timespec(time), to: interval)
    return 0
  }

  /// sched_getattr(2).
  static func schedGetattr(
    _ task: Task, _ id: ProcessID, _ result: OutPointer<SchedulingAttributes>, _ size: UInt32, _ flags: UInt32
  ) throws(Errno) -> Int {
    guard !result.isNull, size >= SchedulingAttributes.size, size <= 4096, flags == 0 else { throw .invalidArgument }
    let target = try target(id, task)
    let parameters = target.scheduling.parameters
    var attributes = SchedulingAttributes()
    attributes.policy = parameters.policy.rawValue
    attributes.flags = target.scheduling.resetsOnFork ? .resetOnFork : []
    switch parameters.policy {
    case .deadline:
      (attributes.runtime, attributes.deadline) = (parameters.runtime, parameters.deadline)
      attributes.period = parameters.period
    case .fifo, .roundRobin: attributes.priority = parameters.priority
    case .other, .batch, .idle: attributes.nice = parameters.nice
    }
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
    let given = try task.load(request)
    guard given.policy >= 0 else { throw .invalidArgument }
    let target = try target(id, task)
    let old = target.scheduling.parameters
    guard given.flags.isSubset(of: [.resetOnFork, .keepPolicy, .keepParameters]) else { throw .invalidArgument }
    var new = old
    if !given.flags.contains(.keepPolicy) {
      guard let policy = SchedulingPolicy(rawValue: given.policy) else { throw .invalidArgument }
      new.policy = policy
    }
    if !given.flags.contains(.keepParameters) {
      new.priority = given.priority
      if new.policy == .other || new.policy == .batch { new.nice = NiceValue.clamped(given.nice) }
      (new.runtime, new.deadline, new.period) = (given.runtime, given.deadline, given.period)
    }
    try set(new, resetsOnFork: given.flags.contains(.resetOnFork), of: target, by: task)
    return 0
  }
}

extension SchedulingParameters {
  /// What the times of `SCHED_DEADLINE` must be like (sched_setattr(2)): in order, at least a microsecond, below 2^63.
  fileprivate var hasValidDeadline: Bool {
    deadline != 0 && runtime >= 1024 && deadline < 1 << 63 && period < 1 << 63
      && period >= deadline && deadline >= runtime
      && (100_000...4_194_304_000).contains(period)
  }
}

extension Kernel {
  /// Whether all tasks with `SCHED_DEADLINE` and one more need no more than 95 % of the CPUs.
  fileprivate func hasTime(for new: SchedulingParameters, besides changed: Task?) -> Bool {
    func share(_ parameters: SchedulingParameters) -> Double {
      parameters.policy == .deadline ? Double(parameters.runtime) / Double(parameters.period) : 0
    }
    let others = tasks.values.reduce(0) { sum, task in
      task === changed || task.hasEnded ? sum : sum + share(task.scheduling.parameters)
    }
    return others + share(new) <= 0.95 * Double(scheduler.cpus.count)
  }
}
