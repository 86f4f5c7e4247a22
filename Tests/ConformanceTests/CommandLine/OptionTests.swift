import Foundation
import Testing

/// What the options of `apus run` do.
@Suite struct OptionTests {
  private func run(_ options: [String], _ command: String..., input: String = "", directory: String = "/") async throws
    -> Outcome
  { try await run(options, command, input: input, directory: directory) }

  private func run(_ options: [String], _ command: [String], input: String = "", directory: String = "/") async throws
    -> Outcome
  {
    try await Runner.host(
      [Programs.apus, "run"] + options + ["--"] + command,
      environment: Programs.environment.merging(["SECRET": "s"]) { $1 },
      directory: directory, input: input)
  }

  private func shell(_ script: String, _ options: String..., directory: String = "/") async throws -> String {
    let outcome = try await run(options, ["/bin/sh", "-c", script], directory: directory)
    return outcome.text + outcome.errorText
  }

  /// The ways to write an option, and where options end.
  @Test func spelling() async throws {
    #expect(try await shell("uname -n", "--hostname=ship") == "ship\n")
    #expect(try await shell("uname -n", "--hostname=-x") == "-x\n")
    #expect(try await shell("uname -n", "--hostname", "one", "--hostname", "two") == "two\n")
    #expect(try await shell("pwd; echo $A$B", "-w", "/etc", "-e", "A=1", "-e", "B==") == "/etc\n1=\n")
    let withoutDashes = try await Runner.host([Programs.apus, "run", "--cpus", "1", "echo", "--cpus", "--help"])
    #expect(withoutDashes.text == "--cpus --help\n")
  }

  /// Help names every option once, and each that it names is known.
  @Test func helpIsComplete() async throws {
    let help = try await Runner.host([Programs.apus, "run", "--help"])
    #expect(help.status == 0)
    let names = help.text.split(separator: "\n").filter { $0.hasPrefix("  -") }
      .flatMap { $0.split(whereSeparator: { " ,[=".contains($0) }).prefix(2).filter { $0.hasPrefix("-") } }
    #expect(names.count > 15 && Set(names).count == names.count, "\(names)")
    for name in names {
      let outcome = try await Runner.host([Programs.apus, "run", String(name), "--no-such-option"])
      #expect(!outcome.errorText.contains("unknown option \(name)"), "\(outcome.errorText)")
    }
  }

  @Test func environment() async throws {
    #expect(try await shell("echo $PATH:$HOME:$LANG:$SECRET").contains("s\n") == false)
    let defaults = try await shell("echo ${PATH:+p} ${TERM:+t} ${LANG:+l} ${HOME:+h} ${SECRET:+s}")
    #expect(defaults == "p t l h\n")
    #expect(try await shell("echo $A $B", "--env", "A=1", "--env", "B=x=y") == "1 x=y\n")
    #expect(try await shell("echo $SECRET", "--env", "SECRET") == "s\n")
    #expect(try await shell("echo $SECRET", "--env-host") == "s\n")
  }

  @Test func workingDirectory() async throws {
    #expect(try await shell("pwd", directory: "/usr/share") == "/usr/share\n")
    #expect(try await shell("pwd", "--workdir", "/etc") == "/etc\n")
    let directory = try TemporaryDirectory()
    #expect(try await shell("pwd; ls", directory: directory.path).hasPrefix(directory.path))
  }

  @Test func user() async throws {
    #expect(try await shell("id -u; id -g") == "0\n0\n")
    #expect(try await shell("id -u; id -g", "--user", "1000:100") == "1000\n100\n")
    #expect(try await shell("id -u; touch /etc/x 2>/dev/null || echo refused", "--user", "1000") == "1000\nrefused\n")
  }

  @Test func names() async throws {
    #expect(try await shell("uname -n; hostname 2>/dev/null || true", "--hostname", "ship").hasPrefix("ship\n"))
    let release = try await shell("uname -r")
    let version = release.split(separator: ".").prefix(2).compactMap { Int($0) }
    #expect(version.count == 2 && (version[0], version[1]) >= (6, 12), "\(release)")
    #expect(release.lowercased().contains("apus"))
    #expect(try await shell("uname -s; uname -m") == "Linux\nx86_64\n")
  }

  @Test(arguments: Mode.tested)
  func parentIsInit(_ mode: Mode) async throws {
    let outcome = try await run(mode.options, "/bin/sh", "-c", "echo $PPID; [ $$ -gt 1 ] && echo not 1")
    #expect(outcome.text == "1\nnot 1\n")
    // Orphans are adopted by Apus itself and reaped.
    let orphan = try await run(
      mode.options, "/bin/sh", "-c",
      "(sh -c 'sleep 0.2; cut -d\" \" -f4 /proc/self/stat >/tmp/p' &); sleep 0.6; cat /tmp/p")
    #expect(orphan.text.split(separator: "\n").count == 1, "\(orphan.errorText)")
  }

