import LinuxABI
import TestSupport
import Testing

@testable import FileSystem

@Suite struct EpollTests {
  let epoll = Epoll.make()
  let ends = Pipe.make(flags: [], owner: Credentials(uid: 0, gid: 0), time: .zero)
  var reader: PipeEnd { ends.reader }
  var writer: PipeEnd { ends.writer }
  static let input: UInt32 = 1

  func add(_ file: OpenFile, _ events: UInt32, data: UInt64 = 7, descriptor: FileDescriptorNumber = 3) throws(Errno) {
    try epoll.add(descriptor, file, EpollEvent(events: events, data: data))
  }

  @Test func levelTriggeredReportsWhileReady() throws {
    try add(reader, EpollTests.input)
    #expect(epoll.collect(limit: 8).isEmpty)
    _ = try writer.write([1, 2])
    #expect(epoll.collect(limit: 8) == [EpollEvent(events: 1, data: 7)])
    _ = try reader.read(1)
    #expect(epoll.collect(limit: 8) == [EpollEvent(events: 1, data: 7)])
    _ = try reader.read(1)
    #expect(epoll.collect(limit: 8).isEmpty)
    _ = try writer.write([1])
    #expect(epoll.collect(limit: 8).count == 1)
  }

  @Test func edgeTriggeredReportsEachNewEventOnce() throws {
    try add(reader, EpollTests.input | EpollFlags.edgeTriggered.rawValue)
    _ = try writer.write([1])
    #expect(epoll.collect(limit: 8).count == 1)
    #expect(epoll.collect(limit: 8).isEmpty)
    _ = try writer.write([2])
    #expect(epoll.collect(limit: 8).count == 1)
  }

  @Test func oneShotReportsOnceUntilModified() throws {
    let events = EpollTests.input | EpollFlags.oneShot.rawValue
    try add(reader, events)
    _ = try writer.write([1])
    #expect(epoll.collect(limit: 8).count == 1)
    _ = try writer.write([1])
    #expect(epoll.collect(limit: 8).isEmpty)
    try epoll.modify(3, reader, EpollEvent(events: events, data: 9))
    #expect(epoll.collect(limit: 8) == [EpollEvent(events: 1, data: 9)])
  }

  @Test func readyWhenAdded() throws {
    _ = try writer.write([1])
    let waiter = CountingWaiter()
    epoll.waitQueue?.add(waiter)
    try add(reader, EpollTests.input)
    #expect(waiter.count == 1)
    #expect(epoll.readiness() == .readable)
  }

  @Test func hangUpIsReportedUnasked() throws {
    try add(reader, 0)
    writer.close()
    #expect(epoll.collect(limit: 8) == [EpollEvent(events: 0x10, data: 7)])
  }

  @Test func closingTheLastDescriptorForgetsTheItem() throws {
    let table = FileTable.make()
    let descriptor = try table.add(reader, closeOnExec: false, limit: 10)
    let copy = try table.add(reader, closeOnExec: false, limit: 10)
    try add(reader, EpollTests.input, descriptor: descriptor)
    _ = try writer.write([1])
    try table.close(descriptor)
    #expect(epoll.collect(limit: 8).count == 1)
    try table.close(copy)
    #expect(epoll.collect(limit: 8).isEmpty)
    #expect(reader.epollItems.isEmpty)
  }

  @Test func aQueryChangesNothing() throws {
    try add(reader, EpollTests.input | EpollFlags.edgeTriggered.rawValue)
    _ = try writer.write([1])
    _ = try reader.read(1)
    #expect(epoll.readiness() == [])
    _ = try writer.write([1])
    #expect(epoll.readiness() == .readable)
    #expect(epoll.readiness() == .readable)
    #expect(epoll.collect(limit: 8).count == 1)
    #expect(epoll.readiness() == [])
  }

  @Test func waitingDropsWhatIsNoLongerReady() throws {
    let outer = Epoll.make()
    try outer.add(5, epoll, EpollEvent(events: EpollTests.input))
    try add(reader, EpollTests.input)
    _ = try writer.write([1])
    _ = try reader.read(1)
    outer.prepareToWait(for: .readable)
    epoll.prepareToWait(for: .readable)
    let waiter = CountingWaiter()
    outer.waitQueue?.add(waiter)
    #expect(outer.collect(limit: 8).isEmpty)
    _ = try writer.write([1])
    #expect(waiter.count == 1)
    #expect(outer.collect(limit: 8).count == 1)
  }

