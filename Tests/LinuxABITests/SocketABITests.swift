import LinuxABI
import Testing

@Suite struct SocketABITests {
  private let owner = SocketCredentials(process: ProcessID(rawValue: 2), uid: 7, gid: 8)

  @Test(arguments: [
    [0, 0],
    [1, 0],
    [1, 0, 0x2f, 0x61, 0],
    [1, 0, 0, 0x61, 0, 0x62],
    [2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
    [10, 0, 0, 80, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 0, 0, 0],
    [16, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0],
  ])
  func addressesKeepTheirBytes(_ bytes: [UInt8]) throws { #expect(try SocketAddress(bytes).bytes == bytes) }

  @Test func addressesHaveTheirParts() throws {
    #expect(try SocketAddress([1, 0, 0x2f, 0x61, 0, 9]) == .unix(.path([0x2f, 0x61])))
    #expect(try SocketAddress([1, 0, 0, 0x61, 0]) == .unix(.abstract([0x61, 0])))
    let inet = try SocketAddress([2, 0, 0x1f, 0x90, 127, 0, 0, 1] + [UInt8](repeating: 9, count: 8))
    #expect(inet == .inet(InternetAddress(.loopback, port: 8080)))
    let short = [10, 0, 0, 80] + [UInt8](repeating: 0, count: 19)
    #expect(throws: Errno.invalidArgument) { try SocketAddress(short) }
    #expect(try SocketAddress(short + [1]) == .inet6(Internet6Address(.loopback, port: 80)))
    #expect(throws: Errno.invalidArgument) { try SocketAddress([2]) }
    #expect(throws: Errno.invalidArgument) { try SocketAddress([1, 0] + [UInt8](repeating: 1, count: 109)) }
    #expect(IPv6Address(mapping: .loopback).mapped == .loopback)
    #expect(IPv6Address.loopback.mapped == nil)
  }

  @Test func controlMessagesGoThereAndBack() throws {
    let messages: [ControlMessage] = [
      .credentials(owner), .rights([3, 4, 5].map(FileDescriptorNumber.init(rawValue:))),
      .other(level: .ip, type: 8, data: [1, 2]),
    ]
    var buffer = ControlBuffer(capacity: 200)
    for message in messages { buffer.append(message) }
    #expect(!buffer.isTruncated)
    #expect(buffer.bytes.count == 32 + 32 + 24)
    #expect(try ControlMessage.decode(buffer.bytes) == messages)
  }

  @Test func aShortControlBufferCutsTheLastEntryOff() {
    for (capacity, length) in [(0, 0), (15, 0), (16, 16), (20, 20), (28, 28), (31, 31), (32, 32), (40, 32)] {
      var buffer = ControlBuffer(capacity: capacity)
      buffer.append(.credentials(owner))
      #expect(buffer.bytes.count == length)
      #expect(buffer.isTruncated == (capacity < 28))
      #expect(buffer.descriptorRoom == 0)
    }
    var buffer = ControlBuffer(capacity: 56)
    #expect(buffer.descriptorRoom == 10)
    buffer.append(.credentials(owner))
    #expect(buffer.descriptorRoom == 2)
  }

  /// Lengths that lead outside, or nowhere.
  @Test(arguments: [0, 15, 33, 1 << 31, UInt64.max, UInt64.max - 7])
  func aControlEntryWithAWrongLengthIsRefused(_ length: UInt64) {
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + [UInt8](repeating: 0, count: 24)
    #expect(throws: Errno.invalidArgument) { try ControlMessage.decode(bytes) }
  }

  @Test func aRestThatIsNoHeaderIsIgnored() throws {
    #expect(try ControlMessage.decode([UInt8](repeating: 1, count: 15)) == [])
  }
}
