import LinuxABI
import Memory
import Platform

@testable import FileSystem

/// A kernel with a clock that tests turn by hand.
final class FakeServices: KernelServices {
  var monotonicTime: UInt64 = 1_000_000_000
  var realTime: UInt64 = 1_700_000_000_000_000_000
  let physicalMemory: PhysicalMemory
  let platform: any Platform = FakePlatform()
  private(set) var armed: [(timer: KernelTimer, deadline: UInt64)] = []
  private(set) var watched: [(descriptor: FileDescriptor, events: PollEvents)] = []

  init() throws { physicalMemory = try PhysicalMemory(size: 64 << 20) }

  func time(ofClock clock: Int32) throws(Errno) -> Timespec {
    Timespec(nanoseconds: Int64(clock == 0 ? realTime : monotonicTime))
  }
  func randomBytes(count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) } }
  func arm(_ timer: KernelTimer, deadline: UInt64) {
    disarm(timer)
    armed.append((timer, deadline))
  }
  func disarm(_ timer: KernelTimer) { armed.removeAll { $0.timer === timer } }
  func watch(_ descriptor: FileDescriptor, for events: PollEvents, waking queue: WaitQueue) {
    watched.append((descriptor, events))
  }
  func unwatch(_ descriptor: FileDescriptor) { watched.removeAll { $0.descriptor == descriptor } }
  func readAhead(_ descriptor: FileDescriptor, offset: UInt64, count: Int, waking queue: WaitQueue) { queue.wake() }

  /// Lets time pass, and expires what is due.
  func advance(by nanoseconds: UInt64) {
    monotonicTime += nanoseconds
    realTime += nanoseconds
    let due = armed.filter { $0.deadline <= monotonicTime }
    armed.removeAll { $0.deadline <= monotonicTime }
    for (timer, _) in due { timer.expire() }
  }
}

/// Counts its wake-ups.
final class CountingWaiter: Waiter {
  var count = 0
  var events: PollEvents = []
  func wake(by queue: WaitQueue, events: PollEvents) -> Bool {
    count += 1
    self.events.formUnion(events)
    return true
  }
}

extension OpenFile {
  func write(_ bytes: [UInt8]) throws(Errno) -> Int {
    var buffer = IOBuffer(bytes: bytes)
    return try write(from: &buffer, at: nil)
  }
  func read(_ count: Int) throws(Errno) -> [UInt8] {
    var buffer = IOBuffer(collecting: count)
    _ = try read(into: &buffer, at: nil)
    return buffer.collected
  }
}

/// The bytes of a 64-bit value, as event files read and write it.
func bytes(of value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }

/// A platform without processes.
final class FakePlatform: Platform {
  let mappingLimit = 65530
  var vdsoImage: VDSOImage? { nil }
  let statistics = PlatformStatistics()
  func makeProcess() throws(Errno) -> any GuestProcess { throw .resourceTemporarilyUnavailable }
  func register(file: FileDescriptor) throws(Errno) -> MappableFile { MappableFile(number: file.rawValue) }
  func unregister(_ file: MappableFile) {}
  let threadsAreBoundToCPUThreads = false
  func confirmedRelease(of process: any GuestProcess) -> UInt64 { 0 }
  func shutdown() {}
}
