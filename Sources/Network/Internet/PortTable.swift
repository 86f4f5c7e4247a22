import LinuxABI

/// Which sockets have which ports of one protocol: both families share them.
///
/// Sockets are found by their port, not by a search; a free port is found by trying the next ones.
package final class PortTable {
  /// The sockets of one port.
  final class Entry {
    let port: UInt16
    /// All of them, in no order: `InternetSocket.portIndex` tells where each is.
    fileprivate(set) var members: [InternetSocket] = []
    /// Those of TCP that listen.
    var listeners: [TCPSocket] = []
    /// Closed connections that keep the port for a while (TIME_WAIT), by what their sockets allowed.
    fileprivate(set) var lingering: [Reuse: Int] = [:]

    init(port: UInt16) { self.port = port }
    fileprivate var isUnused: Bool { members.isEmpty && lingering.isEmpty }
  }

  /// `SO_REUSEADDR` and `SO_REUSEPORT` of a socket.
  struct Reuse: Hashable {
    var address: Bool
    var port: Bool
  }

  /// `net.ipv4.ip_local_port_range`.
  package var ephemeralPorts = NetworkSettings().ephemeralPorts

  private var entries: [UInt16: Entry] = [:]
  /// Where the search for a free port goes on: an offset in the range.
  private var nextOffset: Int
  /// Two sockets that both have `SO_REUSEADDR` may share a port even where the addresses are the same (UDP).
  private let sharesFreely: Bool

  init(firstOffset: Int, sharesFreely: Bool = false) {
    nextOffset = firstOffset
    self.sharesFreely = sharesFreely
  }

  func entry(_ port: UInt16) -> Entry? { entries[port] }

  /// All sockets that have ports, for who lists them.
  package var sockets: [InternetSocket] { entries.values.flatMap(\.members) }

  // MARK: Taking ports

  /// Gives a socket, whose `local.address` is set, a port: this one, or for 0 a free one. - Throws: `EADDRINUSE`.
  func bind(_ socket: InternetSocket, to port: UInt16) throws(Errno) {
    if port != 0 {
      guard !conflicts(socket, port) else { throw .addressInUse }
      return add(socket, to: port)
    }
    if let free = nextPort(where: { entries[$0] == nil }) { return add(socket, to: free) }
    guard let shared = nextPort(where: { !conflicts(socket, $0, isChosen: true) }) else { throw .addressInUse }
    add(socket, to: shared)
  }

  /// Gives a socket that connects a port that nobody else has. - Throws: `EADDRNOTAVAIL`.
  func bindToConnect(_ socket: InternetSocket) throws(Errno) {
    if let free = nextPort(where: { entries[$0] == nil }) { return add(socket, to: free) }
    // Closed connections give way, and connections to other peers do not mind.
    let port = nextPort {
      entries[$0]?.members.allSatisfy { !$0.isPortLocked && !$0.isListening && $0.remote != socket.remote } ?? true
    }
    guard let port else { throw .addressNotAvailable }
    add(socket, to: port)
  }

  private func nextPort(where isFit: (UInt16) -> Bool) -> UInt16? {
    let range = ephemeralPorts
    nextOffset %= range.count
    for _ in 0..<range.count {
      let port = range.lowerBound + UInt16(nextOffset)
      nextOffset = (nextOffset + 1) % range.count
      if isFit(port) { return port }
    }
    return nil
  }

  /// Puts a socket on a port, whoever else is there.
  func add(_ socket: InternetSocket, to port: UInt16) {
    let entry = makeEntry(port)
    socket.local.port = port
    socket.portEntry = entry
    socket.portIndex = entry.members.count
    entry.members.append(socket)
  }

  private func makeEntry(_ port: UInt16) -> Entry {
    if let entry = entries[port] { return entry }
    let entry = Entry(port: port)
    entries[port] = entry
    return entry
  }

  /// A socket gives up its port; its name keeps the number.
  func remove(_ socket: InternetSocket) {
    guard let entry = socket.portEntry else { return }
    socket.portEntry = nil
    let last = entry.members.removeLast()
    if last !== socket {
      entry.members[socket.portIndex] = last
      last.portIndex = socket.portIndex
    }
    dropIfUnused(entry)
  }

  private func dropIfUnused(_ entry: Entry) { if entry.isUnused { entries[entry.port] = nil } }

  // MARK: Closed connections

  func addLingering(_ reuse: Reuse, on port: UInt16) { makeEntry(port).lingering[reuse, default: 0] += 1 }

  func removeLingering(_ reuse: Reuse, on port: UInt16) {
    guard let entry = entries[port], let count = entry.lingering[reuse] else { return }
    entry.lingering[reuse] = count > 1 ? count - 1 : nil
    dropIfUnused(entry)
  }

  // MARK: Conflicts

  /// Another socket keeps this one from having, or listening on, a port (`inet_csk_bind_conflict`, `udp_lib_lport_inuse`
  /// of Linux). `isChosen`: the port is the kernel's choice, which shares nothing.
  func conflicts(_ socket: InternetSocket, _ port: UInt16, isChosen: Bool = false) -> Bool {
    guard let entry = entries[port] else { return false }
    let own = socket.reuse
    for other in entry.members where other !== socket && overlap(socket, other) {
      if own.address, other.reuse.address, sharesFreely || !other.isListening {
        if isChosen { return true }
      } else {
        let isShared = own.port && other.reuse.port && socket.owner.uid == other.owner.uid
        if isChosen || !isShared { return true }
      }
    }
    return entry.lingering.keys.contains { other in
      isChosen || !(own.address && other.address) && !(own.port && other.port)
    }
  }

  /// What is sent to one of two sockets could reach the other (`inet_rcv_saddr_equal` of Linux).
  private func overlap(_ first: InternetSocket, _ second: InternetSocket) -> Bool {
    let (one, two) = (first.local.address, second.local.address)
    if one.isVersion4, two.isVersion4 { return one == two || one == .anyVersion4 || two == .anyVersion4 }
    if one == two { return true }
    if two == .any { return !(second.isVersion6Only && one.isVersion4) }
    if one == .any { return !(first.isVersion6Only && two.isVersion4) }
    return false
  }
}
