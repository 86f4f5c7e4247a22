import LinuxABI

/// What is set of the options of ip(7) and ipv6(7).
struct InternetOptions {
  var typeOfService: UInt8 = 0
  /// `IP_TTL`; -1 for the usual 64.
  var timeToLive: Int32 = -1
  var hopLimit: Int32 = -1
  var multicastTimeToLive: Int32 = 1
  var multicastHops: Int32 = 1
  var trafficClass: Int32 = 0
  var mtuDiscover: Int32 = 1
  var mtuDiscover6: Int32 = 1
  var minimumTimeToLive: Int32 = 0
  var minimumHopCount: Int32 = 0
  var flags: Flags = [.multicastLoop, .multicastLoop6, .multicastAll, .multicastAll6]
  var multicastInterface: Int32 = 0
  var multicastInterface6: Int32 = 0
  var multicastAddress = IPv4Address.any
  var unicastInterface: Int32 = 0
  var unicastInterface6: Int32 = 0
  var addressPreferences: Int32 = 0

  /// Options that are on or off.
  struct Flags: OptionSet {
    let rawValue: UInt64
    static let headerIncluded = Flags(rawValue: 1 << 0)
    static let receiveOptions = Flags(rawValue: 1 << 1)
    static let returnOptions = Flags(rawValue: 1 << 2)
    static let packetInfo = Flags(rawValue: 1 << 3)
    static let receiveErrors = Flags(rawValue: 1 << 4)
    static let receiveTimeToLive = Flags(rawValue: 1 << 5)
    static let receiveTypeOfService = Flags(rawValue: 1 << 6)
    static let freeBind = Flags(rawValue: 1 << 7)
    static let transparent = Flags(rawValue: 1 << 8)
    static let receiveOriginalDestination = Flags(rawValue: 1 << 9)
    static let noDefragmentation = Flags(rawValue: 1 << 10)
    static let checksum = Flags(rawValue: 1 << 11)
    static let bindAddressNoPort = Flags(rawValue: 1 << 12)
    static let receiveFragmentSize = Flags(rawValue: 1 << 13)
    static let receiveErrorsExtended = Flags(rawValue: 1 << 14)
    static let multicastLoop = Flags(rawValue: 1 << 15)
    static let multicastAll = Flags(rawValue: 1 << 16)
    static let passSecurity = Flags(rawValue: 1 << 17)
    static let multicastLoop6 = Flags(rawValue: 1 << 20)
    static let multicastAll6 = Flags(rawValue: 1 << 21)
    static let receiveErrors6 = Flags(rawValue: 1 << 22)
    static let receivePacketInfo6 = Flags(rawValue: 1 << 23)
    static let receiveHopLimit6 = Flags(rawValue: 1 << 24)
    static let receiveTrafficClass6 = Flags(rawValue: 1 << 25)
    static let dontFragment6 = Flags(rawValue: 1 << 26)
    static let freeBind6 = Flags(rawValue: 1 << 27)
    static let receivePathMTU6 = Flags(rawValue: 1 << 28)
    static let receiveOriginalDestination6 = Flags(rawValue: 1 << 29)
    static let receiveFlowInformation6 = Flags(rawValue: 1 << 30)
    static let autoFlowLabel6 = Flags(rawValue: 1 << 31)
    static let sendFlowInformation6 = Flags(rawValue: 1 << 32)
    static let receiveHopOptions6 = Flags(rawValue: 1 << 33)
    static let receiveRoutingHeader6 = Flags(rawValue: 1 << 34)
    static let receiveDestinationOptions6 = Flags(rawValue: 1 << 35)
    static let receiveErrorsExtended6 = Flags(rawValue: 1 << 36)
  }

  /// bind(2) takes addresses that the host does not have.
  var bindsFreely: Bool { !flags.isDisjoint(with: [.freeBind, .transparent, .freeBind6]) }
}
