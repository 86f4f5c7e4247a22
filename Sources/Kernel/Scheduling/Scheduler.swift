import FileSystem
import LinuxABI

/// Decides which task runs on which CPU.
///
/// Tasks stay on their CPU, because moving them between host CPUs is expensive (see `TrapPace`). While any task
/// waits for a CPU, a tick every `slice` preempts what has run its slice and offers waiting tasks to idle CPUs.
package final class Scheduler {
  let cpus: [CPU]
  /// How long a task may run while others wait.
  static let slice = Nanoseconds.milliseconds(3)
  /// Tasks are bound to the CPU they started on (platforms whose threads have an owner).
  let tasksAreBound: Bool
  /// Each CPU has a host CPU of its own, and guest threads may leave theirs.
  let canBorrow: Bool
  private lazy var tick = KernelTimer { [unowned self] in expire() }
  let services: any MachineServices
  private var nextCPU = 0
  package private(set) var switches = 0
  /// How often a CPU has borrowed another for guest code.
  package internal(set) var borrowings = 0

  init(services: any MachineServices, cpus: [CPU]) {
    self.services = services
    self.cpus = cpus
    tasksAreBound = services.platform.threadsAreBoundToCPUThreads
    canBorrow = !tasksAreBound && Set(cpus.compactMap(\.hostCPU)).count == cpus.count
  }

  /// The CPU for a new task of `parent`: the parent's, or the next in turn where tasks can't move later.
  func place(childOf parent: Task?) -> CPU {
    if let parent, !tasksAreBound { return parent.scheduling.cpu }
    nextCPU = (nextCPU + 1) % cpus.count
    return cpus[nextCPU]
  }

  /// A task that is new, was waiting or was stopped may run.
  func makeRunnable(_ task: Task) {
    task.state = .runnable
    enqueue(task)
  }

  /// Puts a runnable task in a run queue.
  func enqueue(_ task: Task) {
    let scheduling = task.scheduling
    guard task.state == .runnable, !scheduling.isQueued, scheduling.cpu.current !== task else { return }
    if !tasksAreBound {
      if scheduling.cpu.current != nil, services.timers.isServing,
        let idle = cpus.first(where: { $0.isIdle && scheduling.mayRun(on: $0) })
      {
        scheduling.cpu = idle
      } else if !scheduling.mayRun(on: scheduling.cpu) {
        scheduling.cpu = leastLoaded(for: task) ?? scheduling.cpu
      }
    }
    append(task, to: scheduling.cpu)
  }

  private func append(_ task: Task, to cpu: CPU) {
    task.scheduling.cpu = cpu
    cpu.append(task)
    if cpu.isIdle {
      wake(cpu)
      return
    }
    if tick.deadline == nil { services.arm(tick, deadline: services.monotonicTime + Scheduler.slice) }
    if !task.scheduling.isPlain, let current = cpu.current, current.scheduling.isInGuest,
      cpu.rank(of: task) > cpu.rank(of: current)
    {
      current.thread.preempt()
    }
  }

  private func leastLoaded(for task: Task) -> CPU? {
    cpus.filter { task.scheduling.mayRun(on: $0) }.min { $0.load < $1.load }
  }

  /// Takes the next task for a CPU; nil where there is none.
  func dequeue(for cpu: CPU) -> Task? { cpu.takeNext() }

  /// Takes a task that waits for another, busy CPU.
  private func steal(for cpu: CPU) -> Task? {
    guard !tasksAreBound else { return nil }
    let busiest = cpus.filter { $0 !== cpu && $0.current != nil }.max { $0.queue.count < $1.queue.count }
    return busiest?.takeLast(for: cpu)
  }

  // MARK: What programs set

  /// sched_setscheduler(2), setpriority(2): how a task is scheduled from now on.
  func set(_ parameters: SchedulingParameters, of scheduling: TaskScheduling, _ task: Task?) {
    guard let task, scheduling.isQueued else { return scheduling.adopt(parameters) }
    scheduling.cpu.take(task)
    scheduling.adopt(parameters)
    append(task, to: scheduling.cpu)
  }

  /// sched_setaffinity(2): the task moves at once where it is not allowed any more.
  func setAffinity(_ mask: UInt64, of scheduling: TaskScheduling, _ task: Task?) {
    scheduling.affinity = mask
    guard let task, !tasksAreBound, !scheduling.mayRun(on: scheduling.cpu) else { return }
    if scheduling.cpu.current === task {
      task.call.givesWay = true
      if scheduling.isInGuest { task.thread.preempt() }
    } else if scheduling.isQueued {
      scheduling.cpu.take(task)
      enqueue(task)
    }
  }

  /// The current task goes on unless another has waited for a slice.
  func shouldYield(_ task: Task, on cpu: CPU) -> Bool {
    guard !cpu.queue.isEmpty else { return false }
    let afterSlice = services.monotonicTime - task.scheduling.sliceStart >= Scheduler.slice
    return cpu.prefersOther(to: task, afterSlice: afterSlice)
  }

  /// The CPU's task has left it.
  func release(_ cpu: CPU) {
    cpu.current = nil
    if cpu.borrowed != nil { endBorrowing(of: cpu) }
  }

  func run(_ task: Task, on cpu: CPU) {
    cpu.current = task
    task.scheduling.pace.restart()
    task.scheduling.cpu = cpu
    task.scheduling.sliceStart = services.monotonicTime
    cpu.lastCharge = task.scheduling.sliceStart
    switches &+= 1
  }

  /// Runs every slice while tasks wait: preempts, and hands waiting tasks to idle CPUs.
  private func expire() {
    let now = services.monotonicTime
    var anyWaits = false
    for cpu in cpus where !cpu.queue.isEmpty {
      if let idle = cpus.first(where: \.isIdle), let task = steal(for: idle) { append(task, to: idle) }
      guard !cpu.queue.isEmpty else { continue }
      anyWaits = true
      if let current = cpu.current, current.scheduling.isInGuest, shouldYield(current, on: cpu) {
        current.thread.preempt()
      }
    }
    if anyWaits {
      balance()
      services.arm(tick, deadline: now + Scheduler.slice)
    }
  }

  /// Moves one task where one CPU has two more to run than another.
  private func balance() {
    guard !tasksAreBound, let most = cpus.max(by: { $0.load < $1.load }),
      let least = cpus.min(by: { $0.load < $1.load }), most.load >= least.load + 2, let task = most.takeLast(for: least)
    else { return }
    append(task, to: least)
  }
}
