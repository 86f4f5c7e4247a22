/// `struct msghdr` of recvmsg(2) on x86-64.
package struct MessageHeader: BitwiseCopyable, Sendable {
  package var name = GuestAddress.null
  package var nameLength: UInt32 = 0
  private var padding: UInt32 = 0
  package var vectors = GuestAddress.null
  package var vectorCount: UInt64 = 0
  package var control = GuestAddress.null
  package var controlLength: UInt64 = 0
  package var flags: MessageFlags = []
  private var padding2: UInt32 = 0
  package init() {}
}

/// `struct mmsghdr` of recvmmsg(2): a message, and how many bytes of it were moved.
package enum MessageListEntry {
  /// `sizeof(struct mmsghdr)`.
  package static let size: UInt64 = 64
  /// `offsetof(struct mmsghdr, msg_len)`.
  package static let lengthOffset: UInt64 = 56
}

/// `MSG_*` of recv(2) and send(2).
public struct MessageFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let outOfBand = MessageFlags(rawValue: 0x1)
  public static let peek = MessageFlags(rawValue: 0x2)
  public static let dontRoute = MessageFlags(rawValue: 0x4)
  public static let controlTruncated = MessageFlags(rawValue: 0x8)
  public static let truncated = MessageFlags(rawValue: 0x20)
  public static let dontWait = MessageFlags(rawValue: 0x40)
  public static let endOfRecord = MessageFlags(rawValue: 0x80)
  public static let waitAll = MessageFlags(rawValue: 0x100)
  public static let confirm = MessageFlags(rawValue: 0x800)
  public static let errorQueue = MessageFlags(rawValue: 0x2000)
  public static let noSignal = MessageFlags(rawValue: 0x4000)
  public static let more = MessageFlags(rawValue: 0x8000)
  public static let waitForOne = MessageFlags(rawValue: 0x1_0000)
  public static let zeroCopy = MessageFlags(rawValue: 0x400_0000)
  public static let fastOpen = MessageFlags(rawValue: 0x2000_0000)
  public static let closeOnExec = MessageFlags(rawValue: 0x4000_0000)

  public static let names: [ConstantName] = [
    .init("MSG_OOB", outOfBand), .init("MSG_PEEK", peek), .init("MSG_DONTROUTE", dontRoute),
    .init("MSG_CTRUNC", controlTruncated), .init("MSG_TRUNC", truncated), .init("MSG_DONTWAIT", dontWait),
    .init("MSG_EOR", endOfRecord), .init("MSG_WAITALL", waitAll), .init("MSG_CONFIRM", confirm),
    .init("MSG_ERRQUEUE", errorQueue), .init("MSG_NOSIGNAL", noSignal), .init("MSG_MORE", more),
    .init("MSG_WAITFORONE", waitForOne), .init("MSG_ZEROCOPY", zeroCopy), .init("MSG_FASTOPEN", fastOpen),
    .init("MSG_CMSG_CLOEXEC", closeOnExec),
  ]
}

