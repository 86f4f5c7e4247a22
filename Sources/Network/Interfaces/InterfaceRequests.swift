import LinuxABI

/// The interfaces as the requests of netdevice(7) see them, which know addresses of version 4 alone.
extension InterfaceTable {
  /// What `SIOCGIFCONF` tells.
  package var configuration: [InterfaceRequestBlock] {
    interfaces.flatMap { interface in
      interface.addresses.compactMap { entry in
        guard case .v4 = entry.address else { return nil }
        var block = InterfaceRequestBlock(name: interface.name)
        block.value = entry.address.socketAddress(port: 0).bytes
        return block
      }
    }
  }

  /// Answers a request about one interface. - Throws: `ENODEV`, `EADDRNOTAVAIL`, `EOPNOTSUPP`.
  package func answer(_ request: InterfaceRequest, _ block: inout InterfaceRequestBlock) throws(Errno) {
    if request == .getName {
      guard let index = Int32(littleEndian: block.value, at: 0), let interface = self[index] else {
        throw .operationNotSupportedByDevice
      }
      block.name = interface.name
      return
    }
    // The part behind a colon names an alias, which is the interface itself here.
    let name = block.name.prefix { $0 != ":" }
    guard let interface = self[String(name)] else { throw .operationNotSupportedByDevice }
    switch request {
    case .getFlags: block.value = Array(interface.flags.rawValue.littleEndianBytes.prefix(2))
    case .setFlags:
      guard let flags = UInt16(littleEndian: block.value, at: 0) else { throw .invalidArgument }
      try setUp(interface.index, InterfaceFlags(rawValue: UInt32(flags)).contains(.up))
    case .getIndex: block.value = interface.index.littleEndianBytes
    case .getMTU: block.value = interface.mtu.littleEndianBytes
    case .getMetric: block.value = Int32(0).littleEndianBytes
    case .getQueueLength: block.value = interface.queueLength.littleEndianBytes
    case .getMap: block.value = []
    case .getHardwareAddress:
      block.value = interface.hardwareType.rawValue.littleEndianBytes + interface.hardwareAddress
    case .getAddress, .getDestinationAddress, .getBroadcastAddress, .getNetmask:
      guard let entry = interface.addresses.first(where: { $0.address.family == .inet }) else {
        throw .addressNotAvailable
      }
      block.value = interface.shown(request, entry).socketAddress(port: 0).bytes
    case .setAddress, .setNetmask, .setMTU, .getName, .getConfiguration: throw .notSupportedOnSocket
    }
  }
}

extension NetworkInterface {
  /// One of the addresses that belong to an address of version 4.
  fileprivate func shown(_ request: InterfaceRequest, _ entry: Address) -> IPAddress {
    switch request {
    case .getNetmask: IPNetwork(.v4(IPv4Address(rawValue: .max)), prefix: entry.prefix).address
    case .getBroadcastAddress: kind == .loopback ? .v4(.any) : entry.network.last
    default: entry.address
    }
  }
}
