import Testing

/// Hosts that refuse what Apus is built on: it does without, or says at once what is missing.
@Suite struct LackingHostTests {
  private func run(without calls: [Int], _ options: [String]) async throws -> Outcome {
    let numbers = calls.map { "\($0)" }.joined(separator: ",")
    return try await Runner.host(
      [Programs.guest("lacking-host"), numbers, Programs.apus, "run"] + options + ["--", "/bin/echo", "hello"])
  }

  private static let seccomp = 317
  private static let ptrace = 101

  /// Too few open files are named, whatever would fail first.
  @Test(arguments: [10, 20, 30, 63])
  func fewDescriptors(_ limit: Int) async throws {
    let outcome = try await Runner.host(
      ["/bin/sh", "-c", "ulimit -n \(limit); exec '\(Programs.apus)' run -- /bin/true"])
    #expect(outcome.status == 125 && outcome.errorText.contains("ulimit -n"), "\(outcome.errorText)")
  }

  @Test func automaticTakesThePlatformThatIsThere() async throws {
    for missing in [LackingHostTests.seccomp, LackingHostTests.ptrace] {
      let outcome = try await run(without: [missing], [])
      #expect(outcome.status == 0, "\(outcome.errorText)")
      #expect(outcome.text == "hello\n")
    }
  }

  @Test(arguments: [
    ([seccomp], ["--platform", "seccomp"], "seccomp filter"),
    ([ptrace], ["--platform", "ptrace"], "ptrace SYSEMU"),
    ([seccomp, ptrace], [], "ptrace SYSEMU"),
    // memfd_create, pidfd_open, epoll_create1
    ([319], [], "memory"),
    ([434], [], "Linux 5"),
    ([291], [], "event"),
  ])
  func whatIsMissingIsNamed(_ calls: [Int], _ options: [String], _ name: String) async throws {
    let outcome = try await run(without: calls, options)
    #expect(outcome.status == 125)
    #expect(outcome.output.isEmpty)
    #expect(outcome.errorText.split(separator: "\n").count == 1, "\(outcome.errorText)")
    #expect(outcome.errorText.contains(name), "\(outcome.errorText)")
  }

  // mseal, sched_setaffinity, openat2, epoll_pwait2, statx, rseq
  @Test(arguments: [462, 203, 437, 441, 332, 334])
  func itDoesWithout(_ call: Int) async throws {
    let outcome = try await run(without: [call], [])
    #expect(outcome.status == 0, "\(outcome.errorText)")
    #expect(outcome.text == "hello\n")
  }
}
