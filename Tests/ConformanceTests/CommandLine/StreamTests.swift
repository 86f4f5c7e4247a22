import Foundation
import Testing

/// Standard streams, signals to apus, and what it leaves behind.
@Suite struct StreamTests {
  @Test(arguments: Mode.tested)
  func input(_ mode: Mode) async throws {
    let text = (0..<20000).map { "line \($0)\n" }.joined()
    let command = Command(name: "cat", arguments: ["/bin/cat"], input: text)
    let outcome = try await Runner.apus(command, mode: mode)
    #expect(outcome.text == text)
    let counted = try await Runner.apus(Command(name: "wc", arguments: ["wc", "-c"], input: text), mode: mode)
    #expect(counted.text == "\(text.utf8.count)\n")
  }

  @Test func largeOutput() async throws {
    let command = Command(name: "seq", arguments: ["/bin/sh", "-c", "seq 1 300000; echo end >&2"])
    let outcome = try await Runner.apus(command, mode: .strict)
    #expect(outcome.text.utf8.count == 1_988_895)
    #expect(outcome.errorText == "end\n")
  }

  @Test func files() async throws {
    let directory = try TemporaryDirectory()
    try directory.write("in", "some input")
    let apus = Runner.commandLine(["/bin/sh", "-c", "cat; echo error >&2"], mode: .strict)
      .map { "'\($0)'" }.joined(separator: " ")
    let outcome = try await Runner.host(
      ["/bin/sh", "-c", "\(apus) <in >out 2>err; \(apus) <in >>out"], directory: directory.path)
    #expect(outcome.status == 0)
    #expect(try String(contentsOfFile: "\(directory.path)/out", encoding: .utf8) == "some inputsome input")
    #expect(try String(contentsOfFile: "\(directory.path)/err", encoding: .utf8) == "error\n")
  }

  @Test func closedStreams() async throws {
    let apus = Runner.commandLine(["/bin/sh", "-c", "echo out; echo err >&2; read x; exit 4"], mode: .strict)
      .map { "'\($0)'" }.joined(separator: " ")
    let outcome = try await Runner.host(["/bin/sh", "-c", "\(apus) <&- >&- 2>&-; echo $?"])
    #expect(outcome.text == "4\n")
  }

  /// The number of a closed stream is never that of a file of Apus, such as the guests' memory.
  @Test(arguments: ["<&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"], Mode.tested)
  func closedStreamsStayClosed(_ closed: String, _ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    let script = "for n in 0 1 2; do [ -e /proc/self/fd/$n ] && echo $n; done >/v/inside; ls -l /proc/self/fd >/v/list"
    let apus = Runner.commandLine(
      ["/bin/sh", "-c", script], mode: mode, options: ["-v", "\(directory.path):/v", "--trace=\(directory.path)/trace"]
    ).map { "'\($0)'" }.joined(separator: " ")
    let native = script.replacingOccurrences(of: "/v/", with: "\(directory.path)/native-")
    let outcome = try await Runner.host(["/bin/sh", "-c", "\(apus) \(closed); (\(native)) \(closed)"])
    #expect(outcome.output.isEmpty)
    func read(_ name: String) throws -> String {
      try String(contentsOfFile: "\(directory.path)/\(name)", encoding: .utf8)
    }
    #expect(try read("inside") == read("native-inside"))
    let list = try read("list")
    #expect(list.contains("->") && !list.contains("memfd") && !list.contains("apus-"), "\(list)")
  }

  /// Through `/proc/self/fd` a stream gives no more than the caller's descriptor does.
  @Test(arguments: Mode.tested)
  func reopenedStreamsHaveNoMoreRights(_ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    try directory.write("in", "for reading")
    try directory.write("out", "before\n")
    let script = """
      (echo overwritten 1<>/proc/self/fd/0) 2>/dev/null && echo 'stdin was written' >&2
      (cat </proc/self/fd/1 >&2) 2>/dev/null && echo 'stdout was read' >&2
      (: >/proc/self/fd/1) 2>/dev/null && echo 'stdout was truncated' >&2
      (echo over 1<>/proc/self/fd/1) 2>/dev/null && echo 'stdout was opened for reading, too' >&2
      echo appended >>/proc/self/fd/1
      cat /proc/self/fd/0
      """
    let apus = Runner.commandLine(["/bin/sh", "-c", script], mode: mode).map { "'\($0)'" }.joined(separator: " ")
      .replacingOccurrences(of: "'\(script)'", with: "\"$SCRIPT\"")
    let outcome = try await Runner.host(
      ["/bin/sh", "-c", "\(apus) <in >>out"], environment: Programs.environment.merging(["SCRIPT": script]) { $1 },
      directory: directory.path)
    #expect(outcome.errorText == "")
    #expect(try String(contentsOfFile: "\(directory.path)/in", encoding: .utf8) == "for reading")
    #expect(
      try String(contentsOfFile: "\(directory.path)/out", encoding: .utf8) == "before\nappended\nfor reading")
    let pipe = try await Runner.apus(
      .shell("pipe", "echo x >/proc/self/fd/0 && echo wrote; cat </proc/self/fd/1 && echo read; echo end"), mode: mode)
    #expect(pipe.text == "end\n")
  }

  @Test func directoryAsInput() async throws {
    let apus = Runner.commandLine(["/bin/cat"], mode: .strict).map { "'\($0)'" }.joined(separator: " ")
    let outcome = try await Runner.host(["/bin/sh", "-c", "\(apus) </"])
    #expect(outcome.status == 1 && outcome.errorText.contains("Is a directory"))
  }

  /// A file that grows beyond the caller's limit is an error of the guest's write, not the end of Apus (SIGXFSZ).
  @Test(arguments: Mode.tested)
  func limitOfFileSizes(_ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    let apus = Runner.commandLine(
      ["/bin/sh", "-c", "dd if=/dev/zero of=/v/big bs=1 count=1 seek=80G 2>&1; echo $?"], mode: mode,
      options: ["--memory", "64M", "-v", "\(directory.path):/v"]
    ).map { "'\($0)'" }.joined(separator: " ")
    let outcome = try await Runner.host(["/bin/bash", "-c", "ulimit -f $((70 << 20)); \(apus)"])
    #expect(outcome.text.contains("File too large") && outcome.text.hasSuffix("1\n"), "\(outcome)")
  }

  @Test func brokenPipe() async throws {
    let apus = Runner.commandLine(["/bin/sh", "-c", "while :; do echo y; done"], mode: .strict)
      .map { "'\($0)'" }.joined(separator: " ")
    let outcome = try await Runner.host(["/bin/sh", "-c", "\(apus) | head -n 1"])
    #expect(outcome.text == "y\n" && !outcome.timedOut)
  }
}

