import Foundation
import Glibc

/// Runs the workloads, contestant after contestant in each round, so that slow changes of the machine touch all alike.
struct Measurement {
  let program: String
  let scale: Double
  let contestants: [Contestant]
  /// Measures how work adds up with the number of threads and processes, and nothing else.
  let isCurve: Bool
  /// Told what is being run.
  let progress: (String) -> Void

  private static let shellLoop = "i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done"

  func run(rounds: Int) -> Results {
    var results = Results(contestants: contestants)
    for round in 1...max(1, rounds) {
      for contestant in contestants {
        progress("round \(round) of \(rounds): \(contestant.name)")
        do {
          try measure(contestant, &results)
        } catch { progress("\(contestant.name): \(error)") }
      }
    }
    return results
  }

  private func measure(_ contestant: Contestant, _ results: inout Results) throws {
    let micro = try contestant.run([program, "--scale", "\(scale)", isCurve ? "--curve" : "--micro"])
    for (name, value) in Self.lines(micro.output) { results.add(value, Row(name: name), contestant) }
    if micro.status != 0, contestant.isApus { progress("\(contestant.name): status \(micro.status)") }
    if isCurve { return }
    for _ in 0..<(contestant.isPeer ? 1 : 5) {
      results.add(try contestant.run(["/bin/true"]).microseconds / 1e3, .startUp, contestant)
    }
    var commands = ["--time", "sh", "/bin/sh", "-c", Self.shellLoop]
    let python = "/usr/bin/python3"
    if FileManager.default.isExecutableFile(atPath: python) { commands += ["--time", "python", python, "-c", "pass"] }
    for (name, value) in Self.lines(try contestant.run([program] + commands).output) {
      results.add(value / 1e3, name == "sh" ? .shell : .python, contestant)
    }
    if contestant.isApus, let memory = try idleMemory(contestant) { results.add(memory, .memory, contestant) }
  }

  /// Lines of a name, a tab and a number; everything else (the messages of a booting kernel) is skipped.
  static func lines(_ text: String) -> [(String, Double)] {
    text.split(whereSeparator: \.isNewline).compactMap { line in
      let parts = line.split(separator: "\t")
      guard parts.count == 2, let value = Double(parts[1]) else { return nil }
      return (String(parts[0]), value)
    }
  }

  /// Memory of a sandbox whose program sleeps, in MiB: what apus and its guests have for themselves, and their share of
  /// what they share (proc(5), `smaps_rollup`).
  private func idleMemory(_ contestant: Contestant) throws -> Double? {
    guard case .apus(let options) = contestant.kind, let executable = contestant.executable else { return nil }
    let (pid, output) = try ChildProcess.spawn([executable, "run"] + options + ["--", "/bin/sleep", "100"])
    defer {
      kill(pid, SIGTERM)
      waitpid(pid, nil, 0)
      close(output)
    }
    usleep(400_000)
    return Self.family(of: pid).map(Self.proportionalSize).reduce(0, +) / 1024
  }

  private static func family(of parent: pid_t) -> [pid_t] {
    let all = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap(pid_t.init)
    let children = all.filter { pid in
      guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
        let end = stat.lastIndex(of: ")")
      else { return false }
      let fields = stat[end...].split(separator: " ")
      return fields.count > 2 && pid_t(fields[2]) == parent
    }
    return [parent] + children.flatMap(family)
  }

  /// In KiB.
  private static func proportionalSize(_ pid: pid_t) -> Double {
    guard let text = try? String(contentsOfFile: "/proc/\(pid)/smaps_rollup", encoding: .utf8),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Pss:") })
    else { return 0 }
    return line.split(separator: " ").compactMap { Double($0) }.first ?? 0
  }
}
