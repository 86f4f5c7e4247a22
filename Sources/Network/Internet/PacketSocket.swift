import FileSystem
import LinuxABI
import Memory

/// A socket that carries packets one by one: UDP, ping and raw sockets. A packet comes whole or not at all, and one that
/// there is no room for is lost.
package class PacketSocket: InternetSocket {
  /// What was sent to it.
  final var received: DatagramQueue
  /// Errors that packets caused (`IP_RECVERR` of ip(7)).
  final var errors = ErrorQueue()
  final var isReadShut = false
  final var isWriteShut = false
  /// Packets that were lost for want of room.
  final var dropped: UInt32 = 0

  /// Where a packet comes from and goes to, and what of its header its sender chose.
  struct Envelope {
    var source: SocketEndpoint
    var destination: SocketEndpoint
    var carrier: (any NetworkCarrier)?
    var timeToLive: Int32?
    var typeOfService: Int32?
    /// `UDP_SEGMENT`.
    var segment: Int?
  }

  override init(
    _ family: AddressFamily, _ type: SocketType, _ number: InternetProtocol, flags: OpenFlags,
    owner: SocketCredentials, stack: NetworkStack, ports: PortTable?
  ) {
    received = DatagramQueue(stack.chunks)
    super.init(family, type, number, flags: flags, owner: owner, stack: stack, ports: ports)
  }

  // MARK: Names and connections

  /// Chooses a peer: what is sent without a destination goes to it, and nobody else is heard.
  package override func connect(to address: SocketAddress, by caller: SocketCaller) throws(Errno) {
    if case .unspecified = address { return disconnect() }
    let destination = actual(try packetEndpoint(address))
    let route = try packetRoute(to: destination.address)
    if destination.address.isBroadcast, !settings.isSet(.broadcast) { throw .permissionDenied }
    try bindIfNeeded()
    if local.address.isUnspecified { local.address = route.source }
    remote = destination
  }

  private func disconnect() {
    remote = nil
    if !isAddressLocked { local.address = SocketEndpoint(unspecifiedOf: family).address }
    if !isPortLocked {
      releasePort()
      local.port = 0
    }
  }

  /// Gives it a port if it has none. - Throws: `EAGAIN` where there is none left.
  final func bindIfNeeded() throws(Errno) {
    guard portEntry == nil, let ports else { return }
    do throws(Errno) { try ports.bind(self, to: 0) } catch { throw .wouldBlock }
  }

  /// The address as the other side of a packet: any address means this sandbox.
  final func actual(_ endpoint: SocketEndpoint) -> SocketEndpoint {
    var endpoint = endpoint
    if endpoint.address == .any { endpoint.address = .loopback }
    if endpoint.address == .anyVersion4 { endpoint.address = .loopbackVersion4 }
    return endpoint
  }

  /// An address to connect or send to. Sockets of version 6 take those of version 4, too.
  final func packetEndpoint(_ address: SocketAddress) throws(Errno) -> SocketEndpoint {
    if case .inet = address, family == .inet6, let endpoint = SocketEndpoint(address) {
      guard !isVersion6Only else { throw .addressFamilyNotSupported }
      return endpoint
    }
    let endpoint = try endpoint(address)
    if family == .inet6, endpoint.address.isVersion4, isVersion6Only { throw .networkUnreachable }
    return endpoint
  }

  /// - Throws: `ENETUNREACH`.
  final func packetRoute(to address: IPv6Address) throws(Errno) -> NetworkStack.Route {
    if address.isBroadcast, address.low & 0xffff_ffff == 0x7fff_ffff {
      return NetworkStack.Route(source: .loopbackVersion4)
    }
    if address.isMulticast {
      let interface = address.isVersion4 ? internet.multicastInterface : internet.multicastInterface6
      if interface == NetworkInterface.Kind.loopback.rawValue || settings.device == "lo" || local.address.isLoopback {
        return NetworkStack.Route(source: address.isVersion4 ? .loopbackVersion4 : .loopback)
      }
    }
    return try stack.route(to: address)
  }

  package override func shutDown(_ how: ShutdownHow) throws(Errno) {
    if how.endsReading { isReadShut = true }
    if how.endsWriting { isWriteShut = true }
    queue.wake()
    guard remote != nil else { throw .socketNotConnected }
  }

  package override func close() {
    received.removeAll()
    errors.removeAll()
    releasePort()
    stack.carrier?.forget(self)
  }

  // MARK: Sending

  /// Where a message goes, and how. - Throws: `EDESTADDRREQ`, `EAFNOSUPPORT`, `ENETUNREACH`, `EACCES`, `EINVAL`.
  final func envelope(of message: OutgoingMessage) throws(Errno) -> Envelope {
    let destination: SocketEndpoint
    if let address = message.destination?.address, address != .unspecified {
      let isInternet = address.family == .inet || address.family == .inet6
      guard isInternet || family == .inet else { throw .invalidArgument }
      destination = actual(try packetEndpoint(address))
    } else {
      guard let remote else { throw .addressRequired }
      destination = remote
    }
    let route = try packetRoute(to: destination.address)
    if destination.address.isBroadcast, !settings.isSet(.broadcast) { throw .permissionDenied }
    let source = local.address.isUnspecified ? route.source : local.address
    var envelope = Envelope(
      source: SocketEndpoint(source, port: local.port), destination: destination, carrier: route.carrier)
    for entry in message.control { try apply(entry, to: &envelope) }
    return envelope
  }

  private func apply(_ entry: ControlMessage, to envelope: inout Envelope) throws(Errno) {
    guard case .other(let level, let type, let data) = entry else { return }
    switch SocketOption(level, type) {
    case .ipPacketInfo where data.count >= 12:
      guard let address = IPv4Address(data, at: 4), let interface = Int32(littleEndian: data, at: 0) else { return }
      guard interface == 0 || stack.hasInterface(interface) else { throw .operationNotSupportedByDevice }
      if address != .any { envelope.source.address = try own(IPv6Address(mapping: address)) }
    case .ipTimeToLive:
      guard let value = Int32(littleEndian: data, at: 0), (1...255).contains(value) else { throw .invalidArgument }
      envelope.timeToLive = value
    case .ipTypeOfService:
      guard let value = Int32(littleEndian: data, at: 0) ?? data.first.map(Int32.init), (0...255).contains(value) else {
        throw .invalidArgument
      }
      envelope.typeOfService = value
    case .ipv6PacketInfo where data.count >= 20 && family == .inet6:
      guard let address = IPv6Address(data, at: 0), let interface = Int32(littleEndian: data, at: 16) else { return }
      guard interface == 0 || stack.hasInterface(interface) else { throw .operationNotSupportedByDevice }
      if address != .any { envelope.source.address = try own(address) }
    case .ipv6HopLimit where family == .inet6:
      guard let value = Int32(littleEndian: data, at: 0), (-1...255).contains(value) else { throw .invalidArgument }
      if value >= 0 { envelope.timeToLive = value }
    case .ipv6TrafficClass where family == .inet6:
      guard let value = Int32(littleEndian: data, at: 0), (-1...255).contains(value) else { throw .invalidArgument }
      if value >= 0 { envelope.typeOfService = value }
    case .udpSegment:
      guard data.count >= 2 else { throw .invalidArgument }
      envelope.segment = Int(data[0]) | Int(data[1]) << 8
    case _ where level == .ip || level == .ipv6: throw .invalidArgument
    default: break
    }
  }

  private func own(_ address: IPv6Address) throws(Errno) -> IPv6Address {
    guard stack.isLocal(address) else { throw .invalidArgument }
    return address
  }

  /// The header of a packet that is sent.
  final func header(_ envelope: Envelope) -> DatagramHeader {
    var header = DatagramHeader(from: envelope.source, to: envelope.destination)
    let isVersion4 = envelope.destination.address.isVersion4
    let many = envelope.destination.address.isMulticast
    let plain = many ? internet.multicastTimeToLive : internet.timeToLive
    let hops = many ? internet.multicastHops : internet.hopLimit
    let limit = envelope.timeToLive ?? (isVersion4 ? plain : hops)
    header.timeToLive = UInt8(truncatingIfNeeded: limit < 0 ? InternetSocket.defaultTimeToLive : limit)
    let service = envelope.typeOfService ?? (isVersion4 ? Int32(internet.typeOfService) : internet.trafficClass)
    header.typeOfService = UInt8(truncatingIfNeeded: service)
    return header
  }

  // MARK: Being sent to

  /// Takes a packet in, or loses it.
  package final func enqueue(_ buffer: inout IOBuffer, _ header: DatagramHeader) {
    let count = buffer.remaining
    guard received.hasRoom(for: count, limit: settings.receiveBuffer) else {
      dropped &+= 1
      return
    }
    var header = header
    if settings.timestamp != nil { header.time = stack.services.realTime }
    guard received.append(header, &buffer, count: count) else {
      dropped &+= 1
      return
    }
    if !queue.isEmpty { queue.wakeOne(.readable) }
  }

  /// Nobody takes what it sent (ICMP's "port unreachable").
  final func noteUnreachable(_ header: DatagramHeader, _ buffer: inout IOBuffer) {
    let address = header.destination.address
    let bytes = wantsErrors(of: address) ? buffer.read(address.isVersion4 ? 520 : 1184) : []
    note(QueuedError(.portUnreachable(address), header, bytes))
  }

  /// A packet that it sent did not arrive. Connected sockets hear of what is final, those with `IP_RECVERR` of everything.
  final func note(_ error: QueuedError) {
    let wantsAll = wantsErrors(of: error.header.destination.address)
    guard remote == nil ? wantsAll : remote == error.header.destination && (wantsAll || error.report.isFinal) else {
      return
    }
    if wantsAll { errors.append(error, limit: settings.receiveBuffer) }
    pendingError = error.error
    queue.wake(.error)
  }

  private func wantsErrors(of address: IPv6Address) -> Bool {
    internet.flags.contains(address.isVersion4 && family == .inet ? .receiveErrors : .receiveErrors6)
  }

  // MARK: Receiving

  package override func receive(into buffer: inout IOBuffer, _ flags: MessageFlags) throws(Errno) -> ReceivedMessage {
    if flags.contains(.errorQueue) { return try receiveError(into: &buffer) }
    if let error = takePendingError() { throw error }
    guard let header = received.first else {
      if isReadShut { return ReceivedMessage() }
      throw .wouldBlock
    }
    let copied: Int
    var offset = 0
    if flags.contains(.peek) {
      offset = settings.peekStart
      copied = received.peek(offset, into: &buffer)
      settings.notePeeked(copied)
    } else {
      copied = received.take(into: &buffer)
      settings.noteTaken(header.count)
    }
    let length = max(header.count - offset, 0)
    var message = ReceivedMessage(count: flags.contains(.truncated) ? length : copied)
    if copied < length { message.flags.insert(.truncated) }
    message.source = header.source.socketAddress(family)
    addControl(header, to: &message)
    return message
  }

  /// What the socket wants to know of each packet.
  private func addControl(_ header: DatagramHeader, to message: inout ReceivedMessage) {
    if let time = settings.timestampMessage(header.time) { message.control.append(time) }
    if settings.isSet(.receiveOverflow) {
      message.control.append(
        .other(level: .socket, type: SocketOption.receiveOverflow.number, data: dropped.littleEndianBytes))
    }
    let flags = internet.flags
    guard !flags.isDisjoint(with: .control) else { return }
    func add(_ option: SocketOption, _ data: [UInt8]) {
      message.control.append(.other(level: option.level, type: option.number, data: data))
    }
    let destination = header.destination
    let isVersion4 = destination.address.isVersion4
    let interface = header.interface.littleEndianBytes
    if family == .inet6 {
      if flags.contains(.receivePacketInfo6) { add(.ipv6PacketInfo, destination.address.bytes + interface) }
      if !isVersion4, flags.contains(.receiveHopLimit6) {
        add(.ipv6HopLimit, Int32(header.timeToLive).littleEndianBytes)
      }
      if !isVersion4, flags.contains(.receiveTrafficClass6) {
        add(.ipv6TrafficClass, Int32(header.typeOfService).littleEndianBytes)
      }
    }
    guard isVersion4, let mapped = destination.address.mapped else { return }
    if flags.contains(.packetInfo) {
      let own = mapped.isLoopback && !destination.address.isBroadcast ? mapped : .loopback
      add(.ipPacketInfo, interface + own.bytes + mapped.bytes)
    }
    if flags.contains(.receiveTimeToLive) { add(.ipTimeToLive, Int32(header.timeToLive).littleEndianBytes) }
    if flags.contains(.receiveTypeOfService) { add(.ipTypeOfService, [header.typeOfService]) }
    if flags.contains(.receiveOriginalDestination) {
      add(.ipReceiveOriginalDestination, destination.socketAddress(.inet).bytes)
    }
  }

  /// Takes an error and what caused it (`MSG_ERRQUEUE` of recv(2)).
  private func receiveError(into buffer: inout IOBuffer) throws(Errno) -> ReceivedMessage {
    guard let error = errors.take() else { throw .wouldBlock }
    pendingError = errors.first?.error
    var message = ReceivedMessage(count: buffer.write(error.bytes))
    message.flags = .errorQueue
    if message.count < error.bytes.count { message.flags.insert(.truncated) }
    message.source = error.header.destination.socketAddress(family)
    message.control.append(error.controlMessage(family))
    return message
  }

  // MARK: The open file

  /// As `datagram_poll` of Linux.
  package override func readiness() -> PollEvents {
    var events = PollEvents.sendable
    if pendingError != nil || !errors.isEmpty {
      events.insert(.error)
      if settings.isSet(.selectErrorQueue) { events.insert(.priority) }
    }
    if isReadShut { events.formUnion([.readable, .readHangUp]) }
    if isReadShut, isWriteShut { events.insert(.hangUp) }
    if !received.isEmpty { events.formUnion(.readable) }
    return events
  }

  package override func bytesToReceive() throws(Errno) -> Int { received.first?.count ?? 0 }
  package override func bytesSent() throws(Errno) -> Int { 0 }
  package override var supportsPeekOffset: Bool { true }
}

extension InternetOptions.Flags {
  /// Those that put control messages beside packets.
  static let control: InternetOptions.Flags = [
    .receivePacketInfo6, .receiveHopLimit6, .receiveTrafficClass6, .packetInfo, .receiveTimeToLive,
    .receiveTypeOfService, .receiveOriginalDestination,
  ]
}
