import LinuxABI

/// Columns of text.
package enum Text {
  /// Padded on the left to a width.
  package static func right(_ text: String, _ width: Int, padding: String = " ") -> String {
    String(repeating: padding, count: max(0, width - text.utf8.count)) + text
  }
  /// Padded with blanks on the right to a width.
  package static func left(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.utf8.count))
  }
  /// Hexadecimal, padded on the left to a width.
  package static func hex(_ value: UInt64, _ width: Int = 1, padding: String = "0") -> String {
    right(String(value, radix: 16), width, padding: padding)
  }
  /// Octal, padded with zeros.
  package static func octal(_ value: UInt32, _ width: Int) -> String {
    right(String(value, radix: 8), width, padding: "0")
  }
  /// Decimal, padded with zeros.
  package static func decimal(_ value: UInt64, _ width: Int) -> String { right("\(value)", width, padding: "0") }
  /// A time in clock ticks of `USER_HZ`, 100 in a second.
  package static func ticks(_ time: Nanoseconds) -> UInt64 { time / .clockTick }
  /// A space, tab, newline or backslash as `\ooo`, as in the mount table.
  package static func escaped(_ text: String) -> String {
    guard text.utf8.contains(where: { [32, 9, 10, 92].contains($0) }) else { return text }
    var result: [UInt8] = []
    for byte in text.utf8 {
      if [32, 9, 10, 92].contains(byte) {
        result += [92, 48 + (byte >> 6), 48 + (byte >> 3 & 7), 48 + (byte & 7)]
      } else {
        result.append(byte)
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
