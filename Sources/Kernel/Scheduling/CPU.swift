import DequeModule
import LinuxABI
import Platform

/// One virtual CPU and its run queue. A thread of the machine serves it.
final class CPU {
  let index: Int
  /// The host CPU that its thread is pinned to; nil where threads are not pinned.
  let hostCPU: Int?
  /// Runnable tasks that wait for this CPU.
  private(set) var queue = Deque<Task>()
  /// How many of them are not scheduled like most others are.
  private var specials = 0
  /// The most virtual time of a task that it has run: who was away for long has no claim on all of that.
  private(set) var virtualTime: Int64 = 0
  /// Time that real-time policies have had since `realTimePeriod` began.
  private var realTimeSpent = Nanoseconds.zero
  private var realTimePeriod = MonotonicTime.zero
  /// The task this CPU runs.
  var current: Task?
  /// How many tasks it has to run.
  var load: Int { queue.count + (current == nil ? 0 : 1) }
  /// Its thread sleeps, or is about to.
  var isIdle = false
  /// Up to when the time of this CPU has been charged to a task.
  var lastCharge = MonotonicTime.zero
  /// The idle CPU whose host CPU runs the guest code of this one's task, and the inverse.
  var borrowed: CPU?
  var borrower: CPU?

  init(index: Int, hostCPU: Int?) {
    self.index = index
    self.hostCPU = hostCPU
  }

  // MARK: The queue

  /// A task that had no CPU for long is ahead of others by no more than this.
  private static let longestClaim = Int64(Scheduler.slice.rawValue) * 4

  func append(_ task: Task) {
    let scheduling = task.scheduling
    scheduling.virtualTime = max(scheduling.virtualTime, virtualTime - CPU.longestClaim)
    scheduling.isQueued = true
    if !scheduling.isPlain { specials += 1 }
    queue.append(task)
  }

  /// The task that is to run next: of the highest rank, then with the least virtual time, then first in line.
  private var next: Int? {
    guard specials > 0 else { return queue.isEmpty ? nil : 0 }
    var best: (index: Int, rank: UInt32, time: Int64)?
    for (index, task) in queue.enumerated() {
      let (rank, time) = (rank(of: task), task.scheduling.virtualTime)
      if let best, rank < best.rank || rank == best.rank && (rank > 0 || time >= best.time) { continue }
      best = (index, rank, time)
    }
    return best?.index
  }

  /// Takes the task that is to run next.
  func takeNext() -> Task? {
    guard let next else { return nil }
    let task = take(at: next)
    virtualTime = max(virtualTime, task.scheduling.virtualTime)
    return task
  }

  /// Takes a task for another CPU: the one that would wait longest, of those that may run there.
  func takeLast(for other: CPU) -> Task? {
    guard let index = queue.lastIndex(where: { $0.scheduling.mayRun(on: other) }) else { return nil }
    return take(at: index)
  }

  /// Takes a task that is to go elsewhere.
  func take(_ task: Task) {
    if let index = queue.firstIndex(where: { $0 === task }) { _ = take(at: index) }
  }

  private func take(at index: Int) -> Task {
    let task = index == 0 ? queue.removeFirst() : queue.remove(at: index)
    task.scheduling.isQueued = false
    if !task.scheduling.isPlain { specials -= 1 }
    return task
  }

  func clear() {
    queue = []
    specials = 0
  }

  /// Whether a task that waits is to run in place of the current one, which has had its slice or not.
  func prefersOther(to task: Task, afterSlice: Bool) -> Bool {
    guard specials > 0 || !task.scheduling.isPlain else { return afterSlice }
    guard let next else { return false }
    let (mine, other) = (rank(of: task), rank(of: queue[next]))
    if mine != other { return other > mine }
    let yields = task.scheduling.sliceStart == .zero
    return yields || afterSlice && (mine == 0 || task.scheduling.parameters.policy != .fifo)
  }

  // MARK: Real-time policies

  /// Of each second, real-time policies have this much where others wait (`sched_rt_runtime_us` of sched(7)).
  private static let realTimeShare = Nanoseconds.milliseconds(950)

  func rank(of task: Task) -> UInt32 {
    realTimeSpent < CPU.realTimeShare ? task.scheduling.parameters.rank : 0
  }

  /// A task has had this CPU for some time, up to now.
  @inline(__always) func charge(_ task: Task, _ time: Nanoseconds, until now: MonotonicTime) {
    if task.scheduling.isPlain {
      task.scheduling.virtualTime &+= Int64(truncatingIfNeeded: time.rawValue)
    } else {
      chargeSpecial(task, time, until: now)
    }
  }

  @inline(never) private func chargeSpecial(_ task: Task, _ time: Nanoseconds, until now: MonotonicTime) {
    task.scheduling.charge(time)
    guard task.scheduling.parameters.rank > 0 else { return }
    if now - realTimePeriod >= .second {
      realTimePeriod = now
      realTimeSpent = .zero
    }
    realTimeSpent += time
  }
}

/// What the thread of a CPU does next, without the kernel lock.
package enum CPUStep: Sendable {
  /// Runs guest code until it traps, then calls `Kernel.nextStep(onCPU:after:at:)`.
  case run(any GuestThread, Placement)
  /// Lets the kernel lock go, so that others come in, and calls `Kernel.nextStep(onCPU:)` again.
  case again
  /// Sleeps until `MachineServices.wakeCPU`, then calls `Kernel.nextStep(onCPU:)`. First it may wait busily, where the host
  /// CPU has nothing else to do for this sandbox.
  case sleep(mayWaitBusily: Bool)
  /// Ends: the sandbox is over.
  case stop
}

extension Kernel {
  /// What a CPU does first, and after it was woken.
  package func nextStep(onCPU index: Int) -> CPUStep { nextStep(on: scheduler.cpus[index]) }

  /// What a CPU does after its guest code came back with a trap at `time` (CLOCK_MONOTONIC).
  package func nextStep(onCPU index: Int, after trap: Trap, at time: MonotonicTime) -> CPUStep {
    let cpu = scheduler.cpus[index]
    cpu.chargeUserTime(until: time)
    handle(trap, on: cpu)
    return nextStep(on: cpu)
  }
}
