import Memory

/// Names of files as Swift strings.
///
/// Linux names are bytes, a Swift string is Unicode. Bytes that are not UTF-8 become scalars of a private range
/// (U+10FE00 + byte), and so do names that hold scalars of that range themselves: both ways are lossless.
package enum FileName {
  /// Longest name of a directory entry (`NAME_MAX`).
  package static let maximumLength = 255
  /// Longest path with its NUL (`PATH_MAX`).
  package static let maximumPathLength = 4096

  private static let escapeBase: UInt32 = 0x10FE00
  /// First byte of every escaped scalar in UTF-8.
  private static let escapeLead: UInt8 = 0xF4

  /// The string that stands for bytes of a name or a path.
  package static func string(_ bytes: [UInt8]) -> String {
    if bytes.allSatisfy({ $0 < 0x80 }) { return String(decoding: bytes, as: UTF8.self) }
    if let string = String(validating: bytes, as: UTF8.self), !string.utf8.contains(escapeLead) { return string }
    var result = String.UnicodeScalarView()
    var rest = bytes[...]
    while let first = rest.first {
      var length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
      var scalar: Unicode.Scalar?
      if length <= rest.count, let part = String(validating: rest.prefix(length), as: UTF8.self) {
        let candidate = part.unicodeScalars.first
        if let candidate, candidate.value & ~0xFF != escapeBase { scalar = candidate }
      }
      if scalar == nil {
        length = 1
        scalar = Unicode.Scalar(escapeBase | UInt32(first))
      }
      if let scalar { result.append(scalar) }
      rest = rest.dropFirst(length)
    }
    return String(result)
  }

  /// The bytes that a string stands for.
  package static func bytes(_ string: String) -> [UInt8] {
    guard string.utf8.contains(escapeLead) else { return Array(string.utf8) }
    var result: [UInt8] = []
    for scalar in string.unicodeScalars {
      if scalar.value & ~0xFF == escapeBase {
        result.append(UInt8(truncatingIfNeeded: scalar.value))
      } else {
        result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
      }
    }
    return result
  }

  /// Length in bytes of what a string stands for.
  package static func length(_ string: String) -> Int {
    string.utf8.contains(escapeLead) ? bytes(string).count : string.utf8.count
  }
}

/// A name as a dictionary key: compared by its bytes, where `String` compares by canonical equivalence.
struct NameKey: Hashable {
  let string: String
  init(_ string: String) { self.string = string }

  static func == (a: NameKey, b: NameKey) -> Bool {
    let (a, b) = (a.string.utf8.span, b.string.utf8.span)
    guard a.count == b.count else { return false }
    for index in a.indices where a[index] != b[index] { return false }
    return true
  }

  // Not the hash of the string: strings that are canonically equivalent share that, and a guest can make very many.
  func hash(into hasher: inout Hasher) { string.hashBytes(into: &hasher) }
}
