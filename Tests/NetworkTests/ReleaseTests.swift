import FileSystem
import LinuxABI
import Memory
import Testing

@testable import Network

/// What thousands of sockets took goes back when they are closed, with all that waits in them.
@Suite struct ReleaseTests {
  private let network: TestNetwork
  private var memory: Int { network.services.kernelMemory.bytes }

  init() throws { network = try TestNetwork() }

  /// Runs something twice: whatever is kept for the next time is there after the first.
  private func expectNothingIsLeft(_ body: () throws -> Void) throws {
    try body()
    let before = memory
    try body()
    #expect(memory == before)
    #expect(network.stack.chunks.byteCount == 0)
    #expect(network.stack.tcpPorts.sockets.isEmpty)
    #expect(network.stack.udpPorts.sockets.isEmpty)
  }

  @Test func connectionsThatAreBrokenOff() throws {
    try expectNothingIsLeft {
      let listener = try network.listener(8080, backlog: 4096)
      var ends: [TCPSocket] = []
      for number in 1...2500 {
        let client = network.tcp()
        try network.connect(client, 8080)
        _ = try client.send([UInt8](repeating: 1, count: number))
        ends.append(client)
        // A third waits to be accepted for ever.
        if number % 3 > 0 {
          let server = try listener.takeConnection(flags: [])
          _ = try server.send([UInt8](repeating: 2, count: number))
          ends.append(server)
        }
      }
      #expect(network.stack.chunks.byteCount > 0)
      listener.close()
      for end in ends { end.close() }
    }
  }

  @Test func connectionsThatNeverCameAbout() throws {
    try expectNothingIsLeft {
      let listener = try network.listener(8081, backlog: 0)
      var clients: [TCPSocket] = []
      for _ in 0..<1000 {
        let client = network.tcp(.inet, .nonBlocking)
        #expect(throws: Errno.nowInProgress) { try network.connect(client, 8081) }
        clients.append(client)
      }
      #expect(clients.count { $0.state == .synSent } > 990)
      for client in clients[..<500] { client.close() }
      listener.close()
      for client in clients[500...] { client.close() }
    }
  }

  @Test func datagramsThatNobodyTakes() throws {
    try expectNothingIsLeft {
      var sockets: [UDPSocket] = []
      for number in 0..<1000 as Range<UInt16> {
        let socket = network.udp()
        try network.bind(socket, 20000 + number)
        let sender = network.udp()
        try network.connect(sender, 20000 + number)
        for size in [1, 100, 5000] { _ = try sender.send([UInt8](repeating: 1, count: size)) }
        sockets += [socket, sender]
      }
      #expect(network.stack.chunks.byteCount > 0)
      for socket in sockets { socket.close() }
    }
  }

  @Test func unixSocketsThatLieInEachOther() throws {
    try expectNothingIsLeft {
      var pairs: [(Socket, Socket)] = []
      for _ in 0..<1000 {
        let pair = try network.stack.makePair(.unix, type: 1, protocolNumber: 0, flags: [], owner: maker)
        pair.0.retainDescriptor()
        pair.1.retainDescriptor()
        if let last = pairs.last { _ = try pair.0.send([1, 2, 3], files: [last.0, pair.1]) }
        pairs.append(pair)
      }
      for pair in pairs {
        FileTable.letGo(pair.0)
        FileTable.letGo(pair.1)
      }
      #expect(network.stack.unixReports.isEmpty)
    }
  }
}
