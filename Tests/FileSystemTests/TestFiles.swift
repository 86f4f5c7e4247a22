import LinuxABI
import Memory

@testable import FileSystem

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
