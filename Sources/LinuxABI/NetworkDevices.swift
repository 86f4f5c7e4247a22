/// `IFF_*` of netdevice(7).
package struct InterfaceFlags: OptionSet, Sendable, BitwiseCopyable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  package static let up = InterfaceFlags(rawValue: 0x1)
  package static let broadcast = InterfaceFlags(rawValue: 0x2)
  package static let loopback = InterfaceFlags(rawValue: 0x8)
  package static let running = InterfaceFlags(rawValue: 0x40)
  package static let multicast = InterfaceFlags(rawValue: 0x1000)
  package static let lowerUp = InterfaceFlags(rawValue: 0x1_0000)
}

/// `ARPHRD_*`: kinds of hardware.
package enum HardwareType: UInt16, Sendable {
  case ethernet = 1
  case loopback = 772
}

/// Requests of netdevice(7) for ioctl(2), `SIOC*`.
package enum InterfaceRequest: UInt32, NamedConstants, Sendable {
  case getName = 0x8910
  case getConfiguration = 0x8912
  case getFlags = 0x8913
  case setFlags = 0x8914
  case getAddress = 0x8915
  case setAddress = 0x8916
  case getDestinationAddress = 0x8917
  case getBroadcastAddress = 0x8919
  case getNetmask = 0x891b
  case setNetmask = 0x891c
  case getMetric = 0x891d
  case getMTU = 0x8921
  case setMTU = 0x8922
  case getHardwareAddress = 0x8927
  case getIndex = 0x8933
  case getQueueLength = 0x8942
  case getMap = 0x8970

  package static let names: [ConstantName] = [
    .init("SIOCGIFNAME", getName), .init("SIOCGIFCONF", getConfiguration), .init("SIOCGIFFLAGS", getFlags),
    .init("SIOCSIFFLAGS", setFlags), .init("SIOCGIFADDR", getAddress), .init("SIOCSIFADDR", setAddress),
    .init("SIOCGIFDSTADDR", getDestinationAddress), .init("SIOCGIFBRDADDR", getBroadcastAddress),
    .init("SIOCGIFNETMASK", getNetmask), .init("SIOCSIFNETMASK", setNetmask), .init("SIOCGIFMETRIC", getMetric),
    .init("SIOCGIFMTU", getMTU), .init("SIOCSIFMTU", setMTU), .init("SIOCGIFHWADDR", getHardwareAddress),
    .init("SIOCGIFINDEX", getIndex), .init("SIOCGIFTXQLEN", getQueueLength), .init("SIOCGIFMAP", getMap),
  ]

  /// It changes something, for which `CAP_NET_ADMIN` is needed.
  package var isChange: Bool {
    switch self {
    case .setFlags, .setAddress, .setNetmask, .setMTU: true
    default: false
    }
  }
}

/// `struct ifreq`: the name of an interface, and a union.
package struct InterfaceRequestBlock: Sendable {
  package static let size = 40
  /// `IFNAMSIZ`.
  package static let nameSize = 16
  package private(set) var bytes: [UInt8]

  /// - Parameter bytes: 40 of them.
  package init(_ bytes: [UInt8]) {
    self.bytes = Array(bytes.prefix(InterfaceRequestBlock.size))
    self.bytes += [UInt8](repeating: 0, count: InterfaceRequestBlock.size - self.bytes.count)
  }

  package init(name: String) {
    self.init([])
    self.name = name
  }

  package var name: String {
    get { String(decoding: bytes.prefix(InterfaceRequestBlock.nameSize).prefix { $0 != 0 }, as: UTF8.self) }
    set {
      let name = Array(newValue.utf8.prefix(InterfaceRequestBlock.nameSize - 1))
      bytes.replaceSubrange(
        ..<InterfaceRequestBlock.nameSize,
        with: name + [UInt8](repeating: 0, count: InterfaceRequestBlock.nameSize - name.count))
    }
  }

  /// The union, as far as it is set.
  package var value: [UInt8] {
    get { Array(bytes[InterfaceRequestBlock.nameSize...]) }
    set {
      let room = InterfaceRequestBlock.size - InterfaceRequestBlock.nameSize
      let value = Array(newValue.prefix(room))
      bytes.replaceSubrange(
        InterfaceRequestBlock.nameSize..., with: value + [UInt8](repeating: 0, count: room - value.count))
    }
  }
}
