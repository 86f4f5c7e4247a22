/// What `/proc/sys/net` has, as far as it means something here (ip(7), tcp(7), udp(7), socket(7)).
package struct NetworkSettings: Sendable {
  /// `net.core.somaxconn`: what `listen` of more is taken for.
  package var maximumBacklog: Int32 = 4096
  /// `net.core.rmem_default` and `wmem_default`: bytes that a socket buffers.
  package var receiveBuffer: Int32 = 212_992
  package var sendBuffer: Int32 = 212_992
  /// `net.core.rmem_max` and `wmem_max`: the most that `SO_RCVBUF` and `SO_SNDBUF` give.
  package var maximumReceiveBuffer = Int32(SocketSettings.maximumBuffer)
  package var maximumSendBuffer = Int32(SocketSettings.maximumBuffer)
  /// `net.ipv4.ip_local_port_range`.
  package var ephemeralPorts: ClosedRange<UInt16> = 32768...60999
  /// `net.ipv4.ip_unprivileged_port_start`: ports below are for `CAP_NET_BIND_SERVICE`.
  package var firstUnprivilegedPort: Int32 = 1024
  /// `net.ipv4.ping_group_range`: groups that may have ICMP sockets; empty where the first is the greater.
  package var pingGroups: (first: UInt32, last: UInt32) = (1, 0)

  package init() {}
}
