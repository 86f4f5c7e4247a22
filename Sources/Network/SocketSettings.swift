import LinuxABI

/// The options of level `SOL_SOCKET` as one socket has them (socket(7)).
package struct SocketSettings {
  /// `SO_SNDBUF` and `SO_RCVBUF`, as getsockopt(2) tells them: twice what was asked for.
  package var sendBuffer = SocketSettings.defaultBuffer
  package var receiveBuffer = SocketSettings.defaultBuffer
  /// `SO_RCVTIMEO` and `SO_SNDTIMEO`; nil: calls wait without end.
  package var receiveTimeout: Nanoseconds?
  package var sendTimeout: Nanoseconds?
  /// `SO_RCVLOWAT`: for how many bytes a blocked receive waits.
  package var receiveLowWater: Int32 = 1
  /// `SO_PEEK_OFF`: where `MSG_PEEK` looks; negative: at the beginning.
  package var peekOffset: Int32 = -1
  package var linger = Linger()
  /// `SO_BINDTODEVICE`; empty where any interface will do.
  package var device = ""
  /// Which of the four options that put a time beside each message is on.
  package var timestamp: SocketOption?
  /// `SO_MAX_PACING_RATE`.
  package var pacingRate = UInt64.max
  /// Options that are one number each and not at their default.
  private var numbers: [SocketOption: Int32] = [:]

  package init() {}

  /// `net.core.wmem_default` and `rmem_default`.
  package static let defaultBuffer = 212_992
  /// `net.core.wmem_max` and `rmem_max`.
  package static let maximumBuffer: UInt32 = 4 << 20
  /// `SOCK_MIN_SNDBUF` and `SOCK_MIN_RCVBUF` of Linux.
  private static let minimumSendBuffer = 4608
  private static let minimumReceiveBuffer = 2304

  /// The value of an option that is one number.
  package subscript(option: SocketOption) -> Int32 {
    get { numbers[option] ?? SocketSettings.kept[option]?.initial ?? 0 }
    set { numbers[option] = newValue }
  }

  /// Whether an option that is a flag is set.
  package func isSet(_ option: SocketOption) -> Bool { !numbers.isEmpty && self[option] != 0 }

  // What `SO_PEEK_OFF` means

  /// How many of the bytes that wait a peek passes over.
  var peekStart: Int { max(Int(peekOffset), 0) }
  /// A peek has shown bytes: the next one goes on behind them.
  mutating func notePeeked(_ count: Int) {
    if peekOffset >= 0 { peekOffset = Int32(clamping: Int(peekOffset) + count) }
  }
  /// The first bytes that waited are gone.
  mutating func noteTaken(_ count: Int) {
    if peekOffset > 0 { peekOffset = max(peekOffset - Int32(clamping: count), 0) }
  }

  mutating func setSendBuffer(_ wanted: Int32, forced: Bool) {
    sendBuffer = max(SocketSettings.buffer(wanted, forced: forced), SocketSettings.minimumSendBuffer)
    self[.bufferLock] |= SocketSettings.sendBufferLock
  }

  mutating func setReceiveBuffer(_ wanted: Int32, forced: Bool) {
    receiveBuffer = max(SocketSettings.buffer(wanted, forced: forced), SocketSettings.minimumReceiveBuffer)
    self[.bufferLock] |= SocketSettings.receiveBufferLock
  }

  /// `SOCK_SNDBUF_LOCK` and `SOCK_RCVBUF_LOCK`: the program has chosen the size.
  private static let sendBufferLock: Int32 = 1
  private static let receiveBufferLock: Int32 = 2
  static let bufferLocks = sendBufferLock | receiveBufferLock

  /// `SO_SNDBUF` was set.
  var isSendBufferChosen: Bool { isSet(.bufferLock) && self[.bufferLock] & SocketSettings.sendBufferLock != 0 }

  /// The forced ones may be larger, but the bytes lie in the memory of Apus: sixteen times as large at most.
  private static func buffer(_ wanted: Int32, forced: Bool) -> Int {
    if forced { return min(max(Int(wanted), 0), Int(maximumBuffer) * 16) * 2 }
    return Int(min(UInt32(bitPattern: wanted), maximumBuffer)) * 2
  }

  /// What an option that is one number may be.
  enum Kind {
    case flag
    case number
  }

  /// The options that are kept and told back; those that change what a kind of socket does are asked for with `isSet`.
  static let kept: [SocketOption: (kind: Kind, initial: Int32)] = [
    .debug: (.flag, 0), .reuseAddress: (.flag, 0), .dontRoute: (.flag, 0), .broadcast: (.flag, 0),
    .keepAlive: (.flag, 0), .outOfBandInline: (.flag, 0), .noCheck: (.flag, 0), .priority: (.number, 0),
    .reusePort: (.flag, 0), .mark: (.number, 0), .receiveOverflow: (.flag, 0), .wifiStatus: (.flag, 0),
    .noFrameCheck: (.flag, 0), .lockFilter: (.flag, 0), .selectErrorQueue: (.flag, 0), .busyPoll: (.number, 0),
    .incomingCPU: (.number, -1), .timestamping: (.number, 0), .bindToInterfaceIndex: (.number, 0),
    .preferBusyPoll: (.flag, 0), .bufferLock: (.number, 0), .receiveMark: (.flag, 0), .receivePriority: (.flag, 0),
  ]

  /// The control message that tells when a message came, where the socket asks for it (`SCM_TIMESTAMP` and relatives).
  package func timestampMessage(_ time: Nanoseconds) -> ControlMessage? {
    guard let timestamp else { return nil }
    let spec = Timespec(time)
    let isMicroseconds = timestamp == .timestamp || timestamp == .timestamp64
    let data =
      spec.seconds.littleEndianBytes
      + (isMicroseconds ? spec.nanoseconds / 1000 : spec.nanoseconds).littleEndianBytes
    return .other(level: .socket, type: timestamp.number, data: data)
  }
}
