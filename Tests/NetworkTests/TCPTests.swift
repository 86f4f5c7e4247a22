import FileSystem
import LinuxABI
import Memory
import TestSupport
import Testing

@testable import Network

@Suite struct TCPTests {
  private let network: TestNetwork
  init() throws { network = try TestNetwork() }

  @Test func bytesGoBothWaysAndEnd() throws {
    let (client, server) = try network.pair()
    #expect(try client.send([1, 2, 3]) == 3)
    #expect(try server.read(2) == [1, 2])
    #expect(try server.send([9]) == 1)
    #expect(try client.read(8) == [9])
    client.close()
    #expect(try server.read(8) == [3])
    #expect(try server.read(8) == [])
    #expect(server.readiness().isSuperset(of: [.input, .readHangUp, .output]))
    server.close()
    #expect(network.stack.chunks.byteCount == 0)
  }

  @Test func aSenderIsWokenOnceAThirdOfTheRoomIsFree() throws {
    let (client, server) = try network.pair()
    let room = server.room
    #expect(try client.send([UInt8](repeating: 1, count: room + 1)) == room)
    #expect(throws: Errno.wouldBlock) { try client.send([1]) }
    #expect(!client.readiness().contains(.output))
    let waiter = CountingWaiter()
    client.waitQueue?.add(waiter, events: .writable)
    _ = try server.read(room / 3 - 100)
    #expect(waiter.count == 0)
    _ = try server.read(200)
    #expect(waiter.count == 1)
    _ = try server.read(room)
    #expect(waiter.count == 1)
    #expect(client.readiness().contains(.output))
    client.close()
    server.close()
  }

  @Test func aConnectionWaitsForRoomAndGivesUp() throws {
    let listener = try network.listener(80 + 8000, backlog: 0)
    let (first, second, third) = (network.tcp(), network.tcp(), network.tcp())
    try network.connect(first, 8080)
    #expect(throws: Errno.nowInProgress) { try network.connect(second, 8080) }
    #expect(throws: Errno.nowInProgress) { try network.connect(third, 8080) }
    #expect(throws: Errno.alreadyInProcess) { try network.connect(second, 8080) }
    let waiter = CountingWaiter()
    second.waitQueue?.add(waiter, events: .writable)
    let accepted = try listener.takeConnection(flags: [])
    #expect(waiter.count == 1)
    try network.connect(second, 8080)
    #expect(throws: Errno.socketIsConnected) { try network.connect(second, 8080) }
    // As long as Linux repeats its request: 127 seconds.
    network.services.advance(by: .second * 126)
    #expect(third.state == .synSent)
    network.services.advance(by: .second * 2)
    #expect(third.readiness().isSuperset(of: [.error, .hangUp]))
    #expect(throws: Errno.timedOut) { try network.connect(third, 8080) }
    listener.close()
    #expect(second.pendingError == .connectionReset)
    for socket in [first, second, third, accepted] { socket.close() }
    #expect(network.stack.tcpPorts.sockets.isEmpty)
  }

  @Test func whoWaitsAtAListenerThatEndsIsRefused() throws {
    let listener = try network.listener(8080, backlog: 0)
    let (first, second) = (network.tcp(), network.tcp())
    try network.connect(first, 8080)
    #expect(throws: Errno.nowInProgress) { try network.connect(second, 8080) }
    listener.close()
    #expect(throws: Errno.connectionRefused) { try network.connect(second, 8080) }
    #expect(first.pendingError == .connectionReset)
    #expect(network.services.advanceToNextTimer() == false)
    first.close()
    second.close()
  }

  @Test func whoEndsFirstKeepsItsPortForAMinute() throws {
    let listener = network.tcp()
    try listener.setOption(.reuseAddress, to: SocketOptionValue(true))
    try network.bind(listener, 8080)
    try listener.listen(backlog: 1)
    let client = network.tcp()
    try network.connect(client, 8080)
    try listener.takeConnection(flags: []).close()
    listener.close()
    client.close()
    let next = network.tcp()
    #expect(throws: Errno.addressInUse) { try network.bind(next, 8080) }
    try next.setOption(.reuseAddress, to: SocketOptionValue(true))
    try network.bind(next, 8080)
    next.close()
    network.services.advance(by: .second * 61)
    try network.bind(network.tcp(), 8080)
    #expect(network.stack.lingering.list().isEmpty)
  }

