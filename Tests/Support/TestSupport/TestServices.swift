import FileSystem
import Kernel
import LinuxABI
import Memory
import Platform

/// A machine without a host: no thread, no descriptor, a clock that stands still until a test turns it, and random bytes
/// that follow from a seed.
package final class TestServices: MachineServices {
  package let platform: any Platform
  package let physicalMemory: PhysicalMemory
  package let timers = TimerQueue()
  private var random: SeededGenerator

  /// CLOCK_MONOTONIC. It starts somewhere, as that of a host does.
  package private(set) var monotonicTime = MonotonicTime(sinceBoot: .second * 1000)
  package var realTime: Nanoseconds { monotonicTime.sinceBoot + .second * 1_700_000_000 }

  /// Host descriptors that are watched, and for what.
  package private(set) var watched: [(descriptor: FileDescriptor, events: PollEvents)] = []
  /// Guest processes that are watched, in the order in which that was asked for.
  package private(set) var watchedProcesses: [any GuestProcess] = []
  /// CPUs that were woken, in order.
  package private(set) var wokenCPUs: [Int] = []
  /// How often Apus would have stopped with its caller.
  package private(set) var stops = 0
  /// The sandbox has ended.
  package private(set) var isStopped = false
  /// What `/proc/cpuinfo` of the host says.
  package var processorInformation: [UInt8] = []
  /// The auxiliary vector of Apus.
  package var auxiliaryValues: [AuxiliaryKey: UInt64] = [:]

  package init(platform: any Platform = FakePlatform(), seed: UInt64 = 1) throws(Errno) {
    self.platform = platform
    physicalMemory = try PhysicalMemory(size: 256 << 20, isPrivate: true)
    random = SeededGenerator(seed: seed)
  }

  // MARK: Time

  /// Lets time pass, but no timer expire: the machine is late.
  package func elapse(_ duration: Nanoseconds) { monotonicTime = monotonicTime + duration }

  /// Lets time pass; timers expire when they are due, and those too that are armed on the way.
  package func advance(by duration: Nanoseconds) {
    let end = monotonicTime + duration
    while let deadline = expireTimers(), deadline <= end { monotonicTime = max(monotonicTime, deadline) }
    monotonicTime = end
    _ = expireTimers()
  }

  /// Lets time pass until the next timer is due, which expires; false where none is armed.
  package func advanceToNextTimer() -> Bool {
    guard let deadline = expireTimers() else { return false }
    monotonicTime = max(monotonicTime, deadline)
    _ = expireTimers()
    return true
  }

  /// Expires what is due, and tells when the next timer is.
  @discardableResult
  package func expireTimers() -> MonotonicTime? {
    timers.beginServing()
    return timers.finishServing(at: monotonicTime)
  }

  package func time(of clock: ClockNumber) throws(Errno) -> Timespec {
    switch clock {
    case .realTime, .realTimeCoarse, .realTimeAlarm, .atomicTime: Timespec(realTime)
    case .monotonic, .monotonicRaw, .monotonicCoarse, .bootTime, .bootTimeAlarm: Timespec(monotonicTime.sinceBoot)
    default: throw .invalidArgument
    }
  }

  package func resolution(of clock: ClockNumber) throws(Errno) -> Timespec {
    _ = try time(of: clock)
    // The coarse clocks tick.
    return Timespec(nanoseconds: clock == .realTimeCoarse || clock == .monotonicCoarse ? 4_000_000 : 1)
  }

  /// Nothing sleeps that would have to be told.
  package func setAlarm(_ deadline: MonotonicTime) {}

  // MARK: Descriptors and processes

  package func watch(_ descriptor: FileDescriptor, for events: PollEvents, waking queue: WaitQueue) {
    watched.append((descriptor, events))
  }
  package func unwatch(_ descriptor: FileDescriptor) { watched.removeAll { $0.descriptor == descriptor } }
  package func readAhead(_ descriptor: FileDescriptor, offset: UInt64, count: Int, waking queue: WaitQueue) {
    queue.wake()
  }
  package func watchDeath(of process: any GuestProcess) -> Bool {
    watchedProcesses.append(process)
    return true
  }

  // MARK: The rest of the host

  package func randomBytes(count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
  }
  package func auxiliaryValue(_ key: AuxiliaryKey) -> UInt64 { auxiliaryValues[key] ?? 0 }
  package func wakeCPU(_ index: Int) { wokenCPUs.append(index) }
  package func stopWithCaller() { stops += 1 }
  package func stop() { isStopped = true }
}

extension Nanoseconds: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: UInt64) { self.init(rawValue: value) }
}

extension MonotonicTime: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: UInt64) { self.init(nanoseconds: value) }
}

extension FileDescriptorNumber: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: Int32) { self.init(rawValue: value) }
}
