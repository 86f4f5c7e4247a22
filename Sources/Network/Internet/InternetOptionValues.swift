import LinuxABI

/// The options of ip(7) and ipv6(7), with the checks that Linux makes (`do_ip_setsockopt`, `do_ipv6_setsockopt`).
extension InternetSocket {
  /// Options that are on or off, whatever the kind of socket.
  private static let switches: [SocketOption: InternetOptions.Flags] = [
    .ipReceiveOptions: .receiveOptions, .ipReturnOptions: .returnOptions, .ipPacketInfo: .packetInfo,
    .ipReceiveErrors: .receiveErrors, .ipReceiveTimeToLive: .receiveTimeToLive,
    .ipReceiveTypeOfService: .receiveTypeOfService, .ipFreeBind: .freeBind, .ipTransparent: .transparent,
    .ipReceiveOriginalDestination: .receiveOriginalDestination, .ipNoDefragmentation: .noDefragmentation,
    .ipChecksum: .checksum, .ipBindAddressNoPort: .bindAddressNoPort, .ipReceiveFragmentSize: .receiveFragmentSize,
    .ipReceiveErrorsExtended: .receiveErrorsExtended, .ipMulticastLoop: .multicastLoop,
    .ipMulticastAll: .multicastAll, .ipPassSecurity: .passSecurity, .ipHeaderIncluded: .headerIncluded,
    .ipv6MulticastLoop: .multicastLoop6, .ipv6MulticastAll: .multicastAll6, .ipv6ReceiveErrors: .receiveErrors6,
    .ipv6ReceivePacketInfo: .receivePacketInfo6, .ipv6ReceiveHopLimit: .receiveHopLimit6,
    .ipv6ReceiveTrafficClass: .receiveTrafficClass6, .ipv6DontFragment: .dontFragment6, .ipv6FreeBind: .freeBind6,
    .ipv6ReceivePathMTU: .receivePathMTU6, .ipv6ReceiveOriginalDestination: .receiveOriginalDestination6,
    .ipv6FlowInformation: .receiveFlowInformation6, .ipv6AutoFlowLabel: .autoFlowLabel6,
    .ipv6FlowInformationSend: .sendFlowInformation6, .ipv6ReceiveHopOptions: .receiveHopOptions6,
    .ipv6ReceiveRoutingHeader: .receiveRoutingHeader6, .ipv6ReceiveDestinationOptions: .receiveDestinationOptions6,
    .ipv6ReceiveErrorsExtended: .receiveErrorsExtended6,
  ]

  private var isStream: Bool { type == .stream }
  private var isRaw: Bool { type == .raw }
  /// The usual time to live (`net.ipv4.ip_default_ttl`).
  static let defaultTimeToLive: Int32 = 64

  // MARK: ip(7)

  final func internetOption(_ option: SocketOption) throws(Errno) -> SocketOptionValue {
    if let flag = InternetSocket.switches[option] { return SocketOptionValue(internet.flags.contains(flag)) }
    let value: Int32
    switch option {
    case .ipTypeOfService: value = Int32(internet.typeOfService)
    case .ipTimeToLive: value = internet.timeToLive < 0 ? InternetSocket.defaultTimeToLive : internet.timeToLive
    case .ipOptions: return SocketOptionValue(bytes: [])
    case .ipPacketOptions:
      guard isStream else { throw .protocolNotAvailable }
      return SocketOptionValue(bytes: [])
    case .ipMTUDiscover: value = internet.mtuDiscover
    case .ipMTU:
      guard remote != nil else { throw .socketNotConnected }
      value = InternetSocket.loopbackMTU - 1
    case .ipMinimumTimeToLive: value = internet.minimumTimeToLive
    case .ipMulticastInterface:
      return SocketOptionValue(Int32(bitPattern: internet.multicastAddress.rawValue.bigEndian))
    case .ipMulticastTimeToLive: value = internet.multicastTimeToLive
    case .ipUnicastInterface: value = internet.unicastInterface.bigEndian
    case .ipLocalPortRange: value = 0
    case .ipProtocol: value = isRaw ? protocolNumber : 0
    default: throw .protocolNotAvailable
    }
    return SocketOptionValue(value)
  }

  final func setInternetOption(_ option: SocketOption, to value: SocketOptionValue) throws(Errno) {
    switch option {
    case .ipOptions:
      guard value.bytes.isEmpty else { throw .invalidArgument }
      return
    case .ipMulticastInterface: return try setMulticastInterface(value)
    case .ipAddMembership, .ipDropMembership, .ipAddSourceMembership, .ipDropSourceMembership, .ipBlockSource,
      .ipUnblockSource:
      return try changeMembership(option, value)
    case _ where (SocketOption.joinGroup...SocketOption.leaveSourceGroup).contains(option.number):
      return try changeMembership(option, value)
    default: break
    }
    // One byte does, too.
    let integer = Int32(littleEndian: value.bytes, at: 0) ?? value.bytes.first.map(Int32.init) ?? 0
    let isByte: ClosedRange<Int32> = 0...255
    switch option {
    case .ipHeaderIncluded, .ipNoDefragmentation: guard isRaw else { throw .protocolNotAvailable }
    case .ipTypeOfService:
      let kept: UInt8 = isStream ? 3 : 0
      internet.typeOfService = UInt8(truncatingIfNeeded: integer) & ~kept | internet.typeOfService & kept
      return
    case .ipTimeToLive:
      guard !value.bytes.isEmpty, integer == -1 || (1...255).contains(integer) else { throw .invalidArgument }
      internet.timeToLive = integer
      return
    case .ipMTUDiscover:
      guard (0...5).contains(integer) else { throw .invalidArgument }
      internet.mtuDiscover = integer
      return
    case .ipMinimumTimeToLive:
      guard !value.bytes.isEmpty, isByte.contains(integer) else { throw .invalidArgument }
      internet.minimumTimeToLive = integer
      return
    case .ipMulticastTimeToLive:
      guard !isStream, !value.bytes.isEmpty, integer == -1 || isByte.contains(integer) else { throw .invalidArgument }
      internet.multicastTimeToLive = integer == -1 ? 1 : integer
      return
    case .ipMulticastLoop: guard !value.bytes.isEmpty else { throw .invalidArgument }
    case .ipMulticastAll: guard !value.bytes.isEmpty, (0...1).contains(integer) else { throw .invalidArgument }
    case .ipReceiveErrorsExtended: guard (0...1).contains(integer) else { throw .invalidArgument }
    case .ipUnicastInterface:
      guard value.bytes.count == 4 else { throw .invalidArgument }
      internet.unicastInterface = integer.bigEndian
      return
    default: break
    }
    guard let flag = InternetSocket.switches[option] else { throw .protocolNotAvailable }
    set(flag, integer != 0)
  }

