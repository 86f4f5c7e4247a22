import Apus
import Foundation
import Testing

extension LibraryTests {
  /// What a sandbox says where it can't start its program.
  @Suite struct StartErrorTests {
    private func startError(
      _ command: String, _ change: (inout SandboxConfiguration) -> Void = { _ in }
    ) throws -> SandboxError {
      var thrown: SandboxError?
      do {
        _ = try Guest.run(command, [], change: change)
      } catch let error as SandboxError { thrown = error }
      return try #require(thrown)
    }

    @Test func missingCommand() throws {
      let error = try startError("no-such-command")
      #expect(error.exitStatus == 127)
      #expect(error.message == "no-such-command: command not found")
      #expect(try startError("/no/such/command").exitStatus == 127)
    }

    @Test func fileThatIsNotExecutable() throws {
      let error = try startError("/etc/passwd")
      #expect(error.exitStatus == 126)
      #expect(error.message.contains("Permission denied"))
      #expect(try startError("/etc").exitStatus == 126)
    }

    @Test func fileOfNoKnownFormat() throws {
      let directory = try TemporaryDirectory()
      try directory.write("text", "echo hello\n", isExecutable: true)
      try directory.write("corrupt", "\u{7f}ELF\u{2}\u{1}\u{1}garbage", isExecutable: true)
      for name in ["text", "corrupt"] {
        let error = try startError("\(directory.path)/\(name)")
        #expect(error.exitStatus == 126)
        #expect(error.message.contains("cannot execute"))
      }
    }

    @Test func badConfigurations() throws {
      #expect(try startError("true") { $0.root = "/no/such/root" }.message.contains("/no/such/root"))
      #expect(try startError("true") { $0.workingDirectory = "/no/such" }.message.contains("/no/such"))
      #expect(try startError("true") { $0.workingDirectory = "relative" }.exitStatus == 125)
      #expect(try startError("true") { $0.cpus = 0 }.exitStatus == 125)
      #expect(try startError("true") { $0.memory = 4096 }.exitStatus == 125)
      #expect(
        try startError("true") { $0.volumes = [.init(hostPath: "/no/such", guestPath: "/mnt")] }.exitStatus == 125)
      #expect(try startError("true") { $0.environment = ["A=\0"] }.exitStatus == 125)
    }
  }
}
