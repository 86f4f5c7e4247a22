import FileSystem
import Host
import LinuxABI
import Memory

/// A guest's socket that a socket of the host carries in all, loopback and interfaces included (`--network host`).
///
/// Every operation is the host's own, with its errors; none waits, as the host's socket is non-blocking.
package final class HostSocket: Socket {
  private let watch: HostWatch
  private let budget: HostSocketBudget
  private let services: any KernelServices

  /// - Throws: what the host's socket(2) throws, and `ENFILE`.
  package convenience init(
    _ family: AddressFamily, type: Int32, protocolNumber: Int32, flags: OpenFlags, owner: SocketCredentials,
    budget: HostSocketBudget, services: any KernelServices
  ) throws(Errno) {
    guard (0..<SocketType.end).contains(type) else { throw .invalidArgument }
    guard let type = SocketType(rawValue: type) else { throw .socketTypeNotSupported }
    let descriptor = try budget.take { () throws(Errno) in
      try Host.Socket.make(family, type, protocolNumber: protocolNumber)
    }
    self.init(descriptor, family, type, protocolNumber, flags, owner, budget, services)
  }

  private init(
    _ descriptor: FileDescriptor, _ family: AddressFamily, _ type: SocketType, _ protocolNumber: Int32,
    _ flags: OpenFlags, _ owner: SocketCredentials, _ budget: HostSocketBudget, _ services: any KernelServices
  ) {
    watch = HostWatch(descriptor, budget: budget, services: services)
    self.budget = budget
    self.services = services
    let asked = try? Host.Socket.option(.protocolNumber, of: descriptor)
    super.init(
      family, type, protocolNumber: asked.flatMap { Int32(littleEndian: $0, at: 0) } ?? protocolNumber, flags: flags,
      owner: owner)
    watch.onReport { [unowned self] events in queue.wake(events) }
  }

  private var descriptor: FileDescriptor { watch.descriptor }

  // MARK: Names and connections

  package override func bind(to address: SocketAddress, by caller: SocketCaller) throws(Errno) {
    try Host.Socket.bind(descriptor, to: address.bytes)
  }
  package override func listen(backlog: Int32) throws(Errno) {
    try Host.Socket.listen(descriptor, backlog: backlog)
    watchAgain(.readable)
  }
  package override func accept(flags: OpenFlags) throws(Errno) -> Socket {
    defer { watchAgain(.readable) }
    let listener = descriptor
    let accepted = try budget.take { () throws(Errno) in try Host.Socket.accept(listener) }
    return HostSocket(accepted, family, type, protocolNumber, flags, owner, budget, services)
  }
  package override func connect(to address: SocketAddress, by caller: SocketCaller) throws(Errno) {
    defer { watchAgain(.all) }
    try Host.Socket.connect(descriptor, to: address.bytes)
  }
  package override func shutDown(_ how: ShutdownHow) throws(Errno) {
    try Host.Socket.shutDown(descriptor, how)
    queue.wake()
  }
  package override func localAddress() throws(Errno) -> SocketAddress {
    try SocketAddress(try Host.Socket.localAddress(of: descriptor))
  }
  package override func peerAddress() throws(Errno) -> SocketAddress {
    try SocketAddress(try Host.Socket.peerAddress(of: descriptor))
  }
  package override var isListening: Bool {
    (try? Host.Socket.option(.acceptsConnections, of: descriptor))?.first == 1
  }

  // MARK: Messages

  /// Control messages that the host may be given: they hold no addresses and no descriptors.
  private static func maySend(_ level: SocketLevel, _ type: Int32) -> Bool {
    switch level {
    case .ip, .ipv6, .udp: true
    default: false
    }
  }

  package override func send(_ buffer: inout IOBuffer, _ message: OutgoingMessage) throws(Errno) -> Int {
    guard message.files.isEmpty else { throw .invalidArgument }
    var outgoing = Host.Socket.Message()
    outgoing.flags = message.flags.intersection([
      .outOfBand, .dontRoute, .endOfRecord, .more, .confirm, .fastOpen,
    ])
    outgoing.name = message.destination?.address.bytes ?? []
    var control = ControlBuffer(capacity: 4096)
    for entry in message.control {
      guard case .other(let level, let type, _) = entry, HostSocket.maySend(level, type) else { throw .invalidArgument }
      control.append(entry)
    }
    outgoing.control = control.bytes
    defer { watchAgain(.writable) }
    return try buffer.send(outgoing, on: descriptor)
  }

  package override func receive(into buffer: inout IOBuffer, _ flags: MessageFlags) throws(Errno) -> ReceivedMessage {
    let asked = flags.intersection([.outOfBand, .peek, .truncated, .errorQueue])
    defer { if !flags.contains(.peek) { watchAgain([.readable, .priority, .readHangUp]) } }
    let received = try buffer.receive(on: descriptor, asked, controlRoom: HostSocket.controlRoom)
    var message = ReceivedMessage(count: received.count)
    message.flags = received.flags
    if !received.name.isEmpty { message.source = try? SocketAddress(received.name) }
    message.control = try ControlMessage.decode(received.control)
    return message
  }

  /// What there may be of control messages: `IP_PKTINFO`, times, an error with its origin.
  private static let controlRoom = 512

  // MARK: Options

  package override func option(_ option: SocketOption) throws(Errno) -> SocketOptionValue {
    guard HostSocketOptions.readable.contains(option) else { return try super.option(option) }
    return SocketOptionValue(bytes: try Host.Socket.option(option, of: descriptor))
  }

  package override func setOption(_ option: SocketOption, to value: SocketOptionValue) throws(Errno) {
    guard HostSocketOptions.settable.contains(option) else {
      guard option.level == .socket else { throw .protocolNotAvailable }
      return try super.setOption(option, to: value)
    }
    try Host.Socket.setOption(option, of: descriptor, to: value.bytes)
  }

  // MARK: The open file

  package override func readiness() -> PollEvents { watch.readiness }

  package override func prepareToWait(for events: PollEvents) { watch.want(events) }

  /// Edge-triggered watchers have to hear of what comes after this.
  private func watchAgain(_ events: PollEvents) {
    if !queue.isEmpty { watch.want(events) }
  }

  package override func bytesToReceive() throws(Errno) -> Int {
    Int(try Host.Socket.count(Ioctl.readable, of: descriptor))
  }
  package override func bytesSent() throws(Errno) -> Int {
    Int(try Host.Socket.count(Ioctl.outputQueue, of: descriptor))
  }
  package override func isAtMark() throws(Errno) -> Bool {
    try Host.Socket.count(Ioctl.atMark, of: descriptor) != 0
  }

  package override func close() { watch.close() }

  deinit { watch.close() }
}
