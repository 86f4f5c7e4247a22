import DequeModule
import Host
import LinuxABI
import Platform

/// One virtual CPU: a run queue, and the host thread that serves it. Touched with the kernel lock held.
final class CPU {
  let index: Int
  /// The host CPU that its thread is pinned to; nil where threads are not pinned.
  let hostCPU: Int?
  /// Runnable tasks that wait for this CPU.
  var queue = Deque<Task>()
  /// The task this CPU runs.
  var current: Task?
  /// Its thread sleeps, or is about to.
  var isIdle = false
  /// Up to when the time of this CPU has been charged to a task.
  var lastCharge: UInt64 = 0
  /// The idle CPU whose host CPU runs the guest code of this one's task, and the inverse.
  var borrowed: CPU?
  var borrower: CPU?
  /// Ends the idle sleep.
  let wakeup = Wakeup()

  init(index: Int, hostCPU: Int?) {
    self.index = index
    self.hostCPU = hostCPU
  }

  /// What a CPU thread does next, without the kernel lock.
  enum Step: Sendable {
    case run(any GuestThread, Placement)
    case sleep(Wakeup)
    case stop
  }

  /// Runs this CPU until the sandbox ends. `machine` holds the kernel; the calling thread belongs to CPU `index`.
  static func serve(_ index: Int, hostCPU: Int?, of machine: Machine) {
    if let hostCPU { Host.pin(to: hostCPU) }
    var step = machine.kernel.withLock { $0.nextStep(on: $0.scheduler.cpus[index]) }
    while true {
      switch step {
      case .run(let thread, let placement):
        let trap = thread.run(on: placement)
        let time = Host.monotonicTime
        step = machine.kernel.withLock { kernel in
          let cpu = kernel.scheduler.cpus[index]
          cpu.chargeUserTime(until: time)
          kernel.handle(trap, on: cpu)
          return kernel.nextStep(on: cpu)
        }
      case .sleep(let wakeup):
        wakeup.sleep()
        step = machine.kernel.withLock { $0.nextStep(on: $0.scheduler.cpus[index]) }
      case .stop:
        return
      }
    }
  }
}
