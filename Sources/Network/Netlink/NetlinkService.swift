import LinuxABI

/// What the kernel answers to a request of netlink(7).
enum NetlinkReply {
  /// It is done; the program hears of it only where it asked to (`NLM_F_ACK`).
  case done
  case messages([NetlinkMessage])
  /// Messages that are made when there is room for them, nil after the last.
  case dump(() -> NetlinkMessage?)

  static func dump(_ messages: [NetlinkMessage]) -> NetlinkReply {
    var rest = messages[...]
    return .dump { rest.popFirst() }
  }
}

/// The kernel's side of a protocol of netlink(7).
protocol NetlinkService {
  /// Answers a request. - Parameter mayChange: the program has `CAP_NET_ADMIN`.
  func answer(_ request: NetlinkRequest, mayChange: Bool) throws(Errno) -> NetlinkReply
}

/// A protocol that tells of events, of which a sandbox has none.
struct SilentService: NetlinkService {
  func answer(_ request: NetlinkRequest, mayChange: Bool) throws(Errno) -> NetlinkReply { .done }
}

extension NetlinkRequest {
  /// The same request, to be answered to this port: programs often leave theirs out.
  func addressed(_ port: UInt32) -> NetlinkRequest {
    var header = header
    header.port = port
    return NetlinkRequest(header: header, payload: payload)
  }

  /// The header of an answer.
  func replyHeader(_ type: UInt16, multi: Bool = false) -> NetlinkHeader {
    NetlinkHeader(type: type, flags: multi ? .multi : [], sequence: header.sequence, port: header.port)
  }
}
