import Foundation
import Testing

/// What Apus could do if a guest took it over.
@Suite struct ConfinementTests {
  /// Some ninety calls that Apus never makes, from inside a process under its limits; and what it makes goes on working.
  @Test(arguments: ["seccomp", "ptrace"])
  func forbiddenCalls(_ platform: String) async throws {
    let directory = try TemporaryDirectory()
    let outcome = try await Runner.host(["\(Programs.directory)/confined", platform, directory.path])
    #expect(outcome.text == "done\n")
    #expect(outcome.errorText == "" && outcome.status == 0)
  }

  /// The command line runs under a filter, with privileges given up, in all threads.
  @Test(arguments: Mode.tested)
  func everyThreadIsFiltered(_ mode: Mode) async throws {
    await Gate.shared.enter()
    let process = try HostProcess(
      Runner.commandLine(["/bin/sh", "-c", "echo ready; exec sleep 100"], mode: mode))
    #expect(await process.waitForOutput("ready"))
    let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.id)/task")
    #expect(threads.count > 1)
    for thread in threads {
      let status = try String(contentsOfFile: "/proc/\(process.id)/task/\(thread)/status", encoding: .utf8)
      #expect(status.contains("Seccomp:\t2\n") && status.contains("NoNewPrivs:\t1\n"))
    }
    process.signal(SIGTERM)
    _ = await process.wait()
    await Gate.shared.leave()
  }
}
