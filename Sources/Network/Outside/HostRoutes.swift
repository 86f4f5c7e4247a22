import Host
import LinuxABI

/// Asks the host what it would do with packets to an address (rtnetlink(7), `RTM_GETROUTE`): so that an address of the host
/// itself is known whatever interfaces it has by then.
package final class HostRoutes {
  private let socket: FileDescriptor

  /// - Throws: what the host throws where it has no netlink, and `EPROTO` where it doesn't answer.
  package init() throws(Errno) {
    socket = try Host.Socket.make(.netlink, .raw)
    do throws(Errno) {
      try Host.Socket.connect(socket, to: SocketAddress.netlink(.kernel).bytes)
      guard route(to: .v4(.loopback)) == .local else { throw .protocolError }
    } catch {
      Host.close(socket)
      throw error
    }
  }

  deinit { Host.close(socket) }

  /// What packets to the address are; nil where nothing leads there.
  package func route(to address: IPAddress) -> RouteType? {
    var header = NetlinkHeader(type: RouteMessage.getRoute, flags: .request)
    var entry = RouteEntryMessage()
    entry.family = UInt8(truncatingIfNeeded: address.family.rawValue)
    entry.destinationPrefix = UInt8(clamping: address.width)
    sequence &+= 1
    header.sequence = sequence
    var request = NetlinkMessage(header, fixed: entry.bytes)
    request.append(RouteEntryMessage.Attribute.destination, address.bytes)
    guard (try? Host.Socket.send(request.bytes, on: socket)) != nil else { return nil }
    // The kernel answers before it returns from the call above.
    while let bytes = try? Host.Socket.receive(on: socket, limit: 4096) {
      for answer in NetlinkRequest.decode(bytes) where answer.header.sequence == sequence {
        guard answer.header.type == RouteMessage.newRoute, let route = RouteEntryMessage(answer.payload) else {
          return nil
        }
        // Others are refused by the host: blackhole, unreachable, prohibit.
        return RouteType(rawValue: route.type) ?? (route.type == RouteType.multicast ? .broadcast : nil)
      }
    }
    return nil
  }

  private var sequence: UInt32 = 0
}

extension RouteType {
  /// `RTN_MULTICAST`, which is no destination of one host either.
  fileprivate static let multicast: UInt8 = 5
}
