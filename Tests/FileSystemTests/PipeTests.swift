import LinuxABI
import Memory
import TestSupport
import Testing

@testable import FileSystem

@Suite struct PipeTests {
  let ends = Pipe.make(flags: [], owner: Credentials(uid: 0, gid: 0), time: .zero)
  var reader: PipeEnd { ends.reader }
  var writer: PipeEnd { ends.writer }

  @Test func bytesComeOutInOrder() throws {
    for round in 0..<40 {
      let bytes = (0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ round) }
      #expect(try writer.write(bytes) == 3000)
      #expect(try reader.read(1000) + reader.read(5000) == bytes)
    }
  }

  @Test func emptyPipeBlocksUntilTheLastWriterIsGone() throws {
    #expect(throws: Errno.wouldBlock) { try reader.read(1) }
    #expect(reader.readiness() == [])
    let waiter = CountingWaiter()
    reader.waitQueue?.add(waiter, events: [.readable, .hangUp])
    writer.close()
    #expect(waiter.count == 1)
    #expect(reader.readiness() == .hangUp)
    #expect(try reader.read(1) == [])
  }

  @Test func writeWithoutReaderIsABrokenPipe() throws {
    reader.close()
    #expect(throws: Errno.brokenPipe) { try writer.write([1]) }
    #expect(writer.readiness().contains(.error))
    #expect(try writer.write([]) == 0)
  }

  @Test func smallWritesAreAtomicAndLargeOnesAreCut() throws {
    #expect(try writer.write([UInt8](repeating: 1, count: 70000)) == 65536)
    #expect(writer.readiness() == [])
    _ = try reader.read(4095)
    #expect(throws: Errno.wouldBlock) { try writer.write([UInt8](repeating: 2, count: 4096)) }
    #expect(writer.readiness() == [])
    let waiter = CountingWaiter()
    writer.waitQueue?.add(waiter, events: .writable)
    _ = try reader.read(1)
    #expect(waiter.count == 1)
    #expect(try writer.write([UInt8](repeating: 2, count: 4096)) == 4096)
  }

  @Test func theRestOfALongWriteMayBeSplit() throws {
    _ = try writer.write([UInt8](repeating: 1, count: 65536))
    _ = try reader.read(100)
    var buffer = IOBuffer(bytes: [UInt8](repeating: 3, count: 66000))
    buffer.advance(65536)
    #expect(try writer.write(from: &buffer, at: nil) == 100)
  }

  /// Where memory is short, pipes hold less; what is left of them works.
  @Test func pipesTakeNoMoreThanThereIs() throws {
    let memory = KernelMemory(limit: 24 << 10)
    let owner = Credentials(uid: 0, gid: 0)
    let (reader, writer) = try Pipe.make(flags: [], owner: owner, time: .zero, memory: memory)
    #expect(try writer.write([UInt8](repeating: 1, count: 40000)) == 4096)
    #expect(throws: Errno.wouldBlock) { try writer.write([1]) }
    #expect(writer.readiness() == [])
    #expect(writer.pipe?.capacity == 4096)
    #expect(try reader.read(4096).count == 4096)
    #expect(writer.readiness() == .writable)
    #expect(try writer.write([2]) == 1)
    for _ in 0..<3 { _ = try Pipe.make(flags: [], owner: owner, time: .zero, memory: memory).reader.pipe }
    let others = try (0..<3).map { _ in try Pipe.make(flags: [], owner: owner, time: .zero, memory: memory) }
    #expect(throws: Errno.tooManyOpenFilesInSystem) {
      _ = try Pipe.make(flags: [], owner: owner, time: .zero, memory: memory).reader.pipe
    }
    _ = others
    reader.close()
    writer.close()
  }

  @Test func capacityIsAPowerOfTwoAndNotLessThanTheContents() throws {
    let pipe = try #require(writer.pipe)
    #expect(try pipe.setCapacity(100_000) == 131072)
    _ = try writer.write([UInt8](repeating: 1, count: 20000))
    #expect(throws: Errno.resourceBusy) { try pipe.setCapacity(4096) }
    #expect(throws: Errno.notPermitted) { try pipe.setCapacity(4 << 20) }
  }

  @Test func readersAreWokenByAWrite() throws {
    let waiter = CountingWaiter()
    reader.waitQueue?.add(waiter, events: .readable)
    _ = try writer.write([1])
    #expect(waiter.count == 1)
    #expect(waiter.events == .readable)
  }
}
