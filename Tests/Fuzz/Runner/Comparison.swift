import Foundation

/// The same random calls, natively and inside Apus.
struct Comparison {
  let native: [String]
  let apus: [String]
  let kind: String
  let seed: UInt64

  struct Outcome {
    let lineCount: Int
    /// The first lines that differ.
    let difference: (native: String, apus: String)?
  }

  /// Compares a run of so many steps without those in `skipped`.
  func run(steps: Int, skipped: IndexSet = []) throws -> Outcome {
    let arguments = arguments(steps: steps, skipped: skipped)
    let expected = try output(of: native + arguments)
    let found = try output(of: apus + arguments)
    for index in 0..<max(expected.count, found.count) {
      let (left, right) = (index < expected.count ? expected[index] : "", index < found.count ? found[index] : "")
      if left != right { return Outcome(lineCount: expected.count, difference: (left, right)) }
    }
    return Outcome(lineCount: expected.count, difference: nil)
  }

  /// Leaves out steps as long as the two still differ, and tells what is left.
  func shrunk(steps: Int) throws -> String {
    var steps = steps
    // Few steps at the end matter: halve.
    while steps > 1, try run(steps: steps / 2).difference != nil { steps /= 2 }
    var skipped = IndexSet()
    var size = max(steps / 2, 1)
    while true {
      var start = 0
      while start < steps {
        let more = skipped.union(IndexSet(integersIn: start..<min(start + size, steps)))
        if more != skipped, try run(steps: steps, skipped: more).difference != nil { skipped = more }
        start += size
      }
      if size == 1 { break }
      size /= 2
    }
    guard let difference = try run(steps: steps, skipped: skipped).difference else {
      return "seed \(seed) of \(kind) differed once, and not again"
    }
    let arguments = arguments(steps: steps, skipped: skipped)
    let lines = try output(of: native + arguments).map { "    \($0)\n" }.joined()
    return """
      seed \(seed) of \(kind) differs:
      \(lines)  native: \(difference.native)
        Apus:   \(difference.apus)
        \((native + arguments).joined(separator: " "))
        \((apus + arguments).joined(separator: " "))
      """
  }

  private func arguments(steps: Int, skipped: IndexSet) -> [String] {
    [kind, "\(seed)", "\(steps)"]
      + skipped.rangeView.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound - 1)" }
  }

  /// What a program writes, line by line, and how it ends.
  private func output(of command: [String]) throws -> [String] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: command[0])
    process.arguments = Array(command.dropFirst())
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    return lines + ["ended with \(process.terminationStatus)"]
  }
}
