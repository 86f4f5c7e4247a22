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
    guard task.state == .runnable, !task.scheduling.isQueued, task.scheduling.cpu.current !== task else { return }
    if task.scheduling.cpu.current != nil, services.timers.isServing, !tasksAreBound,
      let idle = cpus.first(where: \.isIdle)
    {
      task.scheduling.cpu = idle
    }
    let cpu = task.scheduling.cpu
    task.scheduling.isQueued = true
    cpu.queue.append(task)
    if cpu.isIdle {
      wake(cpu)
    } else if tick.deadline == nil {
      services.arm(tick, deadline: services.monotonicTime + Scheduler.slice)
    }
  }

  /// Takes the next task for a CPU; nil where there is none.
  func dequeue(for cpu: CPU) -> Task? {
    if let task = cpu.queue.popFirst() {
      task.scheduling.isQueued = false
      return task
    }
    return nil
  }

  /// Takes a task that waits for another, busy CPU.
  private func steal(for cpu: CPU) -> Task? {
    guard !tasksAreBound else { return nil }
    let busiest = cpus.filter { $0 !== cpu && $0.current != nil }.max { $0.queue.count < $1.queue.count }
    guard let busiest, let task = busiest.queue.popLast() else { return nil }
    task.scheduling.isQueued = false
    return task
  }

  /// The current task goes on unless another has waited for a slice.
  func shouldYield(_ task: Task, on cpu: CPU) -> Bool {
    !cpu.queue.isEmpty && services.monotonicTime - task.scheduling.sliceStart >= Scheduler.slice
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
      if let idle = cpus.first(where: \.isIdle), let task = steal(for: idle) {
        task.scheduling.cpu = idle
        task.scheduling.isQueued = true
        idle.queue.append(task)
        wake(idle)
      }
      guard !cpu.queue.isEmpty else { continue }
      anyWaits = true
      if let current = cpu.current, current.scheduling.isInGuest,
        now - current.scheduling.sliceStart >= Scheduler.slice
      {
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
      let least = cpus.min(by: { $0.load < $1.load }), most.load >= least.load + 2, let task = most.queue.popLast()
    else { return }
    task.scheduling.cpu = least
    least.queue.append(task)
    if least.isIdle { wake(least) }
  }
}
