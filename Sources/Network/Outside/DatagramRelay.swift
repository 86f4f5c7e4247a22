import FileSystem
import Host
import LinuxABI
import Memory

/// What carries the datagrams of one guest's socket outside: a socket of the host for each version that it uses.
final class DatagramRelay {
  private unowned let socket: UDPSocket
  private unowned let carrier: OutsideCarrier
  private var (version4, version6): (HostWatch?, HostWatch?)
  /// Destinations that were allowed before, with their place on the host.
  private var known: [SocketEndpoint: SocketEndpoint] = [:]
  /// Questions that name servers have not answered yet, by the numbers that their answers will have.
  private var questions: [UInt16: DNSMessage.Question] = [:]

  private static let maximumKnown = 1024
  private static let maximumQuestions = 256
  /// Datagrams that are taken before others have their turn.
  private static let maximumDatagrams = 64

  init(_ socket: UDPSocket, carrier: OutsideCarrier) {
    self.socket = socket
    self.carrier = carrier
  }

  // MARK: Sending

  func send(_ datagram: inout IOBuffer, to destination: SocketEndpoint) throws(Errno) -> Int {
    let outer = try outerEndpoint(destination)
    let count = datagram.remaining
    let isQuery = carrier.isNameServer(destination)
    let bytes = datagram.read(count)
    if isQuery {
      if let refusal = carrier.refusal(of: bytes) {
        if !refusal.isEmpty { deliver(refusal, from: destination) }
        return count
      }
      note(query: bytes)
    }
    let host = try watch(for: outer.address)
    var message = Host.Socket.Message()
    message.name = outer.hostAddress.bytes
    var buffer = IOBuffer(bytes: bytes)
    do throws(Errno) {
      _ = try buffer.send(message, on: host.descriptor)
    } catch {
      // As in a network that is busy, it is lost.
      guard error == .wouldBlock || error == .noBufferSpace || error == .connectionRefused else { throw error }
    }
    host.want(.input)
    return count
  }

  private func outerEndpoint(_ destination: SocketEndpoint) throws(Errno) -> SocketEndpoint {
    if let outer = known[destination] { return outer }
    let outer = try carrier.outerEndpoint(destination, .udp)
    if known.count >= DatagramRelay.maximumKnown { known = [:] }
    known[destination] = outer
    return outer
  }

  private func watch(for address: IPv6Address) throws(Errno) -> HostWatch {
    if let watch = address.isVersion4 ? version4 : version6 { return watch }
    let descriptor = try carrier.makeSocket(address, .datagram)
    let watch = HostWatch(descriptor, budget: carrier.budget, services: carrier.services)
    watch.onReport { [unowned self, unowned watch] _ in take(from: watch) }
    if socket.settings.isSet(.broadcast), address.isVersion4 {
      try? Host.Socket.setOption(.broadcast, of: descriptor, to: Int32(1).littleEndianBytes)
    }
    if address.isVersion4 { version4 = watch } else { version6 = watch }
    return watch
  }

  private func note(query: [UInt8]) {
    guard let question = DNSMessage.question(of: query), let number = UInt16(bigEndian: query, at: 0) else { return }
    if questions.count >= DatagramRelay.maximumQuestions { questions = [:] }
    questions[number] = question
  }

  // MARK: Receiving

  private func take(from host: HostWatch) {
    for _ in 0..<DatagramRelay.maximumDatagrams {
      var buffer = IOBuffer(collecting: 65536)
      // An error is one of a datagram that was lost.
      guard let received = try? buffer.receive(on: host.descriptor, []) else { break }
      guard let source = SocketEndpoint(hostAddress: received.name) else { continue }
      receive(buffer.collected, from: source)
    }
    host.want(.input)
  }

  private func receive(_ bytes: [UInt8], from source: SocketEndpoint) {
    if let server = carrier.innerNameServer(of: source) {
      if let number = UInt16(bigEndian: bytes, at: 0), let question = questions.removeValue(forKey: number) {
        carrier.note(bytes, to: question)
      }
      return deliver(bytes, from: server)
    }
    // Who was not sent to is not heard: so nothing comes in that the policy would keep out.
    guard known[source] == source else { return }
    deliver(bytes, from: source)
  }

  private func deliver(_ bytes: [UInt8], from source: SocketEndpoint) {
    guard socket.remote == nil || socket.remote == source else { return }
    guard let address = carrier.source(for: source.address) else { return }
    var header = DatagramHeader(from: source, to: SocketEndpoint(address, port: socket.local.port))
    header.interface = 2
    var buffer = IOBuffer(bytes: bytes)
    socket.enqueue(&buffer, header)
    carrier.stack.interfaces.count(bytes: bytes.count, on: .ethernet, isSent: false)
  }

  func close() {
    version4?.close()
    version6?.close()
    (version4, version6) = (nil, nil)
  }
}
