/// The places outside to which one guest's socket has sent: what the guest calls them, and where they are on the host.
///
/// A name server of the host has two names, its own address and the one in the sandbox's network that stands for it. Which
/// of them a datagram comes from is told by the socket of the host that it comes to (`Channel`): what is sent to the
/// latter goes through one of its own.
struct DatagramPeers {
  /// A socket of the host behind the guest's.
  struct Channel: Hashable {
    let isVersion4: Bool
    /// It is for those name servers that are in the sandbox's network.
    let isForNameServers: Bool
  }

  struct Place: Hashable {
    let outer: SocketEndpoint
    let channel: Channel
    init(_ outer: SocketEndpoint, isNameServer: Bool) {
      self.outer = outer
      channel = Channel(isVersion4: outer.address.isVersion4, isForNameServers: isNameServer)
    }
  }

  private var places: [SocketEndpoint: Place] = [:]
  private var names: [Place: SocketEndpoint] = [:]
  private static let limit = 1024

  /// Where a destination is that was sent to before.
  func place(of destination: SocketEndpoint) -> Place? { places[destination] }

  /// What the guest calls a place; nil where it has not sent there.
  func name(of place: Place) -> SocketEndpoint? { names[place] }

  mutating func add(_ destination: SocketEndpoint, at place: Place) {
    if places.count >= DatagramPeers.limit { (places, names) = ([:], [:]) }
    places[destination] = place
    names[place] = destination
  }
}
