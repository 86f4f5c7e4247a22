import Apus
import Foundation
import SystemPackage
import Testing

extension LibraryTests {
  /// Runs commands through the library, as a program that embeds Apus does.
  @Suite struct SandboxTests {
    @Test(arguments: [0, 1, 7, 255]) func exitStatus(_ status: Int32) throws {
      let outcome = try Guest.run("/bin/sh", ["-c", "exit \(status)"])
      #expect(outcome.status == .exited(status))
      #expect(outcome.status.shellStatus == status)
    }

    @Test func deathBySignal() throws {
      let outcome = try Guest.run("/bin/sh", ["-c", "kill -TERM $$"])
      #expect(outcome.status == .signaled(15))
      #expect(outcome.status.shellStatus == 143)
    }

    @Test func standardStreams() throws {
      let outcome = try Guest.run("/bin/sh", ["-c", "cat; echo problem >&2"], input: "one\ntwo\n")
      #expect(outcome.output == "one\ntwo\n")
      #expect(outcome.errors == "problem\n")
    }

    @Test func environmentUserAndWorkingDirectory() throws {
      let outcome = try Guest.run("/bin/sh", ["-c", "echo $COLOUR; id -u; id -g; pwd; echo $PPID"]) {
        $0.environment.append("COLOUR=blue")
        $0.user = SandboxConfiguration.User(uid: 1234, gid: 4321)
        $0.workingDirectory = "/usr/share"
      }
      #expect(outcome.output == "blue\n1234\n4321\n/usr/share\n1\n")
    }

    @Test func changesStayInMemory() throws {
      let directory = try TemporaryDirectory()
      try directory.write("kept", "before\n")
      let script = "echo after > kept; echo new > made; rm -f gone; cat kept made"
      let outcome = try Guest.run("/bin/sh", ["-c", script]) { $0.workingDirectory = directory.path }
      #expect(outcome.output == "after\nnew\n")
      #expect(try directory.read("kept") == "before\n")
      #expect(!directory.contains("made"))
    }

    @Test func readOnlyRoot() throws {
      let directory = try TemporaryDirectory()
      let outcome = try Guest.run("/bin/sh", ["-c", "echo x > \(directory.path)/made"]) { $0.overlay = .none }
      #expect(outcome.status != .exited(0))
      #expect(outcome.errors.contains("Read-only file system"))
      #expect(!directory.contains("made"))
    }

    @Test func volumesAreReal() throws {
      let directory = try TemporaryDirectory()
      let volume = SandboxConfiguration.Volume(hostPath: directory.path, guestPath: "/mnt/shared/deep")
      let outcome = try Guest.run("/bin/sh", ["-c", "echo real > /mnt/shared/deep/file"]) { $0.volumes = [volume] }
      #expect(outcome.status == .exited(0))
      #expect(try directory.read("file") == "real\n")
    }

    @Test func readOnlyVolume() throws {
      let directory = try TemporaryDirectory()
      try directory.write("file", "text\n")
      let volume = SandboxConfiguration.Volume(hostPath: directory.path, guestPath: "/mnt", isReadOnly: true)
      let outcome = try Guest.run("/bin/sh", ["-c", "cat /mnt/file; echo x > /mnt/file"]) { $0.volumes = [volume] }
      #expect(outcome.output == "text\n")
      #expect(outcome.status != .exited(0))
      #expect(try directory.read("file") == "text\n")
    }

    @Test func hostNameMemoryAndCPUs() throws {
      let script = "uname -n; grep -c ^processor /proc/cpuinfo; awk '/MemTotal/ {print $2}' /proc/meminfo"
      let outcome = try Guest.run("/bin/sh", ["-c", script]) {
        $0.hostName = "nest"
        $0.cpus = 3
        $0.memory = 256 << 20
      }
      #expect(outcome.output == "nest\n3\n262144\n")
    }

    /// Nothing is left after a run: no descriptor, no thread, no child process. In a process of its own, because other
    /// tests come and go meanwhile in this one.
    @Test func leavesNothing() async {
      await #expect(processExitsWith: .success) {
        // The first run may make what stays for good, such as the runtime's own threads.
        _ = try Guest.run("/bin/sh", ["-c", "true | true; sleep 100 & true"])
        let before = try Footprint()
        for _ in 0..<3 { _ = try Guest.run("/bin/sh", ["-c", "true | true; sleep 100 & true"]) }
        let after = try Footprint(settlingWithin: before)
        #expect(after.isWithin(before), "\(before), then \(after)")
      }
    }
  }
}
