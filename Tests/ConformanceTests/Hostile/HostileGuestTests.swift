import Foundation
import Testing

/// Programs that attack the invariants of strict mode. Whatever they do, the host is not reached, the neighbour in the
/// same sandbox goes on, and apus ends as always.
@Suite(.serialized) struct HostileGuestTests {
  /// Modes that promise to contain a hostile guest.
  static let containing = Mode.tested.filter { $0 != .trusted }

  @Test(
    arguments: [
      "jump", "sigreturn", "context", "entries", "control", "claims", "preemption", "signals", "arguments", "hoarding",
      "tenants", "identity", "untraced", "wakeups", "hiding",
    ], containing)
  func contained(_ program: String, _ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    let target = "\(directory.path)/reached"
    let bystander = try HostProcess(["/bin/sleep", "300"])
    defer { bystander.signal(SIGKILL) }
    let allowedCPUs = ProcessTable.status("Cpus_allowed_list", of: bystander.id)
    let command = Command(
      name: program,
      arguments: [
        Programs.guest("hostile-watch"), Programs.guest("hostile-\(program)"), target, "\(bystander.id)",
      ])
    let outcome = try await Runner.apus(command, mode: mode)
    #expect(!outcome.timedOut, "\(outcome.text.suffix(500)) \(outcome.errorText.suffix(500))")
    #expect(outcome.status == 0, "\(outcome.text.suffix(500)) \(outcome.errorText.suffix(500))")
    #expect(outcome.text.contains("neighbour: 1009"), "\(outcome.text.suffix(500))")
    // The host.
    #expect(directory.entries.isEmpty)
    #expect(["S", "R"].contains(ProcessTable.state(of: bystander.id) ?? "gone"))
    #expect(ProcessTable.status("TracerPid", of: bystander.id) == "0")
    #expect(ProcessTable.status("Cpus_allowed_list", of: bystander.id) == allowedCPUs)
  }

  /// CPU time that is taken by force, or out of sight, is found by the host's account, and the user is told.
  @Test(arguments: [
    ("preemption", "4 without being killed", "worked on"), ("hiding", "found: 3 of 3", "the host shows to be false"),
  ])
  func stolenTimeIsFound(_ program: String, _ result: String, _ report: String) async throws {
    guard Mode.tested.contains(.strict) else { return }
    let command = Command(
      name: program, arguments: [Programs.guest("hostile-watch"), Programs.guest("hostile-\(program)")])
    let outcome = try await Runner.apus(command, mode: .strict, options: ["--cpus", "1"])
    #expect(!outcome.timedOut)
    #expect(outcome.text.contains(result), "\(outcome.text.suffix(500)) \(outcome.errorText.suffix(500))")
    #expect(outcome.errorText.contains(report), "\(outcome.errorText.suffix(500))")
  }

  /// What a guest passes to system calls, and what it piles up in the kernel, is no weaker in the mode that trusts it.
  @Test(arguments: ["arguments", "hoarding"])
  func trustedCallsAreChecked(_ program: String) async throws {
    guard Mode.tested.contains(.trusted) else { return }
    let outcome = try await Runner.apus(
      Command(name: program, arguments: [Programs.guest("hostile-\(program)"), "/x"]), mode: .trusted)
    #expect(!outcome.timedOut)
    #expect(outcome.status == 0, "\(outcome.text.suffix(500)) \(outcome.errorText.suffix(500))")
  }

  /// A file that others truncate while Apus changes a futex word in it ends nobody.
  @Test(arguments: Mode.tested)
  func vanishingPages(_ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    let cutter = try HostProcess([Programs.guest("hostile-words"), "cut", "\(directory.path)/file"])
    defer { cutter.signal(SIGKILL) }
    let outcome = try await Runner.apus(
      Command(name: "words", arguments: [Programs.guest("hostile-words"), "use", "/v/file"]), mode: mode,
      options: ["-v", "\(directory.path):/v"])
    #expect(outcome.text == "ready\ndone\n" && outcome.status == 0, "\(outcome)")
  }

