/// What `/proc/sys/net` has, as far as it means something here (ip(7), tcp(7), udp(7), socket(7)).
package struct NetworkSettings: Sendable {
  /// `net.core.somaxconn`: what `listen` of more is taken for.
  package var maximumBacklog: Int32 = 4096
  /// `net.ipv4.ip_local_port_range`.
  package var ephemeralPorts: ClosedRange<UInt16> = 32768...60999
  /// `net.ipv4.ip_unprivileged_port_start`: ports below are for `CAP_NET_BIND_SERVICE`.
  package var firstUnprivilegedPort: Int32 = 1024

  /// `net.unix.max_dgram_qlen`, which can't be changed: messages that wait in a datagram socket, less one.
  package static let datagramBacklog = 10

  package init() {}

  /// What listen(2) makes of a backlog. A negative one is as large as can be.
  package func backlog(_ wanted: Int32) -> Int32 { wanted < 0 ? maximumBacklog : min(wanted, maximumBacklog) }
}
