/// Options of the Internet protocols: `IP_*` of ip(7), `IPV6_*` of ipv6(7), `TCP_*` of tcp(7), `UDP_*` of udp(7).
extension SocketOption {
  // ip(7), <linux/in.h>
  package static let ipTypeOfService = SocketOption(.ip, 1)
  package static let ipTimeToLive = SocketOption(.ip, 2)
  package static let ipHeaderIncluded = SocketOption(.ip, 3)
  package static let ipOptions = SocketOption(.ip, 4)
  package static let ipRouterAlert = SocketOption(.ip, 5)
  package static let ipReceiveOptions = SocketOption(.ip, 6)
  package static let ipReturnOptions = SocketOption(.ip, 7)
  package static let ipPacketInfo = SocketOption(.ip, 8)
  package static let ipPacketOptions = SocketOption(.ip, 9)
  package static let ipMTUDiscover = SocketOption(.ip, 10)
  package static let ipReceiveErrors = SocketOption(.ip, 11)
  package static let ipReceiveTimeToLive = SocketOption(.ip, 12)
  package static let ipReceiveTypeOfService = SocketOption(.ip, 13)
  package static let ipMTU = SocketOption(.ip, 14)
  package static let ipFreeBind = SocketOption(.ip, 15)
  package static let ipPassSecurity = SocketOption(.ip, 18)
  package static let ipTransparent = SocketOption(.ip, 19)
  package static let ipReceiveOriginalDestination = SocketOption(.ip, 20)
  package static let ipMinimumTimeToLive = SocketOption(.ip, 21)
  package static let ipNoDefragmentation = SocketOption(.ip, 22)
  package static let ipChecksum = SocketOption(.ip, 23)
  package static let ipBindAddressNoPort = SocketOption(.ip, 24)
  package static let ipReceiveFragmentSize = SocketOption(.ip, 25)
  package static let ipReceiveErrorsExtended = SocketOption(.ip, 26)
  package static let ipMulticastInterface = SocketOption(.ip, 32)
  package static let ipMulticastTimeToLive = SocketOption(.ip, 33)
  package static let ipMulticastLoop = SocketOption(.ip, 34)
  package static let ipAddMembership = SocketOption(.ip, 35)
  package static let ipDropMembership = SocketOption(.ip, 36)
  package static let ipUnblockSource = SocketOption(.ip, 37)
  package static let ipBlockSource = SocketOption(.ip, 38)
  package static let ipAddSourceMembership = SocketOption(.ip, 39)
  package static let ipDropSourceMembership = SocketOption(.ip, 40)
  package static let ipMulticastAll = SocketOption(.ip, 49)
  package static let ipUnicastInterface = SocketOption(.ip, 50)
  package static let ipLocalPortRange = SocketOption(.ip, 51)
  package static let ipProtocol = SocketOption(.ip, 52)

  // RFC 3678, of either version.
  package static let joinGroup: Int32 = 42
  package static let blockSource: Int32 = 43
  package static let unblockSource: Int32 = 44
  package static let leaveGroup: Int32 = 45
  package static let joinSourceGroup: Int32 = 46
  package static let leaveSourceGroup: Int32 = 47

