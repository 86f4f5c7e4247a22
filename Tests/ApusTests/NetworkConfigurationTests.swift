import Testing

@testable import Apus

@Suite struct NetworkConfigurationTests {
  typealias Network = SandboxConfiguration.Network

  @Test(
    arguments: [
      ("192.0.2.1", "192.0.2.1", nil), ("192.0.2.1:80", "192.0.2.1", 80), ("10.0.0.0/8", "10.0.0.0/8", nil),
      ("10.0.0.0/8:443", "10.0.0.0/8", 443), ("[2001:db8::1]:443", "2001:db8::1", 443),
      ("2001:db8::1", "2001:db8::1", nil),
      ("[2001:db8::/32]:443", "2001:db8::/32", 443), ("[2001:db8::]/32:443", "2001:db8::/32", 443),
      ("2001:db8::/32", "2001:db8::/32", nil), ("example.org", "example.org", nil),
      ("example.org:443", "example.org", 443),
      ("*.example.org:443", "*.example.org", 443),
    ] as [(String, String, UInt16?)])
  func destinationsAreRead(text: String, host: String, port: UInt16?) throws {
    let destination = try #require(Network.Destination(text))
    #expect(destination.host == host && destination.port == port)
    #expect(Network.Destination(destination.description) == destination)
  }

  @Test(arguments: [
    "", ":80", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:+80", "192.0.2", "300.0.0.1", "10.0.0.1/8",
    "10.0.0.0/33", "[192.0.2.1]:80", "[2001:db8::1", "2001:db8::1]:80", "*", "*.", "a..b", "exa mple.org", "http://x",
    "a/8",
  ])
  func otherTextIsNoDestination(text: String) { #expect(Network.Destination(text) == nil) }

  @Test func publishedPortsAreRead() throws {
    #expect(Network.PublishedPort("8080:80") == .init(hostPort: 8080, guestPort: 80))
    #expect(
      Network.PublishedPort("0.0.0.0:5353:53/udp")
        == .init(hostAddress: "0.0.0.0", hostPort: 5353, guestPort: 53, transport: .udp))
    #expect(Network.PublishedPort("[::1]:8080:80/tcp") == .init(hostAddress: "::1", hostPort: 8080, guestPort: 80))
    for text in ["", "80", ":80", "80:", "0:80", "80:0", "localhost:80:80", "80:80/sctp", "::1:80:80", "1.2.3:80:80"] {
      #expect(Network.PublishedPort(text) == nil, "\(text)")
    }
  }

  @Test func partsHaveToFit() {
    var network = Network()
    network.allowedDestinations = [.init(host: "192.0.2.1")]
    #expect(throws: SandboxError.self) { try network.validate() }
    network.mode = .outbound
    #expect(throws: Never.self) { try network.validate() }
    network.allowedDestinations = [.init(host: "192.0.2")]
    #expect(throws: SandboxError.self) { try network.validate() }
    network = Network()
    network.publishedPorts = [.init(hostPort: 80, guestPort: 80)]
    #expect(throws: Never.self) { try network.validate() }
    network.mode = .host
    #expect(throws: SandboxError.self) { try network.validate() }
  }

  @Test func filesOfTheHostAreRead() throws {
    let names = HostNames(
      resolver: """
        # made by hand
        search lan example.org
        nameserver 192.0.2.53 ; the first
        nameserver fe80::1%eth0
        nameserver nonsense
        options ndots:1
        """,
      hosts: "127.0.0.1 localhost LOCAL # this\n::1 localhost\n\n10.0.0.1\n")
    #expect(names.servers.map(\.description) == ["192.0.2.53", "fe80::1"])
    #expect(names.options == ["search lan example.org", "options ndots:1"])
    #expect(names.known.count == 2)
    #expect(names.known.values.map(\.count).sorted() == [1, 2])
  }
}
