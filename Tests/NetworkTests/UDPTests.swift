import FileSystem
import LinuxABI
import Memory
import TestSupport
import Testing

@testable import Network

@Suite struct UDPTests {
  private let network: TestNetwork
  init() throws { network = try TestNetwork() }

  private func send(_ bytes: [UInt8], from socket: Socket, to port: UInt16) throws(Errno) -> Int {
    var buffer = IOBuffer(bytes: bytes)
    var message = OutgoingMessage(sender: maker)
    message.destination = (TestNetwork.loopback(port), network.caller)
    return try socket.send(&buffer, message)
  }

  @Test func datagramsKeepTheirBordersAndSenders() throws {
    let (receiver, sender) = (network.udp(), network.udp())
    try network.bind(receiver, 5000)
    try network.bind(sender, 6000)
    #expect(try send([1, 2, 3], from: sender, to: 5000) == 3)
    #expect(try send([], from: sender, to: 5000) == 0)
    let first = try receiver.receive(2)
    #expect(first.bytes == [1, 2])
    #expect(first.message.flags == .truncated)
    #expect(first.message.source == TestNetwork.loopback(6000))
    #expect(try receiver.receive(2).bytes == [])
    #expect(throws: Errno.wouldBlock) { try receiver.receive(2) }
    receiver.close()
    sender.close()
    #expect(network.stack.udpPorts.sockets.isEmpty)
  }

  @Test func whatHasNoRoomIsLost() throws {
    let (receiver, sender) = (network.udp(), network.udp())
    try network.bind(receiver, 5000)
    try receiver.setOption(.receiveBuffer, to: SocketOptionValue(Int32(4096)))
    for _ in 0..<100 { #expect(try send([UInt8](repeating: 7, count: 1000), from: sender, to: 5000) == 1000) }
    var taken = 0
    while (try? receiver.receive(1000)) != nil { taken += 1 }
    #expect((1...8).contains(taken))
    #expect(Int(receiver.dropped) == 100 - taken)
    #expect(network.stack.chunks.byteCount == 0)
  }

  @Test func onlyTheConnectedHearThatNobodyIsThere() throws {
    let (one, other) = (network.udp(), network.udp())
    try network.connect(one, 5000)
    _ = try one.send([1])
    #expect(one.readiness().contains(.error))
    #expect(throws: Errno.connectionRefused) { try one.receive(1) }
    _ = try send([1], from: other, to: 5000)
    #expect(!other.readiness().contains(.error))
    try other.setOption(.ipReceiveErrors, to: SocketOptionValue(true))
    _ = try send([4, 5], from: other, to: 5000)
    let queued = try other.receive(8, .errorQueue)
    #expect(queued.bytes == [4, 5])
    #expect(queued.message.source == TestNetwork.loopback(5000))
    #expect(try other.option(.error).integer() == 0)
    #expect(throws: Errno.wouldBlock) { try other.receive(8, .errorQueue) }
  }

  @Test func freePortsAreFoundUntilThereAreNone() throws {
    let sockets = (0..<NetworkSettings().ephemeralPorts.count).map { _ in network.udp() }
    for socket in sockets { try network.bind(socket, 0) }
    #expect(Set(sockets.map(\.local.port)).count == sockets.count)
    let last = network.udp()
    #expect(throws: Errno.addressInUse) { try network.bind(last, 0) }
    sockets[77].close()
    try network.bind(last, 0)
    #expect(last.local.port == sockets[77].local.port)
    for socket in sockets { socket.close() }
  }

  @Test func privilegedPortsNeedACapability() throws {
    #expect(throws: Errno.permissionDenied) { try network.bind(network.udp(), 80) }
    #expect(throws: Errno.permissionDenied) { try network.bind(network.tcp(), 1023) }
    try network.bind(network.tcp(), 1024)
  }
}

@Suite struct ICMPTests {
  @Test func anEchoComesBackToItsSender() throws {
    let network = try TestNetwork()
    let sockets = (0..<2).map { _ in
      ICMPSocket(.inet, .datagram, flags: [], owner: maker, stack: network.stack)
    }
    let raw = ICMPSocket(.inet, .raw, flags: [], owner: maker, stack: network.stack)
    for socket in sockets { try network.connect(socket, 0) }
    #expect(try sockets[0].send([8, 0, 0, 0, 9, 9, 0, 1, 77]) == 9)
    let answer = try sockets[0].receive(64).bytes
    #expect(answer.count == 9)
    #expect(answer[0] == 0)
    #expect(UInt16(bigEndian: answer, at: 4) == sockets[0].local.port)
    #expect(answer[8] == 77)
    #expect(throws: Errno.wouldBlock) { try sockets[1].receive(64) }
    // A raw socket hears the question and the answer, with their headers.
    #expect(try raw.receive(64).bytes[20] == 8)
    #expect(try raw.receive(64).bytes[20] == 0)
    #expect(throws: Errno.invalidArgument) { try sockets[0].send([3, 0, 0, 0, 0, 0, 0, 0]) }
    #expect(throws: Errno.invalidArgument) { try sockets[0].send([8, 0, 0]) }
    for socket in sockets + [raw] { socket.close() }
    #expect(network.stack.rawSockets.isEmpty)
  }
}
