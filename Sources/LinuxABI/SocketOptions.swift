/// `SOL_*` and `IPPROTO_*`: whom an option of setsockopt(2), or a control message, is for.
package struct SocketLevel: NamedNumber, Hashable, Sendable, BitwiseCopyable {
  package let rawValue: Int32
  package init(rawValue: Int32) { self.rawValue = rawValue }
  package static let ip = SocketLevel(rawValue: 0)
  package static let socket = SocketLevel(rawValue: 1)
  package static let tcp = SocketLevel(rawValue: 6)
  package static let udp = SocketLevel(rawValue: 17)
  package static let ipv6 = SocketLevel(rawValue: 41)
  package static let icmpv6 = SocketLevel(rawValue: 58)
  package static let raw = SocketLevel(rawValue: 255)
  package static let netlink = SocketLevel(rawValue: 270)

  package static let names: [ConstantName] = [
    .init("SOL_IP", ip), .init("SOL_SOCKET", socket), .init("SOL_TCP", tcp), .init("SOL_UDP", udp),
    .init("SOL_IPV6", ipv6), .init("SOL_ICMPV6", icmpv6), .init("SOL_RAW", raw), .init("SOL_NETLINK", netlink),
  ]
}

/// The name of an option of getsockopt(2): a number that its level gives a meaning.
package struct SocketOption: Hashable, Sendable, BitwiseCopyable {
  package let level: SocketLevel
  package let number: Int32
  package init(_ level: SocketLevel, _ number: Int32) {
    self.level = level
    self.number = number
  }

  // `SO_*` of socket(7) and <asm-generic/socket.h>; those that end in 64 are the `_NEW` ones, which x86-64 does not need.
  package static let debug = SocketOption(.socket, 1)
  package static let reuseAddress = SocketOption(.socket, 2)
  package static let type = SocketOption(.socket, 3)
  package static let error = SocketOption(.socket, 4)
  package static let dontRoute = SocketOption(.socket, 5)
  package static let broadcast = SocketOption(.socket, 6)
  package static let sendBuffer = SocketOption(.socket, 7)
  package static let receiveBuffer = SocketOption(.socket, 8)
  package static let keepAlive = SocketOption(.socket, 9)
  package static let outOfBandInline = SocketOption(.socket, 10)
  package static let noCheck = SocketOption(.socket, 11)
  package static let priority = SocketOption(.socket, 12)
  package static let linger = SocketOption(.socket, 13)
  package static let bsdCompatible = SocketOption(.socket, 14)
  package static let reusePort = SocketOption(.socket, 15)
  package static let passCredentials = SocketOption(.socket, 16)
  package static let peerCredentials = SocketOption(.socket, 17)
  package static let receiveLowWater = SocketOption(.socket, 18)
  package static let sendLowWater = SocketOption(.socket, 19)
  package static let receiveTimeout = SocketOption(.socket, 20)
  package static let sendTimeout = SocketOption(.socket, 21)
  package static let bindToDevice = SocketOption(.socket, 25)
  package static let attachFilter = SocketOption(.socket, 26)
  package static let detachFilter = SocketOption(.socket, 27)
  package static let peerName = SocketOption(.socket, 28)
  package static let timestamp = SocketOption(.socket, 29)
  package static let acceptsConnections = SocketOption(.socket, 30)
  package static let peerSecurity = SocketOption(.socket, 31)
  package static let sendBufferForce = SocketOption(.socket, 32)
  package static let receiveBufferForce = SocketOption(.socket, 33)
  package static let passSecurity = SocketOption(.socket, 34)
  package static let timestampNanoseconds = SocketOption(.socket, 35)
  package static let mark = SocketOption(.socket, 36)
  package static let timestamping = SocketOption(.socket, 37)
  package static let protocolNumber = SocketOption(.socket, 38)
  package static let domain = SocketOption(.socket, 39)
  package static let receiveOverflow = SocketOption(.socket, 40)
  package static let wifiStatus = SocketOption(.socket, 41)
  package static let peekOffset = SocketOption(.socket, 42)
  package static let noFrameCheck = SocketOption(.socket, 43)
  package static let lockFilter = SocketOption(.socket, 44)
  package static let selectErrorQueue = SocketOption(.socket, 45)
  package static let busyPoll = SocketOption(.socket, 46)
  package static let maximumPacingRate = SocketOption(.socket, 47)
  package static let bpfExtensions = SocketOption(.socket, 48)
  package static let incomingCPU = SocketOption(.socket, 49)
  package static let connectionAdvice = SocketOption(.socket, 53)
  package static let memoryInformation = SocketOption(.socket, 55)
  package static let incomingQueue = SocketOption(.socket, 56)
  package static let cookie = SocketOption(.socket, 57)
  package static let peerGroups = SocketOption(.socket, 59)
  package static let zeroCopy = SocketOption(.socket, 60)
  package static let bindToInterfaceIndex = SocketOption(.socket, 62)
  package static let timestamp64 = SocketOption(.socket, 63)
  package static let timestampNanoseconds64 = SocketOption(.socket, 64)
  package static let timestamping64 = SocketOption(.socket, 65)
  package static let receiveTimeout64 = SocketOption(.socket, 66)
  package static let sendTimeout64 = SocketOption(.socket, 67)
  package static let preferBusyPoll = SocketOption(.socket, 69)
  package static let busyPollBudget = SocketOption(.socket, 70)
  package static let networkCookie = SocketOption(.socket, 71)
  package static let bufferLock = SocketOption(.socket, 72)
  package static let reserveMemory = SocketOption(.socket, 73)
  package static let receiveMark = SocketOption(.socket, 75)
  package static let passPidfd = SocketOption(.socket, 76)
  package static let peerPidfd = SocketOption(.socket, 77)
  package static let receivePriority = SocketOption(.socket, 82)
  package static let passRights = SocketOption(.socket, 83)

  /// What the option is called; nil where its level gives its number no name.
  package var name: StaticString? {
    SocketOption.names[self] ?? SocketOption.internetNames[self] ?? SocketOption.netlinkNames[self]
  }

  private static let names: [SocketOption: StaticString] = [
    debug: "SO_DEBUG", reuseAddress: "SO_REUSEADDR", type: "SO_TYPE", error: "SO_ERROR", dontRoute: "SO_DONTROUTE",
    broadcast: "SO_BROADCAST", sendBuffer: "SO_SNDBUF", receiveBuffer: "SO_RCVBUF", keepAlive: "SO_KEEPALIVE",
    outOfBandInline: "SO_OOBINLINE", noCheck: "SO_NO_CHECK", priority: "SO_PRIORITY", linger: "SO_LINGER",
    bsdCompatible: "SO_BSDCOMPAT", reusePort: "SO_REUSEPORT", passCredentials: "SO_PASSCRED",
    peerCredentials: "SO_PEERCRED", receiveLowWater: "SO_RCVLOWAT", sendLowWater: "SO_SNDLOWAT",
    receiveTimeout: "SO_RCVTIMEO", sendTimeout: "SO_SNDTIMEO", bindToDevice: "SO_BINDTODEVICE",
    attachFilter: "SO_ATTACH_FILTER", detachFilter: "SO_DETACH_FILTER", peerName: "SO_PEERNAME",
    timestamp: "SO_TIMESTAMP", acceptsConnections: "SO_ACCEPTCONN", peerSecurity: "SO_PEERSEC",
    sendBufferForce: "SO_SNDBUFFORCE", receiveBufferForce: "SO_RCVBUFFORCE", passSecurity: "SO_PASSSEC",
    timestampNanoseconds: "SO_TIMESTAMPNS", mark: "SO_MARK", timestamping: "SO_TIMESTAMPING",
    protocolNumber: "SO_PROTOCOL", domain: "SO_DOMAIN", receiveOverflow: "SO_RXQ_OVFL", wifiStatus: "SO_WIFI_STATUS",
    peekOffset: "SO_PEEK_OFF", noFrameCheck: "SO_NOFCS", lockFilter: "SO_LOCK_FILTER",
    selectErrorQueue: "SO_SELECT_ERR_QUEUE", busyPoll: "SO_BUSY_POLL", maximumPacingRate: "SO_MAX_PACING_RATE",
    bpfExtensions: "SO_BPF_EXTENSIONS", incomingCPU: "SO_INCOMING_CPU", connectionAdvice: "SO_CNX_ADVICE",
    memoryInformation: "SO_MEMINFO", incomingQueue: "SO_INCOMING_NAPI_ID", cookie: "SO_COOKIE",
    peerGroups: "SO_PEERGROUPS", zeroCopy: "SO_ZEROCOPY", bindToInterfaceIndex: "SO_BINDTOIFINDEX",
    timestamp64: "SO_TIMESTAMP_NEW", timestampNanoseconds64: "SO_TIMESTAMPNS_NEW",
    timestamping64: "SO_TIMESTAMPING_NEW", receiveTimeout64: "SO_RCVTIMEO_NEW", sendTimeout64: "SO_SNDTIMEO_NEW",
    preferBusyPoll: "SO_PREFER_BUSY_POLL", busyPollBudget: "SO_BUSY_POLL_BUDGET", networkCookie: "SO_NETNS_COOKIE",
    bufferLock: "SO_BUF_LOCK", reserveMemory: "SO_RESERVE_MEM", receiveMark: "SO_RCVMARK", passPidfd: "SO_PASSPIDFD",
    peerPidfd: "SO_PEERPIDFD", receivePriority: "SO_RCVPRIORITY", passRights: "SO_PASSRIGHTS",
  ]
}

