import Foundation

/// The results as JSON, for programs.
struct JSONReport: Encodable {
  struct Cell: Encodable {
    let contestant: String
    let median: Double
    let timesNative: Double?
    let samples: [Double]
  }
  struct Line: Encodable {
    let row: String
    let unit: String
    let cells: [Cell]
  }
  let cpus: Int
  let pinned: Int?
  let rows: [Line]

  init(_ results: Results, pinned: Int?) {
    cpus = ProcessInfo.processInfo.activeProcessorCount
    self.pinned = pinned
    rows = results.rows.map { row in
      Line(
        row: row.name, unit: row.unit.rawValue,
        cells: results.contestants.compactMap { contestant in
          results.median(row, contestant).map {
            Cell(
              contestant: contestant.name, median: $0, timesNative: results.ratio(row, contestant),
              samples: results.values(row, contestant))
          }
        })
    }
  }

  var data: Data {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      return try encoder.encode(self)
    }
  }
}

/// The results as a picture: a group of bars for each row, each group to its own scale, the shortest bar the fastest.
struct BarChart {
  let results: Results

  private static let barHeight = 15
  private static let labelWidth = 200
  private static let barWidth = 420
  private static let nameWidth = 110
  private static let colors = [
    "native": "#9aa0a6", "apus strict": "#0b7285", "apus trusted": "#22b8cf", "apus ptrace": "#99d8e0",
    "uml seccomp": "#e8590c", "uml ptrace": "#ffc078", "gvisor systrap": "#5f3dc4", "gvisor ptrace": "#b197fc",
  ]

  var svg: String {
    var y = 34
    var body = ""
    for row in results.rows {
      let bars = results.contestants.compactMap { contestant in results.median(row, contestant).map { (contestant, $0) }
      }
      guard let longest = bars.map(\.1).max(), longest > 0 else { continue }
      body +=
        "<text x=\"\(Self.labelWidth - 8)\" y=\"\(y + 12)\" text-anchor=\"end\" class=\"row\">\(Self.escape(row.name))</text>\n"
      for (contestant, median) in bars {
        let width = max(1, Int(Double(Self.barWidth) * median / longest))
        let left = Self.labelWidth + Self.nameWidth
        body += """
          <text x="\(left - 6)" y="\(y + 12)" text-anchor="end">\(Self.escape(contestant.name))</text>\
          <rect x="\(left)" y="\(y + 2)" width="\(width)" height="\(Self.barHeight - 3)" \
          fill="\(Self.colors[contestant.name] ?? "#495057")"/>\
          <text x="\(left + width + 5)" y="\(y + 12)">\(Table.number(median)) \(row.unit.rawValue)</text>

          """
        y += Self.barHeight
      }
      y += 12
    }
    let width = Self.labelWidth + Self.nameWidth + Self.barWidth + 90
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(y + 8)" viewBox="0 0 \(width) \(y + 8)">
      <style>text { font: 11px sans-serif; fill: #343a40 } .row { font-weight: bold }</style>
      <rect width="100%" height="100%" fill="#ffffff"/>
      <text x="12" y="20" class="row">Shorter is faster. Medians; each group has its own scale.</text>
      \(body)</svg>

      """
  }

  private static func escape(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
  }
}
