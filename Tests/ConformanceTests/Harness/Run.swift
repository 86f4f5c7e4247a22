import Foundation
import Testing

/// How many programs run at once: the tests measure nothing, but many at once would only wait for each other.
actor Gate {
  static let shared = Gate(width: 2)
  private var free: Int
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(width: Int) { free = width }

  func enter() async {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { waiting.append($0) }
    }
  }

  func leave() {
    if waiting.isEmpty {
      free += 1
    } else {
      waiting.removeFirst().resume()
    }
  }

  func pass<Result: Sendable>(_ body: @Sendable () async throws -> Result) async rethrows -> Result {
    await enter()
    do {
      let result = try await body()
      leave()
      return result
    } catch {
      leave()
      throw error
    }
  }
}

/// A program to run: a command, and what it reads.
struct Command: Sendable, Hashable, CustomStringConvertible {
  var name: String
  var arguments: [String]
  var input = ""
  var directory = "/"

  var description: String { name }

  /// A script for a shell.
  static func shell(_ name: String, with shell: [String] = ["/bin/sh"], _ script: String) -> Command {
    Command(name: name, arguments: shell + ["-c", script])
  }
}

/// Runs programs natively and inside Apus.
enum Runner {
  static func native(_ command: Command) async throws -> Outcome {
    try await Gate.shared.pass {
      try await HostProcess(command.arguments, directory: command.directory, input: Data(command.input.utf8))
        .wait()
    }
  }

  /// The `apus run` command line. The guest has the caller's user and the caller's environment.
  static func commandLine(_ command: [String], mode: Mode, options: [String] = []) -> [String] {
    let user = getuid() == 0 ? [] : ["--user", "\(getuid()):\(getgid())"]
    return [Programs.apus, "run", "--env-host"] + mode.options + user + options + ["--"] + command
  }

  static func apus(_ command: Command, mode: Mode, options: [String] = []) async throws -> Outcome {
    try await Gate.shared.pass {
      try await HostProcess(
        commandLine(command.arguments, mode: mode, options: options), directory: command.directory,
        input: Data(command.input.utf8)
      ).wait()
    }
  }

  /// Runs any command line on the host.
  static func host(
    _ command: [String], environment: [String: String] = Programs.environment, directory: String = "/",
    input: String = ""
  ) async throws -> Outcome {
    try await Gate.shared.pass {
      try await HostProcess(command, environment: environment, directory: directory, input: Data(input.utf8))
        .wait()
    }
  }
}

/// Native runs, each made once.
actor NativeRuns {
  static let shared = NativeRuns()
  private var runs: [Command: Task<Outcome, Error>] = [:]

  func outcome(of command: Command) async throws -> Outcome {
    let run = runs[command] ?? Task { try await Runner.native(command) }
    runs[command] = run
    return try await run.value
  }
}

/// Runs a command natively and inside Apus, and expects the same output and exit status.
func expectSame(
  _ command: Command, _ mode: Mode, options: [String] = [], sourceLocation: SourceLocation = #_sourceLocation
) async throws {
  let native = try await NativeRuns.shared.outcome(of: command)
  let inside = try await Runner.apus(command, mode: mode, options: options)
  expect(inside, isLike: native, name: "\(command.name) on \(mode)", sourceLocation: sourceLocation)
}

func expect(
  _ inside: Outcome, isLike native: Outcome, name: String, sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(!native.timedOut, "\(name): the native run timed out", sourceLocation: sourceLocation)
  #expect(
    !inside.timedOut,
    "\(name): timed out after \(inside.output.count) bytes: \(inside.text.suffix(300)) \(inside.errorText.suffix(300))",
    sourceLocation: sourceLocation)
  guard !inside.timedOut else { return }
  #expect(
    inside.status == native.status, "\(name): exit status; stderr: \(inside.errorText.suffix(500))",
    sourceLocation: sourceLocation)
  #expect(
    inside.output == native.output, "\(name): stdout: \(firstDifference(inside.text, native.text))",
    sourceLocation: sourceLocation)
  #expect(
    inside.errors == native.errors, "\(name): stderr: \(firstDifference(inside.errorText, native.errorText))",
    sourceLocation: sourceLocation)
}

/// The first lines that differ, for a message.
private func firstDifference(_ inside: String, _ native: String) -> String {
  let got = inside.split(separator: "\n", omittingEmptySubsequences: false)
  let expected = native.split(separator: "\n", omittingEmptySubsequences: false)
  var index = 0
  while index < got.count, index < expected.count, got[index] == expected[index] { index += 1 }
  if index == got.count, index == expected.count { return "equal" }
  func excerpt(_ lines: [Substring]) -> String {
    index < lines.count ? "“\(lines[index...].prefix(4).joined(separator: "⏎").prefix(400))”" : "the end"
  }
  return "line \(index + 1): got \(excerpt(got)), natively \(excerpt(expected))"
}
