import DequeModule
import LinuxABI
import Platform

/// One virtual CPU and its run queue. A thread of the machine serves it.
final class CPU {
  let index: Int
  /// The host CPU that its thread is pinned to; nil where threads are not pinned.
  let hostCPU: Int?
  /// Runnable tasks that wait for this CPU.
  var queue = Deque<Task>()
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
