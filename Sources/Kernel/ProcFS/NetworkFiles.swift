import FileSystem
import LinuxABI
import Network

/// `/proc/net`: what there is of the network, which is the same for all processes of a sandbox.
extension ProcFS {
  /// The directory that `/proc/PID/net` is.
  var networkDirectory: GeneratedInode {
    func file(_ text: @escaping (NetworkStack) -> String) -> Inode {
      fileSystem.file { [unowned kernel] () throws(Errno) in text(kernel.network) }
    }
    return fileSystem.directory(
      [
        ("arp", file { _ in "IP address       HW type     Flags       HW address            Mask     Device\n" }),
        ("dev", file { ProcFS.devices($0.interfaces) }),
        ("dev_mcast", file { _ in "" }),
        ("fib_trie", file { ProcFS.forwardingTrie($0.interfaces) }),
        ("if_inet6", file { ProcFS.version6Addresses($0.interfaces) }),
        ("ipv6_route", file { ProcFS.version6Routes($0.interfaces) }),
        ("packet", file { _ in "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n" }),
        ("route", file { ProcFS.routes($0.interfaces) }),
      ] + socketTables)
  }

  private static func devices(_ table: InterfaceTable) -> String {
    let head =
      "Inter-|   Receive                                                |  Transmit\n"
      + " face |bytes    packets errs drop fifo frame compressed multicast|"
      + "bytes    packets errs drop fifo colls carrier compressed\n"
    return table.interfaces.reduce(head) { text, interface in
      let counters = interface.counters
      func columns(_ values: [UInt64], _ widths: [Int]) -> String {
        zip(values, widths).map { Text.right("\($0)", $1) }.joined(separator: " ")
      }
      let zeros = [UInt64](repeating: 0, count: 6)
      return text + Text.right(interface.name, 6) + ": "
        + columns([counters.receivedBytes, counters.receivedPackets] + zeros, [7, 7, 4, 4, 4, 5, 10, 9]) + " "
        + columns([counters.sentBytes, counters.sentPackets] + zeros, [8, 7, 4, 4, 4, 5, 7, 10]) + "\n"
    }
  }

  /// The table `main` of version 4; addresses are words as they lie in memory.
  private static func routes(_ table: InterfaceTable) -> String {
    let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
    func word(_ address: IPAddress?) -> String {
      guard case .v4(let address)? = address else { return "00000000" }
      return Text.hex(UInt64(address.rawValue.byteSwapped), 8).uppercased()
    }
    func line(_ text: String) -> String { Text.left(text, 127) + "\n" }
    return table.routes.filter { $0.table == .main && $0.destination.address.family == .inet }
      .sorted { $0.destination.prefix < $1.destination.prefix }
      .reduce(line(head)) { text, route in
        let mask = IPNetwork(.v4(IPv4Address(rawValue: .max)), prefix: route.destination.prefix).address
        let flags = Text.hex(UInt64(route.flags.rawValue), 4)
        let name = table[route.interface]?.name ?? "*"
        let fields = [
          name, word(route.destination.address), word(route.gateway), flags, "0", "0", "0", word(mask), "0", "0", "0",
        ]
        return text + line(fields.joined(separator: "\t"))
      }
  }

  private static func digits(_ address: IPAddress) -> String {
    address.bytes.map { Text.hex(UInt64($0), 2) }.joined()
  }

  private static func version6Addresses(_ table: InterfaceTable) -> String {
    table.interfaces.flatMap { interface in
      interface.addresses.compactMap { entry -> String? in
        guard case .v6 = entry.address else { return nil }
        // IPV6_ADDR_LOOPBACK, or a global scope.
        let scope = interface.kind == .loopback ? "10" : "00"
        return [
          digits(entry.address), Text.hex(UInt64(interface.index), 2), Text.hex(UInt64(entry.prefix), 2), scope,
          Text.hex(UInt64(AddressMessage.permanent), 2), Text.right(interface.name, 8),
        ].joined(separator: " ") + "\n"
      }
    }.joined()
  }

  private static func version6Routes(_ table: InterfaceTable) -> String {
    let none = String(repeating: "0", count: 32)
    return table.routes.filter { $0.destination.address.family == .inet6 }.map { route in
      let flags = route.table == .local ? route.flags.union(.local) : route.flags
      let metric: UInt64 = route.table == .local ? 0 : route.gateway == nil ? 256 : 1024
      return [
        digits(route.destination.address), Text.hex(UInt64(route.destination.prefix), 2), none, "00",
        route.gateway.map(digits) ?? none, Text.hex(metric, 8), "00000001", "00000000",
        Text.hex(UInt64(flags.rawValue), 8), Text.right(table[route.interface]?.name ?? "*", 8),
      ].joined(separator: " ") + "\n"
    }.joined()
  }

  /// The routes of version 4 as programs look for them there: the leaves alone, each below its own root.
  private static func forwardingTrie(_ table: InterfaceTable) -> String {
    [(RouteTable.main, "Main"), (.local, "Local")].map { kind, name in
      let routes = table.routes.filter { $0.table == kind && $0.destination.address.family == .inet }
      return routes.reduce("\(name):\n  +-- 0.0.0.0/0 0 0 0\n") { text, route in
        let type = route.type == .unicast ? "UNICAST" : route.type == .local ? "LOCAL" : "BROADCAST"
        return text + "     |-- \(route.destination.address)\n"
          + "        /\(route.destination.prefix) \(route.scope) \(type)\n"
      }
    }.joined()
  }
}

extension Route {
  /// `RTF_*`, as far as both versions have them.
  fileprivate var flags: RouteFlags { gateway == nil ? .up : [.up, .gateway] }
}
