import Foundation

/// The results as text: medians, and how many times native each is.
struct Table {
  let results: Results

  var text: String {
    let header = [""] + results.contestants.map(\.name)
    var lines = [header]
    for row in results.rows {
      lines.append(
        ["\(row.name) (\(row.unit.rawValue))"]
          + results.contestants.map { contestant in
            guard let median = results.median(row, contestant) else { return "–" }
            let ratio = contestant.kind == .native ? nil : results.ratio(row, contestant)
            return Self.number(median) + (ratio.map { " (\(Self.number($0))×)" } ?? "")
          })
    }
    let widths = header.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    let table = lines.map { cells in
      zip(cells, widths).enumerated().map { column, cell in
        let padding = String(repeating: " ", count: cell.1 - cell.0.count)
        return column == 0 ? cell.0 + padding : padding + cell.0
      }.joined(separator: "  ").trimmingSuffix(" ")
    }
    return table.joined(separator: "\n") + "\n" + comparisons
  }

  /// Seccomp strict against ptrace and against the best peer, row by row.
  private var comparisons: String {
    guard let strict = results.contestants.first(where: { $0.name == "apus strict" }) else { return "" }
    let peers = results.contestants.filter(\.isPeer)
    var lines: [String] = []
    for row in results.rows {
      guard let own = results.median(row, strict), own > 0 else { continue }
      var parts: [String] = []
      if let ptrace = results.contestants.first(where: { $0.name == "apus ptrace" }).flatMap({ results.median(row, $0) }
      ) {
        parts.append("\(Self.number(ptrace / own))× as fast as ptrace")
      }
      let rivals = peers.compactMap { peer in results.median(row, peer).map { (peer.name, $0) } }
      if let best = rivals.min(by: { $0.1 < $1.1 }) {
        parts.append("\(Self.number(best.1 / own))× as fast as \(best.0), the best peer")
      }
      if row.unit != .mebibytes, !parts.isEmpty { lines.append("  \(row.name): \(parts.joined(separator: ", "))") }
    }
    return lines.isEmpty ? "" : "\napus strict is\n" + lines.joined(separator: "\n") + "\n"
  }

  /// Three significant digits.
  static func number(_ value: Double) -> String {
    let digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3
    return String(format: "%.\(digits)f", value)
  }
}

extension String {
  fileprivate func trimmingSuffix(_ character: Character) -> String {
    var result = self
    while result.last == character { result.removeLast() }
    return result
  }
}
