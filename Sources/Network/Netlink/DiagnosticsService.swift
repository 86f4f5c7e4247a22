import LinuxABI

/// NETLINK_SOCK_DIAG (sock_diag(7)): what `ss` asks of sockets.
struct DiagnosticsService: NetlinkService {
  unowned let stack: NetworkStack

  func answer(_ request: NetlinkRequest, mayChange: Bool) throws(Errno) -> NetlinkReply {
    guard request.header.type == SocketDiagnostics.byFamily, let family = request.payload.first else {
      throw .invalidArgument
    }
    switch AddressFamily(rawValue: UInt16(family)) {
    case .inet, .inet6: return try internetSockets(request)
    default: throw .noSuchFileOrDirectory
    }
  }

  private func internetSockets(_ request: NetlinkRequest) throws(Errno) -> NetlinkReply {
    guard let asked = SocketDiagnosticsRequest(request.payload) else { throw .invalidArgument }
    let transport = InternetProtocol(rawValue: Int32(asked.protocolNumber))
    guard [.tcp, .udp, .raw].contains(transport) else { throw .noSuchFileOrDirectory }
    let reports = stack.reports(transport).filter { $0.family == asked.family }
    guard request.header.flags.asksForDump else {
      let wanted = asked.identity
      guard let found = reports.first(where: { $0.matches(wanted) }) else { throw .noSuchFileOrDirectory }
      return .messages([message(found, request, multi: false)])
    }
    var left = reports.filter { asked.states & 1 << UInt32($0.state.rawValue) != 0 }[...]
    return .dump { left.popFirst().map { message($0, request, multi: true) } }
  }

  private func message(_ report: SocketReport, _ request: NetlinkRequest, multi: Bool) -> NetlinkMessage {
    let entry = SocketDiagnosticsMessage(
      family: report.family, state: report.state.rawValue, identity: report.identity,
      receiveQueue: UInt32(clamping: report.receiveQueue), sendQueue: UInt32(clamping: report.sendQueue),
      uid: report.uid, inode: UInt32(truncatingIfNeeded: report.inode))
    var message = NetlinkMessage(request.replyHeader(SocketDiagnostics.byFamily, multi: multi), fixed: entry.bytes)
    message.append(SocketDiagnostics.Attribute.shutdown, UInt8(0))
    if report.family == .inet6 {
      message.append(SocketDiagnostics.Attribute.isVersion6Only, UInt8(report.isVersion6Only ? 1 : 0))
    }
    return message
  }
}

extension SocketReport {
  fileprivate var identity: SocketIdentity {
    SocketIdentity(local: shown(local), remote: shown(remote), cookie: inode)
  }

  fileprivate func matches(_ wanted: SocketIdentity) -> Bool {
    let own = identity
    guard wanted.cookie == SocketIdentity.anyCookie || wanted.cookie == own.cookie else { return false }
    return own.local.port == wanted.local.port && own.remote.port == wanted.remote.port
  }
}
