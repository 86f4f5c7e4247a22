import FileSystem
import LinuxABI
import Memory
import TestSupport
import Testing

@testable import Network

@Suite struct UnixSocketTests {
  @Test func streamsJoinMessagesAndPacketsDoNot() throws {
    let (a, b) = try makePair(.stream)
    _ = try a.write([1, 2])
    _ = try a.write([3])
    #expect(try b.read(8) == [1, 2, 3])
    let (c, d) = try makePair(.sequencedPacket)
    _ = try c.write([1, 2])
    _ = try c.write([3])
    #expect(try d.read(1) == [1])
    #expect(try d.read(8) == [3])
  }

  @Test func aFullSocketTakesAPartAndWakesItsWriter() throws {
    let (a, b) = try makePair(.stream)
    // Six pieces, as in Linux.
    #expect(try a.write([UInt8](repeating: 1, count: 300_000)) == 6 * UnixMessage.maximumPiece)
    #expect(throws: Errno.wouldBlock) { try a.write([1]) }
    #expect(!a.readiness().contains(.output))
    let waiter = CountingWaiter()
    a.waitQueue?.add(waiter, events: .writable)
    _ = try b.read(200_000)
    #expect(waiter.count == 1)
    #expect(a.readiness().contains(.output))
  }

  @Test func messagesThatNeverFitAreNotWaitedFor() throws {
    let (a, b) = try makePair(.datagram)
    let large = [UInt8](repeating: 1, count: SocketSettings.defaultBuffer - 32)
    #expect(throws: Errno.messageTooLong) { try a.write(large + [1]) }
    #expect(try a.write(large) == large.count)
    #expect(throws: Errno.wouldBlock) { try a.write([1]) }
    #expect(try b.read(large.count) == large)
    #expect(try a.write([1]) == 1)
  }

