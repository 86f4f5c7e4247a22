import Testing

@testable import LinuxABI

@Suite struct IPAddressTests {
  @Test(arguments: [
    ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:db8::8:0:0:1", "2001:db8::8:0:0:1"),
    ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
    ("::ffff:192.0.2.1", "::ffff:192.0.2.1"), ("::ffff:c000:201", "::ffff:192.0.2.1"),
    ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
  ])
  func version6IsReadAndWritten(text: String, shown: String) throws {
    let address = try #require(IPv6Address(text))
    #expect("\(address)" == shown)
    #expect(IPv6Address(shown) == address)
  }

  @Test(arguments: [
    "", ":", ":::", "1", "1:2", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1::", "12345::", "g::", "::1.2.3", "-1::",
    "+1::", "1.2.3.4::", "::1.2.3.4:5", "fe80::1%lo", "[::1]", " ::1", "::1 ", "1:2:3:4:5:6:7:1.2.3.4",
  ])
  func otherTextIsNoAddressOfVersion6(text: String) { #expect(IPv6Address(text) == nil) }

  /// Numbers that other readers take for octal ones, or that leave parts out, are no addresses.
  @Test(arguments: [
    "", "1", "127.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.-4", "0x7f.0.0.1", "1.2.3.4 ",
  ])
  func otherTextIsNoAddressOfVersion4(text: String) { #expect(IPv4Address(text) == nil) }

  @Test func networksHaveTheirAddresses() throws {
    let network = try #require(IPNetwork("10.1.0.0/16"))
    #expect(network.contains(.v4(IPv4Address(rawValue: 0x0a01_ffff))))
    #expect(!network.contains(.v4(IPv4Address(rawValue: 0x0a02_0000))))
    #expect(network.last == IPAddress("10.1.255.255"))
    let all = try #require(IPNetwork("0.0.0.0/0"))
    #expect(all.contains(.v4(.loopback)))
    #expect(!all.contains(.v6(.loopback)))
    let wide = try #require(IPNetwork("2001:db8::/65"))
    #expect(wide.contains(try #require(IPAddress("2001:db8::7fff:0:0:1"))))
    #expect(!wide.contains(try #require(IPAddress("2001:db8::8000:0:0:1"))))
    #expect(IPNetwork("::1")?.prefix == 128)
  }

  @Test(arguments: ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "::/129", "10.0.0.0/8/8", "/8"])
  func networksAreExact(text: String) { #expect(IPNetwork(text) == nil) }
}