/// The value of an option, as it lies in the guest's memory; the option decides which type it has.
package struct SocketOptionValue: Equatable, Sendable {
  package let bytes: [UInt8]
  package init(bytes: [UInt8]) { self.bytes = bytes }
  package init(_ integer: Int32) { bytes = integer.littleEndianBytes }
  package init(_ flag: Bool) { self.init(flag ? 1 : 0) }
  package init(_ credentials: SocketCredentials) { bytes = credentials.bytes }
  package init(wide number: UInt64) { bytes = number.littleEndianBytes }
  /// A `struct timeval`; none is 0.
  package init(_ timeout: Nanoseconds?) {
    let time = Timeval(timeout ?? .zero)
    bytes = time.seconds.littleEndianBytes + time.microseconds.littleEndianBytes
  }
  /// A `struct linger`.
  package init(_ linger: Linger) {
    bytes = Int32(linger.isOn ? 1 : 0).littleEndianBytes + linger.seconds.littleEndianBytes
  }

  /// The value as an `int`, which most options have. - Throws: `EINVAL` where it is shorter.
  package func integer() throws(Errno) -> Int32 {
    guard let value = Int32(littleEndian: bytes, at: 0) else { throw .invalidArgument }
    return value
  }

  /// The value as a `struct linger`. - Throws: `EINVAL` where it is shorter.
  package func linger() throws(Errno) -> Linger {
    guard let flag = Int32(littleEndian: bytes, at: 0), let seconds = Int32(littleEndian: bytes, at: 4) else {
      throw .invalidArgument
    }
    return Linger(isOn: flag != 0, seconds: seconds)
  }

  /// The value as a `struct timeval` that bounds waiting; nil where it does not, as one of 0 or less than it.
  /// - Throws: `EINVAL` where it is shorter, `EDOM` where it is no time.
  package func timeout() throws(Errno) -> Nanoseconds? {
    guard let seconds = Int64(littleEndian: bytes, at: 0), let rest = Int64(littleEndian: bytes, at: 8) else {
      throw .invalidArgument
    }
    guard (0..<1_000_000).contains(rest) else { throw .outOfDomain }
    guard seconds > 0 || seconds == 0 && rest > 0 else { return nil }
    // Linux counts in ticks, of which 250 in a second are usual.
    let ticks = (UInt64(rest) + 3999) / 4000
    return .second * UInt64(seconds) + .milliseconds(4) * ticks
  }

  /// The value as a string that may end before it (`SO_BINDTODEVICE`).
  package var text: String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
}

/// `struct linger` of socket(7).
package struct Linger: BitwiseCopyable, Sendable, Equatable {
  package var isOn: Bool
  package var seconds: Int32
  package init(isOn: Bool = false, seconds: Int32 = 0) {
    self.isOn = isOn
    self.seconds = seconds
  }
}
