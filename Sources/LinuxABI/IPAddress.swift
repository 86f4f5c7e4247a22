/// An address of the Internet Protocol of either version.
package enum IPAddress: Hashable, Sendable {
  case v4(IPv4Address)
  case v6(IPv6Address)

  /// How many bits it has.
  package var width: Int {
    switch self {
    case .v4: 32
    case .v6: 128
    }
  }

  package var family: AddressFamily {
    switch self {
    case .v4: .inet
    case .v6: .inet6
    }
  }

  /// In network byte order, as attributes and socket addresses have it.
  package var bytes: [UInt8] {
    switch self {
    case .v4(let address): address.bytes
    case .v6(let address): address.bytes
    }
  }

  /// Reads 4 or 16 bytes in network byte order; nil for any other number.
  package init?(bytes: [UInt8]) {
    if bytes.count == 4, let address = IPv4Address(bytes, at: 0) {
      self = .v4(address)
    } else if bytes.count == 16, let address = IPv6Address(bytes, at: 0) {
      self = .v6(address)
    } else {
      return nil
    }
  }

  /// An address of version 6 that maps one of version 4 leads to that one, so it is that one.
  package var unmapped: IPAddress {
    if case .v6(let address) = self, let mapped = address.mapped { return .v4(mapped) }
    return self
  }

  /// As sockets of version 6 see it.
  package var version6: IPv6Address {
    switch self {
    case .v4(let address): IPv6Address(mapping: address)
    case .v6(let address): address
    }
  }

  /// The unspecified address of the same version.
  package var any: IPAddress {
    switch self {
    case .v4: .v4(.any)
    case .v6: .v6(.any)
    }
  }

  /// It means this host on every host.
  package var isLoopback: Bool {
    switch self {
    case .v4(let address): address.isLoopback
    case .v6(let address): address == .loopback
    }
  }

  /// The name of a socket that has this address.
  package func socketAddress(port: UInt16) -> SocketAddress {
    switch self {
    case .v4(let address): .inet(InternetAddress(address, port: port))
    case .v6(let address): .inet6(Internet6Address(address, port: port))
    }
  }
}

// MARK: Text

extension IPAddress: CustomStringConvertible {
  package var description: String {
    switch self {
    case .v4(let address): address.description
    case .v6(let address): address.description
    }
  }

  /// Reads an address as inet_pton(3) does: nothing but one address, in its usual form.
  package init?(_ text: some StringProtocol) {
    if let address = IPv4Address(text) {
      self = .v4(address)
    } else if let address = IPv6Address(text) {
      self = .v6(address)
    } else {
      return nil
    }
  }
}

extension IPv4Address: CustomStringConvertible {
  package var description: String {
    "\(rawValue >> 24).\(rawValue >> 16 & 0xff).\(rawValue >> 8 & 0xff).\(rawValue & 0xff)"
  }

  /// Four decimal numbers without leading zeros, which some take for octal numbers.
  package init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard let number = UInt8(part), part == "\(number)" else { return nil }
      value = value << 8 | UInt32(number)
    }
    self.init(rawValue: value)
  }
}

extension IPv6Address: CustomStringConvertible {
  /// The eight groups of 16 bits.
  private var groups: [UInt16] {
    [high, low].flatMap { half in
      [48, 32, 16, 0].map { UInt16(truncatingIfNeeded: half >> $0) }
    }
  }

  private init(groups: [UInt16]) {
    func half(_ part: ArraySlice<UInt16>) -> UInt64 { part.reduce(0) { $0 << 16 | UInt64($1) } }
    self.init(high: half(groups[..<4]), low: half(groups[4...]))
  }

  /// As RFC 5952 recommends and inet_ntop(3) writes: the longest run of zeros is left out.
  package var description: String {
    if let mapped { return "::ffff:\(mapped)" }
    let groups = groups
    var longest = 0..<0
    var start: Int?
    for index in 0...8 {
      if index < 8, groups[index] == 0 {
        start = start ?? index
      } else if let begin = start {
        if index - begin > longest.count, index - begin > 1 { longest = begin..<index }
        start = nil
      }
    }
    func text(_ part: ArraySlice<UInt16>) -> String {
      part.map { String($0, radix: 16) }.joined(separator: ":")
    }
    guard !longest.isEmpty else { return text(groups[...]) }
    return text(groups[..<longest.lowerBound]) + "::" + text(groups[longest.upperBound...])
  }

