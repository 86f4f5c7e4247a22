import FileSystem
import LinuxABI
import Network

/// `/proc/net/tcp`, `udp`, `raw` and their relatives for version 6, `unix`, and what is counted over all sockets.
extension ProcFS {
  private static let ends = ["", "6"]

  /// The files that list sockets.
  var socketTables: [(String, Inode)] {
    let kinds: [(String, InternetProtocol)] = [("tcp", .tcp), ("udp", .udp), ("raw", .raw)]
    let tables = kinds.flatMap { name, transport in
      [(name, AddressFamily.inet), (name + "6", .inet6)].map { name, family in
        let file = fileSystem.file { [unowned kernel] () throws(Errno) in
          ProcFS.table(kernel.network, transport, family)
        }
        return (name, file as Inode)
      }
    }
    func file(_ text: @escaping (NetworkStack) -> String) -> Inode {
      fileSystem.file { [unowned kernel] () throws(Errno) in text(kernel.network) }
    }
    return tables + [
      ("netstat", file { _ in "" }),
      ("protocols", file { _ in "protocol  size sockets  memory press maxhdr  slab module\n" }),
      ("snmp", file(ProcFS.counters)),
      ("sockstat", file { ProcFS.counts($0, .inet) }),
      ("sockstat6", file { ProcFS.counts($0, .inet6) }),
      ("unix", file { ProcFS.unixTable($0.unixReports) }),
    ]
  }

  /// An address in words as they lie in memory, and the port.
  private static func endpoint(_ endpoint: (address: IPAddress, port: UInt16)) -> String {
    let bytes = endpoint.address.bytes
    let words = stride(from: 0, to: bytes.count, by: 4).map { start in
      bytes[start..<start + 4].reversed().map { Text.hex(UInt64($0), 2) }.joined()
    }
    return (words.joined() + ":" + Text.hex(UInt64(endpoint.port), 4)).uppercased()
  }

  private static func table(_ stack: NetworkStack, _ transport: InternetProtocol, _ family: AddressFamily) -> String {
    let isStream = transport == .tcp
    let gap = String(repeating: " ", count: 24)
    let addresses =
      family == .inet ? "local_address rem_address   st " : "local_address \(gap)remote_address\(gap)st "
    let head =
      (transport == .udp && family == .inet ? " " : "") + "  sl  " + addresses
      + "tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode" + (isStream ? "" : " ref pointer drops")
    // Linux pads the lines of two of them.
    let width = family == .inet6 || transport == .raw ? 0 : isStream ? 149 : 127
    func line(_ text: String) -> String { Text.left(text, width) + "\n" }
    let rows = stack.reports(transport).filter { $0.family == family }.enumerated().map { index, report in
      let sendQueue = report.state == .listening ? 0 : report.sendQueue
      let place = Text.right("\(index)", isStream ? 4 : 5)
      let sizes =
        Text.hex(UInt64(clamping: sendQueue), 8).uppercased() + ":"
        + Text.hex(UInt64(clamping: report.receiveQueue), 8).uppercased()
      var fields = [
        place + ":", endpoint(report.shown(report.local)), endpoint(report.shown(report.remote)),
        Text.hex(UInt64(report.state.rawValue), 2).uppercased(), sizes, "00:00000000", "00000000",
        Text.right("\(report.uid)", 5), Text.right("0", 8), "\(report.inode)",
      ]
      // What follows tells of retransmissions and congestion, of which there are none.
      fields +=
        isStream
        ? ["1", "0000000000000000", "100", "0", "0", "10", "0"] : ["2", "0000000000000000", "\(report.dropped)"]
      return line(fields.joined(separator: " "))
    }
    return line(head) + rows.joined()
  }

  /// unix(7).
  private static func unixTable(_ reports: [UnixSocketReport]) -> String {
    reports.reduce("Num       RefCount Protocol Flags    Type St Inode Path\n") { text, report in
      // SS_UNCONNECTED, SS_CONNECTING and SS_CONNECTED; `__SO_ACCEPTCON`.
      let state: UInt64 = !report.isAccepted ? 2 : report.isConnected ? 3 : 1
      let fields = [
        "0000000000000000:", Text.hex(report.isConnected ? 3 : 2, 8), "00000000",
        Text.hex(report.isListening ? 0x10000 : 0, 8), Text.hex(UInt64(report.type.rawValue), 4), Text.hex(state, 2),
        Text.right(report.isAccepted ? "\(report.inode)" : "0", 5),
      ]
      let name =
        switch report.name {
        case .unnamed: ""
        case .path(let bytes): " " + FileName.string(bytes)
        case .abstract(let bytes): " @" + FileName.string(bytes.map { $0 == 0 ? UInt8(ascii: "@") : $0 })
        }
      return text + fields.joined(separator: " ") + name + "\n"
    }
  }

  private static func counts(_ stack: NetworkStack, _ family: AddressFamily) -> String {
    func count(_ transport: InternetProtocol) -> Int { stack.reports(transport).count { $0.family == family } }
    if family == .inet6 {
      return "TCP6: inuse \(count(.tcp))\nUDP6: inuse \(count(.udp))\nUDPLITE6: inuse 0\nRAW6: inuse \(count(.raw))\n"
        + "FRAG6: inuse 0 memory 0\n"
    }
    let all = [InternetProtocol.tcp, .udp, .raw].map { stack.reports($0).count }.reduce(0, +)
    let streams = stack.reports(.tcp).count
    return "sockets: used \(all)\nTCP: inuse \(count(.tcp)) orphan 0 tw 0 alloc \(streams) mem 0\n"
      + "UDP: inuse \(count(.udp)) mem 0\nUDPLITE: inuse 0\nRAW: inuse \(count(.raw))\nFRAG: inuse 0 memory 0\n"
  }

  /// What programs read of the counters of RFC 1213: nothing is counted for each protocol.
  private static func counters(_ stack: NetworkStack) -> String {
    func rows(_ name: String, _ columns: [(String, Int)]) -> String {
      "\(name): " + columns.map(\.0).joined(separator: " ") + "\n\(name): "
        + columns.map { "\($0.1)" }.joined(separator: " ") + "\n"
    }
    let established = stack.reports(.tcp).count { $0.state == .established || $0.state == .closeWait }
    return rows("Ip", [("Forwarding", 2), ("DefaultTTL", 64), ("InReceives", 0), ("OutRequests", 0)])
      + rows(
        "Tcp",
        [
          ("RtoAlgorithm", 1), ("RtoMin", 200), ("RtoMax", 120000), ("MaxConn", -1), ("ActiveOpens", 0),
          ("PassiveOpens", 0), ("AttemptFails", 0), ("EstabResets", 0), ("CurrEstab", established), ("InSegs", 0),
          ("OutSegs", 0), ("RetransSegs", 0), ("InErrs", 0), ("OutRsts", 0),
        ])
      + rows("Udp", [("InDatagrams", 0), ("NoPorts", 0), ("InErrors", 0), ("OutDatagrams", 0)])
  }
}