  @Test func overlay() async throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("file", "original")
    let script = "echo changed >\(file); cat \(file); rm \(file); mkdir \(directory.path)/new; ls -A \(directory.path)"
    #expect(try await shell(script) == "changed\nnew\n")
    #expect(directory.entries == ["file"])
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "original")
    let readOnly = try await run(
      ["--overlay", "none"], "/bin/sh", "-c", "echo changed >\(file) || echo refused; cat \(file)")
    #expect(readOnly.text == "refused\noriginal")
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "original")
  }

  @Test func root() async throws {
    let directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(atPath: "\(directory.path)/bin", withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: Programs.guest("hostile-victim"), toPath: "\(directory.path)/bin/x")
    try FileManager.default.createSymbolicLink(
      atPath: "\(directory.path)/escape", withDestinationPath: "../../../../etc/passwd")
    let missing = try await run(["--root", directory.path], "/bin/sh")
    #expect(missing.status == 127)
    guard let busybox = Programs.path("busybox") else { return }
    try FileManager.default.copyItem(atPath: busybox, toPath: "\(directory.path)/bin/busybox")
    let outcome = try await run(["--root", directory.path], "/bin/busybox", "sh", "-c", "cat /escape; ls /; ls /../..")
    #expect(outcome.errorText.contains("No such file"))
    #expect(outcome.text.contains("bin\n") && !outcome.text.contains("usr"))
  }

  @Test func volumes() async throws {
    let directory = try TemporaryDirectory()
    try directory.write("in", "data")
    let writable = try await run(
      ["--volume", "\(directory.path):/mnt"], "/bin/sh", "-c", "cat /mnt/in; echo out >/mnt/out")
    #expect(writable.text == "data" && writable.status == 0, "\(writable.errorText)")
    #expect(try String(contentsOfFile: "\(directory.path)/out", encoding: .utf8) == "out\n")
    let readOnly = try await run(
      ["--volume", "\(directory.path):/mnt:ro"], "/bin/sh", "-c", "cat /mnt/in; echo no >/mnt/no || echo refused")
    #expect(readOnly.text == "datarefused\n")
    #expect(directory.entries == ["in", "out"])
    let file = try await run(["--volume", "\(directory.path)/in:/etc/motd"], "/bin/cat", "/etc/motd")
    #expect(file.text == "data", "\(file.errorText)")
  }

  @Test func memory() async throws {
    let total = try await shell("grep MemTotal /proc/meminfo | tr -dc 0-9", "--memory", "300M")
    #expect((Int(total) ?? 0) > 0 && (Int(total) ?? .max) <= 300 * 1024, "\(total)")
  }

  @Test func cpus() async throws {
    #expect(try await shell("nproc", "--cpus", "1") == "1\n")
    #expect(try await shell("nproc", "--cpus", "3") == "3\n")
  }

  /// The forms that people type.
  @Test func valuesInTheSameWord() async throws {
    let directory = try TemporaryDirectory()
    try directory.write("file", "from the host\n")
    for option in ["-v\(directory.path):/v", "-v=\(directory.path):/v", "--volume=\(directory.path):/v"] {
      let outcome = try await run(["-m64M", option], "/bin/cat", "/v/file")
      #expect(outcome.text == "from the host\n", "\(option): \(outcome.errorText)")
    }
    let unknown = try await run(["-xyz"], "/bin/true")
    #expect(unknown.status == 125 && unknown.errorText.contains("unknown option -xyz"))
    let help = try await Runner.host([Programs.apus, "doctor", "--help"])
    #expect(help.status == 0 && help.text.contains("apus doctor"))
  }

  /// A volume does not change the umask, and files on the host are made with it.
  @Test(arguments: Mode.tested)
  func umaskWithVolume(_ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    let apus = Runner.commandLine(
      ["/bin/sh", "-c", "umask; : >/v/file; mkdir /v/directory"], mode: mode, options: ["-v\(directory.path):/v"]
    ).map { "'\($0)'" }.joined(separator: " ")
    let outcome = try await Runner.host(
      ["/bin/sh", "-c", "umask 027; \(apus); stat -c %a file directory"], directory: directory.path)
    #expect(outcome.text == "0027\n640\n750\n", "\(outcome.errorText)")
  }

  @Test func homeOfUsers() async throws {
    let native = try await Runner.host(["/usr/bin/awk", "-F:", "$3 == 65534 {print $6}", "/etc/passwd"])
    let apus = [Programs.apus, "run", "-u65534", "-w", "/", "--", "/bin/sh", "-c", "echo $HOME"]
    #expect(try await Runner.host(apus).text == (native.text == "" ? "/\n" : native.text))
  }

  @Test func trace() async throws {
    let directory = try TemporaryDirectory()
    let file = "\(directory.path)/trace"
    let outcome = try await run(["--trace=\(file)"], "/bin/cat", "/etc/hostname", "/nonexistent")
    #expect(outcome.errorText.contains("nonexistent"))
    let text = try String(contentsOfFile: file, encoding: .utf8)
    #expect(
      text.contains("execve(\"/bin/cat\"") || text.contains("execve(\"/usr/bin/cat\"") || text.contains("openat("))
    #expect(text.contains("openat(AT_FDCWD, \"/nonexistent\", O_RDONLY) = -1 ENOENT"), "\(text.suffix(600))")
    #expect(text.contains("exit_group("))
    let onStandardError = try await run(["--trace"], "/bin/true")
    #expect(onStandardError.errorText.contains("exit_group(0)"))
  }

  @Test(arguments: Mode.tested)
  func statistics(_ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    let file = "\(directory.path)/stats.json"
    let outcome = try await run(mode.options + ["--stats=\(file)"], "/bin/sh", "-c", "true; (exit 0); echo x")
    #expect(outcome.text == "x\n")
    let json = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: file)))
    #expect(json is [String: Any])
    let nowhere = try await run(mode.options + ["--stats=/nowhere/stats"], "/bin/sh", "-c", "echo ran")
    #expect(nowhere.status == 125 && nowhere.text == "" && nowhere.errorText.contains("/nowhere/stats"))
    let table = try await run(mode.options + ["--stats"], "/bin/true")
    #expect(table.errorText.split(separator: "\n").count > 5, "\(table.errorText)")
  }
}