  @Test func aPeekLeavesTheMessage() throws {
    let (a, b) = try makePair(.datagram)
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

  @Test func aReceiveThatTellsSendersStopsWhereTheyChange() throws {
    let (a, b) = try makePair(.stream)
    let other = SocketCredentials(process: ProcessID(rawValue: 3), uid: 0, gid: 0)
    _ = try a.send([1])
    _ = try a.send([2], sender: other)
    #expect(try b.receive(8).bytes == [1, 2])
    _ = try a.send([3])
    try b.setOption(.passCredentials, to: SocketOptionValue(true))
    _ = try a.send([4])
    _ = try a.send([5], sender: other)
    // Nobody wanted to know when it was sent.
    #expect(try b.receive(8).message.credentials == UnixMessage.unknownSender)
    #expect(try b.receive(8).message.credentials == maker)
    let received = try b.receive(8)
    #expect(received.bytes == [5])
    #expect(received.message.credentials == other)
  }

  @Test func whatIsReadWhereThePeerIsGone() throws {
    let (a, b) = try makePair(.stream)
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
    let (a, b) = try makePair(.datagram)
    a.close()
    #expect(throws: Errno.connectionRefused) { try b.send([1]) }
    #expect(throws: Errno.socketNotConnected) { try b.send([1]) }
    #expect(throws: Errno.wouldBlock) { try b.receive(1) }
  }

  @Test func aConnectionWaitsInItsListener() throws {
    let (client, server, listener) = try makeConnection()
    #expect(try client.peerAddress() == .unix(.abstract([1])))
    #expect(try server.localAddress() == .unix(.abstract([1])))
    #expect(try server.peerAddress() == .unix(.unnamed))
    _ = try client.send([1])
    #expect(try server.read(4) == [1])
    #expect(throws: Errno.wouldBlock) { try listener.accept(flags: []) }
    let other = try UnixSocket(.stream, flags: .nonBlocking, owner: maker, domain: client.domain)
    try other.connect(to: .unix(.abstract([1])), by: try makeCaller())
    _ = try other.send([7])
    #expect(throws: Errno.socketIsConnected) { try other.connect(to: .unix(.abstract([1])), by: try makeCaller()) }
    listener.close()
    #expect(throws: Errno.connectionReset) { try other.read(1) }
    #expect(throws: Errno.connectionRefused) { try client.connect(to: .unix(.abstract([1])), by: try makeCaller()) }
    for socket in [client, server, other] { socket.close() }
    #expect(client.domain.sockets.isEmpty)
  }

  @Test func aFullReceiverWakesThoseThatWaitForIt() throws {
    let domain = makeDomain()
    let receiver = try UnixSocket(.datagram, flags: [], owner: maker, domain: domain)
    try receiver.bind(to: .unix(.abstract([2])), by: try makeCaller())
    let sender = try UnixSocket(.datagram, flags: [], owner: maker, domain: domain)
    try sender.connect(to: .unix(.abstract([2])), by: try makeCaller())
    for _ in 0...NetworkSettings.datagramBacklog { _ = try sender.send([1]) }
    #expect(throws: Errno.wouldBlock) { try sender.send([1]) }
    #expect(!sender.readiness().contains(.output))
    let waiter = CountingWaiter()
    sender.waitQueue?.add(waiter, events: .writable)
    _ = try receiver.read(1)
    #expect(waiter.count > 0)
    #expect(sender.readiness().contains(.output))
    receiver.close()
    #expect(throws: Errno.connectionRefused) { try sender.send([1]) }
  }

  @Test func whatWaitsIsCountedWithItsSender() throws {
    let memory = KernelMemory()
    let (a, b) = try makePair(.stream, domain: UnixDomain(memory: memory))
    let before = memory.bytes
    _ = try a.send([UInt8](repeating: 1, count: 100_000))
    #expect(memory.bytes >= before + 100_000)
    a.close()
    #expect(memory.bytes >= before + 100_000)
    b.close()
    #expect(memory.bytes < before + 20_000)
    let (c, _) = try makePair(.stream, domain: UnixDomain(memory: KernelMemory(limit: 10_000)))
    #expect(throws: Errno.noBufferSpace) { try c.send([UInt8](repeating: 1, count: 100_000)) }
  }

  @Test func optionsSayWhatItIs() throws {
    let (a, _) = try makePair(.sequencedPacket)
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
    let (a, b) = try makePair(.stream)
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

  @Test func theyAreCountedForEachUserAndLeaveWithTheSocket() throws {
    let domain = makeDomain()
    let (a, b) = try makePair(.stream, domain: domain)
    let (reader, writer) = makePipe()
    let batch = [OpenFile](repeating: writer, count: 250)
    func send(_ socket: Socket, user: UInt32, limit: UInt64?) throws(Errno) {
      var buffer = IOBuffer(bytes: [1])
      var message = OutgoingMessage(sender: maker)
      message.files = batch
      message.user = user
      message.fileLimit = limit
      _ = try socket.send(&buffer, message)
    }
    for _ in 0..<5 { try send(a, user: 7, limit: 1000) }
    #expect(domain.inFlight.count == 1250)
    #expect(throws: Errno.tooManyReferences) { try send(a, user: 7, limit: 1000) }
    try send(a, user: 8, limit: 1000)
    try send(a, user: 7, limit: nil)
    let table = FileTable.make()
    let descriptor = try table.add(b, closeOnExec: false, limit: 8)
    try table.close(descriptor)
    #expect(domain.inFlight.count == 0)
    #expect(try reader.read(1) == [])
    withExtendedLifetime(a) {}
  }

  @Test func aPeekGivesThemAndLeavesThem() throws {
    let (a, b) = try makePair(.datagram)
    let (reader, writer) = makePipe()
    let table = FileTable.make()
    let descriptor = try table.add(writer, closeOnExec: false, limit: 8)
    _ = try a.send([9], files: [writer])
    try table.close(descriptor)
    let peeked = try b.receive(1, .peek)
    #expect(peeked.message.files.count == 1)
    PassedFiles.drop(peeked.message.files)
    #expect(throws: Errno.wouldBlock) { try reader.read(1) }
    #expect(try b.read(1) == [9])
    #expect(try reader.read(1) == [])
  }

  /// What guests nest as deep as they like must not be released by recursion.
  @Test func socketsNestInSockets() throws {
    let domain = makeDomain()
    let table = FileTable.make()
    var (outer, inner) = try makePair(.stream, domain: domain)
    for _ in 0..<5000 {
      let next = try makePair(.stream, domain: domain)
      _ = try next.0.send([1], files: [outer, inner])
      (outer, inner) = next
    }
    for socket in [outer, inner] { try table.close(try table.add(socket, closeOnExec: false, limit: 8)) }
    #expect(domain.sockets.isEmpty)
    #expect(domain.inFlight.count == 0)
  }

  @Test func socketsThatOnlyReferToEachOtherAreFound() throws {
    let domain = makeDomain()
    let table = FileTable.make()
    let (reader, writer) = makePipe()
    let pipe = try table.add(writer, closeOnExec: false, limit: 8)
    var descriptors: [FileDescriptorNumber] = []
    let pairs = try (0..<3).map { _ in try makePair(.stream, domain: domain) }
    for (a, b) in pairs {
      for socket in [a, b] { descriptors.append(try table.add(socket, closeOnExec: false, limit: 64)) }
    }
    // Each pair lies in the next one, and the last in the first, which holds a pipe, too.
    for (index, (a, b)) in pairs.enumerated() { _ = try pairs[(index + 1) % 3].0.send([1], files: [a, b, writer]) }
    try table.close(pipe)
    for descriptor in descriptors.dropLast() { try table.close(descriptor) }
    #expect(domain.sockets.count == 6)
    #expect(throws: Errno.wouldBlock) { try reader.read(1) }
    if let last = descriptors.last { try table.close(last) }
    #expect(domain.sockets.isEmpty)
    #expect(domain.inFlight.count == 0)
    #expect(try reader.read(1) == [])
  }

  @Test func aConnectionThatWaitsCanBeInItsOwnListener() throws {
    let domain = makeDomain()
    let table = FileTable.make()
    let (client, server, listener) = try makeConnection(domain: domain)
    for socket in [client, server] { socket.close() }
    let descriptor = try table.add(listener, closeOnExec: false, limit: 64)
    let other = try UnixSocket(.stream, flags: [], owner: maker, domain: domain)
    let otherDescriptor = try table.add(other, closeOnExec: false, limit: 64)
    try other.connect(to: .unix(.abstract([1])), by: try makeCaller())
    _ = try other.send([1], files: [listener, other])
    try table.close(descriptor)
    // Nobody can accept the connection any more. The other end of it is open.
    #expect(domain.sockets.count == 1)
    try table.close(otherDescriptor)
    #expect(domain.sockets.isEmpty)
  }
}