/// What comes with the bytes of a message: an entry of its control buffer (cmsg(3)).
package enum ControlMessage: Equatable, Sendable {
  /// `SCM_RIGHTS` of unix(7): descriptors.
  case rights([FileDescriptorNumber])
  /// `SCM_CREDENTIALS` of unix(7).
  case credentials(SocketCredentials)
  /// `SCM_PIDFD`: a descriptor of the sender's process.
  case processDescriptor(FileDescriptorNumber)
  /// Anything else: its protocol decides.
  case other(level: SocketLevel, type: Int32, data: [UInt8])

  /// `TCP_CM_INQ`: bytes that are left to be received.
  package static func tcpInQueue(_ count: Int32) -> ControlMessage {
    .other(level: .tcp, type: SocketOption.tcpInQueue.number, data: count.littleEndianBytes)
  }

  /// `SCM_RIGHTS`.
  package static let rightsType: Int32 = 1
  private static let credentialsType: Int32 = 2
  private static let processDescriptorType: Int32 = 4

  /// `sizeof(struct cmsghdr)`: the length with this header, the level and the type.
  fileprivate static let headerSize = 16
  /// Entries begin at multiples of this (`CMSG_ALIGN`).
  fileprivate static func aligned(_ size: Int) -> Int { (size + 7) & ~7 }

  /// Takes a control buffer apart. - Throws: `EINVAL` for an entry that is no entry or has a wrong size.
  package static func decode(_ bytes: [UInt8]) throws(Errno) -> [ControlMessage] {
    var messages: [ControlMessage] = []
    var offset = 0
    while let length = UInt64(littleEndian: bytes, at: offset),
      let level = Int32(littleEndian: bytes, at: offset + 8), let type = Int32(littleEndian: bytes, at: offset + 12)
    {
      guard length >= UInt64(headerSize), length <= UInt64(bytes.count - offset) else { throw .invalidArgument }
      let data = Array(bytes[offset + headerSize..<offset + Int(length)])
      messages.append(try ControlMessage(SocketLevel(rawValue: level), type, data))
      offset += aligned(Int(length))
    }
    return messages
  }

  private init(_ level: SocketLevel, _ type: Int32, _ data: [UInt8]) throws(Errno) {
    switch (level, type) {
    case (.socket, ControlMessage.rightsType):
      self = .rights(
        (0..<data.count / 4).compactMap {
          Int32(littleEndian: data, at: $0 * 4).map(FileDescriptorNumber.init(rawValue:))
        })
    case (.socket, ControlMessage.credentialsType):
      guard data.count == 12, let process = Int32(littleEndian: data, at: 0),
        let uid = UInt32(littleEndian: data, at: 4), let gid = UInt32(littleEndian: data, at: 8)
      else { throw .invalidArgument }
      self = .credentials(SocketCredentials(process: ProcessID(rawValue: process), uid: uid, gid: gid))
    default: self = .other(level: level, type: type, data: data)
    }
  }

  fileprivate var encoded: (level: SocketLevel, type: Int32, data: [UInt8]) {
    switch self {
    case .rights(let descriptors):
      (.socket, ControlMessage.rightsType, descriptors.flatMap(\.rawValue.littleEndianBytes))
    case .credentials(let credentials): (.socket, ControlMessage.credentialsType, credentials.bytes)
    case .processDescriptor(let descriptor):
      (.socket, ControlMessage.processDescriptorType, descriptor.rawValue.littleEndianBytes)
    case .other(let level, let type, let data): (level, type, data)
    }
  }
}

extension SocketCredentials {
  var bytes: [UInt8] { process.rawValue.littleEndianBytes + uid.littleEndianBytes + gid.littleEndianBytes }
}

/// The control buffer that a receive fills: entries one after another, the last one cut off where it doesn't fit
/// (`put_cmsg` of Linux).
package struct ControlBuffer {
  private let capacity: Int
  package private(set) var bytes: [UInt8] = []
  /// Something did not fit (`MSG_CTRUNC`).
  package var isTruncated = false

  /// A buffer for at most `capacity` bytes.
  package init(capacity: Int) { self.capacity = capacity }

  private var room: Int { capacity - bytes.count }
  /// How many descriptors an entry has room for that is added now.
  package var descriptorRoom: Int { max(room - ControlMessage.headerSize, 0) / 4 }
  /// An entry with one descriptor fits, with what follows it to be aligned.
  package var hasDescriptorSpace: Bool { room >= ControlMessage.aligned(ControlMessage.headerSize + 4) }

  package mutating func append(_ message: ControlMessage) {
    let (level, type, data) = message.encoded
    guard room >= ControlMessage.headerSize else { return isTruncated = true }
    let length = ControlMessage.headerSize + data.count
    let fitting = min(length, room)
    if fitting < length { isTruncated = true }
    let end = bytes.count + min(ControlMessage.aligned(length), room)
    bytes += UInt64(fitting).littleEndianBytes + level.rawValue.littleEndianBytes + type.littleEndianBytes
    bytes += data.prefix(fitting - ControlMessage.headerSize)
    bytes += [UInt8](repeating: 0, count: end - bytes.count)
  }
}
