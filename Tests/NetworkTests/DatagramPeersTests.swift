import LinuxABI
import Testing

@testable import Network

@Suite struct DatagramPeersTests {
  private func endpoint(_ address: String, port: UInt16 = 53) throws -> SocketEndpoint {
    SocketEndpoint(try #require(IPAddress(address)), port: port)
  }

  /// A name server answers from the address at which it was asked, even where it was asked at both.
  @Test func answersComeFromWhoWasAsked() throws {
    let (inner, outer) = (try endpoint("10.131.97.53"), try endpoint("8.8.8.8"))
    let asServer = DatagramPeers.Place(outer, isNameServer: true)
    let asItself = DatagramPeers.Place(outer, isNameServer: false)
    var peers = DatagramPeers()
    peers.add(outer, at: asItself)
    #expect(peers.name(of: asItself) == outer)
    #expect(peers.name(of: asServer) == nil)
    peers.add(inner, at: asServer)
    #expect(peers.name(of: asItself) == outer)
    #expect(peers.name(of: asServer) == inner)
    #expect(peers.place(of: inner)?.channel != peers.place(of: outer)?.channel)
  }

  @Test func nobodyElseIsHeard() throws {
    var peers = DatagramPeers()
    let peer = try endpoint("192.0.2.9", port: 7)
    peers.add(peer, at: DatagramPeers.Place(peer, isNameServer: false))
    for other in [try endpoint("192.0.2.9", port: 8), try endpoint("192.0.2.10", port: 7)] {
      #expect(peers.name(of: DatagramPeers.Place(other, isNameServer: false)) == nil)
      #expect(peers.place(of: other) == nil)
    }
  }

  @Test func whatIsRememberedIsBounded() throws {
    var peers = DatagramPeers()
    let first = try endpoint("192.0.2.9", port: 1)
    for port in 1...3000 as ClosedRange<UInt16> {
      let peer = try endpoint("192.0.2.9", port: port)
      peers.add(peer, at: DatagramPeers.Place(peer, isNameServer: false))
      #expect(peers.place(of: peer) != nil)
    }
    #expect(peers.place(of: first) == nil)
  }
}
