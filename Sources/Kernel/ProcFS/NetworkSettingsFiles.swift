import FileSystem
import LinuxABI
import Network

/// `/proc/sys/net`: what has an effect can be written by who has `CAP_NET_ADMIN`; the rest tells what is.
extension ProcFS {
  var networkSettings: GeneratedInode {
    fileSystem.directory([
      (
        "core",
        fileSystem.directory([
          ("default_qdisc", fixed("noqueue")),
          ("netdev_max_backlog", fixed("1000")),
          ("optmem_max", fixed("131072")),
          ("rmem_default", fixed("\(SocketSettings.defaultBuffer)")),
          ("rmem_max", fixed("\(SocketSettings.maximumBuffer)")),
          ("somaxconn", number(\.maximumBacklog, 0...Int32.max)),
          ("wmem_default", fixed("\(SocketSettings.defaultBuffer)")),
          ("wmem_max", fixed("\(SocketSettings.maximumBuffer)")),
        ])
      ),
      ("ipv4", version4Settings),
      (
        "ipv6",
        fileSystem.directory([
          ("bindv6only", fixed("0")),
          ("conf", configurations([("accept_ra", "0"), ("disable_ipv6", "0"), ("forwarding", "0")])),
        ])
      ),
      ("unix", fileSystem.directory([("max_dgram_qlen", fixed("\(NetworkSettings.datagramBacklog)"))])),
    ])
  }

  private var version4Settings: GeneratedInode {
    fileSystem.directory([
      ("conf", configurations([("forwarding", "0"), ("rp_filter", "0"), ("route_localnet", "0")])),
      ("icmp_echo_ignore_all", fixed("0")),
      ("ip_default_ttl", fixed("64")),
      ("ip_forward", fixed("0")),
      (
        "ip_local_port_range",
        numbers({ [Int32($0.ephemeralPorts.lowerBound), Int32($0.ephemeralPorts.upperBound)] }) {
          (settings, values) throws(Errno) in
          guard values.count == 2, let first = UInt16(exactly: values[0]), let last = UInt16(exactly: values[1]),
            first > 0, first <= last
          else { throw .invalidArgument }
          settings.ephemeralPorts = first...last
        }
      ),
      ("ip_nonlocal_bind", fixed("0")),
      ("ip_unprivileged_port_start", number(\.firstUnprivilegedPort, 0...65535)),
      ("ping_group_range", fixed("0\t2147483647")),
      ("tcp_available_congestion_control", fixed("reno cubic")),
      ("tcp_congestion_control", fixed("cubic")),
      ("tcp_fastopen", fixed("0")),
      ("tcp_fin_timeout", fixed("60")),
      ("tcp_keepalive_intvl", fixed("75")),
      ("tcp_keepalive_probes", fixed("9")),
      ("tcp_keepalive_time", fixed("7200")),
      ("tcp_max_syn_backlog", fixed("1024")),
      ("tcp_mem", fixed("188319\t251094\t376638")),
      ("tcp_rmem", fixed("4096\t131072\t6291456")),
      ("tcp_sack", fixed("1")),
      ("tcp_syn_retries", fixed("6")),
      ("tcp_syncookies", fixed("1")),
      ("tcp_timestamps", fixed("1")),
      ("tcp_tw_reuse", fixed("2")),
      ("tcp_window_scaling", fixed("1")),
      ("tcp_wmem", fixed("4096\t16384\t4194304")),
      ("udp_mem", fixed("376641\t502190\t753282")),
    ])
  }

  private func fixed(_ text: String) -> Inode { fixedSetting { text } }

  /// The same settings for each interface, for all and for those to come.
  private func configurations(_ settings: [(String, String)]) -> GeneratedInode {
    let names = ["all", "default"] + kernel.network.interfaces.interfaces.map(\.name)
    return fileSystem.directory(
      names.map { name in (name, fileSystem.directory(settings.map { ($0, fixed($1)) })) })
  }

  /// A file of one number that may be written within a range.
  private func number(
    _ path: WritableKeyPath<NetworkSettings, Int32>, _ range: ClosedRange<Int32>
  ) -> Inode {
    numbers({ [$0[keyPath: path]] }) { (settings, values) throws(Errno) in
      guard values.count == 1, range.contains(values[0]) else { throw .invalidArgument }
      settings[keyPath: path] = values[0]
    }
  }

  /// A file of numbers with tabs between them.
  private func numbers(
    _ read: @escaping (NetworkSettings) -> [Int32],
    write: @escaping (inout NetworkSettings, [Int32]) throws(Errno) -> Void
  ) -> Inode {
    fileSystem.file { [unowned kernel] () throws(Errno) in
      read(kernel.network.settings).map { "\($0)" }.joined(separator: "\t") + "\n"
    } write: { [unowned self] (text) throws(Errno) in
      if let reader, !reader.credentials.has(.netAdmin) { throw .notPermitted }
      let words = text.utf8.split { [9, 10, 32, 0].contains($0) }
      let values = words.compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
      guard values.count == words.count else { throw .invalidArgument }
      try write(&kernel.network.settings, values)
    }
  }
}