  /// Modes, owners, times, names and contents of the host's files stay, whatever the sandbox's root changes.
  @Test(arguments: Mode.tested)
  func hostFilesStay(_ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("file", String(repeating: "host\n", count: 2000), permissions: 0o640)
    let shared = ["/", "/tmp", "/etc", "/var/tmp", "/dev/shm"].filter(FileManager.default.fileExists)
    func state() throws -> [String] {
      // Others make files in shared directories meanwhile, which changes their times.
      try shared.map { try describe($0, withTime: false) } + [directory.path, file].map { try describe($0) }
    }
    let before = try state()
    let command = Command(
      name: "boundary", arguments: [Programs.guest("hostile-boundary"), directory.path, file])
    let outcome = try await Runner.apus(command, mode: mode, options: ["--hostname", "boundary-test"])
    #expect(outcome.text == "all changes tried\n", "\(outcome.status) \(outcome.errorText)")
    #expect(try state() == before)
    #expect(directory.entries == ["file"])
    #expect(try String(contentsOfFile: file, encoding: .utf8) == String(repeating: "host\n", count: 2000))
  }

  /// A single file as a volume is the guest's to change; what is around it is not.
  @Test(arguments: Mode.tested)
  func filesAroundAVolumeStay(_ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("file", "shared")
    try directory.write("other", "not shared")
    let places = ["/", "/tmp", directory.path, "\(directory.path)/other"]
    let before = try places.map { try describe($0, withTime: false) }
    let command = Command(
      name: "boundary", arguments: [Programs.guest("hostile-boundary"), "/mnt", "/mnt/file"])
    let outcome = try await Runner.apus(
      command, mode: mode, options: ["--hostname", "boundary-test", "--volume", "\(file):/mnt/file"])
    #expect(outcome.text == "all changes tried\n", "\(outcome.status) \(outcome.errorText)")
    #expect(try places.map { try describe($0, withTime: false) } == before)
    #expect(directory.entries == ["file", "other"])
    // No file of the host becomes set-user-ID.
    let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int ?? -1
    #expect(mode & 0o6000 == 0)
  }

  private func describe(_ path: String, withTime: Bool = true) throws -> String {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    let time = withTime ? (attributes[.modificationDate] as? Date)?.timeIntervalSince1970 : nil
    return "\(path) \(attributes[.type] ?? "") \(attributes[.posixPermissions] ?? "") "
      + "\(attributes[.ownerAccountID] ?? "") \(attributes[.groupOwnerAccountID] ?? "") \(time ?? 0)"
  }

  /// On one CPU a program that does not answer stands in everybody's way.
  @Test(arguments: ["preemption", "claims"], containing)
  func containedOnOneCPU(_ program: String, _ mode: Mode) async throws {
    let command = Command(
      name: program,
      arguments: [Programs.guest("hostile-watch"), Programs.guest("hostile-\(program)"), "/x", "999999999"])
    let outcome = try await Runner.apus(command, mode: mode, options: ["--cpus", "1"])
    #expect(!outcome.timedOut)
    #expect(outcome.status == 0, "\(outcome.text.suffix(500)) \(outcome.errorText.suffix(500))")
    #expect(outcome.text.contains("neighbour: 1009"))
  }

  /// The signals that the platform lives on belong to the guest as well.
  @Test(arguments: Mode.tested)
  func platformSignals(_ mode: Mode) async throws {
    try await expectSame(Command(name: "hostile-signals", arguments: [Programs.guest("hostile-signals")]), mode)
  }

  /// Host processes of guests that are killed from outside die as guests; the others go on.
  @Test(arguments: Mode.tested)
  func killedFromOutside(_ mode: Mode) async throws {
    await Gate.shared.enter()
    let process = try HostProcess(Runner.commandLine([Programs.guest("hostile-victim")], mode: mode))
    #expect(await process.waitForOutput("ready"))
    for round in 1...3 {
      // The victims are those that compute.
      var victims: [Int32] = []
      for _ in 0..<200 where victims.isEmpty {
        let before = ProcessTable.family(of: process.id).filter { $0 != process.id }.map {
          ($0, ProcessTable.ticks(of: $0))
        }
        try await Task.sleep(for: .milliseconds(100))
        victims = before.filter { ProcessTable.ticks(of: $0.0) > $0.1 + 1 }.map(\.0)
      }
      guard let victim = victims.first else {
        Issue.record("no host process computes in round \(round)")
        break
      }
      kill(victim, SIGKILL)
      let expected = Array(repeating: "killed by 9\n", count: round).joined()
      #expect(await process.waitForOutput("ready\n" + expected), "\(process.outputSoFar)")
    }
    let outcome = await process.wait()
    await Gate.shared.leave()
    #expect(outcome.status == 0, "\(outcome.errorText)")
    #expect(outcome.text == "ready\nkilled by 9\nkilled by 9\nkilled by 9\nstill working: 3\n")
  }
}
