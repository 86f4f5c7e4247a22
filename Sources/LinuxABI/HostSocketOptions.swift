/// The options of a socket that Apus passes on to the host, because their values are numbers and texts alone. All others
/// stay with Apus: values that hold addresses or descriptors would mean those of Apus itself.
package enum HostSocketOptions {
  /// Those that can be set, by their level.
  package static let settableNumbers: [(level: SocketLevel, numbers: ClosedRange<Int32>)] = [
    // SO_DEBUG … SO_LINGER, SO_REUSEPORT.
    (.socket, 1...13), (.socket, 15...15),
    // SO_RCVLOWAT.
    (.socket, 18...18),
    // SO_BINDTODEVICE, SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING, and those with longer times.
    (.socket, 25...25), (.socket, 29...29), (.socket, 35...37), (.socket, 63...65),
    // IP_TOS … IP_UNBLOCK_SOURCE, without raw sockets' headers and IPsec's policies.
    (.ip, 1...2), (.ip, 4...15), (.ip, 18...24), (.ip, 32...40), (.ip, 49...52),
    // TCP_NODELAY … TCP_USER_TIMEOUT, without signatures and repair; TCP_FASTOPEN…, TCP_NOTSENT_LOWAT, TCP_INQ.
    (.tcp, 1...13), (.tcp, 16...18), (.tcp, 23...25), (.tcp, 30...30), (.tcp, 36...36),
    // UDP_CORK, UDP_SEGMENT, UDP_GRO.
    (.udp, 1...1), (.udp, 103...104),
    // IPV6_UNICAST_HOPS … IPV6_V6ONLY, IPV6_RECVPKTINFO … IPV6_TCLASS.
    (.ipv6, 16...21), (.ipv6, 23...26), (.ipv6, 49...52), (.ipv6, 56...56), (.ipv6, 60...60), (.ipv6, 66...67),
  ]

  /// `SO_TYPE`, `SO_ERROR`, `SO_ACCEPTCONN`, `SO_PROTOCOL`, `SO_DOMAIN`, `SO_INCOMING_CPU`, `SO_COOKIE`.
  private static let readableNumbers: [(level: SocketLevel, numbers: ClosedRange<Int32>)] = [
    (.socket, 3...4), (.socket, 30...30), (.socket, 38...39), (.socket, 49...49), (.socket, 57...57),
    // TCP_INFO, and the list of congestion controls is none of them.
    (.tcp, 11...11),
  ]

  private static func options(
    _ table: [(level: SocketLevel, numbers: ClosedRange<Int32>)]
  ) -> Set<SocketOption> {
    Set(table.flatMap { row in row.numbers.map { SocketOption(row.level, $0) } })
  }

  /// Those that say how a connection with the outside is carried, with the values that they usually have.
  package static let ofConnections: [(option: SocketOption, usual: Int32)] = [
    (.keepAlive, 0), (.tcpKeepIdle, 7200), (.tcpKeepInterval, 75), (.tcpKeepCount, 9), (.tcpUserTimeout, 0),
    (.ipTimeToLive, 64), (.ipTypeOfService, 0), (.ipv6UnicastHops, 64), (.ipv6TrafficClass, 0),
  ]

  package static let settable = options(settableNumbers)
  package static let readable = settable.union(options(readableNumbers))
}