  /// Each end in each state, closed, shut or reset: nothing stays, and nothing traps.
  @Test func nothingStaysWhateverTheEndsDo() throws {
    let steps: [(TCPSocket) -> Void] = [
      { _ = try? $0.send([1, 2, 3]) }, { try? $0.shutDown(.reading) }, { try? $0.shutDown(.writing) },
      { try? $0.shutDown(.both) }, { _ = try? $0.receive(2) }, { $0.disconnect() },
      { try? $0.setOption(.linger, to: SocketOptionValue(Linger(isOn: true, seconds: 0))) },
      { _ = try? $0.receive(1, .outOfBand) }, { _ = try? $0.receive(8, .peek) }, { _ = $0.readiness() },
    ]
    for first in steps {
      for second in steps {
        for third in steps {
          let (client, server) = try network.pair()
          first(client)
          second(server)
          third(client)
          _ = (client.readiness(), server.readiness())
          server.close()
          first(client)
          client.close()
          network.services.advance(by: .second * 61)
          network.stack.lingering.dropOld()
        }
      }
    }
    #expect(network.stack.chunks.byteCount == 0)
    #expect(network.stack.tcpPorts.sockets.isEmpty)
  }

  @Test func fiveThousandConnectionsLeaveNothing() throws {
    let listener = try network.listener(8080, backlog: 4096)
    var ends: [TCPSocket] = []
    for _ in 0..<5000 {
      let client = network.tcp()
      try network.connect(client, 8080)
      _ = try client.send([1])
      ends += [client, try listener.takeConnection(flags: [])]
    }
    #expect(network.stack.tcpPorts.sockets.count == 10_001)
    let kept = network.services.kernelMemory.bytes
    listener.close()
    for end in ends { end.close() }
    #expect(network.stack.tcpPorts.sockets.isEmpty)
    #expect(network.stack.chunks.byteCount == 0)
    #expect(network.services.kernelMemory.bytes < kept)
  }

  @Test func urgentBytesStandApart() throws {
    let (client, server) = try network.pair()
    var reports = 0
    network.stack.reportUrgent = { _ in reports += 1 }
    _ = try client.send([1, 2])
    var buffer = IOBuffer(bytes: [3, 4])
    var message = OutgoingMessage(sender: maker)
    message.flags = .outOfBand
    #expect(try client.send(&buffer, message) == 2)
    #expect(reports == 1)
    #expect(server.readiness().contains(.priority))
    #expect(try server.read(8) == [1, 2, 3])
    #expect(try server.isAtMark())
    #expect(try server.receive(1, .outOfBand).bytes == [4])
    #expect(throws: Errno.invalidArgument) { try server.receive(1, .outOfBand) }
    #expect(throws: Errno.wouldBlock) { try server.read(8) }
    client.close()
    server.close()
  }

  @Test func memoryThatIsNotThereIsSaid() throws {
    let (client, server) = try network.pair()
    let memory = network.services.kernelMemory
    var held: [MemoryHold] = []
    while let hold = try? MemoryHold(memory, 1 << 20) { held.append(hold) }
    while let hold = try? MemoryHold(memory, 1024) { held.append(hold) }
    #expect(throws: Errno.noBufferSpace) { try client.send([UInt8](repeating: 0, count: 1 << 16)) }
    held = []
    #expect(try client.send([1]) == 1)
    #expect(try server.read(1) == [1])
    client.close()
    server.close()
  }

  private final class MemoryHold {
    let charge: MemoryCharge
    init(_ memory: KernelMemory, _ bytes: Int) throws(Errno) { charge = try memory.charge(bytes) }
  }
}
