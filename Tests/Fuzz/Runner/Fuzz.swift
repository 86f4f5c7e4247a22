import ArgumentParser
import Foundation

/// Makes random calls natively and inside Apus, and compares what came of them.
@main
struct Fuzz: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apus-fuzz",
    abstract: "Makes random calls natively and inside Apus, and compares what came of them.",
    discussion: """
      Each seed is a run of `fuzz-calls`. Where the two differ, steps are left out as long as they still do, and what \
      is left is printed, with the commands that show it.
      """)

  @Option(help: ArgumentHelp("Kinds of calls, separated by commas.", valueName: "names"))
  var calls = "memory,files"
  @Option(help: ArgumentHelp("Modes of Apus (strict, trusted, ptrace), separated by commas.", valueName: "names"))
  var modes = "strict,trusted"
  @Option(help: "The first seed; each further run takes the next.")
  var seed: UInt64 = 1
  @Option(help: "Steps of each run.")
  var steps = 1000
  @Option(help: "Begin runs for so long.")
  var seconds = 60.0
  @Option(help: ArgumentHelp("The apus executable (default: the one beside this program).", valueName: "file"))
  var apus: String?
  @Flag(help: "Go on after a difference.")
  var keepGoing = false

  func run() throws {
    let directory = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
    let program = directory + "/fuzz-calls"
    let apus = apus ?? directory + "/apus"
    let contestants = try modes.split(separator: ",").map { name in
      guard let options = Self.options[String(name)] else { throw ValidationError("no mode \(name)") }
      return [apus, "run"] + options + ["--", program]
    }
    var seed = seed
    var (runs, lines, differences) = (0, 0, 0)
    let end = Date(timeIntervalSinceNow: seconds)
    repeat {
      for kind in calls.split(separator: ",").map(String.init) {
        for contestant in contestants {
          let comparison = Comparison(native: [program], apus: contestant, kind: kind, seed: seed)
          let outcome = try comparison.run(steps: steps)
          runs += 1
          lines += outcome.lineCount
          guard outcome.difference != nil else { continue }
          differences += 1
          print(try comparison.shrunk(steps: steps))
          if !keepGoing { throw ExitCode.failure }
        }
      }
      seed += 1
    } while Date() < end
    print("\(runs) runs, \(lines) results, \(differences) differences; the last seed was \(seed - 1)")
    if differences > 0 { throw ExitCode.failure }
  }

  private static let options = [
    "strict": ["--platform", "seccomp"], "trusted": ["--platform", "seccomp", "--trusted"],
    "ptrace": ["--platform", "ptrace"],
  ]
}