  @Test func limitsAndFairness() throws {
    let pipes = (0..<3).map { _ in Pipe.make(flags: [], owner: Credentials(uid: 0, gid: 0), time: .zero) }
    for (index, pipe) in pipes.enumerated() {
      try add(
        pipe.reader, EpollTests.input, data: UInt64(index),
        descriptor: FileDescriptorNumber(rawValue: Int32(10 + index)))
      _ = try pipe.writer.write([1])
    }
    #expect(epoll.collect(limit: 2).map(\.data) == [0, 1])
    #expect(epoll.collect(limit: 2).map(\.data) == [2, 0])
  }

  @Test func wrongUses() throws {
    try add(reader, EpollTests.input)
    #expect(throws: Errno.fileExists) { try add(reader, EpollTests.input) }
    #expect(throws: Errno.invalidArgument) { try add(epoll, EpollTests.input) }
    #expect(throws: Errno.noSuchFileOrDirectory) {
      try epoll.delete(4, writer)
    }
    #expect(throws: Errno.notPermitted) {
      try add(MemoryDevice(.null, flags: [], location: nil, services: TestServices()), 1, descriptor: 5)
    }
    let exclusive = EpollFlags.exclusive.rawValue
    #expect(throws: Errno.invalidArgument) {
      try add(writer, 4 | exclusive | EpollFlags.oneShot.rawValue, descriptor: 6)
    }
    try add(writer, 4 | exclusive, descriptor: 6)
    #expect(throws: Errno.invalidArgument) {
      try epoll.modify(6, writer, EpollEvent(events: 4))
    }
  }

  @Test func nestedInstancesReportAndLoopsAreRefused() throws {
    let outer = Epoll.make()
    try outer.add(5, epoll, EpollEvent(events: 1, data: 1))
    try add(reader, EpollTests.input)
    #expect(outer.collect(limit: 1).isEmpty)
    let waiter = CountingWaiter()
    outer.waitQueue?.add(waiter)
    _ = try writer.write([1])
    #expect(waiter.count == 1)
    #expect(outer.collect(limit: 1) == [EpollEvent(events: 1, data: 1)])
    #expect(throws: Errno.tooManySymbolicLinkLevels) { try add(outer, EpollTests.input, descriptor: 9) }
    var top = outer
    for _ in 0..<3 {
      let next = Epoll.make()
      try next.add(5, top, EpollEvent(events: 1))
      top = next
    }
    #expect(throws: Errno.tooManySymbolicLinkLevels) {
      try Epoll.make().add(5, top, EpollEvent(events: 1))
    }
  }

  /// Layers of instances that all watch all of the next: an event would run through exponentially many chains.
  @Test func chainsOfInstancesAreBounded() throws {
    let layers = (0..<4).map { _ in (0..<20).map { _ in Epoll.make() } }
    func connect(_ upper: [Epoll], _ lower: [Epoll]) throws(Errno) {
      for watcher in upper {
        for (index, watched) in lower.enumerated() {
          try watcher.add(FileDescriptorNumber(rawValue: Int32(index)), watched, EpollEvent(events: 1, data: 1))
        }
      }
    }
    for watcher in layers[0] {
      try watcher.add(0, reader, EpollEvent(events: 1))
    }
    // 20 chains of one instance, 400 of two; 8000 of three are too many.
    try connect(layers[1], layers[0])
    #expect(throws: Errno.invalidArgument) { try connect(layers[2], layers[1]) }
    // Without a file below there are no events.
    let others = (0..<3).map { _ in (0..<20).map { _ in Epoll.make() } }
    try connect(others[0], others[1])
    try connect(others[1], others[2])
    #expect(throws: Errno.invalidArgument) {
      try others[2][0].add(0, reader, EpollEvent(events: 1))
    }
    // What was refused has left nothing behind.
    let waiter = CountingWaiter()
    layers[1][0].waitQueue?.add(waiter)
    _ = try writer.write([1])
    #expect(waiter.count >= 1)
    #expect(layers[1][0].collect(limit: 100).count == 20)
  }

  @Test func exclusiveItemsAreWokenOneAtATime() throws {
    let other = Epoll.make()
    let event = EpollEvent(events: 1 | EpollFlags.exclusive.rawValue)
    try epoll.add(3, reader, event)
    try other.add(3, reader, event)
    let waiter = CountingWaiter()
    let queue = try #require(epoll.waitQueue)
    let registration = queue.add(waiter)
    _ = try writer.write([1])
    #expect(waiter.count == 1)
    #expect(epoll.collect(limit: 1).count == 1)
    #expect(other.collect(limit: 1).isEmpty)
    // Nobody waits on the first any more: it takes note, and so does the next.
    queue.remove(registration)
    _ = try writer.write([1])
    #expect(waiter.count == 1)
    #expect(epoll.collect(limit: 1).count + other.collect(limit: 1).count == 2)
  }
}
