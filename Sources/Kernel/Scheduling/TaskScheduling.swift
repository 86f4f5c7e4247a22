import LinuxABI

/// What the scheduler knows of a task, and what programs set of it (sched(7)).
final class TaskScheduling {
  /// The CPU the task runs on, or ran on last.
  var cpu: CPU {
    didSet { if cpu !== oldValue { virtualTime += cpu.virtualTime - oldValue.virtualTime } }
  }
  /// A CPU thread is inside the guest with the task.
  var isInGuest = false
  /// The task is in its CPU's run queue.
  var isQueued = false
  /// When it got its CPU (CLOCK_MONOTONIC); zero to hand it on to the next that waits.
  var sliceStart = MonotonicTime.zero
  /// Whether its guest code is better off on a host CPU of its own.
  var pace = TrapPace()

  /// How it is scheduled; `Scheduler.set` changes it.
  private(set) var parameters = SchedulingParameters()
  /// Nothing sets it apart from most others.
  private(set) var isPlain = true
  /// Children go back to `SCHED_OTHER` and nice 0 (`SCHED_RESET_ON_FORK`).
  var resetsOnFork = false
  /// The CPUs it may run on, as a mask.
  var affinity: UInt64 = .max
  /// Class and level of ioprio_set(2), which is told back only; 0 where never set.
  var ioPriority = IOPriority(rawValue: 0)

  /// The time that it has had, in nanoseconds; it goes the faster, the higher the nice value. Compared among tasks of one
  /// CPU.
  var virtualTime: Int64 = 0
  private var timeRate = SchedulingParameters.plainRate

  init(cpu: CPU) { self.cpu = cpu }

  func mayRun(on cpu: CPU) -> Bool { affinity >> UInt64(truncatingIfNeeded: cpu.index) & 1 != 0 }

  /// What getcpu(2) tells: the CPU, and one that the mask allows where tasks are bound to another.
  var shownCPU: UInt32 {
    UInt32(truncatingIfNeeded: mayRun(on: cpu) ? cpu.index : affinity.trailingZeroBitCount)
  }

  /// It has had a CPU for some time, and is not plain.
  func charge(_ time: Nanoseconds) {
    virtualTime &+= Int64(truncatingIfNeeded: time.rawValue) &* timeRate / SchedulingParameters.plainRate
  }

  /// Takes parameters for a task that is in no queue, or whose queue is told by the caller.
  func adopt(_ new: SchedulingParameters) {
    parameters = new
    timeRate = new.timeRate
    isPlain = new.nice == 0 && new.rank == 0 && new.policy != .idle
  }

  /// What a child has of its parent.
  func inherit(from parent: TaskScheduling) {
    affinity = parent.affinity
    ioPriority = parent.ioPriority
    adopt(parent.resetsOnFork ? parent.parameters.reset : parent.parameters)
  }
}

/// The policy of a task, and how much of it (sched(7)).
struct SchedulingParameters {
  var policy = SchedulingPolicy.other
  var nice: Int32 = 0
  /// Of `SCHED_FIFO` and `SCHED_RR`, from 1 to 99.
  var priority: UInt32 = 0
  /// Of `SCHED_DEADLINE`, in nanoseconds.
  var runtime: UInt64 = 0
  var deadline: UInt64 = 0
  var period: UInt64 = 0

  /// Runs before those of a lower rank, whatever those have had.
  var rank: UInt32 {
    switch policy {
    case .deadline: 100
    case .fifo, .roundRobin: priority
    case .other, .batch, .idle: 0
    }
  }

  /// Of a child, where the parent has `SCHED_RESET_ON_FORK`.
  var reset: SchedulingParameters {
    var child = SchedulingParameters()
    if rank == 0 {
      child.policy = policy
      child.nice = max(nice, 0)
    }
    return child
  }

  /// How fast the virtual time of a task with nice 0 goes.
  static let plainRate: Int64 = 1024
  /// How fast its virtual time goes: a step of the nice value is some 10 % of a CPU, a factor of 1.25 (sched(7)).
  var timeRate: Int64 {
    if policy == .idle { return SchedulingParameters.plainRate * 341 }
    var rate = Double(SchedulingParameters.plainRate)
    for _ in 0..<abs(nice) { rate = nice > 0 ? rate * 1.25 : rate / 1.25 }
    return max(1, Int64(rate))
  }
}
