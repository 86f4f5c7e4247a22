import LinuxABI

/// A network interface as guests see it. Nothing passes through it: sockets are joined object to object, or carried by
/// the host's; it tells which addresses are the sandbox's own.
package struct NetworkInterface: Sendable {
  /// There is one of each at most, which has this number as its index.
  package enum Kind: Int32, Sendable {
    case loopback = 1
    case ethernet = 2
  }

  package let name: String
  package let kind: Kind
  /// Six bytes.
  package let hardwareAddress: [UInt8]
  package let mtu: UInt32
  /// Its addresses, each with the network that it lies in, in the order in which they came.
  package internal(set) var addresses: [Address]
  package internal(set) var isUp = true
  /// Bytes and packets that programs sent to it and got from it.
  package var counters = Counters()

  /// An address of the interface.
  package struct Address: Hashable, Sendable {
    package let address: IPAddress
    /// Bits of the network that the address lies in.
    package let prefix: Int
    package init(_ address: IPAddress, prefix: Int) {
      self.address = address
      self.prefix = prefix
    }
    /// The network that is reached through the interface.
    package var network: IPNetwork { IPNetwork(address, prefix: prefix) }
  }

  package struct Counters: Sendable {
    package var sentBytes: UInt64 = 0
    package var sentPackets: UInt64 = 0
    package var receivedBytes: UInt64 = 0
    package var receivedPackets: UInt64 = 0
  }

  /// The loopback device, with 127.0.0.1/8 and ::1.
  package static let loopback = NetworkInterface(
    name: "lo", kind: .loopback, hardwareAddress: [0, 0, 0, 0, 0, 0], mtu: 65536,
    addresses: [
      Address(.v4(.loopback), prefix: 8), Address(.v6(.loopback), prefix: 128),
    ])

  /// The way to the outside.
  package static func ethernet(_ addresses: [Address]) -> NetworkInterface {
    // Locally administered, and the same in all sandboxes: nobody else sees it.
    NetworkInterface(
      name: "eth0", kind: .ethernet, hardwareAddress: [0x02, 0x61, 0x70, 0x75, 0x73, 0x02], mtu: 1500,
      addresses: addresses)
  }

  package var index: Int32 { kind.rawValue }
  package var flags: InterfaceFlags {
    let fixed: InterfaceFlags = kind == .loopback ? .loopback : [.broadcast, .multicast]
    return isUp ? fixed.union([.up, .running, .lowerUp]) : fixed
  }
  package var hardwareType: HardwareType { kind == .loopback ? .loopback : .ethernet }
  /// Packets that may wait to be sent: as Linux's default, and without effect here.
  package var queueLength: UInt32 { 1000 }
  /// The link-layer address for all hosts.
  package var hardwareBroadcast: [UInt8] { [UInt8](repeating: kind == .loopback ? 0 : 0xff, count: 6) }
  /// As `operstate` in sysfs tells; the loopback device never knows.
  package var operationalState: OperationalState { isUp ? (kind == .loopback ? .unknown : .up) : .down }

  /// `IF_OPER_*`.
  package enum OperationalState: UInt8, Sendable {
    case unknown = 0
    case down = 2
    case up = 6
    package var name: String {
      switch self {
      case .unknown: "unknown"
      case .down: "down"
      case .up: "up"
      }
    }
  }
}
