import LinuxABI

/// NETLINK_ROUTE (rtnetlink(7)): what the sandbox has of links, addresses, routes and rules, and changes of `lo`.
struct RouteService: NetlinkService {
  let table: InterfaceTable

  func answer(_ request: NetlinkRequest, mayChange: Bool) throws(Errno) -> NetlinkReply {
    let type = request.header.type
    guard type < RouteMessage.end else { throw .notSupportedOnSocket }
    guard RouteMessage.isGet(type) || mayChange else { throw .notPermitted }
    // Linux takes requests that hold nothing but the family.
    guard let family = request.payload.first else { throw .invalidArgument }
    let isDump = request.header.flags.asksForDump
    switch type {
    case RouteMessage.getLink: return isDump ? .dump(links(request)) : .messages([try link(request)])
    case RouteMessage.getAddress:
      guard isDump else { throw .notSupportedOnSocket }
      return .dump(addresses(request, AddressFamily(rawValue: UInt16(family))))
    case RouteMessage.getRoute:
      return isDump
        ? .dump(routes(request, AddressFamily(rawValue: UInt16(family)))) : .messages([try route(request)])
    case RouteMessage.getRule:
      guard isDump else { throw .notSupportedOnSocket }
      return .dump(rules(request, AddressFamily(rawValue: UInt16(family))))
    case RouteMessage.getNeighbour, RouteMessage.getNeighbourTable, RouteMessage.getMulticast, RouteMessage.getAnycast,
      RouteMessage.getAddressLabel, RouteMessage.getNextHop:
      guard isDump else { throw .noSuchFileOrDirectory }
      return .dump([])
    case RouteMessage.newLink, RouteMessage.setLink:
      try changeLink(request)
      return .done
    case RouteMessage.newAddress, RouteMessage.deleteAddress:
      try changeAddress(request)
      return .done
    default: throw .notSupportedOnSocket
    }
  }

  // MARK: Links

  private func links(_ request: NetlinkRequest) -> [NetlinkMessage] {
    table.interfaces.map { message(of: $0, for: request, multi: true) }
  }

  private func link(_ request: NetlinkRequest) throws(Errno) -> NetlinkMessage {
    message(of: try interface(request), for: request, multi: false)
  }

