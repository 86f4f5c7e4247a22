// The target Machine: a kernel on a host. The lock, the threads of CPUs, the thread that serves interrupts, the one
// that reads ahead, and the host's side of `MachineServices`.
//
// It uses Kernel, all below it, and Host. What must hold: the kernel and its services are touched with the lock
// held; the lock is not held while guest code runs, nor while a thread sleeps.

import Host
import Kernel
import LinuxABI
import Synchronization

/// The kernel behind its lock, and the host threads that serve it.
package final class Machine: Sendable {
  /// A kernel and the host below it, before and while threads serve them.
  package struct Core {
    package let kernel: Kernel
    package let services: HostServices
    package init(kernel: Kernel, services: HostServices) {
      self.kernel = kernel
      self.services = services
    }
  }

  private let core: Mutex<Core>
  /// Where the thread of each CPU sleeps.
  private let wakeups: [Wakeup]

  package init(_ core: sending Core) {
    wakeups = core.services.wakeups
    self.core = Mutex(core)
  }

  /// Calls `body` with the kernel lock held.
  @inline(__always)
  package func withKernel<Result: Sendable>(_ body: (Kernel) -> Result) -> Result {
    core.withLock { body($0.kernel) }
  }

  /// For how long guests have run when the platform starts to audit them.
  private static let auditDelay = Nanoseconds.milliseconds(50)
  private static var now: MonotonicTime { MonotonicTime(nanoseconds: Host.monotonicTime) }

  /// Serves interrupts until the sandbox has ended: timers, host descriptors, host signals, dead guest processes.
  package func serveInterrupts() {
    let (epoll, platform) = core.withLock { ($0.services.interrupts.epoll, $0.services.platform) }
    // Of use from then on, and a thread of its own: short runs do without.
    var auditing: MonotonicTime? = Machine.now + Machine.auditDelay
    var events = [EpollEvent](repeating: EpollEvent(), count: 64)
    var count = 0
    while true {
      let step = core.withLock { core in
        let (kernel, services) = (core.kernel, core.services)
        return kernel.serveInterrupts {
          for event in events.prefix(count) { services.interrupt(event, of: kernel) }
        }
      }
      guard case .wait(let deadline) = step else { return }
      let due = auditing.map { min($0, deadline ?? .never) } ?? deadline
      count = (try? Host.wait(epoll, into: &events, deadline: due?.sinceBoot.rawValue)) ?? 0
      if let time = auditing, Machine.now >= time {
        auditing = nil
        platform.startAuditing()
      }
    }
  }

  /// Serves one CPU until the sandbox has ended. The calling thread belongs to that CPU.
  package func serveCPU(_ index: Int) {
    if let cpu = withKernel({ $0.configuration.cpus[index] }) { Host.pin(to: cpu) }
    let wakeup = wakeups[index]
    var step = withKernel { $0.nextStep(onCPU: index) }
    while true {
      switch step {
      case .run(let thread, let placement):
        let trap = thread.run(on: placement)
        let time = Machine.now
        step = withKernel { $0.nextStep(onCPU: index, after: trap, at: time) }
      case .again:
        step = withKernel { $0.nextStep(onCPU: index) }
      case .sleep(let mayWaitBusily):
        if mayWaitBusily { wakeup.waitThenSleep() } else { wakeup.sleep() }
        step = withKernel { $0.nextStep(onCPU: index) }
      case .stop:
        return
      }
    }
  }

  /// Ends the sandbox from outside: its threads stop, its guests are ended with the platform.
  package func stop() { withKernel { $0.terminate() } }

  /// The body of the thread that reads ahead.
  func makeReadAheadService() -> @Sendable () -> Void {
    core.withLock { $0.services.readAheadWorker.makeService() }
  }
}
