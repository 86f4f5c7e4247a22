/// One line of the table.
struct Row: Sendable, Hashable {
  enum Unit: String, Sendable { case microseconds = "µs", milliseconds = "ms", mebibytes = "MiB" }
  let name: String
  var unit = Unit.microseconds

  static let startUp = Row(name: "start, run true, end", unit: .milliseconds)
  static let shell = Row(name: "sh: 300 × /bin/true", unit: .milliseconds)
  static let python = Row(name: "python3 -c pass", unit: .milliseconds)
  static let memory = Row(name: "idle sandbox, PSS", unit: .mebibytes)
}

/// All measurements, by row and contestant.
struct Results: Sendable {
  let contestants: [Contestant]
  private(set) var rows: [Row] = []
  private var samples: [Row: [String: [Double]]] = [:]

  init(contestants: [Contestant]) { self.contestants = contestants }

  mutating func add(_ value: Double, _ row: Row, _ contestant: Contestant) {
    if samples[row] == nil { rows.append(row) }
    samples[row, default: [:]][contestant.name, default: []].append(value)
  }

  func values(_ row: Row, _ contestant: Contestant) -> [Double] { samples[row]?[contestant.name] ?? [] }

  func median(_ row: Row, _ contestant: Contestant) -> Double? {
    let sorted = values(row, contestant).sorted()
    guard !sorted.isEmpty else { return nil }
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }

  /// How many times the first contestant's (native's) median.
  func ratio(_ row: Row, _ contestant: Contestant) -> Double? {
    guard let first = contestants.first, let base = median(row, first), base > 0, let own = median(row, contestant)
    else { return nil }
    return own / base
  }
}
