import LinuxABI

/// Arguments that are numbers with names.
extension CallFormatter {
  /// Nil for kinds that are no such numbers.
  func symbolic(_ kind: ArgumentKind, _ index: Int, _ value: UInt64) -> String? {
    let number = UInt64(arguments.uint(index))
    switch kind {
    case .openFlags: return ConstantName.join(number, OpenFlags.names)
    case .accessMode: return ConstantName.join(number, AccessMode.names)
    case .atFlags: return ConstantName.join(number, AtFlags.names)
    case .cloneFlags: return ConstantName.join(value, CloneFlags.names)
    case .ioctl: return FlagNames.one(number, FlagNames.ioctl)
    default: return nil
    }
  }
}

extension FlagNames {
  /// The names of the bits that are set, and the rest as a number.
  static func join(_ value: UInt64, _ names: [Name]) -> String {
    if let exact = names.first(where: { $0.bits == value }) { return "\(exact.name)" }
    var rest = value
    var parts: [String] = []
    for name in names where name.bits != 0 && rest & name.bits == name.bits {
      parts.append("\(name.name)")
      rest &= ~name.bits
    }
    if rest != 0 || parts.isEmpty { parts.append(hex(rest)) }
    return parts.joined(separator: "|")
  }

  /// The name of a value.
  static func one(_ value: UInt64, _ names: [Name]) -> String {
    names.first { $0.bits == value }.map { "\($0.name)" } ?? hex(value)
  }
}
