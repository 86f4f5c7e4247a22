// The target apus: the command line.
//
// Of this package it uses Apus alone, and neither Foundation nor a parser of arguments, because it has to start in a
// millisecond. What must hold: each error is one line on stderr that starts with `apus: `, and an exit status that
// scripts can tell apart.

import Apus
import Glibc
import SystemPackage

/// The command line of Apus: `apus run` and `apus doctor`.
///
/// It is read by hand, from the one table in `RunOptions.table`: a short command takes 7 ms from start to end, and a
/// general parser that looks at declarations at run time would add a third of that.
@main
enum Command {
  private static let version = "0.1.0"

  private static let help = """
    Runs Linux programs under a user-mode kernel, without privileges.

    Usage: apus run [OPTIONS] [--] COMMAND [ARGUMENTS…]
           apus doctor

      run      Runs a command in a sandbox; `apus run --help` lists the options.
      doctor   Checks what this host allows, and which platform apus picks. Exits with 0 where apus can run here, else
               with 1.

      -h, --help   Shows this help.
      --version    Shows the version.

    Exit status: the program's own; 128+n where signal n ended it; 127 where the command was not found, 126 where it
    cannot be executed, 125 for errors of apus itself.
    """

  /// Runs, and turns every error into one line on stderr and an exit status.
  static func main() {
    do throws(SandboxError) {
      // Before anything is opened.
      let streams = try SandboxConfiguration.callerStreams()
      exit(try run(CommandLine.arguments.dropFirst(), streams))
    } catch {
      let line = error.description.split(separator: "\n").joined(separator: " ")
      StandardError.write("apus: \(line)\n")
      exit(error.exitStatus)
    }
  }

  /// Returns the status to exit with.
  private static func run(
    _ words: ArraySlice<String>, _ streams: [FileDescriptor?]
  ) throws(SandboxError) -> Int32 {
    let rest = words.dropFirst()
    switch words.first {
    case "run": return try RunOptions(rest).run(streams)
    case "help" where rest.first == "run": print(RunOptions.help)
    case nil, "help", "--help", "-h": print(help)
    case "--version": print(version)
    case "doctor" where rest.first == "--help" || rest.first == "-h": print(help)
    case "doctor":
      guard rest.isEmpty else { throw SandboxError("doctor takes no arguments") }
      let report = HostReport()
      print(report.text)
      return report.platform == nil ? 1 : 0
    case let word?: throw SandboxError("no such command: \(word)", remedy: "see `apus --help`")
    }
    return 0
  }
}
