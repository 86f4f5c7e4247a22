import Host
import LinuxABI
import Synchronization

/// The host threads that serve a machine, but for the interrupt thread, which is the caller of `Sandbox.run`.
package final class MachineThreads: Sendable {
  private let running = Mutex(0)
  private let allEnded = Wakeup()
  private static let stackSize = 512 << 10

  /// Starts a thread for each CPU, and the one that reads ahead. - Throws: the host's error where it refuses one.
  package init(_ machine: Machine, cpus: Int) throws(Errno) {
    do throws(Errno) {
      for index in 0..<cpus { try start { machine.serveCPU(index) } }
      try start(machine.makeReadAheadService())
    } catch {
      machine.stop()
      join()
      throw error
    }
  }

  private func start(_ body: @escaping @Sendable () -> Void) throws(Errno) {
    running.withLock { $0 += 1 }
    do throws(Errno) {
      try Host.startThread(stackSize: MachineThreads.stackSize) { [self] in
        body()
        end()
      }
    } catch {
      end()
      throw error
    }
  }

  private func end() {
    if running.withLock({ count in
      count -= 1; return count == 0
    }) {
      allEnded.signal()
    }
  }

  /// Waits until all of them have ended.
  package func join() {
    while running.withLock({ $0 > 0 }) { allEnded.sleep() }
  }
}
