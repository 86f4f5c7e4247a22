import DequeModule
import FileSystem
import LinuxABI

/// Connections that have ended, of which one end keeps its address and port for a while: TIME_WAIT of tcp(7).
///
/// Here no segment of an old connection can arrive late. Programs see it still: another bind(2) to the port fails without
/// `SO_REUSEADDR`, and connections are listed.
package final class LingeringConnections {
  private struct Tuple: Hashable {
    let local: SocketEndpoint
    let remote: SocketEndpoint
  }
  private struct Remains {
    let reuse: PortTable.Reuse
    var end: MonotonicTime
  }

  /// `TCP_TIMEWAIT_LEN`.
  private static let duration: Nanoseconds = .second * 60
  /// `net.ipv4.tcp_max_tw_buckets`, of a small machine: the oldest go.
  private static let maximum = 16384

  private let ports: PortTable
  private unowned let services: any KernelServices
  private var connections: [Tuple: Remains] = [:]
  /// In the order in which they end; some have gone by now, or end later.
  private var order = Deque<(tuple: Tuple, end: MonotonicTime)>()

  init(_ ports: PortTable, _ services: any KernelServices) {
    self.ports = ports
    self.services = services
  }

  /// The addresses of those that there are now.
  package func list() -> [(local: SocketEndpoint, remote: SocketEndpoint)] {
    dropOld()
    return connections.keys.map { ($0.local, $0.remote) }
  }

  func add(local: SocketEndpoint, remote: SocketEndpoint, reuse: PortTable.Reuse) {
    remove(local: local, remote: remote)
    let tuple = Tuple(local: local, remote: remote)
    let end = services.monotonicTime + LingeringConnections.duration
    connections[tuple] = Remains(reuse: reuse, end: end)
    order.append((tuple, end))
    ports.addLingering(reuse, on: local.port)
    if order.count > LingeringConnections.maximum { drop(order.popFirst()) }
  }

  /// Begins the time of a connection again, if it is there.
  func refresh(local: SocketEndpoint?, remote: SocketEndpoint) {
    guard let local, let old = connections[Tuple(local: local, remote: remote)] else { return }
    add(local: local, remote: remote, reuse: old.reuse)
  }

  func remove(local: SocketEndpoint, remote: SocketEndpoint) {
    guard let old = connections.removeValue(forKey: Tuple(local: local, remote: remote)) else { return }
    ports.removeLingering(old.reuse, on: local.port)
  }

  /// Forgets those whose time is over. Ports are asked for only after this.
  func dropOld() {
    let now = services.monotonicTime
    while let first = order.first, first.end <= now { drop(order.popFirst()) }
  }

  private func drop(_ entry: (tuple: Tuple, end: MonotonicTime)?) {
    guard let entry, connections[entry.tuple]?.end == entry.end else { return }
    remove(local: entry.tuple.local, remote: entry.tuple.remote)
  }
}
