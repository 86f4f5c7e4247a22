import FileSystem
import LinuxABI
import Memory

/// A datagram socket of the Internet families (udp(7)).
///
/// A datagram that is sent within the sandbox lies in its receiver's queue when the call returns, or nowhere: as on a
/// network, there is no waiting for room. What is here alone is UDP's; what all sockets share that carry packets is in
/// `PacketSocket`.
package final class UDPSocket: PacketSocket {
  /// `UDP_CORK`, and what waits for it to end, or for a message without `MSG_MORE`.
  private var isCorked = false
  private var corked: (bytes: [UInt8], envelope: Envelope)?
  /// `UDP_SEGMENT`; 0 where a message is one datagram.
  private var segmentSize: Int32 = 0
  private var receivesOffload = false
  private var (noChecksumSend, noChecksumReceive) = (false, false)

  /// `UDP_MAX_SEGMENTS`.
  private static let maximumSegments = 128

  init(_ family: AddressFamily, flags: OpenFlags, owner: SocketCredentials, stack: NetworkStack) {
    super.init(family, .datagram, .udp, flags: flags, owner: owner, stack: stack, ports: stack.udpPorts)
  }

  // MARK: Sending

  /// As `udp_sendmsg` of Linux.
  package override func send(_ buffer: inout IOBuffer, _ message: OutgoingMessage) throws(Errno) -> Int {
    guard buffer.remaining <= 0xffff else { throw .messageTooLong }
    guard !message.flags.contains(.outOfBand) || family == .inet6 else { throw .notSupported }
    var envelope = try envelope(of: message)
    guard envelope.destination.port != 0 || message.destination == nil else { throw .invalidArgument }
    try bindIfNeeded()
    envelope.source.port = local.port
    if corked != nil || isCorked || message.flags.contains(.more) { return try cork(&buffer, message, envelope) }
    return try transmit(&buffer, envelope)
  }

  private func transmit(_ buffer: inout IOBuffer, _ envelope: Envelope) throws(Errno) -> Int {
    let size = envelope.segment ?? Int(segmentSize)
    guard size > 0, buffer.remaining > size else { return try transmitOne(&buffer, envelope) }
    guard buffer.remaining <= size * UDPSocket.maximumSegments else { throw .invalidArgument }
    var total = 0
    while buffer.remaining > 0 {
      var part = IOBuffer(bytes: buffer.read(size))
      total += try transmitOne(&part, envelope)
    }
    return total
  }

  /// Sends what is in the buffer as one datagram.
  private func transmitOne(_ buffer: inout IOBuffer, _ envelope: Envelope) throws(Errno) -> Int {
    let count = buffer.remaining
    let maximum = envelope.destination.address.isVersion4 ? 65507 : 65527
    guard count <= maximum else { throw .messageTooLong }
    if let error = takePendingError() { throw error }
    guard !isWriteShut else { throw .brokenPipe }
    if let carrier = envelope.carrier { return try carrier.send(&buffer, header(envelope), from: self) }
    stack.deliver(&buffer, header(envelope), from: self)
    // Nothing of what was lost comes back.
    if buffer.remaining > 0 { buffer.advance(buffer.remaining) }
    return count
  }

  private func cork(
    _ buffer: inout IOBuffer, _ message: OutgoingMessage, _ envelope: Envelope
  ) throws(Errno) -> Int {
    let count = buffer.remaining
    var (bytes, first) = corked ?? ([], envelope)
    guard bytes.count + count <= 65507 else { throw .messageTooLong }
    bytes += buffer.read(count)
    if isCorked || message.flags.contains(.more) {
      corked = (bytes, first)
      return count
    }
    corked = nil
    first.segment = envelope.segment
    var whole = IOBuffer(bytes: bytes)
    _ = try transmit(&whole, first)
    return count
  }

  // MARK: Being sent to

  /// How well it fits a datagram; 0 where that is not for it (`compute_score` of Linux).
  func score(from source: SocketEndpoint, to destination: IPv6Address) -> Int {
    let score = score(destination)
    guard score > 0, let remote else { return score }
    return remote == source ? score + 8 : 0
  }

  // MARK: Options

  package override func option(_ option: SocketOption) throws(Errno) -> SocketOptionValue {
    switch option {
    case .udpCork: SocketOptionValue(isCorked)
    case .udpEncapsulation: SocketOptionValue(false)
    case .udpSegment: SocketOptionValue(segmentSize)
    case .udpReceiveOffload: SocketOptionValue(receivesOffload)
    case .udpNoChecksumSend: SocketOptionValue(noChecksumSend)
    case .udpNoChecksumReceive: SocketOptionValue(noChecksumReceive)
    default: try super.option(option)
    }
  }

  package override func setOption(_ option: SocketOption, to value: SocketOptionValue) throws(Errno) {
    guard option.level == .udp else { return try super.setOption(option, to: value) }
    let integer = try value.integer()
    switch option {
    case .udpCork:
      isCorked = integer != 0
      guard !isCorked, let pending = corked else { return }
      corked = nil
      var whole = IOBuffer(bytes: pending.bytes)
      _ = try transmit(&whole, pending.envelope)
    case .udpSegment:
      guard (0...65535).contains(integer) else { throw .invalidArgument }
      segmentSize = integer
    // Taking several datagrams together is allowed, not demanded.
    case .udpReceiveOffload: receivesOffload = integer != 0
    case .udpNoChecksumSend: noChecksumSend = integer != 0
    case .udpNoChecksumReceive: noChecksumReceive = integer != 0
    default: throw .protocolNotAvailable
    }
  }
}

