import LinuxABI

/// The options of tcp(7), with the checks that Linux makes (`do_tcp_setsockopt`).
extension TCPSocket {
  func tcpOption(_ option: SocketOption) throws(Errno) -> SocketOptionValue {
    let value: Int32
    switch option {
    case .tcpNoDelay: return SocketOptionValue(options.noDelay)
    case .tcpMaximumSegment:
      let segment = peer == nil ? TCPOptions.initialSegment : TCPOptions.loopbackSegment
      value = options.maximumSegment == 0 || peer != nil ? segment : options.maximumSegment
    case .tcpCork: return SocketOptionValue(options.cork)
    case .tcpKeepIdle: value = options.keepIdle
    case .tcpKeepInterval: value = options.keepInterval
    case .tcpKeepCount: value = options.keepCount
    case .tcpSynCount: value = options.synCount
    case .tcpLinger2: value = options.linger2
    case .tcpDeferAccept: value = options.deferAccept
    case .tcpWindowClamp: value = options.windowClamp != 0 || peer == nil ? options.windowClamp : 65536
    case .tcpInformation: return SocketOptionValue(bytes: informationBytes)
    case .tcpQuickAcknowledge: value = options.quickAcknowledge
    case .tcpCongestion:
      let name = Array(options.congestion.rawValue.utf8)
      return SocketOptionValue(bytes: name + [UInt8](repeating: 0, count: 16 - name.count))
    case .tcpUserTimeout: value = options.userTimeout
    case .tcpFastOpen: value = options.fastOpenQueue
    case .tcpFastOpenConnect: return SocketOptionValue(options.fastOpenConnect)
    case .tcpFastOpenNoCookie: return SocketOptionValue(options.fastOpenNoCookie)
    case .tcpTimestamp: value = Int32(truncatingIfNeeded: stack.milliseconds &+ UInt64(options.timestampOffset))
    case .tcpNotSentLowWater: value = Int32(bitPattern: options.notSentLowWater)
    case .tcpInQueue: return SocketOptionValue(options.tellsQueue)
    case .tcpSaveSyn: return SocketOptionValue(options.savesSyn)
    case .tcpSavedSyn, .tcpUpperLayerProtocol: return SocketOptionValue(bytes: [])
    case .tcpThinLinearTimeouts: return SocketOptionValue(options.thinLinearTimeouts)
    case .tcpThinDuplicateAcknowledge, .tcpRepair: return SocketOptionValue(false)
    case .tcpRepairQueue: throw .invalidArgument
    case .tcpTransmitDelay: value = options.transmitDelay
    case .tcpCongestionInformation: return SocketOptionValue(bytes: [])
    default: throw .protocolNotAvailable
    }
    return SocketOptionValue(value)
  }

  func setTCPOption(_ option: SocketOption, to value: SocketOptionValue) throws(Errno) {
    switch option {
    case .tcpCongestion:
      guard !value.bytes.isEmpty else { throw .invalidArgument }
      let name = String(decoding: value.bytes.prefix(15).prefix { $0 != 0 }, as: UTF8.self)
      guard let algorithm = CongestionControl(rawValue: name) else { throw .noSuchFileOrDirectory }
      options.congestion = algorithm
      return
    case .tcpUpperLayerProtocol:
      guard !value.bytes.isEmpty else { throw .invalidArgument }
      throw .noSuchFileOrDirectory
    default: break
    }
    let integer = try value.integer()
    switch option {
    case .tcpNoDelay: options.noDelay = integer != 0
    case .tcpCork: options.cork = integer != 0
    case .tcpMaximumSegment:
      guard integer == 0 || (88...32767).contains(integer) else { throw .invalidArgument }
      options.maximumSegment = integer
    case .tcpKeepIdle: options.keepIdle = try TCPSocket.check(integer, 1...32767)
    case .tcpKeepInterval: options.keepInterval = try TCPSocket.check(integer, 1...32767)
    case .tcpKeepCount: options.keepCount = try TCPSocket.check(integer, 1...127)
    case .tcpSynCount: options.synCount = try TCPSocket.check(integer, 1...127)
    case .tcpLinger2: options.linger2 = integer < 0 ? -1 : integer == 0 ? TCPOptions().linger2 : min(integer, 120)
    case .tcpDeferAccept: options.deferAccept = TCPSocket.deferral(integer)
    case .tcpWindowClamp:
      guard integer != 0 || state == .closed else { throw .invalidArgument }
      // Not below half the least `SO_RCVBUF`.
      options.windowClamp = integer == 0 ? 0 : max(integer, 1152)
    case .tcpQuickAcknowledge: options.quickAcknowledge = integer & 1
    case .tcpUserTimeout:
      guard integer >= 0 else { throw .invalidArgument }
      options.userTimeout = integer
    case .tcpFastOpen:
      guard integer >= 0, state == .closed || state == .listening else { throw .invalidArgument }
      options.fastOpenQueue = min(integer, 4096)
    case .tcpFastOpenConnect:
      guard (0...1).contains(integer), state == .closed else { throw .invalidArgument }
      options.fastOpenConnect = integer != 0
    case .tcpFastOpenNoCookie:
      guard (0...1).contains(integer), state == .closed || state == .listening else { throw .invalidArgument }
      options.fastOpenNoCookie = integer != 0
    case .tcpNotSentLowWater: options.notSentLowWater = UInt32(bitPattern: integer)
    case .tcpSaveSyn:
      guard (0...2).contains(integer) else { throw .invalidArgument }
      options.savesSyn = integer != 0
    case .tcpThinLinearTimeouts:
      guard (0...1).contains(integer) else { throw .invalidArgument }
      options.thinLinearTimeouts = integer != 0
    case .tcpThinDuplicateAcknowledge: guard (0...1).contains(integer) else { throw .invalidArgument }
    case .tcpInQueue:
      guard (0...1).contains(integer) else { throw .invalidArgument }
      options.tellsQueue = integer != 0
    case .tcpTimestamp, .tcpRepair: throw .notPermitted
    case .tcpTransmitDelay: options.transmitDelay = integer
    default: throw .protocolNotAvailable
    }
  }

  private static func check(_ value: Int32, _ range: ClosedRange<Int32>) throws(Errno) -> Int32 {
    guard range.contains(value) else { throw .invalidArgument }
    return value
  }

  /// `TCP_DEFER_ACCEPT` as Linux gives it back: the seconds after which a number of answers will have been repeated,
  /// each after twice the time of the one before.
  private static func deferral(_ seconds: Int32) -> Int32 {
    guard seconds > 0 else { return 0 }
    var (timeout, period): (Int32, Int32) = (1, 1)
    var count = 1
    while seconds > period, count < 255 {
      count += 1
      timeout = min(timeout * 2, 120)
      period += timeout
    }
    return period
  }

  /// What an accepted connection takes over from its listener.
  func inheritOptions(from listener: TCPSocket) {
    options = listener.options
    options.deferAccept = 0
    options.fastOpenQueue = 0
    internet = listener.internet
    isVersion6Only = listener.isVersion6Only
    settings = listener.settings
    buffersChanged()
  }

  /// `struct tcp_info` of <linux/tcp.h>, as far as it means something between two sockets.
  private var informationBytes: [UInt8] {
    var information = TCPInformation()
    information.state = state.rawValue
    information.segment = UInt32(TCPOptions.loopbackSegment)
    if let listening {
      information.unacknowledged = UInt32(clamping: listening.pending.count + listening.deferred.count)
      information.selectivelyAcknowledged = UInt32(clamping: listening.backlog)
    }
    return information.bytes
  }
}