  /// Groups of hexadecimal digits, at most once with `::` for zeros, and at the end an address of version 4, if any.
  package init?(_ text: some StringProtocol) {
    let halves = IPv6Address.halves(String(text))
    guard let first = halves.first, let head = IPv6Address.groups(first, endsAddress: halves.count == 1) else {
      return nil
    }
    guard halves.count == 2 else {
      guard halves.count == 1, head.count == 8 else { return nil }
      self.init(groups: head)
      return
    }
    guard let tail = IPv6Address.groups(halves[1], endsAddress: true), head.count + tail.count < 8 else { return nil }
    self.init(groups: head + [UInt16](repeating: 0, count: 8 - head.count - tail.count) + tail)
  }

  /// What lies before and behind `::`; all of it where there is none.
  private static func halves(_ text: String) -> [Substring] {
    let bytes = Array(text.utf8)
    let colon = UInt8(ascii: ":")
    guard let gap = bytes.indices.dropLast().first(where: { bytes[$0] == colon && bytes[$0 + 1] == colon }) else {
      return [text[...]]
    }
    let index = text.utf8.index(text.startIndex, offsetBy: gap)
    return [text[..<index], text[text.utf8.index(index, offsetBy: 2)...]]
  }

  private static func groups(_ text: Substring, endsAddress: Bool) -> [UInt16]? {
    if text.isEmpty { return [] }
    var result: [UInt16] = []
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
      if endsAddress, index == parts.count - 1, let address = IPv4Address(part) {
        result += [UInt16(truncatingIfNeeded: address.rawValue >> 16), UInt16(truncatingIfNeeded: address.rawValue)]
        continue
      }
      guard part.utf8.count <= 4, part.first?.isHexDigit == true, let group = UInt16(part, radix: 16) else {
        return nil
      }
      result.append(group)
    }
    return result.count <= 8 ? result : nil
  }
}

// MARK: Networks

/// All addresses that begin with the same bits (CIDR, RFC 4632): `10.0.0.0/8`.
package struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
  /// Its first address.
  package let address: IPAddress
  /// How many leading bits all its addresses share.
  package let prefix: Int

  /// The network that an address lies in. `prefix` is at most the address's width.
  package init(_ address: IPAddress, prefix: Int) {
    self.prefix = min(max(prefix, 0), address.width)
    self.address = address.masked(self.prefix)
  }

  /// `ADDRESS/BITS`, or an address for itself alone. Bits behind the prefix have to be zero.
  package init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let first = parts.first, let address = IPAddress(first) else { return nil }
    var prefix = address.width
    if parts.count == 2 {
      guard let number = UInt8(parts[1]), parts[1] == "\(number)", Int(number) <= address.width else { return nil }
      prefix = Int(number)
    }
    guard address.masked(prefix) == address else { return nil }
    self.init(address, prefix: prefix)
  }

  package func contains(_ other: IPAddress) -> Bool {
    other.family == address.family && other.masked(prefix) == address
  }

  /// Its last address: the one for all hosts, in version 4.
  package var last: IPAddress {
    switch address {
    case .v4(let first): .v4(IPv4Address(rawValue: first.rawValue | ~IPAddress.mask32(prefix)))
    case .v6(let first):
      .v6(
        IPv6Address(
          high: first.high | ~IPAddress.mask64(prefix), low: first.low | ~IPAddress.mask64(prefix - 64)))
    }
  }

  package var description: String { prefix == address.width ? "\(address)" : "\(address)/\(prefix)" }
}

extension IPAddress {
  fileprivate static func mask32(_ bits: Int) -> UInt32 { bits <= 0 ? 0 : ~0 << UInt32(32 - min(bits, 32)) }
  fileprivate static func mask64(_ bits: Int) -> UInt64 { bits <= 0 ? 0 : ~0 << UInt64(64 - min(bits, 64)) }

  /// The address with all bits zero behind the first `bits`.
  fileprivate func masked(_ bits: Int) -> IPAddress {
    switch self {
    case .v4(let address): .v4(IPv4Address(rawValue: address.rawValue & IPAddress.mask32(bits)))
    case .v6(let address):
      .v6(IPv6Address(high: address.high & IPAddress.mask64(bits), low: address.low & IPAddress.mask64(bits - 64)))
    }
  }
}
