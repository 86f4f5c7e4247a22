/// `struct msghdr` of recvmsg(2) on x86-64.
package struct MessageHeader: BitwiseCopyable, Sendable {
  package var name: UInt64 = 0
  package var nameLength: UInt32 = 0
  private var padding: UInt32 = 0
  package var vectors: UInt64 = 0
  package var vectorCount: UInt64 = 0
  package var control: UInt64 = 0
  package var controlLength: UInt64 = 0
  package var flags: UInt32 = 0
  private var padding2: UInt32 = 0
  package init() {}
}

/// `struct cmsghdr` of cmsg(3).
package struct ControlHeader: BitwiseCopyable, Sendable {
  package var length: UInt64 = 0
  package var level: Int32 = 0
  package var type: Int32 = 0
  package init() {}
  package init(length: UInt64, level: Int32, type: Int32) {
    self.length = length
    self.level = level
    self.type = type
  }
  /// `SOL_SOCKET`.
  package static let socketLevel: Int32 = 1
  /// `SCM_RIGHTS`.
  package static let rights: Int32 = 1
  /// `SCM_CREDENTIALS`.
  package static let credentials: Int32 = 2
}

/// `MSG_*` of recv(2) and send(2).
public struct MessageFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let outOfBand = MessageFlags(rawValue: 0x1)
  public static let peek = MessageFlags(rawValue: 0x2)
  public static let controlTruncated = MessageFlags(rawValue: 0x8)
  public static let truncated = MessageFlags(rawValue: 0x20)
  public static let dontWait = MessageFlags(rawValue: 0x40)
  public static let endOfRecord = MessageFlags(rawValue: 0x80)
  public static let waitAll = MessageFlags(rawValue: 0x100)
  public static let noSignal = MessageFlags(rawValue: 0x4000)
  public static let closeOnExec = MessageFlags(rawValue: 0x4000_0000)
}

/// `SO_*` of socket(7).
public enum SocketOption: Int32, Sendable {
  case type = 3
  case error = 4
  case sendBuffer = 7
  case receiveBuffer = 8
  case passCredentials = 16
  case peerCredentials = 17
  case acceptsConnections = 30
  case protocolNumber = 38
  case domain = 39
}

/// `struct ucred` of unix(7).
package struct SocketCredentials: BitwiseCopyable, Sendable, Equatable {
  package var process: Int32
  package var uid: UInt32
  package var gid: UInt32
  package init(process: Int32, uid: UInt32, gid: UInt32) {
    self.process = process
    self.uid = uid
    self.gid = gid
  }
}
