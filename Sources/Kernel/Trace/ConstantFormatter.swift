import LinuxABI

/// How numbers with names are shown.
extension ConstantName {
  /// The names of what is set in a combination of flags, and the rest as a number.
  /// A name with several bits stands before those of the single bits.
  static func join(_ value: UInt64, _ names: [ConstantName]) -> String {
    if value == 0 { return one(0, names) }
    var rest = value
    var open = UInt64.max
    var parts: [String] = []
    for name in names where name.mask != 0 && open & name.mask == name.mask && rest & name.mask == name.bits {
      parts.append("\(name.name)")
      rest &= ~name.mask
      open &= ~name.mask
    }
    if rest != 0 || parts.isEmpty { parts.append(hex(rest)) }
    return parts.joined(separator: "|")
  }

  /// The name of a value.
  static func one(_ value: UInt64, _ names: [ConstantName]) -> String {
    names.first { $0.bits == value }.map { "\($0.name)" } ?? hex(value)
  }
}
