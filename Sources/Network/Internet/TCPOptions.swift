import LinuxABI

/// What is set of the options of tcp(7). There are no segments, so most have no effect; programs read them back.
struct TCPOptions {
  var noDelay = false
  var cork = false
  var quickAcknowledge: Int32 = 1
  /// `TCP_MAXSEG`; 0 where it was not set.
  var maximumSegment: Int32 = 0
  /// Seconds.
  var keepIdle: Int32 = 7200
  var keepInterval: Int32 = 75
  var keepCount: Int32 = 9
  /// How often an attempt to connect is repeated.
  var synCount: Int32 = 6
  /// Seconds that a socket whose peer does not end its stream stays after close(2); -1 for none.
  var linger2: Int32 = 60
  /// Seconds; a connection is accepted when it has sent something.
  var deferAccept: Int32 = 0
  var windowClamp: Int32 = 0
  /// Milliseconds.
  var userTimeout: Int32 = 0
  var fastOpenQueue: Int32 = 0
  var fastOpenConnect = false
  var fastOpenNoCookie = false
  var notSentLowWater: UInt32 = 0
  var savesSyn = false
  var thinLinearTimeouts = false
  /// `TCP_INQ`: each receive tells what is left.
  var tellsQueue = false
  var congestion = CongestionControl.cubic
  var timestampOffset: UInt32 = 0
  var transmitDelay: Int32 = 0

  /// Bytes that an end whose `SO_SNDBUF` was not set keeps for its peer: enough that both sides work at once, little
  /// enough to stay in the processor's caches.
  static let automaticSendRoom = 448 << 10
  /// `TCP_MAXSEG` before a connection, and over the loopback interface.
  static let initialSegment: Int32 = 536
  static let loopbackSegment: Int32 = 32741
  /// The middle of `net.ipv4.tcp_wmem` and `tcp_rmem`.
  static let initialSendBuffer = 16384
  static let initialReceiveBuffer = 131_072
  /// What `SO_SNDBUF` of a connected socket is where it was not set.
  static let connectedSendBuffer: Int32 = 2_626_560
}

/// `TCP_CONGESTION`: the algorithms that there are, by name.
enum CongestionControl: String {
  case cubic
  case reno
}
