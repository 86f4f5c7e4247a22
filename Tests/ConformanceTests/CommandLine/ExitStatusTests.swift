import Foundation
import Testing

/// How `apus run` fails: one clear line, its own exit status, nothing half-started.
@Suite struct ExitStatusTests {
  private func run(_ arguments: [String], input: String = "") async throws -> Outcome {
    try await Runner.host([Programs.apus] + arguments, input: input)
  }

  private func expectFailure(_ arguments: [String], status: Int32, mentions: String) async throws {
    let outcome = try await run(arguments)
    #expect(outcome.status == status, "\(arguments): \(outcome.errorText)")
    #expect(outcome.output.isEmpty)
    let lines = outcome.errorText.split(separator: "\n")
    #expect(lines.count == 1, "\(outcome.errorText)")
    #expect(outcome.errorText.contains(mentions), "\(outcome.errorText)")
  }

  @Test(arguments: Mode.tested)
  func commandNotFound(_ mode: Mode) async throws {
    try await expectFailure(
      ["run"] + mode.options + ["--", "no-such-command"], status: 127, mentions: "no-such-command")
    try await expectFailure(["run"] + mode.options + ["--", "/no/such/file"], status: 127, mentions: "/no/such/file")
  }

  @Test func notExecutable() async throws {
    try await expectFailure(["run", "--", "/etc/passwd"], status: 126, mentions: "/etc/passwd")
    try await expectFailure(["run", "--", "/etc"], status: 126, mentions: "/etc")
  }

  @Test func corruptProgram() async throws {
    let directory = try TemporaryDirectory()
    let corrupt = try directory.write("corrupt", "\u{7f}ELF\u{2}\u{1}\u{1}garbage", permissions: 0o755)
    try await expectFailure(["run", "--", corrupt], status: 126, mentions: corrupt)
    let program = try Data(contentsOf: URL(fileURLWithPath: Programs.guest("files")))
    for length in [64, 100, 500, 5000] {
      let cut = "\(directory.path)/cut\(length)"
      try program.prefix(length).write(to: URL(fileURLWithPath: cut))
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: cut)
      let outcome = try await run(["run", "--", cut])
      #expect(outcome.status != 0 && !outcome.timedOut)
    }
  }

  @Test(arguments: [
    (["--root", "/no/such/root", "--", "true"], "/no/such/root"),
    (["--root", "/etc/passwd", "--", "true"], "/etc/passwd"),
    (["--memory", "lots", "--", "true"], "lots"),
    (["--memory", "-5", "--", "true"], "--memory"),
    (["--cpus", "0", "--", "true"], "CPUs"),
    (["--cpus", "many", "--", "true"], "many"),
    (["--no-such-option", "--", "true"], "no-such-option"),
    (["--platform", "kvm", "--", "true"], "kvm"),
    (["--overlay", "disk", "--", "true"], "disk"),
    (["--user", "nobody", "--", "true"], "nobody"),
    (["--volume", "nonsense", "--", "true"], "nonsense"),
    (["--volume", "/no/such/volume:/mnt", "--", "true"], "/no/such/volume"),
    (["--workdir", "/no/such/directory", "--", "true"], "/no/such/directory"),
    (["--trusted=yes", "--", "true"], "--trusted"),
    (["--hostname"], "--hostname"),
    (["--hostname", "--", "true"], "--hostname"),
    (["--env", "=x", "--", "true"], "--env"),
    (["-x", "--", "true"], "-x"),
    ([], "command"),
  ])
  func badArguments(_ arguments: [String], _ mention: String) async throws {
    let outcome = try await run(["run"] + arguments)
    #expect(outcome.status != 0 && outcome.status < 126, "\(outcome.status) \(outcome.errorText)")
    #expect(outcome.output.isEmpty)
    #expect(outcome.errorText.split(separator: "\n").count == 1, "\(outcome.errorText)")
    #expect(outcome.errorText.contains(mention), "\(outcome.errorText)")
  }

  @Test(arguments: [0, 1, 42, 255])
  func statusOfProgram(_ status: Int) async throws {
    #expect(try await run(["run", "--", "sh", "-c", "exit \(status)"]).status == Int32(status))
  }

  @Test(arguments: [1, 2, 6, 9, 11, 15])
  func deathBySignal(_ signal: Int32) async throws {
    #expect(try await run(["run", "--", "sh", "-c", "kill -\(signal) $$"]).status == 128 + signal)
  }

  @Test func doctor() async throws {
    let outcome = try await run(["doctor"])
    #expect(outcome.status == 0, "\(outcome.text)")
    for check in ["seccomp", "memfd", "mseal", "FSGSBASE", "ptrace"] {
      #expect(outcome.text.localizedCaseInsensitiveContains(check), "\(outcome.text)")
    }
  }

  @Test func help() async throws {
    let outcome = try await run(["--help"])
    #expect(outcome.status == 0 && outcome.text.contains("run"))
    #expect(try await run(["run", "--help"]).text.contains("--overlay"))
    #expect(try await run(["--version"]).status == 0)
  }
}
