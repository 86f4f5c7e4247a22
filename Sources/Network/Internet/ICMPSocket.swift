import FileSystem
import LinuxABI
import Memory

/// A ping socket or a raw socket of ICMP (icmp(7), raw(7)): what ping(8) needs within the sandbox.
///
/// A ping socket sends echo requests alone, under a number that it has like a port, and hears the answers to them. A raw
/// socket sends any ICMP message, and hears all that there are.
package final class ICMPSocket: PacketSocket {
  /// `ICMP_FILTER` and `ICMP6_FILTER`: types that are not heard.
  private var blocked: [UInt32]
  private var isRaw: Bool { type == .raw }

  /// The option by which a raw socket's filter is set.
  private var filterOption: SocketOption? { isRaw ? (family == .inet ? .icmpFilter : .icmpv6Filter) : nil }

  init(
    _ family: AddressFamily, _ type: SocketType, flags: OpenFlags, owner: SocketCredentials, stack: NetworkStack
  ) {
    blocked = [UInt32](repeating: 0, count: family == .inet ? 1 : 8)
    super.init(
      family, type, family == .inet ? .icmp : .icmpv6, flags: flags, owner: owner, stack: stack,
      ports: type == .raw ? nil : stack.pingPorts)
    if type == .raw { stack.rawSockets.append(self) }
  }

  package override func close() {
    super.close()
    stack.rawSockets.removeAll { $0 === self }
  }

  // MARK: Sending

  /// As `ping_v4_sendmsg` and `raw_sendmsg` of Linux. - Throws: `EINVAL` for what a ping socket does not send.
  package override func send(_ buffer: inout IOBuffer, _ message: OutgoingMessage) throws(Errno) -> Int {
    guard buffer.remaining <= 0xffff else { throw .messageTooLong }
    guard isRaw || buffer.remaining >= ICMPMessage.headerSize else { throw .invalidArgument }
    guard !message.flags.contains(.outOfBand) else { throw .notSupported }
    let envelope = try envelope(of: message)
    guard envelope.destination.address.isVersion4 == (family == .inet) else { throw .addressFamilyNotSupported }
    let bytes = buffer.read(buffer.remaining)
    var packet = ICMPMessage(bytes: bytes, isVersion4: family == .inet)
    if isRaw, internet.flags.contains(.headerIncluded), let first = bytes.first {
      packet.bytes = Array(bytes.dropFirst(Int(first & 15) * 4))
    }
    if !isRaw {
      guard packet.isEchoRequest else { throw .invalidArgument }
      try bindIfNeeded()
      packet.identifier = local.port
    }
    if let error = takePendingError() { throw error }
    guard !isWriteShut else { throw .brokenPipe }
    guard envelope.carrier == nil else { throw .networkUnreachable }
    var header = header(envelope)
    (header.source.port, header.destination.port) = (0, 0)
    if !isRaw || family == .inet6 { packet.seal(from: header.source.address, to: header.destination.address) }
    stack.deliver(packet, header)
    return bytes.count
  }

  // MARK: Being sent to

  /// Hears a message that came.
  func take(_ packet: ICMPMessage, _ header: DatagramHeader) {
    guard (family == .inet) == packet.isVersion4, let type = packet.bytes.first else { return }
    guard local.address.isUnspecified || local.address == header.destination.address else { return }
    if let remote, remote.address != header.source.address { return }
    let (word, bit) = (Int(type) / 32, UInt32(1) << UInt32(type % 32))
    if isRaw, word < blocked.count, blocked[word] & bit != 0 { return }
    let head = isRaw && packet.isVersion4 ? ICMPMessage.internetHeader(header, length: packet.bytes.count) : []
    var buffer = IOBuffer(bytes: head + packet.bytes)
    enqueue(&buffer, header)
  }

  // MARK: Options

  package override func option(_ option: SocketOption) throws(Errno) -> SocketOptionValue {
    guard option == filterOption else { return try super.option(option) }
    return SocketOptionValue(bytes: blocked.flatMap(\.littleEndianBytes))
  }

  package override func setOption(_ option: SocketOption, to value: SocketOptionValue) throws(Errno) {
    switch option {
    case _ where option == filterOption:
      for index in blocked.indices {
        if let word = UInt32(littleEndian: value.bytes, at: index * 4) { blocked[index] = word }
      }
    // The checksum of ICMPv6 is always made, where it belongs.
    case .rawChecksum where family == .inet6, .ipv6Checksum where isRaw && family == .inet6:
      guard try value.integer() == 2 else { throw .invalidArgument }
    default: try super.setOption(option, to: value)
    }
  }
}

