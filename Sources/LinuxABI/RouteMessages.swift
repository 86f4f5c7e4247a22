// The messages of NETLINK_ROUTE (rtnetlink(7)), with the names of <linux/rtnetlink.h>.

/// `RTM_*`.
package enum RouteMessage {
  package static let newLink: UInt16 = 16
  package static let getLink: UInt16 = 18
  package static let setLink: UInt16 = 19
  package static let newAddress: UInt16 = 20
  package static let deleteAddress: UInt16 = 21
  package static let getAddress: UInt16 = 22
  package static let newRoute: UInt16 = 24
  package static let getRoute: UInt16 = 26
  package static let getNeighbour: UInt16 = 30
  package static let newRule: UInt16 = 32
  package static let getRule: UInt16 = 34
  package static let getMulticast: UInt16 = 58
  package static let getAnycast: UInt16 = 62
  package static let getNeighbourTable: UInt16 = 66
  package static let getAddressLabel: UInt16 = 74
  package static let getNextHop: UInt16 = 106
  /// The highest number (`RTM_MAX`), rounded up to a group of four.
  package static let end: UInt16 = 124

  /// Types come in groups of four: new, delete, get, set.
  package static func isGet(_ type: UInt16) -> Bool { type & 3 == 2 }
}

/// `struct ifinfomsg`.
package struct LinkMessage: NetlinkStructure {
  package var family: UInt8 = 0
  private var reserved: UInt8 = 0
  package var type: UInt16 = 0
  package var index: Int32 = 0
  package var flags: InterfaceFlags = []
  package var change: UInt32 = 0
  package init() {}

  /// `IFLA_*`.
  package enum Attribute {
    package static let address: UInt16 = 1
    package static let broadcast: UInt16 = 2
    package static let name: UInt16 = 3
    package static let mtu: UInt16 = 4
    package static let queueDiscipline: UInt16 = 6
    package static let statistics: UInt16 = 7
    package static let queueLength: UInt16 = 13
    package static let map: UInt16 = 14
    package static let operationalState: UInt16 = 16
    package static let linkMode: UInt16 = 17
    package static let statistics64: UInt16 = 23
    package static let group: UInt16 = 27
    package static let promiscuity: UInt16 = 30
    package static let sendQueues: UInt16 = 31
    package static let receiveQueues: UInt16 = 32
    package static let carrier: UInt16 = 33
    package static let carrierChanges: UInt16 = 35
    package static let minimumMTU: UInt16 = 50
    package static let maximumMTU: UInt16 = 51
    package static let alternativeName: UInt16 = 53
  }
}

/// `struct ifaddrmsg`.
package struct AddressMessage: NetlinkStructure {
  package var family: UInt8 = 0
  package var prefix: UInt8 = 0
  package var flags: UInt8 = 0
  package var scope: UInt8 = 0
  package var index: UInt32 = 0
  package init() {}

  /// `IFA_F_PERMANENT`.
  package static let permanent: UInt8 = 0x80

  /// `IFA_*`.
  package enum Attribute {
    package static let address: UInt16 = 1
    package static let local: UInt16 = 2
    package static let label: UInt16 = 3
    package static let broadcast: UInt16 = 4
    package static let cacheInformation: UInt16 = 6
    package static let flags: UInt16 = 8
  }
}

/// `struct rtmsg`, and `struct fib_rule_hdr`, which is laid out alike.
package struct RouteEntryMessage: NetlinkStructure {
  package var family: UInt8 = 0
  package var destinationPrefix: UInt8 = 0
  package var sourcePrefix: UInt8 = 0
  private var typeOfService: UInt8 = 0
  package var table: UInt8 = 0
  package var origin: UInt8 = 0
  package var scope: UInt8 = 0
  package var type: UInt8 = 0
  package var flags: UInt32 = 0
  package init() {}

  /// `RTM_F_CLONED`: the answer for one address.
  package static let cloned: UInt32 = 0x200
  /// `RTCF_LOCAL`, of version 4.
  package static let local: UInt32 = 0x8000_0000

  /// `RTA_*`.
  package enum Attribute {
    package static let destination: UInt16 = 1
    package static let interface: UInt16 = 4
    package static let gateway: UInt16 = 5
    package static let priority: UInt16 = 6
    package static let preferredSource: UInt16 = 7
    package static let cacheInformation: UInt16 = 12
    package static let table: UInt16 = 15
    package static let preference: UInt16 = 20
    package static let user: UInt16 = 25
  }

  /// `FRA_*` of rules, and `FR_ACT_TO_TBL`.
  package enum RuleAttribute {
    package static let priority: UInt16 = 6
    package static let suppressedPrefix: UInt16 = 14
    package static let table: UInt16 = 15
    package static let origin: UInt16 = 21
    package static let toTable: UInt8 = 1
  }
}

/// `RTF_*` of <linux/route.h> and <linux/ipv6_route.h>, which `/proc/net/route` and `ipv6_route` show.
package struct RouteFlags: OptionSet, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  package static let up = RouteFlags(rawValue: 0x1)
  package static let gateway = RouteFlags(rawValue: 0x2)
  package static let local = RouteFlags(rawValue: 0x8000_0000)
}

/// `RT_TABLE_*`.
package enum RouteTable: UInt8, Sendable {
  case `default` = 253
  case main = 254
  case local = 255
}

/// `RT_SCOPE_*`.
package enum RouteScope: UInt8, Sendable {
  case universe = 0
  case link = 253
  case host = 254
}

/// `RTN_*`.
package enum RouteType: UInt8, Sendable {
  case unicast = 1
  case local = 2
  case broadcast = 3
}

/// `RTPROT_*`: who made a route.
package enum RouteOrigin: UInt8, Sendable {
  case unspecified = 0
  case kernel = 2
  case boot = 3
}
