import LinuxABI
import Testing

@testable import Network

@Suite struct OutsidePolicyTests {
  private func verdict(
    _ policy: OutsidePolicy, _ address: String, port: UInt16 = 80, route: RouteType = .unicast
  ) throws -> OutsidePolicy.Verdict {
    policy.verdict(on: try #require(IPAddress(address), "\(address)"), port: port) { _ in route }
  }

  private func rule(_ network: String, port: UInt16? = nil) throws -> AllowedDestination {
    AllowedDestination(.network(try #require(IPNetwork(network))), port: port)
  }

  /// Every spelling of the host's own addresses.
  @Test(arguments: [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0",
    "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b:1::127.0.0.1", "2002:7f00:1::", "169.254.1.1",
    "fe80::1", "febf::1", "fec0::1", "224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1", "240.0.0.1",
    "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::1", "fd00:ec2::254",
    "168.63.129.16", "100.100.100.200", "::ffff:100.100.100.200",
  ])
  func theHostIsOutOfReach(address: String) throws {
    for policy in [
      OutsidePolicy(allowed: nil), OutsidePolicy(allowed: [try rule("0.0.0.0/0"), try rule("::/0")]),
    ] {
      let verdict = try verdict(policy, address)
      #expect(verdict != .allowed, "\(address)")
      guard case .refused(let refusal) = verdict else { continue }
      #expect(refusal.errno == .networkUnreachable)
    }
  }

  @Test func whatTheHostTakesForItselfIsOutOfReachToo() throws {
    let all = OutsidePolicy(allowed: nil)
    #expect(try verdict(all, "192.0.2.7") == .allowed)
    #expect(try verdict(all, "192.0.2.7", route: .local) == .refused(.host))
    #expect(try verdict(all, "192.0.2.255", route: .broadcast) == .refused(.special))
    let near = OutsidePolicy(allowed: [try rule("192.0.2.0/24")])
    #expect(try verdict(near, "192.0.2.7", route: .local) == .refused(.host))
    let very = OutsidePolicy(allowed: [try rule("192.0.2.7", port: 80)])
    #expect(try verdict(very, "192.0.2.7", route: .local) == .allowed)
    #expect(try verdict(very, "::ffff:192.0.2.7", route: .local) == .allowed)
    #expect(try verdict(very, "192.0.2.7", port: 81, route: .local) == .refused(.host))
  }

  /// A gateway that translates would carry packets for these to the host's own address.
  @Test(arguments: [
    "64:ff9b::192.0.2.7", "64:ff9b:1::192.0.2.7", "64:ff9b:1:c000:2:700::", "64:ff9b:1:c0:0:207::",
    "64:ff9b:1::c0:2:700:0", "2002:c000:207::1",
  ])
  func addressesOfTheHostWithinOthersAreOutOfReachToo(address: String) throws {
    let own = try #require(IPAddress("192.0.2.7"))
    let address = try #require(IPAddress(address), "\(address)")
    for policy in [OutsidePolicy(allowed: nil), OutsidePolicy(allowed: [try rule("::/0"), try rule("64:ff9b::/32")])] {
      #expect(policy.verdict(on: address, port: 80) { $0 == own ? .local : .unicast } == .refused(.host))
      #expect(policy.verdict(on: address, port: 80) { $0 == own ? nil : .unicast } == .allowed)
    }
    let very = OutsidePolicy(allowed: [AllowedDestination(.network(IPNetwork(address, prefix: 128)), port: nil)])
    #expect(very.verdict(on: address, port: 80) { $0 == own ? .local : .unicast } == .allowed)
  }

  @Test func onlyWhatIsAllowedIsReached() throws {
    let policy = OutsidePolicy(allowed: [try rule("10.0.0.0/8", port: 443), try rule("2001:db8::/32")])
    #expect(try verdict(policy, "10.1.2.3", port: 443) == .allowed)
    #expect(try verdict(policy, "10.1.2.3", port: 80) == .refused(.notAllowed))
    #expect(try verdict(policy, "11.1.2.3", port: 443) == .refused(.notAllowed))
    #expect(try verdict(policy, "2001:db8:ffff::1", port: 9) == .allowed)
    #expect(OutsidePolicy.Refusal.notAllowed.errno == .permissionDenied)
    #expect(try verdict(OutsidePolicy(allowed: []), "10.1.2.3") == .refused(.notAllowed))
  }

  @Test func answersAllowTheAddressThatTheyGave() throws {
    let name = try #require(DomainName("Example.ORG."))
    let other = try #require(DomainName("other.org"))
    var policy = OutsidePolicy(allowed: [AllowedDestination(.name(name), port: 443)])
    #expect(policy.mayAsk(for: name))
    #expect(!policy.mayAsk(for: other))
    #expect(try verdict(policy, "198.51.100.1", port: 443) == .refused(.notAllowed))
    policy.note([try #require(IPAddress("198.51.100.1"))], of: name)
    policy.note([try #require(IPAddress("198.51.100.2"))], of: other)
    #expect(try verdict(policy, "198.51.100.1", port: 443) == .allowed)
    #expect(try verdict(policy, "198.51.100.1", port: 80) == .refused(.notAllowed))
    #expect(try verdict(policy, "198.51.100.2", port: 443) == .refused(.notAllowed))
  }

  /// Who answers for an allowed name cannot open the host's own addresses with it.
  @Test func answersDoNotAllowTheHost() throws {
    let name = try #require(DomainName("example.org"))
    var policy = OutsidePolicy(allowed: [AllowedDestination(.name(name), port: nil)])
    let own = ["127.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.1", "192.0.2.7"]
    policy.note(own.compactMap { IPAddress($0) }, of: name)
    for address in own { #expect(try verdict(policy, address, route: .local) != .allowed, "\(address)") }
  }

  @Test func namesThatTheHostKnowsMayBeItsOwn() throws {
    let name = try #require(DomainName("localhost"))
    let policy = OutsidePolicy(
      allowed: [AllowedDestination(.name(name), port: 80)], known: [name: [.v4(.loopback)]])
    #expect(try verdict(policy, "127.0.0.1", route: .local) == .allowed)
    #expect(try verdict(policy, "127.0.0.2", route: .local) == .refused(.host))
  }

  @Test func starsStandForAllNamesBelow() throws {
    let parent = try #require(DomainName("example.org"))
    let policy = OutsidePolicy(allowed: [AllowedDestination(.below(parent), port: nil)])
    #expect(policy.mayAsk(for: try #require(DomainName("a.b.example.org"))))
    #expect(!policy.mayAsk(for: parent))
    #expect(!policy.mayAsk(for: try #require(DomainName("badexample.org"))))
  }

  @Test func answersAreBounded() throws {
    let name = try #require(DomainName("example.org"))
    var policy = OutsidePolicy(allowed: [AllowedDestination(.name(name), port: nil)])
    for number in 0..<5000 as Range<UInt32> {
      policy.note([.v4(IPv4Address(rawValue: 0x0a00_0000 + number))], of: name)
    }
    #expect(try verdict(policy, "10.0.0.0") == .refused(.notAllowed))
    #expect(try verdict(policy, "10.0.19.135") == .allowed)
  }
}