extension NetworkStack {
  /// Gives an ICMP message to all that hear it, and answers an echo request.
  func deliver(_ packet: ICMPMessage, _ header: DatagramHeader) {
    for socket in rawSockets { socket.take(packet, header) }
    if packet.isEchoReply {
      for case let socket as ICMPSocket in pingPorts.entry(packet.identifier)?.members ?? [] {
        socket.take(packet, header)
      }
    }
    guard packet.isEchoRequest, !header.destination.address.isMulticast, !header.destination.address.isBroadcast else {
      return
    }
    var (answer, back) = (packet, header)
    answer.makeReply()
    (back.source, back.destination) = (header.destination, header.source)
    back.timeToLive = UInt8(InternetSocket.defaultTimeToLive)
    answer.seal(from: back.source.address, to: back.destination.address)
    deliver(answer, back)
  }
}

/// A message of ICMP, version 4 (RFC 792) or 6 (RFC 4443).
struct ICMPMessage {
  static let headerSize = 8
  private static let checksum = 2..<4
  private static let identifier = 4..<6

  var bytes: [UInt8]
  let isVersion4: Bool

  var isEchoRequest: Bool {
    bytes.count >= ICMPMessage.headerSize && bytes[0] == (isVersion4 ? 8 : 128) && bytes[1] == 0
  }
  var isEchoReply: Bool { bytes.count >= ICMPMessage.headerSize && bytes[0] == (isVersion4 ? 0 : 129) }

  /// Of an echo, whose it is; 0 where the message is too short to have one.
  var identifier: UInt16 {
    get { UInt16(bigEndian: bytes, at: ICMPMessage.identifier.lowerBound) ?? 0 }
    set {
      if bytes.count >= ICMPMessage.headerSize {
        bytes.replaceSubrange(ICMPMessage.identifier, with: newValue.bigEndianBytes)
      }
    }
  }

  /// Makes an echo request its answer.
  mutating func makeReply() { bytes[0] = isVersion4 ? 0 : 129 }

  /// Sets the checksum.
  mutating func seal(from source: IPv6Address, to destination: IPv6Address) {
    guard bytes.count >= ICMPMessage.checksum.upperBound else { return }
    bytes.replaceSubrange(ICMPMessage.checksum, with: [0, 0])
    var covered = bytes
    if !isVersion4 {
      covered = source.bytes + destination.bytes + UInt32(bytes.count).bigEndianBytes + [0, 0, 0, 58] + bytes
    }
    bytes.replaceSubrange(ICMPMessage.checksum, with: ICMPMessage.checksum(of: covered).bigEndianBytes)
  }

  /// The Internet checksum (RFC 1071).
  private static func checksum(of bytes: [UInt8]) -> UInt16 {
    var sum: UInt64 = 0
    for (index, byte) in bytes.enumerated() { sum &+= UInt64(byte) << (index % 2 == 0 ? 8 : 0) }
    while sum >> 16 != 0 { sum = sum & 0xffff &+ sum >> 16 }
    return ~UInt16(truncatingIfNeeded: sum)
  }

  /// The header of version 4 before a message, as raw sockets get it.
  static func internetHeader(_ header: DatagramHeader, length: Int) -> [UInt8] {
    guard let source = header.source.address.mapped, let destination = header.destination.address.mapped else {
      return []
    }
    var bytes: [UInt8] = [0x45, header.typeOfService] + UInt16(clamping: length + 20).bigEndianBytes
    bytes += [0, 0, 0, 0, header.timeToLive, 1, 0, 0] + source.bytes
    bytes += destination.bytes
    bytes.replaceSubrange(10..<12, with: checksum(of: bytes).bigEndianBytes)
    return bytes
  }
}