  /// The interface that a request is about, by its index or its name. - Throws: `ENODEV`, `EINVAL`.
  private func interface(_ request: NetlinkRequest) throws(Errno) -> NetworkInterface {
    guard let header = LinkMessage(request.payload) else { throw .invalidArgument }
    if header.index > 0 {
      guard let found = table[header.index] else { throw .operationNotSupportedByDevice }
      return found
    }
    let attributes = request.attributes(from: LinkMessage.size)
    guard let name = attributes[LinkMessage.Attribute.name] ?? attributes[LinkMessage.Attribute.alternativeName] else {
      throw .invalidArgument
    }
    guard let found = table[String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)] else {
      throw .operationNotSupportedByDevice
    }
    return found
  }

  private func message(of interface: NetworkInterface, for request: NetlinkRequest, multi: Bool) -> NetlinkMessage {
    typealias Attribute = LinkMessage.Attribute
    var header = LinkMessage()
    header.type = interface.hardwareType.rawValue
    header.index = interface.index
    header.flags = interface.flags
    var message = NetlinkMessage(request.replyHeader(RouteMessage.newLink, multi: multi), fixed: header.bytes)
    message.append(Attribute.name, interface.name)
    message.append(Attribute.queueLength, interface.queueLength)
    message.append(Attribute.operationalState, interface.operationalState.rawValue)
    message.append(Attribute.linkMode, UInt8(0))
    message.append(Attribute.mtu, interface.mtu)
    message.append(Attribute.minimumMTU, UInt32(interface.kind == .loopback ? 0 : 68))
    message.append(Attribute.maximumMTU, UInt32(interface.kind == .loopback ? 0 : 65535))
    message.append(Attribute.group, UInt32(0))
    message.append(Attribute.promiscuity, UInt32(0))
    message.append(Attribute.sendQueues, UInt32(1))
    message.append(Attribute.receiveQueues, UInt32(1))
    message.append(Attribute.carrier, UInt8(interface.isUp ? 1 : 0))
    message.append(Attribute.queueDiscipline, "noqueue")
    message.append(Attribute.carrierChanges, UInt32(0))
    message.append(Attribute.map, [UInt8](repeating: 0, count: 32))
    message.append(Attribute.address, interface.hardwareAddress)
    message.append(Attribute.broadcast, interface.hardwareBroadcast)
    let counters = interface.counters.fields
    message.append(Attribute.statistics64, counters.flatMap(\.littleEndianBytes))
    message.append(
      Attribute.statistics, counters.dropLast().flatMap { UInt32(truncatingIfNeeded: $0).littleEndianBytes })
    return message
  }

  /// Brings `lo` up or down; nothing else of a link can be changed.
  private func changeLink(_ request: NetlinkRequest) throws(Errno) {
    guard let header = LinkMessage(request.payload) else { throw .invalidArgument }
    let found = try interface(request)
    if request.header.type == RouteMessage.newLink, request.header.flags.contains(.exclusive) { throw .fileExists }
    // A mask of zero stands for all flags (rtnetlink(7)).
    let changed = InterfaceFlags(rawValue: header.change == 0 ? .max : header.change)
    let known: Set<UInt16> = [LinkMessage.Attribute.name, LinkMessage.Attribute.alternativeName]
    guard known.isSuperset(of: request.attributes(from: LinkMessage.size).keys) else { throw .notSupportedOnSocket }
    guard changed.contains(.up), header.flags.contains(.up) != found.isUp else { return }
    try table.setUp(found.index, header.flags.contains(.up))
  }

  // MARK: Addresses

  private func addresses(_ request: NetlinkRequest, _ family: AddressFamily) -> [NetlinkMessage] {
    let index = AddressMessage(request.payload)?.index ?? 0
    let interfaces = table.interfaces.filter { index == 0 || $0.index == Int32(truncatingIfNeeded: index) }
    let families = family == .unspecified ? [AddressFamily.inet, .inet6] : [family]
    return families.flatMap { family in
      interfaces.flatMap { interface in
        interface.addresses.filter { $0.address.family == family }.map { message(of: $0, interface, for: request) }
      }
    }
  }

  private func message(
    of entry: NetworkInterface.Address, _ interface: NetworkInterface, for request: NetlinkRequest
  ) -> NetlinkMessage {
    typealias Attribute = AddressMessage.Attribute
    var header = AddressMessage()
    header.family = UInt8(truncatingIfNeeded: entry.address.family.rawValue)
    header.prefix = UInt8(clamping: entry.prefix)
    header.flags = AddressMessage.permanent
    header.scope = (entry.address.isLoopback ? RouteScope.host : .universe).rawValue
    header.index = UInt32(bitPattern: interface.index)
    var message = NetlinkMessage(request.replyHeader(RouteMessage.newAddress, multi: true), fixed: header.bytes)
    message.append(Attribute.address, entry.address.bytes)
    if case .v4 = entry.address {
      message.append(Attribute.local, entry.address.bytes)
      if interface.kind == .ethernet { message.append(Attribute.broadcast, entry.network.last.bytes) }
      message.append(Attribute.label, interface.name)
    }
    message.append(Attribute.flags, UInt32(AddressMessage.permanent))
    // Preferred and valid for ever, made and changed at the start.
    message.append(
      Attribute.cacheInformation, [UInt32.max, .max, 0, 0].flatMap(\.littleEndianBytes))
    return message
  }

  private func changeAddress(_ request: NetlinkRequest) throws(Errno) {
    guard let header = AddressMessage(request.payload) else { throw .invalidArgument }
    let attributes = request.attributes(from: AddressMessage.size)
    let bytes = attributes[AddressMessage.Attribute.local] ?? attributes[AddressMessage.Attribute.address] ?? []
    guard let address = IPAddress(bytes: bytes), address.family.rawValue == UInt16(header.family),
      Int(header.prefix) <= address.width
    else { throw .invalidArgument }
    let entry = NetworkInterface.Address(address, prefix: Int(header.prefix))
    let index = Int32(truncatingIfNeeded: header.index)
    if request.header.type == RouteMessage.deleteAddress {
      try table.remove(entry, from: index)
    } else if table[index]?.addresses.contains(entry) == true, !request.header.flags.contains(.exclusive) {
      // It is there already, and the program does not mind.
      return
    } else {
      try table.add(entry, to: index)
    }
  }

  // MARK: Routes and rules

  private func routes(_ request: NetlinkRequest, _ family: AddressFamily) -> [NetlinkMessage] {
    let wanted = RouteEntryMessage(request.payload)?.table ?? 0
    return table.routes.filter { route in
      (family == .unspecified || route.destination.address.family == family)
        && (wanted == 0 || route.table.rawValue == wanted)
    }.map { message(of: $0, for: request, multi: true) }
  }

  private func message(of route: Route, for request: NetlinkRequest, multi: Bool) -> NetlinkMessage {
    typealias Attribute = RouteEntryMessage.Attribute
    let isVersion4 = route.destination.address.family == .inet
    var header = RouteEntryMessage()
    header.family = UInt8(truncatingIfNeeded: route.destination.address.family.rawValue)
    header.destinationPrefix = UInt8(clamping: route.destination.prefix)
    header.table = route.table.rawValue
    header.origin = route.origin.rawValue
    header.scope = (isVersion4 ? route.scope : .universe).rawValue
    header.type = route.type.rawValue
    var message = NetlinkMessage(request.replyHeader(RouteMessage.newRoute, multi: multi), fixed: header.bytes)
    message.append(Attribute.table, UInt32(route.table.rawValue))
    if route.destination.prefix > 0 { message.append(Attribute.destination, route.destination.address.bytes) }
    if isVersion4 {
      if let source = route.source, route.gateway == nil { message.append(Attribute.preferredSource, source.bytes) }
    } else {
      message.append(Attribute.priority, UInt32(route.table == .local ? 0 : route.gateway == nil ? 256 : 1024))
    }
    if let gateway = route.gateway { message.append(Attribute.gateway, gateway.bytes) }
    message.append(Attribute.interface, UInt32(bitPattern: route.interface))
    if !isVersion4 {
      message.append(Attribute.cacheInformation, [UInt8](repeating: 0, count: 32))
      message.append(Attribute.preference, UInt8(0))
    }
    return message
  }

  /// The route that packets to one address take (`ip route get`). - Throws: `ENETUNREACH`, `EINVAL`.
  private func route(_ request: NetlinkRequest) throws(Errno) -> NetlinkMessage {
    typealias Attribute = RouteEntryMessage.Attribute
    guard let asked = RouteEntryMessage(request.payload),
      let destination = request.attributes(from: RouteEntryMessage.size)[Attribute.destination].flatMap({
        IPAddress(bytes: $0)
      }), destination.family.rawValue == UInt16(asked.family)
    else { throw .invalidArgument }
    guard let route = table.route(to: destination) else { throw .networkUnreachable }
    var header = RouteEntryMessage()
    header.family = asked.family
    header.destinationPrefix = UInt8(clamping: destination.width)
    header.table = (destination.family == .inet ? RouteTable.main : route.table).rawValue
    header.scope = RouteScope.universe.rawValue
    header.type = route.type.rawValue
    header.origin = (destination.family == .inet ? RouteOrigin.unspecified : route.origin).rawValue
    header.flags = RouteEntryMessage.cloned
    if route.type == .local, destination.family == .inet { header.flags |= RouteEntryMessage.local }
    var message = NetlinkMessage(request.replyHeader(RouteMessage.newRoute), fixed: header.bytes)
    message.append(Attribute.table, UInt32(header.table))
    message.append(Attribute.destination, destination.bytes)
    message.append(Attribute.interface, UInt32(bitPattern: route.interface))
    if let source = route.source { message.append(Attribute.preferredSource, source.bytes) }
    if let gateway = route.gateway { message.append(Attribute.gateway, gateway.bytes) }
    message.append(Attribute.user, UInt32(0))
    message.append(Attribute.cacheInformation, [UInt8](repeating: 0, count: 32))
    return message
  }

  /// The rules that every Linux begins with: one for each table.
  private func rules(_ request: NetlinkRequest, _ family: AddressFamily) -> [NetlinkMessage] {
    typealias Attribute = RouteEntryMessage.RuleAttribute
    let families = family == .unspecified ? [AddressFamily.inet, .inet6] : [family]
    return families.filter { [.inet, .inet6].contains($0) }.flatMap { family in
      let rules: [(UInt32, RouteTable)] = [(0, .local), (32766, .main), (32767, .default)]
      return rules.filter { family == .inet || $0.1 != .default }.map { priority, table in
        var header = RouteEntryMessage()
        header.family = UInt8(truncatingIfNeeded: family.rawValue)
        header.table = table.rawValue
        header.type = Attribute.toTable
        var message = NetlinkMessage(request.replyHeader(RouteMessage.newRule, multi: true), fixed: header.bytes)
        message.append(Attribute.table, UInt32(table.rawValue))
        message.append(Attribute.suppressedPrefix, UInt32.max)
        message.append(Attribute.origin, RouteOrigin.kernel.rawValue)
        if priority > 0 { message.append(Attribute.priority, priority) }
        return message
      }
    }
  }
}

extension NetworkInterface.Counters {
  /// In the order of `struct rtnl_link_stats64`: the last field is not in the older structure.
  var fields: [UInt64] {
    [receivedPackets, sentPackets, receivedBytes, sentBytes] + [UInt64](repeating: 0, count: 21)
  }
}
