/// Structures of the guest's ABI in bytes that were read before.
extension Array<UInt8> {
  /// The value that lies at an offset, aligned or not; nil where the bytes end before it does.
  package func value<T: BitwiseCopyable>(at offset: Int = 0, as type: T.Type) -> T? {
    guard offset >= 0, count - offset >= MemoryLayout<T>.size else { return nil }
    return unsafe withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: offset, as: T.self) }
  }

  /// The bytes of a value of the guest's ABI, which has no padding.
  package init<T: BitwiseCopyable>(of value: T) { self = unsafe Swift.withUnsafeBytes(of: value) { unsafe Array($0) } }
}

extension IOBuffer {
  /// Copies a value of the guest's ABI into the buffer (towards the guest).
  package mutating func write<T: BitwiseCopyable>(value: T) {
    _ = unsafe withUnsafeBytes(of: value) { unsafe write($0) }
  }

  /// Takes a value of the guest's ABI out of the buffer; nil where too few bytes are left.
  package mutating func readValue<T: BitwiseCopyable>(as type: T.Type) -> T? {
    read(MemoryLayout<T>.size).value(as: type)
  }
}

extension String {
  /// A part of another string. It must begin and end where characters of that one do, which is not checked: walks along
  /// paths make a string of each name.
  package init(uncheckedPart bytes: Span<UInt8>) { self = String(copying: unsafe UTF8Span(unchecked: bytes)) }

  /// Feeds the bytes to a hasher, all at once.
  @inline(__always)
  package func hashBytes(into hasher: inout Hasher) {
    var string = self
    string.withUTF8 { bytes in unsafe hasher.combine(bytes: UnsafeRawBufferPointer(bytes)) }
  }
}
