import LinuxABI
import Memory

extension NetlinkStructure {
  /// Bytes that it has.
  package static var size: Int { MemoryLayout<Self>.size }
  /// Reads the structure that lies at an offset; nil where the bytes end before it does.
  package init?(_ bytes: [UInt8], at offset: Int = 0) {
    guard let value = bytes.value(at: offset, as: Self.self) else { return nil }
    self = value
  }
  /// The structure as messages hold it.
  package var bytes: [UInt8] { [UInt8](of: self) }
}

/// What a program asks: one message of those that it sent together.
package struct NetlinkRequest: Sendable {
  package let header: NetlinkHeader
  /// What follows the header.
  package let payload: [UInt8]

  package init(header: NetlinkHeader, payload: [UInt8]) {
    self.header = header
    self.payload = payload
  }

  /// Takes messages apart. As in Linux, what is cut off is dropped.
  package static func decode(_ bytes: [UInt8]) -> [NetlinkRequest] {
    var requests: [NetlinkRequest] = []
    var offset = 0
    while let header = NetlinkHeader(bytes, at: offset) {
      let length = Int(header.length)
      guard length >= NetlinkHeader.size, length <= bytes.count - offset else { break }
      let payload = Array(bytes[offset + NetlinkHeader.size..<offset + length])
      requests.append(NetlinkRequest(header: header, payload: payload))
      offset += NetlinkMessage.aligned(length)
    }
    return requests
  }

  /// The attributes behind a fixed part of `offset` bytes, by their numbers (`struct nlattr`).
  package func attributes(from offset: Int) -> [UInt16: [UInt8]] {
    var result: [UInt16: [UInt8]] = [:]
    var offset = NetlinkMessage.aligned(offset)
    while let length = UInt16(littleEndian: payload, at: offset),
      let type = UInt16(littleEndian: payload, at: offset + 2)
    {
      guard length >= 4, Int(length) <= payload.count - offset else { break }
      // The two highest bits tell of nesting and byte order.
      result[type & 0x3fff] = Array(payload[offset + 4..<offset + Int(length)])
      offset += NetlinkMessage.aligned(Int(length))
    }
    return result
  }
}

/// A message that the kernel sends: a header, a fixed part, attributes.
package struct NetlinkMessage: Sendable {
  /// The whole message, padded.
  package private(set) var bytes: [UInt8]

  /// Parts begin at multiples of four (`NLMSG_ALIGN`, `NLA_ALIGN`).
  package static func aligned(_ size: Int) -> Int { (size + 3) & ~3 }

  package init(_ header: NetlinkHeader, fixed: [UInt8] = []) {
    bytes = header.bytes + fixed
    finish()
  }

  package mutating func append(_ attribute: UInt16, _ data: [UInt8]) {
    bytes += UInt16(clamping: data.count + 4).littleEndianBytes + attribute.littleEndianBytes + data
    finish()
  }
  package mutating func append(_ attribute: UInt16, _ value: UInt32) { append(attribute, value.littleEndianBytes) }
  package mutating func append(_ attribute: UInt16, _ value: UInt8) { append(attribute, [value]) }
  package mutating func append(_ attribute: UInt16, _ text: String) { append(attribute, Array(text.utf8) + [0]) }

  private mutating func finish() {
    bytes += [UInt8](repeating: 0, count: NetlinkMessage.aligned(bytes.count) - bytes.count)
    for (index, byte) in UInt32(clamping: bytes.count).littleEndianBytes.enumerated() { bytes[index] = byte }
  }
}