extension NetworkStack {
  /// Gives a datagram to who takes it: to one socket, or where it goes to many, to all that hear it. Where nobody does,
  /// its sender is told.
  func deliver(_ buffer: inout IOBuffer, _ header: DatagramHeader, from sender: UDPSocket?) {
    let destination = header.destination
    if destination.address.isMulticast || destination.address.isBroadcast {
      return deliverToMany(&buffer, header, from: sender)
    }
    guard let receiver = receiver(of: header) else {
      sender?.noteUnreachable(header, &buffer)
      return
    }
    receiver.enqueue(&buffer, header)
  }

  /// The socket that takes a datagram: the one that it fits best, among equals the one that the sender's port chooses.
  package func receiver(of header: DatagramHeader) -> UDPSocket? {
    guard let members = udpPorts.entry(header.destination.port)?.members else { return nil }
    var best = 0
    var found: [UDPSocket] = []
    var first: UDPSocket?
    for case let socket as UDPSocket in members {
      let score = socket.score(from: header.source, to: header.destination.address)
      guard score > 0, score >= best else { continue }
      if score > best {
        best = score
        first = socket
        found = []
      } else {
        if found.isEmpty, let first { found.append(first) }
        found.append(socket)
      }
    }
    guard !found.isEmpty else { return first }
    // Without `SO_REUSEPORT` the last one has it.
    guard found.allSatisfy(\.reuse.port) else { return found.last }
    return found[Int(header.source.port &* 40503) % found.count]
  }

  private func deliverToMany(_ buffer: inout IOBuffer, _ header: DatagramHeader, from sender: UDPSocket?) {
    let destination = header.destination
    let isMulticast = destination.address.isMulticast
    if isMulticast {
      guard sender?.loopsMulticast(destination.address) ?? true, hasMembers(destination.address) else { return }
    }
    let members = udpPorts.entry(destination.port)?.members ?? []
    let bytes = buffer.read(buffer.remaining)
    for case let socket as UDPSocket in members {
      let own = socket.local.address
      guard own.isUnspecified ? socket.score(destination.address) > 0 : own == destination.address,
        socket.remote == nil || socket.remote == header.source,
        !isMulticast || socket.hears(destination.address, from: header.source.address)
      else { continue }
      var copy = IOBuffer(bytes: bytes)
      socket.enqueue(&copy, header)
    }
  }

  /// A socket of the sandbox has joined the group.
  private func hasMembers(_ group: IPv6Address) -> Bool {
    udpPorts.sockets.contains { $0.memberships.contains { $0.group == group } }
  }
}

extension InternetSocket {
  /// What is sent to a group comes to sockets of the sandbox.
  func loopsMulticast(_ group: IPv6Address) -> Bool {
    internet.flags.contains(group.isVersion4 ? .multicastLoop : .multicastLoop6)
  }

  /// It takes what a source sends to a group (`ip_mc_sf_allow` of Linux).
  func hears(_ group: IPv6Address, from source: IPv6Address) -> Bool {
    guard let membership = memberships.first(where: { $0.group == group }) else {
      return internet.flags.contains(group.isVersion4 ? .multicastAll : .multicastAll6)
    }
    return membership.hears(source)
  }
}
