import DequeModule
import FileSystem
import LinuxABI
import Memory

/// A socket of netlink(7), whose only peer is the kernel.
package final class NetlinkSocket: Socket {
  private let ports: NetlinkPorts
  private let service: any NetlinkService
  private let netlinkProtocol: NetlinkProtocol
  /// Its name; nil before it was bound.
  private var port: UInt32?
  /// Groups whose events it wants, bit n for group n + 1. There are no events.
  private var groups: UInt64 = 0
  private var flagOptions: Set<SocketOption> = []

  /// Answers that wait to be received, each a datagram of one or more messages.
  private var answers = Deque<[UInt8]>()
  private var answerBytes = 0
  private var charge: MemoryCharge
  private static let price = 512
  /// The dump that the program is reading.
  private var dump: Dump?

  private struct Dump {
    let request: NetlinkRequest
    let next: () -> NetlinkMessage?
    /// A message that the last datagram had no room for.
    var left: NetlinkMessage?
  }

  /// Bytes of answers that may wait (`net.core.rmem_default`), and bytes of one request.
  private static let capacity = 212_992
  /// Bytes of one datagram of a dump, so that readers with the smallest usual buffer get it whole (`NLMSG_GOODSIZE`).
  private static let dumpSize = 3776

  init(
    _ netlinkProtocol: NetlinkProtocol, type: SocketType, service: any NetlinkService, ports: NetlinkPorts,
    flags: OpenFlags, owner: SocketCredentials, memory: KernelMemory
  ) throws(Errno) {
    self.netlinkProtocol = netlinkProtocol
    charge = try memory.charge(NetlinkSocket.price)
    self.service = service
    self.ports = ports
    super.init(.netlink, type, protocolNumber: netlinkProtocol.rawValue, flags: flags, owner: owner)
  }

  // MARK: Names

  package override func bind(to address: SocketAddress, by caller: SocketCaller) throws(Errno) {
    guard case .netlink(let address) = address else { throw .invalidArgument }
    try bind(address.port)
    groups = groups & ~0xffff_ffff | UInt64(address.groups)
  }

  /// Takes a name, or with 0 any, where it has none yet.
  private func bind(_ wanted: UInt32) throws(Errno) {
    if let port {
      guard wanted == 0 || wanted == port else { throw .invalidArgument }
      return
    }
    let process = UInt32(bitPattern: owner.process.rawValue)
    port = try wanted == 0 ? ports.takeAny(netlinkProtocol, first: process) : ports.take(netlinkProtocol, wanted)
  }

  package override func connect(to address: SocketAddress, by caller: SocketCaller) throws(Errno) {
    if case .unspecified = address { return }
    guard case .netlink(let address) = address else { throw .invalidArgument }
    guard address.port == 0 else { throw .connectionRefused }
    try bind(0)
  }

  package override func localAddress() throws(Errno) -> SocketAddress {
    .netlink(NetlinkAddress(port: port ?? 0, groups: UInt32(truncatingIfNeeded: groups)))
  }
  package override func peerAddress() throws(Errno) -> SocketAddress { .netlink(.kernel) }

  // MARK: Messages

  package override func send(_ buffer: inout IOBuffer, _ message: OutgoingMessage) throws(Errno) -> Int {
    guard !message.flags.contains(.outOfBand) else { throw .notSupportedOnSocket }
    if let destination = message.destination?.address {
      guard case .netlink(let address) = destination else { throw .invalidArgument }
      // Sockets of other programs are out of reach.
      guard address.port == 0, address.groups == 0 else { throw .connectionRefused }
    }
    try bind(0)
    guard buffer.remaining <= NetlinkSocket.capacity - 32 else { throw .messageTooLong }
    let bytes = buffer.read(buffer.remaining)
    for request in NetlinkRequest.decode(bytes) where request.header.flags.contains(.request) {
      serve(request.addressed(port ?? 0), mayChange: message.capabilities.contains(.netAdmin))
    }
    if !answers.isEmpty || dump != nil { queue.wake(.readable) }
    return bytes.count
  }

  private func serve(_ request: NetlinkRequest, mayChange: Bool) {
    guard request.header.type >= NetlinkHeader.firstType else {
      if request.header.flags.contains(.acknowledge) { queue(error(nil, request)) }
      return
    }
    do throws(Errno) {
      switch try service.answer(request, mayChange: mayChange) {
      case .done: break
      case .messages(let messages): queue(messages.flatMap(\.bytes))
      case .dump(let next):
        guard dump == nil else { throw .resourceBusy }
        dump = Dump(request: request, next: next)
        return
      }
      if request.header.flags.contains(.acknowledge) { queue(error(nil, request)) }
    } catch { queue(self.error(error, request)) }
  }

  /// `NLMSG_ERROR`: an error with the request that it answers, or success with its header.
  private func error(_ error: Errno?, _ request: NetlinkRequest) -> [UInt8] {
    let isCapped = error == nil || flagOptions.contains(.netlinkCapAcknowledge)
    let header = NetlinkHeader(
      type: NetlinkHeader.errorType, flags: isCapped ? .capped : [], sequence: request.header.sequence, port: port ?? 0)
    let code = 0 &- (error?.rawValue ?? 0)
    let echo = request.header.bytes + (isCapped ? [] : request.payload)
    return NetlinkMessage(header, fixed: code.littleEndianBytes + echo).bytes
  }

  private func queue(_ datagram: [UInt8]) {
    guard answerBytes + datagram.count <= NetlinkSocket.capacity else { return pendingError = .noBufferSpace }
    do throws(Errno) {
      try charge.resize(toHold: NetlinkSocket.price + answerBytes + datagram.count)
    } catch { return pendingError = .noBufferSpace }
    answers.append(datagram)
    answerBytes += datagram.count
  }

  /// Makes the next datagram of the dump.
  private func fill() {
    guard answers.isEmpty, var current = dump else { return }
    var datagram: [UInt8] = []
    while let message = current.left ?? current.next() {
      current.left = nil
      if !datagram.isEmpty, datagram.count + message.bytes.count > NetlinkSocket.dumpSize {
        current.left = message
        break
      }
      datagram += message.bytes
    }
    dump = current
    if current.left == nil {
      dump = nil
      let header = current.request.replyHeader(NetlinkHeader.doneType, multi: true)
      let done = NetlinkMessage(header, fixed: Int32(0).littleEndianBytes).bytes
      if datagram.count + done.count <= NetlinkSocket.dumpSize {
        datagram += done
      } else {
        queue(datagram)
        datagram = done
      }
    }
    queue(datagram)
  }

  package override func receive(into buffer: inout IOBuffer, _ flags: MessageFlags) throws(Errno) -> ReceivedMessage {
    guard flags.isDisjoint(with: [.outOfBand, .errorQueue]) else { throw .notSupportedOnSocket }
    if let error = takePendingError() { throw error }
    fill()
    guard let datagram = answers.first else { throw .wouldBlock }
    var received = ReceivedMessage(count: buffer.write(datagram[...]))
    if received.count < datagram.count {
      received.flags.insert(.truncated)
      if flags.contains(.truncated) { received.count = datagram.count }
    }
    received.source = .netlink(.kernel)
    if passesCredentials { received.credentials = SocketCredentials(process: .zero, uid: 0, gid: 0) }
    if flagOptions.contains(.netlinkPacketInformation) {
      let option = SocketOption.netlinkPacketInformation
      received.control.append(.other(level: option.level, type: option.number, data: [0, 0, 0, 0]))
    }
    if !flags.contains(.peek) {
      answers.removeFirst()
      answerBytes -= datagram.count
    }
    return received
  }

  // MARK: Options

  private static let flags: Set<SocketOption> = [
    .netlinkPacketInformation, .netlinkBroadcastError, .netlinkNoBufferErrors, .netlinkListenAllNamespaces,
    .netlinkCapAcknowledge, .netlinkExtendedAcknowledge, .netlinkStrictCheck,
  ]

  package override func option(_ option: SocketOption) throws(Errno) -> SocketOptionValue {
    if option == .passCredentials { return SocketOptionValue(passesCredentials) }
    guard option.level == .netlink else { return try super.option(option) }
    if option == .netlinkListMemberships { return SocketOptionValue(bytes: groups.littleEndianBytes) }
    guard NetlinkSocket.flags.contains(option) else { throw .protocolNotAvailable }
    return SocketOptionValue(flagOptions.contains(option))
  }

  package override func setOption(_ option: SocketOption, to value: SocketOptionValue) throws(Errno) {
    if option == .passCredentials { return passesCredentials = try value.integer() != 0 }
    guard option.level == .netlink else { return try super.setOption(option, to: value) }
    let integer = try value.integer()
    switch option {
    case .netlinkAddMembership, .netlinkDropMembership:
      guard (1...64).contains(integer) else { throw .invalidArgument }
      let bit: UInt64 = 1 << UInt64(integer - 1)
      if option == .netlinkAddMembership { groups |= bit } else { groups &= ~bit }
    case _ where NetlinkSocket.flags.contains(option):
      if integer != 0 { flagOptions.insert(option) } else { flagOptions.remove(option) }
    default: throw .protocolNotAvailable
    }
  }

  // MARK: The open file

  package override func readiness() -> PollEvents {
    var events = PollEvents.writable
    if !answers.isEmpty || dump != nil { events.formUnion(.readable) }
    if pendingError != nil { events.insert(.error) }
    return events
  }

  package override func close() {
    if let port { ports.release(netlinkProtocol, port) }
    port = nil
    answers = []
    answerBytes = 0
    charge.shrink(to: NetlinkSocket.price)
    dump = nil
  }
}

