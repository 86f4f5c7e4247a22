import Apus
import ArgumentParser
import Glibc

/// The command line of Apus.
@main
struct Command: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apus",
    abstract: "Runs Linux programs under a user-mode kernel, without privileges.",
    discussion: """
      Exit status: the program's own; 128+n where signal n ended it; 127 where the command was not found, 126 where it \
      cannot be executed, 125 for errors of apus itself.
      """,
    version: "0.1.0",
    subcommands: [Run.self, Doctor.self])

  /// Parses, runs, and turns every error into one line on stderr and an exit status.
  static func main() {
    do {
      let arguments = Options.normalize(Array(CommandLine.arguments.dropFirst()))
      if let options = RunOptions(normalized: arguments) { leave(try options.run()) }
      var command = try parseAsRoot(arguments)
      try command.run()
    } catch let error as SandboxError {
      fail(error.description, status: error.exitStatus)
    } catch {
      // Help and version are "errors" that succeed.
      if exitCode(for: error).isSuccess || error is CleanExit || error is ExitCode { exit(withError: error) }
      fail(message(for: error), status: SandboxError.failed)
    }
  }

  /// Ends apus. (`exit(withError:)` of ArgumentParser prepares a help text first.)
  private static func leave(_ status: Int32) -> Never { Glibc.exit(status) }

  private static func fail(_ message: String, status: Int32) -> Never {
    let line = message.split(separator: "\n").joined(separator: " ")
    StandardError.write("apus: \(line)\n")
    leave(status)
  }
}
