// The target Network: the sockets of a sandbox, as open files.
//
// It uses FileSystem (open files, wait queues, the path walk), Memory and LinuxABI, and knows nothing of tasks and
// system calls. What must hold: nothing blocks (see `Socket`); a socket in this sandbox is joined to another object to
// object; whatever waits in a socket is bounded; files that wait in one are let go of by `FileTable.letGo`, not by
// recursion; a socket that no descriptor got is closed by whoever made it.

import FileSystem
import LinuxABI
import Memory

/// What the sockets of one sandbox share, and where they are made.
package final class NetworkStack {
  unowned let services: any KernelServices
  private let unix: UnixDomain
  /// The interfaces of the sandbox, whose addresses are its own.
  package let interfaces: InterfaceTable
  /// What `/proc/sys/net` has.
  package var settings = NetworkSettings() {
    didSet { for table in [tcpPorts, udpPorts] { table.ephemeralPorts = settings.ephemeralPorts } }
  }
  let netlinkPorts = NetlinkPorts()
  /// Sockets of the Internet families are the host's in all; nil: they are the sandbox's own.
  package var hostSockets: HostSocketBudget?

  /// Counts what sockets and their queues keep.
  let memory: KernelMemory

  // The Internet families
  /// Where what was sent waits.
  package let chunks: ChunkPool
  package let tcpPorts: PortTable
  package let udpPorts: PortTable
  /// The numbers by which ping sockets know the answers that are for them.
  let pingPorts: PortTable
  var rawSockets: [ICMPSocket] = []
  /// Connections in TIME_WAIT.
  package let lingering: LingeringConnections
  /// What leads out of the sandbox; nil: `ENETUNREACH`.
  package var carrier: (any NetworkCarrier)?
  /// Tells a socket's owner that urgent bytes have come (SIGURG).
  package var reportUrgent: ((Socket) -> Void)?

  package init(services: any KernelServices, interfaces: InterfaceTable = InterfaceTable()) {
    self.services = services
    self.interfaces = interfaces
    memory = services.kernelMemory
    unix = UnixDomain(memory: memory)
    chunks = ChunkPool(memory)
    tcpPorts = PortTable(firstOffset: NetworkStack.randomNumber(services))
    udpPorts = PortTable(firstOffset: NetworkStack.randomNumber(services), sharesFreely: true)
    pingPorts = PortTable(firstOffset: NetworkStack.randomNumber(services))
    lingering = LingeringConnections(tcpPorts, services)
    unix.now = { [unowned services] in services.realTime }
    unix.signalUrgent = { [unowned self] socket in reportUrgent?(socket) }
  }

  /// The sandbox ends: closes the way out, and what lies in messages that nobody will receive.
  package func shutdown() {
    carrier?.shutDown()
    carrier = nil
    unix.closeAll()
  }

  /// Tells UNIX sockets who makes the system call that is served, by its real ids (`sender`) and its effective ones.
  package func connect(sender: @escaping () -> SocketCredentials?, caller: @escaping () -> SocketCredentials?) {
    unix.sender = sender
    unix.caller = caller
  }

  private static func randomNumber(_ services: any KernelServices) -> Int {
    services.randomBytes(count: 4).reduce(0) { $0 << 8 | Int($1) }
  }

  /// CLOCK_MONOTONIC in milliseconds.
  var milliseconds: UInt64 { services.monotonicTime.sinceBoot / .milliseconds(1) }

  /// Makes a socket (socket(2)). `isPrivileged`: with CAP_NET_RAW.
  /// - Throws: `EAFNOSUPPORT`, `EINVAL`, `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`, `EPERM`, `ENOMEM`.
  package func makeSocket(
    _ family: AddressFamily, type: Int32, protocolNumber: Int32, flags: OpenFlags, owner: SocketCredentials,
    isPrivileged: Bool = false
  ) throws(Errno) -> Socket {
    switch family {
    case .unix: try UnixSocket(try unixType(type, protocolNumber), flags: flags, owner: owner, domain: unix)
    case .inet, .inet6:
      if let hostSockets {
        try HostSocket(
          family, type: type, protocolNumber: protocolNumber, flags: flags, owner: owner, budget: hostSockets,
          services: services)
      } else {
        try makeInternetSocket(
          family, type: type, protocolNumber: protocolNumber, flags: flags, owner: owner, isPrivileged: isPrivileged)
      }
    case .netlink: try makeNetlinkSocket(type, protocolNumber, flags, owner)
    default: throw .addressFamilyNotSupported
    }
  }

  private func makeInternetSocket(
    _ family: AddressFamily, type: Int32, protocolNumber: Int32, flags: OpenFlags, owner: SocketCredentials,
    isPrivileged: Bool
  ) throws(Errno) -> Socket {
    guard (0..<SocketType.end).contains(type), (0..<InternetProtocol.end).contains(protocolNumber) else {
      throw .invalidArgument
    }
    let number = InternetProtocol(rawValue: protocolNumber)
    switch SocketType(rawValue: type) {
    case .stream:
      guard number == .ip || number == .tcp else { throw .protocolNotSupported }
      return TCPSocket(family, flags: flags, owner: owner, stack: self)
    case .datagram:
      let ping: InternetProtocol = family == .inet ? .icmp : .icmpv6
      if number == ping { return ICMPSocket(family, .datagram, flags: flags, owner: owner, stack: self) }
      guard number == .ip || number == .udp else { throw .protocolNotSupported }
      return UDPSocket(family, flags: flags, owner: owner, stack: self)
    case .raw:
      guard number != .ip else { throw .protocolNotSupported }
      // Raw sockets of other protocols would see nothing: there are no packets.
      guard isPrivileged, number == (family == .inet ? .icmp : .icmpv6) else { throw .notPermitted }
      return ICMPSocket(family, .raw, flags: flags, owner: owner, stack: self)
    default: throw .socketTypeNotSupported
    }
  }

  /// Makes two sockets that are connected to each other (socketpair(2)).
  /// - Throws: as `makeSocket`, and `EOPNOTSUPP` for families that have no pairs.
  package func makePair(
    _ family: AddressFamily, type: Int32, protocolNumber: Int32, flags: OpenFlags, owner: SocketCredentials
  ) throws(Errno) -> (Socket, Socket) {
    guard (0..<SocketType.end).contains(type) else { throw .invalidArgument }
    guard family == .unix else {
      // There are pairs of no other family: what is wrong with the socket itself counts first.
      try makeSocket(family, type: type, protocolNumber: protocolNumber, flags: flags, owner: owner).close()
      throw .notSupportedOnSocket
    }
    return try UnixSocket.makePair(try unixType(type, protocolNumber), flags: flags, owner: owner, domain: unix)
  }

  private func unixType(_ type: Int32, _ protocolNumber: Int32) throws(Errno) -> SocketType {
    guard (0..<SocketType.end).contains(type) else { throw .invalidArgument }
    guard protocolNumber == 0 || protocolNumber == Int32(AddressFamily.unix.rawValue) else {
      throw .protocolNotSupported
    }
    switch SocketType(rawValue: type) {
    case .stream: return .stream
    case .datagram, .raw: return .datagram
    case .sequencedPacket: return .sequencedPacket
    default: throw .socketTypeNotSupported
    }
  }

  /// What is told of UNIX sockets, in the order in which they were made.
  package var unixReports: [UnixSocketReport] {
    unix.sockets.values.sorted { $0.number < $1.number }.map { UnixSocketReport($0) }
  }

  /// Tells the user why a socket was not connected.
  package func onRefusal(_ report: @escaping (String) -> Void) { unix.report = report }

  /// Lets guests connect to sockets of the host in volumes that allow it.
  package func connectHostSockets(_ budget: HostSocketBudget) {
    unix.connector = HostSocketConnector(budget: budget, services: services)
  }
}
