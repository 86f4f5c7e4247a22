import FileSystem
import LinuxABI
import Memory

/// A process: the tasks that share a pid, signal handlers, timers and limits (`CLONE_THREAD`).
final class ThreadGroup {
  let id: ProcessID
  /// The task whose id is the process id.
  var leader: Task?
  /// All tasks that have not ended, the leader included.
  var tasks: [Task] = []
  /// The parent process; nil where Apus itself (process 1) is the parent.
  weak var parent: ThreadGroup?
  /// The thread of the parent that made it, or that has taken it over from one that ended (`__WNOTHREAD` of wait(2)).
  var parentThread: ProcessID
  var children: [ThreadGroup] = []
  /// Changed by `ProcessTable` alone, which keeps its members.
  var processGroup: ProcessGroup
  var session: Session { processGroup.session }
  var isSessionLeader: Bool { session.id == id }
  var hasExecuted = false
  /// What execve(2) runs; nil before, and after the end.
  var executable: PathLocation? {
    didSet {
      oldValue?.dentry.inode.executions -= 1
      executable?.dentry.inode.executions += 1
    }
  }
  var limits = ResourceLimits()
  var signals: GroupSignals
  /// Woken with `.readable` when a signal becomes pending for a task of the group or for the group (signalfd(2)).
  let signalQueue = WaitQueue()
  /// Charged for the signals that wait for the group and its tasks, once there are many.
  var signalCharge: MemoryCharge?
  var isDumpable = true
  /// `/proc/PID/oom_score_adj`, from −1000 (never chosen) to 1000.
  var outOfMemoryAdjustment: Int32 = 0
  var transfers = TransferCounts()
  /// Adopts orphaned descendants (`PR_SET_CHILD_SUBREAPER`).
  var isSubreaper = false

  // End
  /// The signal the parent gets at the end (`CLONE_PARENT`… `SIGCHLD`).
  var exitSignal = Signal.chld
  /// The group is ending with this wait status; each task ends at its next return to guest code.
  var exitStatus: WaitStatus?
  /// All tasks have ended; waits for its parent.
  var isZombie = false
  /// Stop or continue that the parent has not been told by wait(2).
  var unreportedStop: Signal?
  var unreportedContinue = false
  var isStopped = false
  /// Woken when a child changes state.
  let childQueue = WaitQueue()
  /// Woken when the process has ended (pidfd_open(2)).
  let endQueue = WaitQueue()
  /// Made when the first timer is set.
  var timers: GroupTimers?
  /// Woken when a task of this group ends (execve waits for it).
  let taskQueue = WaitQueue()
  /// Time and faults of tasks and children that have ended, for getrusage(2).
  var usage = ResourceUsage()
  var childUsage = ResourceUsage()
  /// Argument and environment area, for procfs.
  var argumentRange = GuestAddress.null..<GuestAddress.null
  var environmentRange = GuestAddress.null..<GuestAddress.null
  var auxiliaryVector: [UInt64] = []

  init(
    id: ProcessID, parent: ThreadGroup?, thread: ProcessID = .initial, processGroup: ProcessGroup, signals: GroupSignals
  ) {
    self.id = id
    self.parent = parent
    parentThread = thread
    self.processGroup = processGroup
    self.signals = signals
  }

  deinit { executable?.dentry.inode.executions -= 1 }

  /// A thread of it has ended, or has got another id: its children are another's.
  func handChildren(of thread: ProcessID, to other: ProcessID) {
    for child in children where child.parentThread == thread { child.parentThread = other }
  }

  /// getppid(2): 1 for children of Apus.
  var parentID: ProcessID { parent?.id ?? .initial }
}

/// What getrusage(2) reports.
struct ResourceUsage: Sendable {
  var userTime = Nanoseconds.zero
  var systemTime = Nanoseconds.zero
  var maximumResident: UInt64 = 0
  var minorFaults: UInt64 = 0
  var majorFaults: UInt64 = 0
  var voluntarySwitches: UInt64 = 0
  var involuntarySwitches: UInt64 = 0
  mutating func add(_ other: ResourceUsage) {
    userTime += other.userTime
    systemTime += other.systemTime
    maximumResident = max(maximumResident, other.maximumResident)
    minorFaults &+= other.minorFaults
    majorFaults &+= other.majorFaults
    voluntarySwitches &+= other.voluntarySwitches
    involuntarySwitches &+= other.involuntarySwitches
  }
}

/// The resource limits of a process (getrlimit(2)).
struct ResourceLimits: Sendable {
  private var limits: [ResourceLimit]

  init() {
    let unlimited = ResourceLimit(current: ResourceLimit.infinity, maximum: ResourceLimit.infinity)
    limits = [ResourceLimit](repeating: unlimited, count: Resource.allCases.count)
    self[.stack] = ResourceLimit(current: 8 << 20, maximum: ResourceLimit.infinity)
    self[.core] = ResourceLimit(current: 0, maximum: ResourceLimit.infinity)
    self[.openFiles] = ResourceLimit(current: 1024, maximum: 1 << 20)
    self[.processes] = ResourceLimit(current: 32768, maximum: 32768)
    self[.lockedMemory] = ResourceLimit(current: 8 << 20, maximum: 8 << 20)
    self[.pendingSignals] = ResourceLimit(current: 32768, maximum: 32768)
    self[.messageQueue] = ResourceLimit(current: 819_200, maximum: 819_200)
    self[.nice] = ResourceLimit(current: 0, maximum: 0)
    self[.realTimePriority] = ResourceLimit(current: 0, maximum: 0)
  }
  subscript(resource: Resource) -> ResourceLimit {
    get { limits[Int(resource.rawValue)] }
    set { limits[Int(resource.rawValue)] = newValue }
  }
}

extension Rusage {
  /// `struct rusage` of some usage.
  init(_ usage: ResourceUsage) {
    self.init()
    userTime = Timeval(usage.userTime)
    systemTime = Timeval(usage.systemTime)
    maximumResident = Int64(clamping: usage.maximumResident / 1024)
    minorFaults = Int64(clamping: usage.minorFaults)
    majorFaults = Int64(clamping: usage.majorFaults)
    voluntarySwitches = Int64(clamping: usage.voluntarySwitches)
    involuntarySwitches = Int64(clamping: usage.involuntarySwitches)
  }
}
