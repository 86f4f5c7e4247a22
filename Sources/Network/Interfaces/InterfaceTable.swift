import LinuxABI

/// The network interfaces of a sandbox, and the routes that follow from them.
package final class InterfaceTable {
  package private(set) var interfaces: [NetworkInterface]
  /// Where packets for all other addresses go, through `eth0`.
  private let gateways: [IPAddress]

  /// - Parameters:
  ///   - addresses: those of `eth0`; where there are none, there is no such interface.
  ///   - gateways: at most one of each version, which lie in networks of those addresses.
  package init(addresses: [NetworkInterface.Address] = [], gateways: [IPAddress] = []) {
    interfaces = [.loopback] + (addresses.isEmpty ? [] : [.ethernet(addresses)])
    self.gateways = gateways
    routes = makeRoutes()
  }

  package subscript(name: String) -> NetworkInterface? { interfaces.first { $0.name == name } }
  package subscript(index: Int32) -> NetworkInterface? { interfaces.first { $0.index == index } }

  /// Packets for the address come back to this sandbox: an address of an interface, or in 127.0.0.0/8.
  package func isLocal(_ address: IPAddress) -> Bool {
    let address = address.unmapped
    return interfaces.contains { interface in
      interface.isUp
        && interface.addresses.contains {
          $0.address == address || interface.kind == .loopback && $0.network.contains(address)
        }
    }
  }

  /// The address that packets to `destination` are sent from; nil where nothing leads there.
  package func source(for destination: IPAddress) -> IPAddress? {
    let destination = destination.unmapped
    if isLocal(destination) { return destination }
    return route(to: destination)?.source
  }

  /// Counts what programs sent through an interface and, where that is the loopback device, got from it.
  package func count(bytes: Int, on kind: NetworkInterface.Kind, isSent: Bool) {
    guard let position = interfaces.firstIndex(where: { $0.kind == kind }) else { return }
    let bytes = UInt64(clamping: bytes)
    if isSent || kind == .loopback {
      interfaces[position].counters.sentBytes &+= bytes
      interfaces[position].counters.sentPackets &+= 1
    }
    if !isSent || kind == .loopback {
      interfaces[position].counters.receivedBytes &+= bytes
      interfaces[position].counters.receivedPackets &+= 1
    }
  }

  // MARK: Changes

  /// Brings an interface up or down. - Throws: `ENODEV`; `EOPNOTSUPP` for other than the loopback device.
  func setUp(_ index: Int32, _ isUp: Bool) throws(Errno) {
    let position = try changeable(index)
    interfaces[position].isUp = isUp
    routes = makeRoutes()
  }

  /// Adds an address. - Throws: `EEXIST`, `ENODEV`, `EOPNOTSUPP`, `ENOBUFS` where there are too many.
  func add(_ address: NetworkInterface.Address, to index: Int32) throws(Errno) {
    let position = try changeable(index)
    guard !interfaces[position].addresses.contains(address) else { throw .fileExists }
    guard interfaces[position].addresses.count < InterfaceTable.maximumAddresses else { throw .noBufferSpace }
    interfaces[position].addresses.append(address)
    routes = makeRoutes()
  }

  /// Takes an address away. - Throws: `EADDRNOTAVAIL`, `ENODEV`, `EOPNOTSUPP`.
  func remove(_ address: NetworkInterface.Address, from index: Int32) throws(Errno) {
    let position = try changeable(index)
    guard let place = interfaces[position].addresses.firstIndex(of: address) else { throw .addressNotAvailable }
    interfaces[position].addresses.remove(at: place)
    routes = makeRoutes()
  }

  /// Addresses of one interface.
  private static let maximumAddresses = 256

  private func changeable(_ index: Int32) throws(Errno) -> Int {
    guard let position = interfaces.firstIndex(where: { $0.index == index }) else {
      throw .operationNotSupportedByDevice
    }
    guard interfaces[position].kind == .loopback else { throw .notSupportedOnSocket }
    return position
  }

  // MARK: Routes

  /// The routes of all tables, the most special first. Each datagram to the outside asks for one, so they are kept.
  package private(set) var routes: [Route] = []

  /// The routes that follow from the interfaces and their addresses.
  private func makeRoutes() -> [Route] {
    var local: [Route] = []
    var connected: [Route] = []
    var defaults: [Route] = []
    for interface in interfaces where interface.isUp {
      for entry in interface.addresses {
        local += Route.local(entry, interface)
        if interface.kind == .ethernet {
          connected.append(
            Route(
              entry.network, interface: interface.index, table: .main, type: .unicast, scope: .link, origin: .kernel,
              source: entry.address))
        }
      }
      for gateway in gateways where interface.kind == .ethernet {
        let source = interface.addresses.first { $0.network.contains(gateway) }?.address
        defaults.append(
          Route(
            IPNetwork(gateway.any, prefix: 0), interface: interface.index, table: .main, type: .unicast,
            scope: .universe, origin: .boot, source: source, gateway: gateway))
      }
    }
    return local + connected + defaults
  }

  /// The route that packets to an address take.
  package func route(to destination: IPAddress) -> Route? {
    let destination = destination.unmapped
    return routes.filter { $0.destination.contains(destination) }.max { $0.destination.prefix < $1.destination.prefix }
  }
}

/// A way to a network.
package struct Route: Hashable, Sendable {
  package let destination: IPNetwork
  package let interface: Int32
  package let table: RouteTable
  package let type: RouteType
  package let scope: RouteScope
  package let origin: RouteOrigin
  /// The address that packets are sent from.
  package let source: IPAddress?
  package let gateway: IPAddress?

  init(
    _ destination: IPNetwork, interface: Int32, table: RouteTable, type: RouteType, scope: RouteScope,
    origin: RouteOrigin, source: IPAddress?, gateway: IPAddress? = nil
  ) {
    self.destination = destination
    self.interface = interface
    self.table = table
    self.type = type
    self.scope = scope
    self.origin = origin
    self.source = source
    self.gateway = gateway
  }

  /// What Linux puts into the table `local` for an address.
  fileprivate static func local(_ entry: NetworkInterface.Address, _ interface: NetworkInterface) -> [Route] {
    func local(_ network: IPNetwork) -> Route {
      Route(
        network, interface: interface.index, table: .local, type: .local, scope: network.scope(.host), origin: .kernel,
        source: entry.address)
    }
    var result = [local(IPNetwork(entry.address, prefix: entry.address.width))]
    guard case .v4 = entry.address, entry.prefix < 31 else { return result }
    if interface.kind == .loopback, entry.network.address != entry.address {
      result.insert(local(entry.network), at: 0)
    }
    result.append(
      Route(
        IPNetwork(entry.network.last, prefix: 32), interface: interface.index, table: .local, type: .broadcast,
        scope: .link, origin: .kernel, source: entry.address))
    return result
  }
}

extension IPNetwork {
  /// Routes of version 6 have no scope.
  fileprivate func scope(_ scope: RouteScope) -> RouteScope {
    if case .v6 = address { return .universe }
    return scope
  }
}
