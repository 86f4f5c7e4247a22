import Apus
import Foundation
import SystemPackage
import Testing

extension LibraryTests {
  /// `--trace` and `--stats` tell what a guest did.
  @Suite struct TraceTests {
    private func trace(_ script: String) throws -> [String] {
      let directory = try TemporaryDirectory()
      let file = try FileDescriptor.open(
        "\(directory.path)/trace", .writeOnly, options: [.create], permissions: .ownerReadWrite)
      defer { try? file.close() }
      _ = try Guest.run("/bin/sh", ["-c", script]) { $0.trace = file }
      return try directory.read("trace").split(separator: "\n").map(String.init)
    }

    @Test func linesLookLikeThoseOfStrace() throws {
      let lines = try trace("cd /usr; cat /no/such/file; exit 5")
      #expect(
        lines.first
          == "execve(\"/bin/sh\", [\"/bin/sh\", \"-c\", \"cd /usr; cat /no/such/file; exit 5\"], /* 4 vars */) = 0")
      #expect(lines.contains("chdir(\"/usr\")                           = 0"))
      let missing = "openat(AT_FDCWD, \"/no/such/file\", O_RDONLY) = -1 ENOENT (No such file or directory)"
      #expect(lines.contains { $0.hasSuffix(missing) })
      #expect(lines.contains { $0.contains("--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=") })
      #expect(lines.contains { $0.contains("[{WIFEXITED(s) && WEXITSTATUS(s) == 1}]") })
      #expect(lines.last?.hasSuffix("+++ exited with 5 +++") == true)
    }

    @Test func structuresAndFlags() throws {
      let lines = try trace("trap 'true' USR1; kill -USR1 $$")
      #expect(lines.contains { $0.contains("rt_sigaction(SIGUSR1, {sa_handler=0x") })
      #expect(lines.contains { $0.contains("--- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=") })
      #expect(lines.contains { $0.contains("MAP_PRIVATE|MAP_FIXED|MAP_DENYWRITE, 3, 0x") })
      #expect(lines.contains { $0.contains("{st_mode=S_IFREG|0755, st_size=") })
      #expect(lines.contains { $0.contains("read(3, \"\\177ELF\\2\\1\\1") })
    }

    @Test func deathBySignal() throws {
      let lines = try trace("kill -KILL $$")
      #expect(lines.last?.hasSuffix("+++ killed by SIGKILL +++") == true)
    }

    @Test func statistics() throws {
      var configuration = Guest.configuration(
        "/bin/sh", ["-c", "/bin/true; /bin/true; seq 200000 | sort -r | tail -1"])
      configuration.measuresTimes = true
      let sandbox = try Sandbox(configuration)
      _ = try sandbox.run()
      let statistics = try #require(sandbox.statistics)
      #expect(statistics.traps.syscalls > 50)
      #expect(statistics.traps.pageFaults > 0)
      // Guest to Apus, Apus to the agent, agent to guest.
      #expect((2...3).contains(statistics.switchesPerPageFault))
      #expect(statistics.hostProcessesCreated > 0)
      #expect(statistics.contextSwitches >= 2 * statistics.traps.total)
      #expect(statistics.peakMemory > 0)
      let waits = statistics.syscalls.first { $0.name == "wait4" }
      #expect((waits?.count ?? 0) >= 2)

      let object = try JSONSerialization.jsonObject(with: Data(statistics.json.utf8))
      let json = try #require(object as? [String: Any])
      #expect(json["traps_syscalls"] as? Int == statistics.traps.syscalls)
      let calls = try #require(json["syscalls"] as? [[String: Any]])
      #expect(calls.contains { $0["name"] as? String == "execve" })
      #expect(statistics.table.contains("page faults"))
    }
  }
}
