/// `/proc/cpuinfo`: the host's entries (`host`) of the CPUs that the virtual CPUs run on, numbered as the guest sees
/// them.
enum CPUInformation {
  static func text(cpus: [Int?], host: [UInt8]) -> String {
    let blocks = blocks(of: host)
    guard let first = blocks.first else {
      return cpus.indices.map { "processor\t: \($0)\n\n" }.joined()
    }
    return cpus.enumerated().map { index, hostCPU in
      let block = hostCPU.flatMap { $0 < blocks.count ? blocks[$0] : nil } ?? first
      return renumber(block, as: index, of: cpus.count) + "\n"
    }.joined()
  }

  private static func renumber(_ block: [Substring], as index: Int, of count: Int) -> String {
    block.map { line in
      let name = line.prefix { $0 != "\t" && $0 != ":" }
      switch name {
      case "processor", "core id", "apicid", "initial apicid": return replacing(line, by: index)
      case "physical id": return replacing(line, by: 0)
      case "siblings", "cpu cores": return replacing(line, by: count)
      default: return String(line) + "\n"
      }
    }.joined()
  }

  private static func replacing(_ line: Substring, by value: Int) -> String {
    String(line.prefix { $0 != ":" }) + ": \(value)\n"
  }

  private static func blocks(of bytes: [UInt8]) -> [[Substring]] {
    String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
      .split(whereSeparator: \.isEmpty).map { Array($0) }
  }
}