  private final func set(_ flag: InternetOptions.Flags, _ isOn: Bool) {
    if isOn { internet.flags.insert(flag) } else { internet.flags.remove(flag) }
  }

  // MARK: ipv6(7)

  /// The largest packet of the loopback interface.
  static let loopbackMTU: Int32 = 65536

  final func internet6Option(_ option: SocketOption) throws(Errno) -> SocketOptionValue {
    if let flag = InternetSocket.switches[option] { return SocketOptionValue(internet.flags.contains(flag)) }
    let value: Int32
    switch option {
    case .ipv6Only: value = isVersion6Only ? 1 : 0
    case .ipv6UnicastHops: value = internet.hopLimit < 0 ? InternetSocket.defaultTimeToLive : internet.hopLimit
    case .ipv6MulticastHops: value = internet.multicastHops
    case .ipv6MulticastInterface: value = internet.multicastInterface6
    case .ipv6MTUDiscover: value = internet.mtuDiscover6
    case .ipv6MTU:
      guard remote != nil else { throw .socketNotConnected }
      value = InternetSocket.loopbackMTU
    case .ipv6TrafficClass: value = internet.trafficClass
    case .ipv6RouterAlert: value = 0
    case .ipv6AddressForm:
      guard remote != nil else { throw .socketNotConnected }
      value = Int32(family.rawValue)
    case .ipv6AddressPreferences: value = 0x500
    case .ipv6MinimumHopCount: value = internet.minimumHopCount
    case .ipv6UnicastInterface: value = internet.unicastInterface6.bigEndian
    case .ipv6PathMTU:
      guard remote != nil else { throw .socketNotConnected }
      let mtu = InternetSocket.loopbackMTU.littleEndianBytes
      return SocketOptionValue(bytes: [UInt8](repeating: 0, count: 28) + mtu)
    case .ipv6HopOptions, .ipv6RoutingHeaderDestinationOptions, .ipv6RoutingHeader, .ipv6DestinationOptions:
      return SocketOptionValue(bytes: [])
    default: throw .protocolNotAvailable
    }
    return SocketOptionValue(value)
  }

  final func setInternet6Option(_ option: SocketOption, to value: SocketOptionValue) throws(Errno) {
    switch option {
    case .ipv6AddMembership, .ipv6DropMembership: return try changeMembership(option, value)
    case _ where (SocketOption.joinGroup...SocketOption.leaveSourceGroup).contains(option.number):
      return try changeMembership(option, value)
    case .ipv6PacketInfo, .ipv6HopOptions, .ipv6RoutingHeaderDestinationOptions, .ipv6RoutingHeader,
      .ipv6DestinationOptions:
      // Headers and addresses that go with each packet: none are kept.
      guard value.bytes.isEmpty else { throw .invalidArgument }
      return
    default: break
    }
    let integer = try value.integer()
    switch option {
    case .ipv6Only:
      guard local.port == 0 else { throw .invalidArgument }
      isVersion6Only = integer != 0
    case .ipv6UnicastHops:
      guard (-1...255).contains(integer) else { throw .invalidArgument }
      internet.hopLimit = integer
    case .ipv6MulticastHops:
      guard !isStream else { throw .protocolNotAvailable }
      guard (-1...255).contains(integer) else { throw .invalidArgument }
      internet.multicastHops = integer == -1 ? 1 : integer
    case .ipv6MulticastInterface:
      guard !isStream else { throw .protocolNotAvailable }
      guard integer == 0 || stack.hasInterface(integer) else { throw .operationNotSupportedByDevice }
      internet.multicastInterface6 = integer
    case .ipv6MTUDiscover:
      guard (0...5).contains(integer) else { throw .invalidArgument }
      internet.mtuDiscover6 = integer
    case .ipv6MTU:
      guard integer == 0 || integer >= 1280 else { throw .invalidArgument }
    case .ipv6TrafficClass:
      guard (-1...255).contains(integer) else { throw .invalidArgument }
      internet.trafficClass = max(integer, 0)
    case .ipv6MinimumHopCount:
      guard (0...255).contains(integer) else { throw .invalidArgument }
      internet.minimumHopCount = integer
    case .ipv6AddressPreferences: internet.addressPreferences = integer
    case .ipv6UnicastInterface: internet.unicastInterface6 = integer.bigEndian
    case .ipv6MulticastLoop, .ipv6MulticastAll:
      guard (0...1).contains(integer) else { throw .invalidArgument }
      set(option == .ipv6MulticastLoop ? .multicastLoop6 : .multicastAll6, integer != 0)
    default:
      guard let flag = InternetSocket.switches[option] else { throw .protocolNotAvailable }
      set(flag, integer != 0)
    }
  }
}