  // ipv6(7), <linux/in6.h>
  package static let ipv6AddressForm = SocketOption(.ipv6, 1)
  package static let ipv6Checksum = SocketOption(.ipv6, 7)
  package static let ipv6NextHop = SocketOption(.ipv6, 9)
  package static let ipv6FlowInformation = SocketOption(.ipv6, 11)
  package static let ipv6UnicastHops = SocketOption(.ipv6, 16)
  package static let ipv6MulticastInterface = SocketOption(.ipv6, 17)
  package static let ipv6MulticastHops = SocketOption(.ipv6, 18)
  package static let ipv6MulticastLoop = SocketOption(.ipv6, 19)
  package static let ipv6AddMembership = SocketOption(.ipv6, 20)
  package static let ipv6DropMembership = SocketOption(.ipv6, 21)
  package static let ipv6RouterAlert = SocketOption(.ipv6, 22)
  package static let ipv6MTUDiscover = SocketOption(.ipv6, 23)
  package static let ipv6MTU = SocketOption(.ipv6, 24)
  package static let ipv6ReceiveErrors = SocketOption(.ipv6, 25)
  package static let ipv6Only = SocketOption(.ipv6, 26)
  package static let ipv6JoinAnycast = SocketOption(.ipv6, 27)
  package static let ipv6LeaveAnycast = SocketOption(.ipv6, 28)
  package static let ipv6MulticastAll = SocketOption(.ipv6, 29)
  package static let ipv6ReceiveErrorsExtended = SocketOption(.ipv6, 31)
  package static let ipv6FlowInformationSend = SocketOption(.ipv6, 33)
  package static let ipv6ReceivePacketInfo = SocketOption(.ipv6, 49)
  package static let ipv6PacketInfo = SocketOption(.ipv6, 50)
  package static let ipv6ReceiveHopLimit = SocketOption(.ipv6, 51)
  package static let ipv6HopLimit = SocketOption(.ipv6, 52)
  package static let ipv6ReceiveHopOptions = SocketOption(.ipv6, 53)
  package static let ipv6HopOptions = SocketOption(.ipv6, 54)
  package static let ipv6RoutingHeaderDestinationOptions = SocketOption(.ipv6, 55)
  package static let ipv6ReceiveRoutingHeader = SocketOption(.ipv6, 56)
  package static let ipv6RoutingHeader = SocketOption(.ipv6, 57)
  package static let ipv6ReceiveDestinationOptions = SocketOption(.ipv6, 58)
  package static let ipv6DestinationOptions = SocketOption(.ipv6, 59)
  package static let ipv6ReceivePathMTU = SocketOption(.ipv6, 60)
  package static let ipv6PathMTU = SocketOption(.ipv6, 61)
  package static let ipv6DontFragment = SocketOption(.ipv6, 62)
  package static let ipv6ReceiveTrafficClass = SocketOption(.ipv6, 66)
  package static let ipv6TrafficClass = SocketOption(.ipv6, 67)
  package static let ipv6AutoFlowLabel = SocketOption(.ipv6, 70)
  package static let ipv6AddressPreferences = SocketOption(.ipv6, 72)
  package static let ipv6MinimumHopCount = SocketOption(.ipv6, 73)
  package static let ipv6ReceiveOriginalDestination = SocketOption(.ipv6, 74)
  package static let ipv6UnicastInterface = SocketOption(.ipv6, 76)
  package static let ipv6FreeBind = SocketOption(.ipv6, 78)

  // raw(7), icmp(7): <linux/icmp.h>, <linux/icmpv6.h>
  package static let icmpFilter = SocketOption(.raw, 1)
  package static let icmpv6Filter = SocketOption(.icmpv6, 1)
  package static let rawChecksum = SocketOption(.raw, 7)

  // tcp(7), <linux/tcp.h>
  package static let tcpNoDelay = SocketOption(.tcp, 1)
  package static let tcpMaximumSegment = SocketOption(.tcp, 2)
  package static let tcpCork = SocketOption(.tcp, 3)
  package static let tcpKeepIdle = SocketOption(.tcp, 4)
  package static let tcpKeepInterval = SocketOption(.tcp, 5)
  package static let tcpKeepCount = SocketOption(.tcp, 6)
  package static let tcpSynCount = SocketOption(.tcp, 7)
  package static let tcpLinger2 = SocketOption(.tcp, 8)
  package static let tcpDeferAccept = SocketOption(.tcp, 9)
  package static let tcpWindowClamp = SocketOption(.tcp, 10)
  package static let tcpInformation = SocketOption(.tcp, 11)
  package static let tcpQuickAcknowledge = SocketOption(.tcp, 12)
  package static let tcpCongestion = SocketOption(.tcp, 13)
  package static let tcpMD5Signature = SocketOption(.tcp, 14)
  package static let tcpThinLinearTimeouts = SocketOption(.tcp, 16)
  package static let tcpThinDuplicateAcknowledge = SocketOption(.tcp, 17)
  package static let tcpUserTimeout = SocketOption(.tcp, 18)
  package static let tcpRepair = SocketOption(.tcp, 19)
  package static let tcpRepairQueue = SocketOption(.tcp, 20)
  package static let tcpFastOpen = SocketOption(.tcp, 23)
  package static let tcpTimestamp = SocketOption(.tcp, 24)
  package static let tcpNotSentLowWater = SocketOption(.tcp, 25)
  package static let tcpCongestionInformation = SocketOption(.tcp, 26)
  package static let tcpSaveSyn = SocketOption(.tcp, 27)
  package static let tcpSavedSyn = SocketOption(.tcp, 28)
  package static let tcpFastOpenConnect = SocketOption(.tcp, 30)
  package static let tcpUpperLayerProtocol = SocketOption(.tcp, 31)
  package static let tcpFastOpenKey = SocketOption(.tcp, 33)
  package static let tcpFastOpenNoCookie = SocketOption(.tcp, 34)
  package static let tcpInQueue = SocketOption(.tcp, 36)
  package static let tcpTransmitDelay = SocketOption(.tcp, 37)

  // udp(7), <linux/udp.h>
  package static let udpCork = SocketOption(.udp, 1)
  package static let udpEncapsulation = SocketOption(.udp, 100)
  package static let udpNoChecksumSend = SocketOption(.udp, 101)
  package static let udpNoChecksumReceive = SocketOption(.udp, 102)
  package static let udpSegment = SocketOption(.udp, 103)
  package static let udpReceiveOffload = SocketOption(.udp, 104)

