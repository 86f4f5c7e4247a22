import LinuxABI

/// A destination outside of a sandbox that its user allowed.
package struct AllowedDestination: Hashable, Sendable {
  package enum Host: Hashable, Sendable {
    case network(IPNetwork)
    case name(DomainName)
    /// All names below one: `*.example.org`.
    case below(DomainName)
  }
  package let host: Host
  /// Nil: every port.
  package let port: UInt16?

  package init(_ host: Host, port: UInt16?) {
    self.host = host
    self.port = port
  }
}

/// Which destinations outside may be reached, and why others may not.
package struct OutsidePolicy: Sendable {
  /// Nothing else is allowed; nil: everything but the host itself.
  private let allowed: [AllowedDestination]?
  /// Addresses that names had when the sandbox started, in the host's own table of names.
  private let known: [DomainName: [IPAddress]]
  /// Addresses that answers of name servers gave for allowed names, and the rules by which they are allowed.
  private var answers: [IPAddress: Set<Int>] = [:]
  /// In the order in which they came.
  private var answered: [IPAddress] = []
  /// Addresses of answers that are remembered.
  private static let maximumAnswers = 4096

  package enum Verdict: Hashable, Sendable {
    case allowed
    case refused(Refusal)
  }

  /// Why a destination is out of reach.
  package enum Refusal: Hashable, Sendable {
    case host, special, metadata, notAllowed, delegate

    package var errno: Errno {
      switch self {
      case .host, .special, .metadata: .networkUnreachable
      case .notAllowed, .delegate: .permissionDenied
      }
    }

    /// For the log, after "refused: ".
    package var reason: String {
      switch self {
      case .host: "an address of the host; --allow-connect with this very address allows it"
      case .special: "a link-local, multicast or otherwise special address"
      case .metadata: "the address of a cloud's metadata service; --allow-connect with this very address allows it"
      case .notAllowed: "no --allow-connect allows it"
      case .delegate: "the delegate does not allow it"
      }
    }
  }

  /// - Parameters:
  ///   - allowed: nothing else is; nil: everything but the host itself.
  ///   - known: the host's own table of names (hosts(5)).
  package init(allowed: [AllowedDestination]?, known: [DomainName: [IPAddress]] = [:]) {
    self.allowed = allowed
    self.known = known
  }

  // MARK: Addresses

  /// Says whether an address may be reached. `route` tells what the host would do with packets to an address, nil where
  /// nothing leads there; it is asked about those, too, to which a gateway may carry packets for this one.
  package func verdict(on address: IPAddress, port: UInt16, route: (IPAddress) -> RouteType?) -> Verdict {
    let address = address.unmapped
    if isNamed(address, port) { return .allowed }
    for inner in [address] + address.embedded {
      if OutsidePolicy.metadata.contains(inner) { return .refused(.metadata) }
      if inner.isLoopback || inner == inner.any { return .refused(.host) }
      if OutsidePolicy.special.contains(where: { $0.contains(inner) }) { return .refused(.special) }
      switch route(inner) {
      case .local: return .refused(.host)
      case .broadcast: return .refused(.special)
      case .unicast, nil: break
      }
    }
    guard let allowed else { return .allowed }
    let isAllowed = allowed.contains { rule in
      guard case .network(let network) = rule.host else { return false }
      return network.contains(address) && (rule.port ?? port) == port
    }
    if isAllowed || isAnswer(address, port) { return .allowed }
    return .refused(.notAllowed)
  }

  /// The user wrote this very address, a network that lies within a special one, or a name that the host itself knows:
  /// so it is meant, even if it is the host's own.
  private func isNamed(_ address: IPAddress, _ port: UInt16) -> Bool {
    (allowed ?? []).contains { rule in
      guard (rule.port ?? port) == port else { return false }
      switch rule.host {
      case .network(let network):
        guard network.contains(address) else { return false }
        return network.prefix == address.width
          || OutsidePolicy.special.contains { $0.contains(network.address) && $0.prefix <= network.prefix }
      case .name(let name): return known[name]?.contains(address) == true
      case .below(let parent): return known.contains { $0.key.isBelow(parent) && $0.value.contains(address) }
      }
    }
  }

  private func isAnswer(_ address: IPAddress, _ port: UInt16) -> Bool {
    answers[address]?.contains { index in
      guard let allowed, allowed.indices.contains(index) else { return false }
      return (allowed[index].port ?? port) == port
    } == true
  }

  private static func networks(_ texts: String...) -> [IPNetwork] { texts.compactMap { IPNetwork($0) } }

  /// Never outside: this network, loopback, link-local, multicast, reserved and broadcast addresses of version 4; addresses
  /// of version 6 that hold one of version 4 in a way that isn't used any more, link-local, site-local and multicast ones.
  private static let special = networks(
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "::/96", "::ffff:0:0:0/96", "fe80::/10",
    "fec0::/10", "ff00::/8")

  /// Where clouds tell virtual machines about themselves, secrets among it. (That of most is link-local, and named here
  /// for the reason that is told.)
  private static let metadata: Set<IPAddress> = Set(
    [
      "169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254",
      "fd20:ce::254",
    ].compactMap { IPAddress($0) })

  // MARK: Names

  /// Name servers may be asked for every name.
  package var mayAskForAll: Bool { allowed == nil }

  /// Whether a name server may be asked for a name.
  package func mayAsk(for name: DomainName) -> Bool { allowed == nil || !rules(for: name).isEmpty }

  private func rules(for name: DomainName) -> [Int] {
    (allowed ?? []).enumerated().filter { _, rule in
      switch rule.host {
      case .network: false
      case .name(let allowed): allowed == name
      case .below(let parent): name.isBelow(parent)
      }
    }.map(\.offset)
  }

  /// Takes note of what a name server answered. Addresses of the host stay out of reach: whoever answers for a name does
  /// not decide on those.
  package mutating func note(_ addresses: [IPAddress], of name: DomainName) {
    let rules = rules(for: name)
    guard !rules.isEmpty else { return }
    for address in addresses.map(\.unmapped) {
      if answers[address] == nil {
        if answered.count >= OutsidePolicy.maximumAnswers { answers[answered.removeFirst()] = nil }
        answered.append(address)
      }
      answers[address, default: []].formUnion(rules)
    }
  }
}

extension IPAddress {
  /// Addresses of version 4 to which gateways may carry packets for this one: NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056).
  fileprivate var embedded: [IPAddress] {
    guard case .v6(let address) = self else { return [] }
    func version4(_ bits: UInt64) -> IPAddress { .v4(IPv4Address(rawValue: UInt32(truncatingIfNeeded: bits))) }
    if address.high == 0x0064_ff9b_0000_0000, address.low >> 32 == 0 { return [version4(address.low)] }
    if address.high >> 48 == 0x2002 { return [version4(address.high >> 16)] }
    guard address.high >> 16 == 0x0064_ff9b_0001 else { return [] }
    // A local prefix has 48, 56, 64 or 96 bits; bits 64 to 71 belong to no address. Read with another prefix than it was
    // made with, an address begins with zeros, as no address of a host does.
    let candidates = [
      address.low, address.high << 16 | address.low >> 40 & 0xffff,
      address.high << 24 | address.low >> 32 & 0xff_ffff, address.low >> 24,
    ]
    let likely = candidates.filter { $0 & 0xff00_0000 != 0 }
    return (likely.isEmpty ? [address.low] : likely).map(version4)
  }
}
