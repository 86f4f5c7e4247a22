import LinuxABI

/// How endpoints are written: `HOST:PORT`, `[ADDRESS]:PORT`.
package enum EndpointText {
  /// A port that is not 0, in decimal.
  package static func port(_ text: Substring) -> UInt16? {
    guard let port = UInt16(text), port > 0, text == "\(port)" else { return nil }
    return port
  }

  /// A host with a port: an address of version 6 is in brackets.
  package static func join(_ host: String, _ port: UInt16) -> String {
    host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  /// The host, and the port where there is one; nil where there is neither.
  package static func split(_ text: String) -> (host: String, port: UInt16?)? {
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { return nil }
      var host = String(text[text.index(after: text.startIndex)..<end])
      var rest = text[text.index(after: end)...]
      if rest.hasPrefix("/") {
        let bits = rest.prefix { $0 != ":" }
        host += bits
        rest = rest.dropFirst(bits.count)
      }
      guard IPNetwork(host)?.address.width == 128 else { return nil }
      if rest.isEmpty { return (host, nil) }
      guard rest.hasPrefix(":"), let port = port(rest.dropFirst()) else { return nil }
      return (host, port)
    }
    // Two colons without brackets: an address of version 6, without a port.
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2 else { return text.isEmpty ? nil : (text, nil) }
    guard !parts[0].isEmpty, let port = port(parts[1]) else { return nil }
    return (String(parts[0]), port)
  }
}
