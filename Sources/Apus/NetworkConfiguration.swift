import Host
import LinuxABI
import Network

extension SandboxConfiguration {
  /// What the guests of a sandbox reach of the network, and what reaches them.
  ///
  /// ```swift
  /// configuration.network.mode = .outbound
  /// configuration.network.allowedDestinations = [.init(host: "deb.debian.org", port: 443)]
  /// configuration.network.publishedPorts = [.init(hostPort: 8080, guestPort: 80)]
  /// ```
  public struct Network: Sendable {
    /// What is there beside the sandbox's own loopback device.
    public var mode = Mode.none
    /// With `Mode.outbound`: nothing else can be reached. Nil: everything can but the host itself.
    public var allowedDestinations: [Destination]?
    /// Ports of the host whose connections and datagrams go to guests. They need `Mode.none` or `Mode.outbound`: with
    /// `Mode.host` guests listen on the host's ports themselves.
    public var publishedPorts: [PublishedPort] = []
    /// Asked about each destination that is allowed otherwise; nil: all are.
    public var delegate: (any NetworkDelegate)?

    /// No network, but the sandbox's own loopback device.
    public init() {}

    /// What Apus needs of the host's sockets.
    var confinement: ConfinedNetwork {
      if mode != .none { return .outward }
      return publishedPorts.isEmpty ? .none : .published
    }

    /// How far the network reaches.
    public enum Mode: String, Sendable, CaseIterable {
      /// The sandbox's own loopback device, and nothing outside.
      case none
      /// Besides, an interface `eth0` with a private address, by which guests reach what is outside of the host: nothing
      /// reaches them, but what is published.
      case outbound
      /// The host's own network, its loopback device and interfaces included: guests may do there what the caller may.
      /// UNIX sockets stay those of the sandbox.
      case host
    }

    /// How bytes are transported.
    public enum Transport: String, Sendable, CaseIterable {
      /// tcp(7).
      case tcp
      /// udp(7).
      case udp
    }
  }
}

extension SandboxConfiguration.Network {
  /// What guests may reach outside.
  public struct Destination: Sendable, Hashable, CustomStringConvertible {
    /// An address (`192.0.2.1`, `2001:db8::1`), a network (`10.0.0.0/8`), a name, or all names below one
    /// (`*.example.org`). A name stands for the addresses that name servers give for it while the sandbox runs.
    public var host: String
    /// The port; nil: every one.
    public var port: UInt16?

    /// A host or network, and a port of it.
    public init(host: String, port: UInt16? = nil) {
      self.host = host
      self.port = port
    }

    /// Reads `HOST[:PORT]` or `ADDRESS/BITS[:PORT]`; an address of version 6 before a port is in brackets. Nil where it
    /// is none of these.
    public init?(_ description: some StringProtocol) {
      guard let (host, port) = EndpointText.split(String(description)) else { return nil }
      self.init(host: host, port: port)
      guard allowed != nil else { return nil }
    }

    /// As it is written on the command line.
    public var description: String {
      port.map { EndpointText.join(host, $0) } ?? host
    }

    /// For the kernel; nil where the host is no address, network or name.
    var allowed: AllowedDestination? {
      if let network = IPNetwork(host) { return AllowedDestination(.network(network), port: port) }
      if host.hasPrefix("*."), let name = DomainName(host.dropFirst(2)) {
        return AllowedDestination(.below(name), port: port)
      }
      // What is made of digits and dots alone is meant as an address, and is none.
      guard let name = DomainName(host), host.contains(where: { $0.isLetter }), !host.contains("/") else { return nil }
      return AllowedDestination(.name(name), port: port)
    }
  }

  /// A port of the host whose connections, or datagrams, go to a guest.
  public struct PublishedPort: Sendable, Hashable, CustomStringConvertible {
    /// The address of the host to listen on: `0.0.0.0` or `::` for all.
    public var hostAddress: String
    /// The port of the host.
    public var hostPort: UInt16
    /// The port that a guest listens on, at `lo` or any of its addresses.
    public var guestPort: UInt16
    /// TCP or UDP.
    public var transport: Transport

    /// A port of the host, which only programs of the host reach unless `hostAddress` says otherwise.
    public init(
      hostAddress: String = "127.0.0.1", hostPort: UInt16, guestPort: UInt16, transport: Transport = .tcp
    ) {
      self.hostAddress = hostAddress
      self.hostPort = hostPort
      self.guestPort = guestPort
      self.transport = transport
    }

    /// Reads `[HOSTADDR:]HOSTPORT:GUESTPORT[/udp]`; an address of version 6 is in brackets. Nil where it is none.
    public init?(_ description: some StringProtocol) {
      var text = String(description)
      var transport = Transport.tcp
      for ending in Transport.allCases where text.hasSuffix("/\(ending.rawValue)") {
        text.removeLast(ending.rawValue.count + 1)
        transport = ending
      }
      guard let colon = text.lastIndex(of: ":"), let guest = EndpointText.port(text[text.index(after: colon)...]) else {
        return nil
      }
      text = String(text[..<colon])
      if let port = EndpointText.port(text[...]) {
        self.init(hostPort: port, guestPort: guest, transport: transport)
      } else if let (host, port) = EndpointText.split(text), let port, IPAddress(host) != nil {
        self.init(hostAddress: host, hostPort: port, guestPort: guest, transport: transport)
      } else {
        return nil
      }
    }

    /// As it is written on the command line.
    public var description: String {
      EndpointText.join(hostAddress, hostPort) + ":\(guestPort)" + (transport == .udp ? "/udp" : "")
    }
  }

  /// A connection, or the first datagram, to a destination outside.
  public struct Connection: Sendable, Hashable, CustomStringConvertible {
    /// The address that the guest named.
    public let address: String
    /// The port that the guest named.
    public let port: UInt16
    /// TCP or UDP.
    public let transport: Transport

    /// A destination that a guest wants to reach.
    public init(address: String, port: UInt16, transport: Transport) {
      self.address = address
      self.port = port
      self.transport = transport
    }

    /// `tcp 192.0.2.1:80`.
    public var description: String {
      "\(transport.rawValue) \(EndpointText.join(address, port))"
    }
  }
}

/// Decides about each destination outside that a sandbox's guests want to reach.
public protocol NetworkDelegate: Sendable {
  /// Whether guests may reach it. The whole sandbox waits for the answer, so it must come at once; refused ones get
  /// `EACCES`.
  func mayConnect(_ connection: SandboxConfiguration.Network.Connection) -> Bool
}
