import LinuxABI
import Memory

extension IOBuffer {
  /// Copies a value of the guest's ABI into the buffer (towards the guest).
  mutating func write<T: BitwiseCopyable>(value: T) {
    _ = unsafe withUnsafeBytes(of: value) { unsafe write($0) }
  }

  /// Takes a value of the guest's ABI out of the buffer; nil where too few bytes are left.
  mutating func readValue<T: BitwiseCopyable>(as type: T.Type) -> T? {
    let bytes = read(MemoryLayout<T>.size)
    guard bytes.count == MemoryLayout<T>.size else { return nil }
    return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: T.self) }
  }
}
