/// Integers in structures that are read and written byte by byte, because their layout depends on what they hold.
extension FixedWidthInteger {
  /// The integer at an offset, least significant byte first; nil where the bytes end before it does.
  package init?(littleEndian bytes: [UInt8], at offset: Int) {
    guard offset >= 0, bytes.count - offset >= Self.bitWidth / 8 else { return nil }
    var value: Self = 0
    for index in (0..<Self.bitWidth / 8).reversed() {
      value = value << 8 | Self(truncatingIfNeeded: bytes[offset + index])
    }
    self = value
  }

  /// The same, most significant byte first (network byte order).
  package init?(bigEndian bytes: [UInt8], at offset: Int) {
    guard let value = Self(littleEndian: bytes, at: offset) else { return nil }
    self = value.byteSwapped
  }

  /// Its bytes, the least significant first.
  package var littleEndianBytes: [UInt8] {
    (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> Self($0 * 8)) }
  }

  /// Its bytes in network byte order.
  package var bigEndianBytes: [UInt8] { byteSwapped.littleEndianBytes }
}
