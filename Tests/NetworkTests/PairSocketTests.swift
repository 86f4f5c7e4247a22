import FileSystem
import LinuxABI
import Memory
import TestSupport
import Testing

@testable import Network

@Suite struct PairSocketTests {
  @Test func streamsJoinMessagesAndPacketsDoNot() throws {
    let (a, b) = makePair(.stream)
    _ = try a.write([1, 2])
    _ = try a.write([3])
    #expect(try b.read(8) == [1, 2, 3])
    let (c, d) = makePair(.sequencedPacket)
    _ = try c.write([1, 2])
    _ = try c.write([3])
    #expect(try d.read(1) == [1])
    #expect(try d.read(8) == [3])
  }

  @Test func aFullSocketTakesAPartAndWakesItsWriter() throws {
    let (a, b) = makePair(.stream)
    #expect(try a.write([UInt8](repeating: 1, count: 300_000)) == MessageQueue.defaultCapacity)
    #expect(throws: Errno.wouldBlock) { try a.write([1]) }
    #expect(!a.readiness().contains(.output))
    let waiter = CountingWaiter()
    a.waitQueue?.add(waiter, events: .writable)
    _ = try b.read(200_000)
    #expect(waiter.count == 1)
    #expect(a.readiness().contains(.output))
  }

  @Test func messagesThatNeverFitAreNotWaitedFor() throws {
    let (a, b) = makePair(.datagram)
    let large = [UInt8](repeating: 1, count: MessageQueue.defaultCapacity)
    #expect(throws: Errno.messageTooLong) { try a.write(large + [1]) }
    #expect(try a.write(large) == large.count)
    #expect(throws: Errno.wouldBlock) { try a.write([1]) }
    #expect(try b.read(large.count) == large)
    #expect(try a.write([1]) == 1)
  }

  @Test func aPeekLeavesTheMessage() throws {
    let (a, b) = makePair(.datagram)
    _ = try a.send([1, 2, 3])
    let peeked = try b.receive(2, [.peek, .truncated])
    #expect(peeked.bytes == [1, 2])
    #expect(peeked.message.count == 3)
    #expect(peeked.message.flags == .truncated)
    let taken = try b.receive(2)
    #expect(taken.bytes == [1, 2])
    #expect(taken.message.count == 2)
    #expect(throws: Errno.wouldBlock) { try b.receive(1) }
  }

  @Test func aReceiveStopsWhereTheSenderChanges() throws {
    let (a, b) = makePair(.stream)
    let other = SocketCredentials(process: ProcessID(rawValue: 3), uid: 0, gid: 0)
    _ = try a.send([1])
    _ = try a.send([2])
    _ = try a.send([3], sender: other)
    #expect(try b.receive(8).message.credentials == nil)
    try b.setOption(.passCredentials, to: SocketOptionValue(true))
    let received = try b.receive(8)
    #expect(received.bytes == [3])
    #expect(received.message.credentials == other)
  }

  @Test func whatIsReadWhereThePeerIsGone() throws {
    let (a, b) = makePair(.stream)
    _ = try a.send([1])
    try a.shutDown(.writing)
    #expect(b.readiness().isSuperset(of: [.input, .readHangUp]))
    #expect(try b.read(8) == [1])
    #expect(try b.read(8) == [])
    #expect(throws: Errno.brokenPipe) { try a.send([2]) }
    _ = try b.send([3])
    a.close()
    #expect(b.readiness().isSuperset(of: [.hangUp, .error]))
    #expect(throws: Errno.connectionReset) { try b.read(8) }
    #expect(try b.read(8) == [])
    #expect(throws: Errno.brokenPipe) { try b.send([4]) }
  }

  @Test func datagramsToAClosedPeerAreRefused() throws {
    let (a, b) = makePair(.datagram)
    a.close()
    #expect(throws: Errno.connectionRefused) { try b.send([1]) }
    #expect(throws: Errno.wouldBlock) { try b.receive(1) }
  }

  @Test func optionsSayWhatItIs() throws {
    let (a, _) = makePair(.sequencedPacket)
    #expect(try a.option(.type).integer() == 5)
    #expect(try a.option(.domain).integer() == 1)
    #expect(try a.option(.error).integer() == 0)
    #expect(try a.option(.peerCredentials) == SocketOptionValue(maker))
    #expect(throws: Errno.protocolNotAvailable) { try a.option(SocketOption(.socket, 999)) }
    #expect(throws: Errno.notSupportedOnSocket) { try a.option(SocketOption(.tcp, 1)) }
    #expect(throws: Errno.invalidArgument) { try a.setOption(.passCredentials, to: SocketOptionValue(bytes: [1])) }
    #expect(try a.attributes().uid == 7)
  }
}

@Suite struct PassedFileTests {
  private func makePipe() -> (reader: PipeEnd, writer: PipeEnd) {
    Pipe.make(flags: [], owner: Credentials(uid: 0, gid: 0), time: .zero)
  }

  @Test func theyStayOpenUntilReceived() throws {
    let (a, b) = makePair(.stream)
    let (reader, writer) = makePipe()
    let table = FileTable.make()
    let descriptor = try table.add(writer, closeOnExec: false, limit: 8)
    _ = try a.send([9], files: [writer])
    try table.close(descriptor)
    #expect(throws: Errno.wouldBlock) { try reader.read(1) }
    // Reading without room for files drops them.
    #expect(try b.read(1) == [9])
    #expect(try reader.read(1) == [])
  }

  @Test func theyAreCountedInAllSocketsAndLeaveWithTheSocket() throws {
    let passed = PassedFiles()
    let (a, b) = makePair(.stream, passed: passed)
    let (reader, writer) = makePipe()
    let batch = [OpenFile](repeating: writer, count: 253)
    for _ in 0..<4 { _ = try a.send([1], files: batch) }
    #expect(passed.count == 1012)
    let (c, d) = makePair(.stream, passed: passed)
    #expect(throws: Errno.tooManyReferences) { try c.send([1], files: batch) }
    let table = FileTable.make()
    let descriptor = try table.add(b, closeOnExec: false, limit: 8)
    try table.close(descriptor)
    #expect(passed.count == 0)
    #expect(try reader.read(1) == [])
    _ = try c.send([1], files: batch)
    withExtendedLifetime((a, d)) {}
  }

  /// Sockets in messages of sockets: what guests nest as deep as they like must not be released by recursion.
  @Test func socketsNestInSocketsToALimit() throws {
    let passedFiles = PassedFiles()
    var passed = makePair(.stream, passed: passedFiles)
    for level in 1...5 {
      let next = makePair(.stream, passed: passedFiles)
      if level <= 4 {
        #expect(try next.0.send([1], files: [passed.1]) == 1)
      } else {
        #expect(throws: Errno.tooManyReferences) { try next.0.send([1], files: [passed.1]) }
      }
      passed = next
    }
  }
}
