import LinuxABI
import Memory

/// A counter that can be waited for (eventfd(2)).
package final class EventFile: AnonymousFile {
  private var counter: UInt64
  private let isSemaphore: Bool
  private let queue = WaitQueue()

  package init(initial: UInt32, isSemaphore: Bool, flags: OpenFlags) {
    counter = UInt64(initial)
    self.isSemaphore = isSemaphore
    super.init(kindName: "[eventfd]", flags: flags.intersection(.nonBlocking).union(.readWrite))
  }

  package override var waitQueue: WaitQueue? { queue }

  package override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard offset == nil else { throw .illegalSeek }
    guard buffer.remaining >= 8 else { throw .invalidArgument }
    guard counter > 0 else { throw .wouldBlock }
    let value = isSemaphore ? 1 : counter
    counter -= value
    buffer.write(value: value)
    if !queue.isEmpty { queue.wakeOne(.writable) }
    return 8
  }

  package override func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard offset == nil else { throw .illegalSeek }
    guard buffer.remaining == 8 else { throw .invalidArgument }
    var copy = buffer
    guard let value = copy.readValue(as: UInt64.self), value != .max else { throw .invalidArgument }
    guard .max - counter > value else { throw .wouldBlock }
    buffer.advance(8)
    counter += value
    if !queue.isEmpty { queue.wakeOne(.readable) }
    return 8
  }

  package override func readiness() -> PollEvents {
    var events: PollEvents = []
    if counter > 0 { events.formUnion(.readable) }
    if counter < .max - 1 { events.formUnion(.writable) }
    return events
  }

  /// `/proc/PID/fdinfo/N` beyond the common lines.
  package override var information: String { "eventfd-count: \(Text.hex(counter, 16, padding: " "))\n" }
}
