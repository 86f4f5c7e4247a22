import FileSystem
import LinuxABI
import Network

/// `/sys/class/net`, and the devices that its links lead to.
struct NetworkClass {
  /// `/sys/class/net`.
  let links: Inode
  /// `/sys/devices/virtual/net`.
  let devices: Inode

  init(of kernel: Kernel, in system: GeneratedFileSystem) {
    // A sandbox keeps the interfaces that it begins with.
    let names = kernel.network.interfaces.interfaces.map(\.name)
    links = system.directory(
      names.map { name in
        let content = GeneratedInode.Content.link(
          read: { () throws(Errno) in "../../devices/virtual/net/\(name)" }, follow: { () throws(Errno) in nil })
        return (name, GeneratedInode(system, content, 0o777, system.nextNumber(), nil))
      })
    devices = system.directory(names.map { ($0, NetworkClass.directory(of: $0, kernel, system)) })
  }

  private static func directory(
    of name: String, _ kernel: Kernel, _ system: GeneratedFileSystem
  ) -> Inode {
    func file(_ text: @escaping (NetworkInterface) -> String) -> Inode {
      system.file { [unowned kernel] () throws(Errno) in
        guard let interface = kernel.network.interfaces[name] else { throw .operationNotSupportedByDevice }
        return text(interface) + "\n"
      }
    }
    func hardware(_ address: [UInt8]) -> String { address.map { Text.hex(UInt64($0), 2) }.joined(separator: ":") }
    let counted: [(String, (NetworkInterface.Counters) -> UInt64)] = [
      ("rx_bytes", { $0.receivedBytes }), ("rx_packets", { $0.receivedPackets }), ("tx_bytes", { $0.sentBytes }),
      ("tx_packets", { $0.sentPackets }),
    ]
    let uncounted = [
      "collisions", "multicast", "rx_compressed", "rx_crc_errors", "rx_dropped", "rx_errors", "rx_fifo_errors",
      "rx_frame_errors", "rx_length_errors", "rx_missed_errors", "rx_nohandler", "rx_over_errors",
      "tx_aborted_errors", "tx_carrier_errors", "tx_compressed", "tx_dropped", "tx_errors", "tx_fifo_errors",
      "tx_heartbeat_errors", "tx_window_errors",
    ]
    let statistics =
      counted.map { name, count in (name, file { "\(count($0.counters))" }) }
      + uncounted.map { ($0, file { _ in "0" }) }
    return system.directory([
      ("addr_assign_type", file { _ in "0" }),
      ("addr_len", file { "\($0.hardwareAddress.count)" }),
      ("address", file { hardware($0.hardwareAddress) }),
      ("broadcast", file { hardware($0.hardwareBroadcast) }),
      ("carrier", file { $0.isUp ? "1" : "0" }),
      ("carrier_changes", file { _ in "0" }),
      ("dev_id", file { _ in "0x0" }),
      ("dev_port", file { _ in "0" }),
      ("dormant", file { _ in "0" }),
      // Programs see the lower half of the flags.
      ("flags", file { "0x" + Text.hex(UInt64($0.flags.rawValue & 0xffff & ~InterfaceFlags.running.rawValue)) }),
      ("ifalias", file { _ in "" }),
      ("ifindex", file { "\($0.index)" }),
      ("iflink", file { "\($0.index)" }),
      ("link_mode", file { _ in "0" }),
      ("mtu", file { "\($0.mtu)" }),
      ("netdev_group", file { _ in "0" }),
      ("operstate", file { $0.operationalState.name }),
      ("statistics", system.directory(statistics)),
      ("tx_queue_len", file { "\($0.queueLength)" }),
      ("type", file { "\($0.hardwareType.rawValue)" }),
      ("uevent", file { "INTERFACE=\($0.name)\nIFINDEX=\($0.index)" }),
    ])
  }
}
