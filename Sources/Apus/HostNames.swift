import Host
import LinuxABI
import Network

/// What the host's own files say of names (hosts(5), resolv.conf(5)). They are read before anything is bound.
struct HostNames {
  /// The host's name servers, in their order.
  let servers: [IPAddress]
  /// Domains that are tried behind short names, and other options, as the file has them.
  let options: [String]
  /// Addresses of the names that the host knows by itself.
  let known: [DomainName: [IPAddress]]

  /// Servers that resolv.conf(5) may name.
  static let maximumServers = 3

  init() {
    self.init(resolver: HostNames.text("/etc/resolv.conf"), hosts: HostNames.text("/etc/hosts"))
  }

  init(resolver: String, hosts: String) {
    let lines = HostNames.words(resolver)
    servers = Array(
      lines.filter { $0.first == "nameserver" && $0.count > 1 }.compactMap { IPAddress($0[1].prefix { $0 != "%" }) }
        .prefix(HostNames.maximumServers))
    options = lines.filter { ["search", "domain", "options"].contains($0.first ?? "") }
      .map { $0.joined(separator: " ") }
    var known: [DomainName: [IPAddress]] = [:]
    for line in HostNames.words(hosts) {
      guard let address = line.first.flatMap({ IPAddress($0) }) else { continue }
      for name in line.dropFirst().compactMap({ DomainName($0) }) { known[name, default: []].append(address.unmapped) }
    }
    self.known = known
  }

  private static func text(_ path: String) -> String {
    guard let file = try? Host.open(at: nil, Array(path.utf8), .nonBlocking) else { return "" }
    defer { Host.close(file) }
    return String(decoding: Host.read(file, limit: 1 << 20), as: UTF8.self)
  }

  private static func words(_ text: String) -> [[Substring]] {
    text.split(whereSeparator: \.isNewline).map { line in
      line.prefix { $0 != "#" && $0 != ";" }.split(whereSeparator: \.isWhitespace)
    }
  }
}
