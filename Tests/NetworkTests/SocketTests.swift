import FileSystem
import LinuxABI
import Memory
import TestSupport
import Testing

@testable import Network

/// What a socket answers whose kind can do nothing, as `sock_no_*` of Linux.
@Suite struct SocketTests {
  private let socket = Socket(.inet, .datagram, protocolNumber: 17, flags: .nonBlocking, owner: maker)

  @Test func whatItsKindCannotDoIsNotSupported() {
    #expect(throws: Errno.notSupportedOnSocket) { try socket.listen(backlog: 1) }
    #expect(throws: Errno.notSupportedOnSocket) { try socket.accept(flags: []) }
    #expect(throws: Errno.notSupportedOnSocket) { try socket.shutDown(.both) }
    #expect(throws: Errno.notSupportedOnSocket) { try socket.localAddress() }
    #expect(throws: Errno.notSupportedOnSocket) { try socket.peerAddress() }
    #expect(throws: Errno.notSupportedOnSocket) { try socket.send([1]) }
    #expect(throws: Errno.notSupportedOnSocket) { try socket.receive(1) }
    #expect(throws: Errno.illegalSeek) {
      var buffer = IOBuffer(collecting: 1)
      _ = try socket.read(into: &buffer, at: 0)
    }
    #expect(socket.flags == [.readWrite, .nonBlocking])
    #expect(!socket.writesFully)
  }

  @Test func optionsThatEverySocketHas() throws {
    #expect(try socket.option(.type).integer() == 2)
    #expect(try socket.option(.domain).integer() == 2)
    #expect(try socket.option(.protocolNumber).integer() == 17)
    #expect(try socket.option(.acceptsConnections).integer() == 0)
    #expect(try socket.option(.peerCredentials) == SocketOptionValue(SocketCredentials.none))
  }

  @Test func anErrorIsReportedOnce() throws {
    socket.pendingError = .connectionReset
    #expect(try socket.option(.error).integer() == Errno.connectionReset.rawValue)
    #expect(try socket.option(.error).integer() == 0)
  }

  @Test func whichPairsThereAre() throws {
    let services = try TestServices()
    let stack = NetworkStack(services: services)
    func pair(_ family: AddressFamily, _ type: Int32, _ number: Int32 = 0) throws(Errno) -> Socket {
      try stack.makePair(family, type: type, protocolNumber: number, flags: [], owner: maker).0
    }
    #expect(try pair(.unix, 1).type == .stream)
    #expect(try pair(.unix, 3).type == .datagram)
    #expect(try pair(.unix, 5, 1).type == .sequencedPacket)
    #expect(throws: Errno.socketTypeNotSupported) { try pair(.unix, 4) }
    #expect(throws: Errno.invalidArgument) { try pair(.unix, 11) }
    #expect(throws: Errno.protocolNotSupported) { try pair(.unix, 1, 2) }
    #expect(throws: Errno.notSupportedOnSocket) { try pair(.inet, 1) }
    #expect(throws: Errno.addressFamilyNotSupported) { try pair(.packet, 1) }
  }
}
