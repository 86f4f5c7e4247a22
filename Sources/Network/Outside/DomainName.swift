/// A name of the Domain Name System (RFC 1035), in lower case and without the dot at its end.
package struct DomainName: Hashable, Sendable, CustomStringConvertible {
  package let description: String

  /// Reads letters, digits, `-` and `_` in labels of at most 63 bytes; nil for anything else.
  package init?(_ text: some StringProtocol) {
    let name = text.hasSuffix(".") ? String(text.dropLast()) : String(text)
    let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard !name.isEmpty, name.utf8.count <= 253, labels.allSatisfy({ DomainName.isLabel($0) }) else { return nil }
    description = name.lowercased()
  }

  private static func isLabel(_ label: some Collection<UInt8>) -> Bool {
    (1...63).contains(label.count)
      && label.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }

  /// It ends in another name, and is longer.
  package func isBelow(_ other: DomainName) -> Bool { description.hasSuffix("." + other.description) }
}
