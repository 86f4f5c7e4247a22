import FileSystem
import Host
import LinuxABI
import Memory

/// What carries the datagrams of one guest's socket outside: a socket of the host for each version that it uses, and for
/// its questions to name servers.
final class DatagramRelay {
  private unowned let socket: UDPSocket
  private unowned let carrier: OutsideCarrier
  private var watches: [DatagramPeers.Channel: HostWatch] = [:]
  /// Destinations that were allowed before.
  private var peers = DatagramPeers()
  /// Questions that name servers have not answered yet, by the numbers that their answers will have.
  private var questions: [UInt16: DNSMessage.Question] = [:]

  private static let maximumQuestions = 256

  init(_ socket: UDPSocket, carrier: OutsideCarrier) {
    self.socket = socket
    self.carrier = carrier
  }

  // MARK: Sending

  func send(_ datagram: inout IOBuffer, _ header: DatagramHeader) throws(Errno) -> Int {
    let destination = header.destination
    let place = try place(of: destination)
    let count = datagram.remaining
    let bytes = datagram.read(count)
    if place.channel.isForNameServers {
      if let refusal = carrier.refusal(of: bytes) {
        if !refusal.isEmpty { deliver(refusal, from: destination) }
        return count
      }
      note(query: bytes)
    }
    let host = try watch(for: place.channel)
    func transmit() throws(Errno) {
      var buffer = IOBuffer(bytes: bytes)
      try host.sendDatagram(&buffer, to: place.outer, control(header, place.channel))
    }
    do throws(Errno) { try transmit() } catch {
      // The host may have told of an earlier datagram, which is not this call's to report.
      guard takeErrors(from: host, place.channel) else { throw error }
      try transmit()
    }
    host.want(.input)
    return count
  }

  /// What the guest's socket wants to have in the header.
  private func control(_ header: DatagramHeader, _ channel: DatagramPeers.Channel) -> [UInt8] {
    guard header.timeToLive != DatagramRelay.usualTimeToLive || header.typeOfService != 0 else { return [] }
    var control = ControlBuffer(capacity: 64)
    func add(_ option: SocketOption, _ value: UInt8) {
      control.append(.other(level: option.level, type: option.number, data: Int32(value).littleEndianBytes))
    }
    let isVersion4 = channel.isVersion4
    add(isVersion4 ? .ipTimeToLive : .ipv6HopLimit, header.timeToLive)
    add(isVersion4 ? .ipTypeOfService : .ipv6TrafficClass, header.typeOfService)
    return control.bytes
  }
  private static let usualTimeToLive: UInt8 = 64

  private func place(of destination: SocketEndpoint) throws(Errno) -> DatagramPeers.Place {
    if let place = peers.place(of: destination) { return place }
    let outer = try carrier.outerEndpoint(destination, .udp)
    let place = DatagramPeers.Place(outer, isNameServer: carrier.isNameServer(destination))
    peers.add(destination, at: place)
    return place
  }

  private func watch(for channel: DatagramPeers.Channel) throws(Errno) -> HostWatch {
    if let watch = watches[channel] { return watch }
    let descriptor = try carrier.makeSocket(channel.isVersion4 ? .inet : .inet6, .datagram)
    let watch = HostWatch(descriptor, budget: carrier.budget, services: carrier.services)
    watch.onReport { [unowned self, unowned watch] _ in
      takeErrors(from: watch, channel)
      watch.takeDatagrams { take($0, from: $1, channel) }
    }
    if socket.settings.isSet(.broadcast), channel.isVersion4 {
      try? Host.Socket.enable(.broadcast, of: descriptor)
    }
    let errors: SocketOption = channel.isVersion4 ? .ipReceiveErrors : .ipv6ReceiveErrors
    try? Host.Socket.enable(errors, of: descriptor)
    watches[channel] = watch
    return watch
  }

  private func note(query: [UInt8]) {
    guard let question = DNSMessage.question(of: query), let number = UInt16(bigEndian: query, at: 0) else { return }
    if questions.count >= DatagramRelay.maximumQuestions { questions = [:] }
    questions[number] = question
  }

  // MARK: Receiving

  private func take(_ bytes: [UInt8], from outer: SocketEndpoint, _ channel: DatagramPeers.Channel) {
    // Who was not sent to is not heard: so nothing comes in that the policy would keep out.
    let place = DatagramPeers.Place(outer, isNameServer: channel.isForNameServers)
    guard let source = peers.name(of: place) else { return }
    if channel.isForNameServers { note(answer: bytes) }
    deliver(bytes, from: source)
  }

  /// Takes what the host tells of datagrams that did not arrive; true where it told anything.
  @discardableResult
  private func takeErrors(from host: HostWatch, _ channel: DatagramPeers.Channel) -> Bool {
    for number in 0..<HostWatch.maximumTurn {
      var buffer = IOBuffer(collecting: 2048)
      guard let received = try? buffer.receive(on: host.descriptor, .errorQueue, controlRoom: 512) else {
        return number > 0
      }
      guard let outer = SocketEndpoint(hostAddress: received.name),
        let destination = peers.name(of: DatagramPeers.Place(outer, isNameServer: channel.isForNameServers)),
        let control = try? ControlMessage.decode(received.control),
        let report = control.lazy.compactMap({ PacketError($0) }).first,
        let source = carrier.source(for: destination.address)
      else { continue }
      let header = DatagramHeader(from: SocketEndpoint(source, port: socket.local.port), to: destination)
      var error = QueuedError(report, header, buffer.collected)
      error.isFromDestination = report.offender == outer.address
      socket.note(error)
    }
    return true
  }

  private func note(answer: [UInt8]) {
    guard let number = UInt16(bigEndian: answer, at: 0), let question = questions.removeValue(forKey: number) else {
      return
    }
    carrier.note(answer, to: question)
  }

  private func deliver(_ bytes: [UInt8], from source: SocketEndpoint) {
    guard socket.remote == nil || socket.remote == source else { return }
    guard let address = carrier.source(for: source.address) else { return }
    var header = DatagramHeader(from: source, to: SocketEndpoint(address, port: socket.local.port))
    header.interface = NetworkInterface.Kind.ethernet.rawValue
    var buffer = IOBuffer(bytes: bytes)
    socket.enqueue(&buffer, header)
    carrier.stack.interfaces.count(bytes: bytes.count, on: .ethernet, isSent: false)
  }

  func close() {
    for watch in watches.values { watch.close() }
    watches = [:]
  }
}
