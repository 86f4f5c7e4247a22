import FileSystem
import Kernel
import LinuxABI
import Memory
import Platform

/// A machine without a host: its clock stands still until a test turns it, and it runs nothing by itself.
package final class TestServices: MachineServices {
  package let physicalMemory: PhysicalMemory
  package let platform: any Platform
  package let timers = TimerQueue()
  package private(set) var monotonicTime: UInt64 = 1_000_000_000_000
  private let realTimeOffset: UInt64 = 1_700_000_000_000_000_000
  package var realTime: UInt64 { monotonicTime + realTimeOffset }
  /// CPUs that were woken, in order.
  package private(set) var wokenCPUs: [Int] = []
  /// Processes that are watched, in the order in which that was asked for.
  package private(set) var watchedProcesses: [any GuestProcess] = []
  /// How often Apus would have stopped with its caller.
  package private(set) var stops = 0
  package private(set) var isStopped = false
  private var random = SystemRandomNumberGenerator()

  package init(platform: any Platform) throws(Errno) {
    self.platform = platform
    physicalMemory = try PhysicalMemory(size: 64 << 20)
  }

  /// Lets time pass, without serving interrupts.
  package func advance(by nanoseconds: UInt64) { monotonicTime += nanoseconds }

  package func time(ofClock clock: Int32) throws(Errno) -> Timespec {
    switch clock {
    case 0, 5, 8, 11: Timespec(nanoseconds: Int64(realTime))
    case 1, 4, 6, 7, 9: Timespec(nanoseconds: Int64(monotonicTime))
    default: throw .invalidArgument
    }
  }
  package func resolution(ofClock clock: Int32) throws(Errno) -> Timespec {
    _ = try time(ofClock: clock)
    return Timespec(nanoseconds: clock == 5 || clock == 6 ? 4_000_000 : 1)
  }
  package func setAlarm(_ deadline: UInt64) {}
  package func wakeCPU(_ index: Int) { wokenCPUs.append(index) }
  package func watchDeath(of process: any GuestProcess) -> Bool {
    watchedProcesses.append(process)
    return true
  }
  package func watch(_ descriptor: FileDescriptor, for events: PollEvents, waking queue: WaitQueue) {}
  package func unwatch(_ descriptor: FileDescriptor) {}
  package func readAhead(_ descriptor: FileDescriptor, offset: UInt64, count: Int, waking queue: WaitQueue) {
    queue.wake()
  }
  package func randomBytes(count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }
  package func auxiliaryValue(_ key: AuxiliaryKey) -> UInt64 { 0 }
  package let processorInformation: [UInt8] = []
  package func stopWithCaller() { stops += 1 }
  package func stop() { isStopped = true }
}
