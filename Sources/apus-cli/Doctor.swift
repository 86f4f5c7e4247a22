import Apus
import ArgumentParser

/// `apus doctor`: tells what this host allows.
struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Checks what this host allows, and which platform apus picks.",
    discussion: "Exits with 0 where apus can run here, else with 1.")

  func run() throws {
    let report = HostReport()
    print(report.text)
    if report.platform == nil { throw ExitCode(1) }
  }
}