/// The names of sockets of netlink(7) that are taken.
final class NetlinkPorts {
  private var taken: [NetlinkProtocol: Set<UInt32>] = [:]
  private var last: UInt32 = 0xffff_f000

  func take(_ netlinkProtocol: NetlinkProtocol, _ port: UInt32) throws(Errno) -> UInt32 {
    guard taken[netlinkProtocol, default: []].insert(port).inserted else { throw .addressInUse }
    return port
  }

  /// Takes the number of the process, as Linux does, or one that is no process's.
  func takeAny(_ netlinkProtocol: NetlinkProtocol, first: UInt32) throws(Errno) -> UInt32 {
    if taken[netlinkProtocol, default: []].insert(first).inserted { return first }
    while true {
      last = last <= 0x8000_0000 ? 0xffff_f000 : last - 1
      if taken[netlinkProtocol, default: []].insert(last).inserted { return last }
    }
  }

  func release(_ netlinkProtocol: NetlinkProtocol, _ port: UInt32) {
    taken[netlinkProtocol]?.remove(port)
  }
}

extension NetworkStack {
  /// Makes a socket of AF_NETLINK. - Throws: `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`.
  func makeNetlinkSocket(
    _ type: Int32, _ protocolNumber: Int32, _ flags: OpenFlags, _ owner: SocketCredentials
  ) throws(Errno) -> Socket {
    guard let type = SocketType(rawValue: type), type == .raw || type == .datagram else {
      throw .socketTypeNotSupported
    }
    guard let netlink = NetlinkProtocol(rawValue: protocolNumber) else { throw .protocolNotSupported }
    let service: any NetlinkService =
      switch netlink {
      case .route: RouteService(table: interfaces)
      case .socketDiagnostics: DiagnosticsService(stack: self)
      case .kobjectEvents: SilentService()
      }
    return try NetlinkSocket(
      netlink, type: type, service: service, ports: netlinkPorts, flags: flags, owner: owner, memory: memory)
  }
}
