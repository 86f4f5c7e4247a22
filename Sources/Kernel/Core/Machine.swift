import FileSystem
import Host
import LinuxABI
import Synchronization

/// The kernel behind its lock, and the host threads that serve it.
package final class Machine: Sendable {
  package let kernel: Mutex<Kernel>

  package init(_ kernel: sending Kernel) { self.kernel = Mutex(kernel) }

  /// Serves interrupts until the sandbox has ended: timers, host descriptors, host signals, dead guest processes.
  package func serveInterrupts() {
    let epoll = kernel.withLock { $0.interrupts.epoll }
    var events = [EpollEvent](repeating: EpollEvent(), count: 64)
    var count = 0
    while true {
      let deadline = kernel.withLock { kernel -> UInt64?? in
        kernel.timers.isExpiring = true
        defer { kernel.timers.isExpiring = false }
        for event in events.prefix(count) { kernel.interrupt(event) }
        let next = kernel.timers.expire()
        kernel.timers.sleepingUntil = next
        return kernel.result == nil ? .some(next) : nil
      }
      guard let deadline else { return }
      count = (try? Host.wait(epoll, into: &events, deadline: deadline)) ?? 0
    }
  }

  /// Serves one CPU until the sandbox has ended.
  package func serveCPU(_ index: Int) {
    let hostCPU = kernel.withLock { $0.scheduler.cpus[index].hostCPU }
    CPU.serve(index, hostCPU: hostCPU, of: self)
  }
}
