import Foundation
import Testing

/// The same with no privilege at all: another user, no capability, none to be had.
@Suite(
  .enabled(if: getuid() == 0, "only root can give up its privileges"),
  .enabled(if: Programs.exists("setpriv"), "needs setpriv"))
struct UnprivilegedTests {
  private static let dropped = [
    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all",
    "--no-new-privs",
  ]

  @Test(arguments: ["files", "memory", "processes", "signals", "threads", "polling"], Mode.tested)
  func guestProgram(_ program: String, _ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    let apus = try directory.copy(executable: Programs.apus)
    let guest = try directory.copy(executable: Programs.guest(program))
    let command = Command(name: program, arguments: [guest])
    let native = try await Runner.native(command)
    let inside = try await Runner.host(
      Self.dropped + [apus, "run", "--env-host"] + mode.options + ["--", guest])
    expect(inside, isLike: native, name: "\(program) without privilege on \(mode)")
  }

  static let scripts = [
    "id -u; cd $(mktemp -d); mkdir d; echo x >d/f; cat d/f; ls -l d | wc -l; (exit 4); echo $?; seq 100 | sort -r | tail -n 1",
    "touch /etc/created /created; ls /etc/created /created; rm /etc/hostname; test -e /etc/hostname || echo gone",
    "cat /etc/shadow >/dev/null 2>&1 || echo refused",
  ]

  @Test(arguments: scripts, Mode.tested)
  func shell(_ script: String, _ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    let apus = try directory.copy(executable: Programs.apus)
    let outcome = try await Runner.host(
      Self.dropped + [apus, "run"] + mode.options + ["--", "/bin/sh", "-c", script])
    let expected = [
      "0\nx\n2\n4\n1\n", "/created\n/etc/created\ngone\n", "refused\n",
    ]
    #expect(outcome.status == 0, "\(outcome.errorText)")
    #expect(outcome.text == expected[Self.scripts.firstIndex(of: script) ?? 0], "\(outcome.errorText)")
    #expect(!FileManager.default.fileExists(atPath: "/created"))
  }
}