  static let internetNames: [SocketOption: StaticString] = [
    ipTypeOfService: "IP_TOS", ipTimeToLive: "IP_TTL", ipHeaderIncluded: "IP_HDRINCL", ipOptions: "IP_OPTIONS",
    ipRouterAlert: "IP_ROUTER_ALERT", ipReceiveOptions: "IP_RECVOPTS", ipReturnOptions: "IP_RETOPTS",
    ipPacketInfo: "IP_PKTINFO", ipPacketOptions: "IP_PKTOPTIONS", ipMTUDiscover: "IP_MTU_DISCOVER",
    ipReceiveErrors: "IP_RECVERR", ipReceiveTimeToLive: "IP_RECVTTL", ipReceiveTypeOfService: "IP_RECVTOS",
    ipMTU: "IP_MTU", ipFreeBind: "IP_FREEBIND", ipPassSecurity: "IP_PASSSEC", ipTransparent: "IP_TRANSPARENT",
    ipReceiveOriginalDestination: "IP_RECVORIGDSTADDR", ipMinimumTimeToLive: "IP_MINTTL",
    ipNoDefragmentation: "IP_NODEFRAG", ipChecksum: "IP_CHECKSUM", ipBindAddressNoPort: "IP_BIND_ADDRESS_NO_PORT",
    ipReceiveFragmentSize: "IP_RECVFRAGSIZE", ipReceiveErrorsExtended: "IP_RECVERR_RFC4884",
    ipMulticastInterface: "IP_MULTICAST_IF", ipMulticastTimeToLive: "IP_MULTICAST_TTL",
    ipMulticastLoop: "IP_MULTICAST_LOOP", ipAddMembership: "IP_ADD_MEMBERSHIP",
    ipDropMembership: "IP_DROP_MEMBERSHIP", ipUnblockSource: "IP_UNBLOCK_SOURCE", ipBlockSource: "IP_BLOCK_SOURCE",
    ipAddSourceMembership: "IP_ADD_SOURCE_MEMBERSHIP", ipDropSourceMembership: "IP_DROP_SOURCE_MEMBERSHIP",
    ipMulticastAll: "IP_MULTICAST_ALL", ipUnicastInterface: "IP_UNICAST_IF", ipLocalPortRange: "IP_LOCAL_PORT_RANGE",
    ipProtocol: "IP_PROTOCOL",
    SocketOption(.ip, joinGroup): "MCAST_JOIN_GROUP", SocketOption(.ip, leaveGroup): "MCAST_LEAVE_GROUP",
    SocketOption(.ip, joinSourceGroup): "MCAST_JOIN_SOURCE_GROUP",
    SocketOption(.ip, leaveSourceGroup): "MCAST_LEAVE_SOURCE_GROUP",
    ipv6AddressForm: "IPV6_ADDRFORM", ipv6Checksum: "IPV6_CHECKSUM", ipv6NextHop: "IPV6_NEXTHOP",
    ipv6FlowInformation: "IPV6_FLOWINFO", ipv6UnicastHops: "IPV6_UNICAST_HOPS",
    ipv6MulticastInterface: "IPV6_MULTICAST_IF", ipv6MulticastHops: "IPV6_MULTICAST_HOPS",
    ipv6MulticastLoop: "IPV6_MULTICAST_LOOP", ipv6AddMembership: "IPV6_ADD_MEMBERSHIP",
    ipv6DropMembership: "IPV6_DROP_MEMBERSHIP", ipv6RouterAlert: "IPV6_ROUTER_ALERT",
    ipv6MTUDiscover: "IPV6_MTU_DISCOVER", ipv6MTU: "IPV6_MTU", ipv6ReceiveErrors: "IPV6_RECVERR",
    ipv6Only: "IPV6_V6ONLY", ipv6JoinAnycast: "IPV6_JOIN_ANYCAST", ipv6LeaveAnycast: "IPV6_LEAVE_ANYCAST",
    ipv6MulticastAll: "IPV6_MULTICAST_ALL", ipv6ReceivePacketInfo: "IPV6_RECVPKTINFO",
    ipv6PacketInfo: "IPV6_PKTINFO", ipv6ReceiveHopLimit: "IPV6_RECVHOPLIMIT", ipv6HopLimit: "IPV6_HOPLIMIT",
    ipv6PathMTU: "IPV6_PATHMTU", ipv6DontFragment: "IPV6_DONTFRAG", ipv6ReceiveTrafficClass: "IPV6_RECVTCLASS",
    ipv6TrafficClass: "IPV6_TCLASS", ipv6AddressPreferences: "IPV6_ADDR_PREFERENCES",
    ipv6MinimumHopCount: "IPV6_MINHOPCOUNT", ipv6UnicastInterface: "IPV6_UNICAST_IF",
    ipv6FreeBind: "IPV6_FREEBIND", ipv6ReceiveErrorsExtended: "IPV6_RECVERR_RFC4884",
    ipv6FlowInformationSend: "IPV6_FLOWINFO_SEND", ipv6ReceiveHopOptions: "IPV6_RECVHOPOPTS",
    ipv6HopOptions: "IPV6_HOPOPTS", ipv6RoutingHeaderDestinationOptions: "IPV6_RTHDRDSTOPTS",
    ipv6ReceiveRoutingHeader: "IPV6_RECVRTHDR", ipv6RoutingHeader: "IPV6_RTHDR",
    ipv6ReceiveDestinationOptions: "IPV6_RECVDSTOPTS", ipv6DestinationOptions: "IPV6_DSTOPTS",
    ipv6ReceivePathMTU: "IPV6_RECVPATHMTU", ipv6AutoFlowLabel: "IPV6_AUTOFLOWLABEL",
    ipv6ReceiveOriginalDestination: "IPV6_RECVORIGDSTADDR",
    icmpFilter: "ICMP_FILTER", icmpv6Filter: "ICMP6_FILTER", rawChecksum: "IPV6_CHECKSUM",
    tcpNoDelay: "TCP_NODELAY", tcpMaximumSegment: "TCP_MAXSEG", tcpCork: "TCP_CORK", tcpKeepIdle: "TCP_KEEPIDLE",
    tcpKeepInterval: "TCP_KEEPINTVL", tcpKeepCount: "TCP_KEEPCNT", tcpSynCount: "TCP_SYNCNT",
    tcpLinger2: "TCP_LINGER2", tcpDeferAccept: "TCP_DEFER_ACCEPT", tcpWindowClamp: "TCP_WINDOW_CLAMP",
    tcpInformation: "TCP_INFO", tcpQuickAcknowledge: "TCP_QUICKACK", tcpCongestion: "TCP_CONGESTION",
    tcpMD5Signature: "TCP_MD5SIG", tcpThinLinearTimeouts: "TCP_THIN_LINEAR_TIMEOUTS",
    tcpThinDuplicateAcknowledge: "TCP_THIN_DUPACK", tcpUserTimeout: "TCP_USER_TIMEOUT", tcpRepair: "TCP_REPAIR",
    tcpRepairQueue: "TCP_REPAIR_QUEUE", tcpFastOpen: "TCP_FASTOPEN", tcpTimestamp: "TCP_TIMESTAMP",
    tcpNotSentLowWater: "TCP_NOTSENT_LOWAT", tcpCongestionInformation: "TCP_CC_INFO", tcpSaveSyn: "TCP_SAVE_SYN",
    tcpSavedSyn: "TCP_SAVED_SYN", tcpFastOpenConnect: "TCP_FASTOPEN_CONNECT", tcpUpperLayerProtocol: "TCP_ULP",
    tcpFastOpenKey: "TCP_FASTOPEN_KEY", tcpFastOpenNoCookie: "TCP_FASTOPEN_NO_COOKIE", tcpInQueue: "TCP_INQ",
    tcpTransmitDelay: "TCP_TX_DELAY",
    udpCork: "UDP_CORK", udpEncapsulation: "UDP_ENCAP", udpSegment: "UDP_SEGMENT", udpReceiveOffload: "UDP_GRO",
  ]
}

/// `IPPROTO_*` of ip(7): the third argument of socket(2) for the Internet families.
package struct InternetProtocol: NamedNumber, Hashable, Sendable, BitwiseCopyable {
  package let rawValue: Int32
  package init(rawValue: Int32) { self.rawValue = rawValue }
  /// Of a stream or datagram socket: the usual protocol of the type.
  package static let ip = InternetProtocol(rawValue: 0)
  package static let icmp = InternetProtocol(rawValue: 1)
  package static let tcp = InternetProtocol(rawValue: 6)
  package static let udp = InternetProtocol(rawValue: 17)
  package static let icmpv6 = InternetProtocol(rawValue: 58)
  package static let raw = InternetProtocol(rawValue: 255)
  /// `IPPROTO_MAX`: from here on, numbers are `EINVAL`.
  package static let end: Int32 = 263

  package static let names: [ConstantName] = [
    .init("IPPROTO_IP", ip), .init("IPPROTO_ICMP", icmp), .init("IPPROTO_TCP", tcp), .init("IPPROTO_UDP", udp),
    .init("IPPROTO_ICMPV6", icmpv6), .init("IPPROTO_RAW", raw),
  ]
}
