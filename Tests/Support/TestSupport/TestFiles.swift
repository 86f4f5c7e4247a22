import FileSystem
import LinuxABI
import Memory

/// Counts its wake-ups.
package final class CountingWaiter: Waiter {
  package private(set) var count = 0
  package private(set) var events: PollEvents = []
  package init() {}
  package func wake(by queue: WaitQueue, events: PollEvents) -> Bool {
    count += 1
    self.events.formUnion(events)
    return true
  }
}

extension OpenFile {
  package func write(_ bytes: [UInt8]) throws(Errno) -> Int {
    var buffer = IOBuffer(bytes: bytes)
    return try write(from: &buffer, at: nil)
  }
  package func read(_ count: Int) throws(Errno) -> [UInt8] {
    var buffer = IOBuffer(collecting: count)
    _ = try read(into: &buffer, at: nil)
    return buffer.collected
  }
}