@Suite struct SignalForwardingTests {
  @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGQUIT], Mode.tested)
  func forwarded(_ signal: Int32, _ mode: Mode) async throws {
    let script = "trap 'echo caught; exit 5' INT TERM HUP QUIT; echo ready; while :; do sleep 0.05; done"
    let outcome = try await Gate.shared.pass {
      let process = try HostProcess(Runner.commandLine(["/bin/sh", "-c", script], mode: mode))
      #expect(await process.waitForOutput("ready"))
      process.signal(signal)
      return await process.wait()
    }
    #expect(outcome.text == "ready\ncaught\n")
    #expect(outcome.status == 5)
  }

  @Test func unhandled() async throws {
    let outcome = try await Gate.shared.pass {
      let process = try HostProcess(
        Runner.commandLine(["/bin/sh", "-c", "echo ready; exec sleep 100"], mode: .strict))
      #expect(await process.waitForOutput("ready"))
      process.signal(SIGTERM)
      return await process.wait()
    }
    #expect(outcome.status == 128 + SIGTERM)
  }
}

@Suite(.serialized) struct CleanupTests {
  private static let script = """
    for i in 1 2 3; do (while :; do :; done) & done; sleep 100 & setsid sleep 100 & echo ready; wait
    """

  /// By any means, SIGKILL included: no guest process survives apus.
  @Test(arguments: [SIGKILL, SIGTERM, SIGABRT], Mode.tested)
  func nothingSurvives(_ signal: Int32, _ mode: Mode) async throws {
    await Gate.shared.enter()
    let process = try HostProcess(Runner.commandLine(["/bin/sh", "-c", Self.script], mode: mode))
    #expect(await process.waitForOutput("ready"))
    let family = ProcessTable.family(of: process.id)
    #expect(family.count > 3)
    process.signal(signal)
    let outcome = await process.wait()
    #expect(!outcome.timedOut)
    var survivors = family.filter(ProcessTable.isAlive)
    for _ in 0..<1000 where !survivors.isEmpty {
      try await Task.sleep(for: .milliseconds(20))
      survivors = family.filter(ProcessTable.isAlive)
    }
    await Gate.shared.leave()
    #expect(survivors.isEmpty, "\(survivors.map { ($0, ProcessTable.status("Name", of: $0) ?? "") })")
  }

  /// Host processes that can't be used again, as those in which vfork(2) was called, are gone soon after their guests.
  @Test(arguments: Mode.tested.filter { $0 != .ptrace })
  func noZombies(_ mode: Mode) async throws {
    await Gate.shared.enter()
    let script = "for i in 1 2 3 4; do sh -c '/bin/true; /bin/true; :'; done; echo ready; exec sleep 100"
    let process = try HostProcess(Runner.commandLine(["/bin/sh", "-c", script], mode: mode))
    #expect(await process.waitForOutput("ready"))
    func zombies() -> [Int32] {
      ProcessTable.children(of: process.id).filter { ProcessTable.state(of: $0) == "Z" }
    }
    for _ in 0..<2000 where !zombies().isEmpty { try await Task.sleep(for: .milliseconds(10)) }
    #expect(zombies().isEmpty)
    process.signal(SIGTERM)
    _ = await process.wait()
    await Gate.shared.leave()
  }

  /// The first process ends; what it left running in the background goes with the sandbox.
  @Test(arguments: Mode.tested)
  func backgroundEndsToo(_ mode: Mode) async throws {
    let outcome = try await Runner.apus(
      Command(name: "background", arguments: ["/bin/sh", "-c", "(while :; do :; done) & sleep 100 & echo $!"]),
      mode: mode)
    #expect(outcome.status == 0 && !outcome.timedOut)
  }

  @Test func nothingLeftOnDisk() async throws {
    func listing() -> Set<String> {
      Set(
        ["/tmp", "/dev/shm", "/var/tmp"].flatMap { directory in
          ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).map { "\(directory)/\($0)" }
        })
    }
    // Other tests have files there, all with names of their own.
    let marker = "made-by-apus-\(UUID().uuidString)"
    _ = try await Runner.apus(
      Command(
        name: "files",
        arguments: [
          "/bin/sh", "-c", "for d in /tmp /dev/shm /var/tmp; do echo x >$d/\(marker); done; ls /tmp/\(marker)",
        ]),
      mode: .strict)
    #expect(!listing().contains { $0.contains(marker) || $0.contains("apus-stub") })
  }
}
