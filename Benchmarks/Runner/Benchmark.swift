import ArgumentParser
import Foundation
import Host

/// Measures Apus against the host and against its peers.
@main
struct Benchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apus-benchmark",
    abstract: "Measures Apus against the host and against its peers.",
    discussion: """
      Runs the same workloads natively, in each mode of Apus and inside the peers of a directory: user-mode Linux \
      (DIR/uml) and gVisor (DIR/runsc), where they are there. Build with -c release.
      """)

  @Option(help: "Rounds; each runs every contestant once.")
  var rounds = 5
  @Option(help: ArgumentHelp("Directory with the peers (default: $APUS_PEERS).", valueName: "dir"))
  var peers: String?
  @Option(help: ArgumentHelp("The apus executable (default: the one beside this program).", valueName: "file"))
  var apus: String?
  @Option(help: ArgumentHelp("Contestants, separated by commas (default: all there are).", valueName: "names"))
  var only: String?
  @Option(help: ArgumentHelp("Pin everything to one CPU of the host.", valueName: "cpu"))
  var pin: Int?
  @Option(help: ArgumentHelp("Write the results as JSON.", valueName: "file"))
  var json: String?
  @Option(help: ArgumentHelp("Draw the results as an SVG bar chart.", valueName: "file"))
  var svg: String?
  @Flag(help: "Measure how the work of 1, 2, 4 and 8 threads and processes adds up, instead of the usual rows.")
  var curve = false
  @Flag(help: "One short round: shows that everything runs, measures little.")
  var smoke = false

  func run() throws {
    if let pin {
      guard Host.usableCPUs.contains(pin) else { throw ValidationError("--pin \(pin): no CPU that may be used here") }
      // Children inherit it.
      Host.pin(to: pin)
    }
    let directory = Self.ownDirectory
    let found = Contestant.all(
      apus: apus ?? directory + "/apus", peers: peers ?? ProcessInfo.processInfo.environment["APUS_PEERS"])
    let names = only?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    let contestants = found.filter { names?.contains($0.name) ?? true }
    let measurement = Measurement(
      program: directory + "/benchmark-program", scale: smoke ? 0.05 : 1, contestants: contestants, isCurve: curve
    ) { FileHandle.standardError.write(Data("\($0)\n".utf8)) }
    let results = measurement.run(rounds: smoke ? 1 : rounds)
    print(Table(results: results).text, terminator: "")
    if let json { try JSONReport(results, pinned: pin).data.write(to: URL(fileURLWithPath: json)) }
    if let svg { try BarChart(results: results).svg.write(toFile: svg, atomically: true, encoding: .utf8) }
    let missing = contestants.filter { contestant in results.rows.allSatisfy { results.median($0, contestant) == nil } }
    guard missing.isEmpty else {
      throw ValidationError("no results from \(missing.map(\.name).joined(separator: ", "))")
    }
  }

  private static var ownDirectory: String {
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    return URL(fileURLWithPath: own).deletingLastPathComponent().path
  }
}
