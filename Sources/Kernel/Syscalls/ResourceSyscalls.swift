import FileSystem
import LinuxABI
import Memory

/// Resource limits and priorities.
extension Syscalls {
  static let resourceTable: [SyscallEntry] = [
    .init(.getrlimit, getrlimit),
    .init(.setrlimit, setrlimit, .partial("some limits are kept and told back, and limit nothing")),
    .init(.prlimit64, prlimit64, .partial("some limits are kept and told back, and limit nothing")),
    .init(.getpriority, getpriority),
    .init(.setpriority, setpriority),
    .init(.ioprio_get, ioprioGet),
    .init(.ioprio_set, ioprioSet, .partial("kept and told back; changes nothing")),
  ]

  /// - Throws: `EINVAL` where there is no such resource.
  private static func known(_ resource: Constant<Resource>) throws(Errno) -> Resource {
    guard let resource = resource.value else { throw .invalidArgument }
    return resource
  }

  /// getrlimit(2).
  static func getrlimit(
    _ task: Task, _ resource: Constant<Resource>, _ result: OutPointer<ResourceLimit>
  ) throws(Errno) -> Int {
    try task.store(task.group.limits[try known(resource)], to: result)
    return 0
  }

  /// setrlimit(2).
  static func setrlimit(
    _ task: Task, _ resource: Constant<Resource>, _ limit: InPointer<ResourceLimit>
  ) throws(Errno) -> Int {
    let new = try task.load(limit)
    try set(try known(resource), to: new, of: task.group, by: task)
    return 0
  }

  /// prlimit(2).
  static func prlimit64(
    _ task: Task, _ id: ProcessID, _ resource: Constant<Resource>, _ limit: InPointer<ResourceLimit>,
    _ previous: OutPointer<ResourceLimit>
  ) throws(Errno) -> Int {
    let resource = try known(resource)
    let new = limit.isNull ? nil : try task.load(limit)
    guard let target = task.kernel.schedulingTarget(id, by: task) else { throw .noSuchProcess }
    if target.task?.group !== task.group, !task.credentials.has(.sysResource) {
      let (mine, theirs) = (task.credentials, target.credentials)
      guard mine.uid == theirs.uid, mine.uid == theirs.euid, mine.uid == theirs.suid,
        mine.gid == theirs.gid, mine.gid == theirs.egid, mine.gid == theirs.sgid
      else { throw .notPermitted }
    }
    let old = target.limits[resource]
    if let new, let group = target.task?.group {
      try set(resource, to: new, of: group, by: task)
    } else if let new {
      try check(resource, new, old, by: task)
      task.kernel.initProcess.limits[resource] = new
    }
    if !previous.isNull { try task.store(old, to: previous) }
    return 0
  }

  /// `fs.nr_open`: no process may have more descriptors.
  private static let maximumOpenFiles: UInt64 = 1 << 20

  private static func set(
    _ resource: Resource, to new: ResourceLimit, of group: ThreadGroup, by task: Task
  ) throws(Errno) {
    try check(resource, new, group.limits[resource], by: task)
    group.limits[resource] = new
    if resource == .cpu { task.kernel.cpuLimitChanged(of: group) }
    guard let memory = group.tasks.first?.memory else { return }
    switch resource {
    case .addressSpace: memory.limits.addressSpace = new.current
    case .data: memory.limits.data = new.current
    case .stack: memory.limits.stack = new.current
    default: break
    }
  }

  private static func check(
    _ resource: Resource, _ new: ResourceLimit, _ old: ResourceLimit, by task: Task
  ) throws(Errno) {
    guard new.current <= new.maximum else { throw .invalidArgument }
    if resource == .openFiles, new.maximum > maximumOpenFiles { throw .notPermitted }
    if new.maximum > old.maximum, !task.credentials.has(.sysResource) { throw .notPermitted }
  }

  // MARK: Nice values

  /// Those that `which` and `who` name. - Throws: `EINVAL`; `ESRCH` where there are none.
  private static func targets(
    _ which: PriorityTarget?, who number: Int32, _ task: Task
  ) throws(Errno) -> [SchedulingTarget] {
    let found: [SchedulingTarget]
    let who = ProcessID(rawValue: number)
    switch which {
    case .process: found = [task.kernel.schedulingTarget(who, by: task)].compactMap(\.self)
    case .processGroup:
      let processGroup = who == .zero ? task.group.processGroup : task.kernel.processTable.processGroups[who]
      found = processGroup?.members.flatMap(\.tasks).map(SchedulingTarget.init) ?? []
    case .user:
      let uid = number == 0 ? task.credentials.uid : UInt32(bitPattern: number)
      found = task.kernel.processTable.tasks(ofUser: uid).map(SchedulingTarget.init)
    case nil: throw .invalidArgument
    }
    guard !found.isEmpty else { throw .noSuchProcess }
    return found
  }

  /// getpriority(2): the raw call returns 20 − nice.
  static func getpriority(_ task: Task, _ which: Constant<PriorityTarget>, _ who: Int32) throws(Errno) -> Int {
    let found = try targets(which.value, who: who, task)
    return Int(NiceValue.range.upperBound + 1 - (found.map(\.scheduling.parameters.nice).min() ?? 0))
  }

  /// setpriority(2).
  static func setpriority(
    _ task: Task, _ which: Constant<PriorityTarget>, _ who: Int32, _ nice: Int32
  ) throws(Errno) -> Int {
    let nice = NiceValue.clamped(nice)
    for target in try targets(which.value, who: who, task) {
      guard task.maySchedule(target) else { throw .notPermitted }
      var parameters = target.scheduling.parameters
      if nice < parameters.nice, !task.credentials.has(.sysNice), nice < target.lowestNice { throw .permissionDenied }
      parameters.nice = nice
      task.kernel.scheduler.set(parameters, of: target.scheduling, target.task)
    }
    return 0
  }

  /// ioprio_get(2).
  static func ioprioGet(_ task: Task, _ which: Constant<IOPriorityTarget>, _ who: Int32) throws(Errno) -> Int {
    let found = try targets(which.value?.target, who: who, task)
    return Int(found.map(\.scheduling.ioPriority.rawValue).max() ?? 0)
  }

  /// ioprio_set(2): kept and told back.
  static func ioprioSet(
    _ task: Task, _ which: Constant<IOPriorityTarget>, _ who: Int32, _ value: IOPriority
  ) throws(Errno) -> Int {
    guard let priorityClass = value.class, priorityClass != .none || value.data == 0 else { throw .invalidArgument }
    if priorityClass == .realTime, !task.credentials.has(.sysAdmin), !task.credentials.has(.sysNice) {
      throw .notPermitted
    }
    for target in try targets(which.value?.target, who: who, task) {
      guard task.maySchedule(target) else { throw .notPermitted }
      target.scheduling.ioPriority = value
    }
    return 0
  }
}
