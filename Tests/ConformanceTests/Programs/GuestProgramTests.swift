import Foundation
import Testing

/// The C programs under Tests/Guests: each reports what it observes, and has to observe the same inside Apus.
@Suite struct GuestProgramTests {
  @Test(arguments: ["files", "memory", "processes", "signals"], Mode.tested)
  func core(_ program: String, _ mode: Mode) async throws {
    try await expectSame(Command(name: program, arguments: [Programs.guest(program)]), mode)
  }

  @Test(arguments: ["threads", "time", "polling", "descriptors"], Mode.tested)
  func more(_ program: String, _ mode: Mode) async throws {
    try await expectSame(Command(name: program, arguments: [Programs.guest(program)]), mode)
  }

  @Test(
    arguments: ["sockets", "unix-sockets", "inet-sockets", "credentials", "floating-point", "reuse", "hot-calls"],
    Mode.tested)
  func further(_ program: String, _ mode: Mode) async throws {
    try await expectSame(Command(name: program, arguments: [Programs.guest(program)]), mode)
  }

  /// Natively in a mount namespace of its own, which not every root can have.
  @Test(.enabled(if: getuid() == 0 && Programs.mayMount, "only root mounts"), arguments: Mode.tested)
  func mounts(_ mode: Mode) async throws {
    try await expectSame(Command(name: "mounts", arguments: [Programs.guest("mounts")]), mode)
  }

  /// The same without what is done for calls that come often.
  @Test(arguments: Mode.tested)
  func textAsItIs(_ mode: Mode) async throws {
    try await expectSame(
      Command(name: "hot-calls", arguments: [Programs.guest("hot-calls"), "text"]), mode, options: ["--no-rewrite"])
  }

  /// One virtual CPU: everything has to share it, by preemption.
  @Test(arguments: ["signals", "threads", "floating-point", "hot-calls"], Mode.tested)
  func oneCPU(_ program: String, _ mode: Mode) async throws {
    try await expectSame(
      Command(name: program, arguments: [Programs.guest(program)]), mode, options: ["--cpus", "1"])
  }
}

@Suite struct LimitTests {
  @Test(arguments: Mode.tested)
  func twoHundredProcesses(_ mode: Mode) async throws {
    try await expectSame(Command(name: "limits", arguments: [Programs.guest("limits")]), mode)
  }

  /// The bomb meets an error, the sandbox works afterwards, and so does the host.
  @Test(arguments: ["bomb", "wild-bomb"], Mode.tested)
  func forkBomb(_ kind: String, _ mode: Mode) async throws {
    let command = Command(
      name: kind, arguments: [Programs.guest("limits"), "--in-sandbox", kind])
    let outcome = try await Runner.apus(command, mode: mode)
    #expect(!outcome.timedOut)
    #expect(outcome.status == 0, "\(outcome.errorText)")
    #expect(outcome.text.contains("afterwards: "))
    if kind == "bomb" { #expect(outcome.text.contains("fork: EAGAIN")) }
    #expect(try await Runner.native(Command(name: "true", arguments: ["/bin/true"])).status == 0)
  }

  @Test(arguments: Mode.tested)
  func memoryHog(_ mode: Mode) async throws {
    let command = Command(name: "hog", arguments: [Programs.guest("limits"), "--in-sandbox", "hog"])
    let outcome = try await Runner.apus(command, mode: mode, options: ["--memory", "256M"])
    #expect(!outcome.timedOut)
    #expect(outcome.status == 0, "\(outcome.errorText)")
    #expect(outcome.text.contains("hog ended: killed") || outcome.text.contains("hog ended: refused"))
    #expect(outcome.text.contains("afterwards: 7"))
  }
}
