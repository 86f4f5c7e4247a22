import FileSystem
import LinuxABI

/// Process 1, which is Apus itself: what calls find that look at a process or say how it is scheduled. It belongs to root,
/// runs no guest code, and never ends while others do not.
final class InitProcess: ProcessHandle {
  let scheduling: TaskScheduling
  var limits = ResourceLimits()

  init(cpu: CPU) { scheduling = TaskScheduling(cpu: cpu) }

  let credentials = Credentials(uid: 0, gid: 0)
  var processID: ProcessID { .initial }
  var hasEnded: Bool { false }
  var wasReaped: Bool { false }
  let endQueue = WaitQueue()
}

/// Whom a call of sched(7) means: a task, or process 1.
struct SchedulingTarget {
  /// Nil for process 1.
  let task: Task?
  let scheduling: TaskScheduling
  let credentials: Credentials
  let limits: ResourceLimits

  init(_ task: Task) {
    self.task = task
    scheduling = task.scheduling
    credentials = task.credentials
    limits = task.group.limits
  }

  init(_ process: InitProcess) {
    task = nil
    scheduling = process.scheduling
    credentials = process.credentials
    limits = process.limits
  }

  /// As far as it may lower its nice value without privilege (`RLIMIT_NICE` of getrlimit(2)).
  var lowestNice: Int32 { 20 - Int32(clamping: limits[.nice].current) }
}

extension Kernel {
  /// What has an id, for calls of sched(7) by a task, which 0 means; nil where nothing has.
  func schedulingTarget(_ id: ProcessID, by caller: Task) -> SchedulingTarget? {
    if let task = id == .zero ? caller : tasks[id] { return SchedulingTarget(task) }
    return id == .initial ? SchedulingTarget(initProcess) : nil
  }
}

extension Task {
  /// May change another's scheduling: the same user with no capability less, or `CAP_SYS_NICE`
  /// (sched_setscheduler(2), capabilities(7)).
  func maySchedule(_ other: SchedulingTarget) -> Bool {
    if credentials.has(.sysNice) { return true }
    let theirs = other.credentials
    return (credentials.euid == theirs.euid || credentials.euid == theirs.uid)
      && theirs.permitted.isSubset(of: credentials.permitted)
  }
}
