import Foundation
import Testing

/// Volumes: locks that reach the host, and whose the files are.
@Suite struct VolumeTests {
  private static let increments = """
    cd /v; i=0
    while [ $i -lt 25 ]; do (flock 9; n=$(cat count); echo $((n + 1)) >count) 9>lock; i=$((i + 1)); done
    """

  private func run(
    _ directory: TemporaryDirectory, _ mode: Mode, options: [String] = [], suffix: String = "", _ script: String
  ) async throws -> Outcome {
    try await Runner.apus(
      .shell("volume", script), mode: mode, options: ["-v\(directory.path):/v\(suffix)"] + options)
  }

  /// Two sandboxes, and the host, count together under flock(1).
  @Test(.enabled(if: Programs.exists("flock"), "needs flock"), arguments: Mode.tested)
  func flockIsTheHosts(_ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    try directory.write("count", "0\n")
    try directory.write("lock", "")
    async let first = run(directory, mode, Self.increments)
    async let second = run(directory, mode, Self.increments)
    async let host = Runner.host(
      ["/bin/sh", "-c", Self.increments.replacingOccurrences(of: "/v", with: directory.path)])
    for outcome in try await [first, second, host] { #expect(outcome.status == 0, "\(outcome.errorText)") }
    #expect(try String(contentsOfFile: "\(directory.path)/count", encoding: .utf8) == "75\n")
  }

  /// Record locks of a sandbox keep the host out, and the other way round; who waits gets the lock when it is free.
  @Test(.enabled(if: Programs.exists("python3"), "needs python3"), arguments: Mode.tested)
  func recordLocksAreTheHosts(_ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    try directory.write("file", "0123456789")
    let holder = """
      import fcntl, os, struct, sys, time
      f = open(sys.argv[1] + "/file", "r+b")
      fcntl.lockf(f, fcntl.LOCK_EX, 4, 2)
      open(sys.argv[1] + "/held", "w").close()
      while not os.path.exists(sys.argv[1] + "/seen"): time.sleep(0.01)
      print("held", flush=True)
      """
    let other = """
      import errno, fcntl, os, struct, sys, time
      f = open(sys.argv[1] + "/file", "r+b")
      while not os.path.exists(sys.argv[1] + "/held"): time.sleep(0.01)
      def attempt(how, *place):
          try: fcntl.lockf(f, how | fcntl.LOCK_NB, *place); return "ok"
          except OSError as e: return errno.errorcode[e.errno]
      print(attempt(fcntl.LOCK_EX, 1, 1), attempt(fcntl.LOCK_EX, 1, 2), attempt(fcntl.LOCK_SH, 1, 5), attempt(fcntl.LOCK_SH, 0, 6))
      print(struct.unpack("hhqqi", fcntl.fcntl(f, fcntl.F_GETLK, struct.pack("hhqqi", fcntl.F_RDLCK, 0, 0, 0, 0)))[0:4])
      open(sys.argv[1] + "/seen", "w").close()
      fcntl.lockf(f, fcntl.LOCK_EX)
      print("got it")
      """
    try directory.write("holder.py", holder)
    try directory.write("other.py", other)
    func inside(_ name: String) async throws -> Outcome {
      try await run(directory, mode, "exec python3 /v/\(name).py /v")
    }
    func outside(_ name: String) async throws -> Outcome {
      try await Runner.host(["python3", "\(directory.path)/\(name).py", directory.path])
    }
    let expected = "ok EAGAIN EAGAIN ok\n(1, 0, 2, 4)\ngot it\n"
    for holdsInside in [true, false] {
      for name in ["held", "seen"] { try? FileManager.default.removeItem(atPath: "\(directory.path)/\(name)") }
      async let holding = holdsInside ? inside("holder") : outside("holder")
      async let trying = holdsInside ? outside("other") : inside("other")
      let (held, tried) = try await (holding, trying)
      #expect(held.text == "held\n", "\(held.errorText)")
      #expect(tried.text == expected, "\(tried.errorText)")
    }
  }

  /// Makers own what they make, whoever the files belong to on the host, and what is given away stays given.
  @Test(.enabled(if: getuid() == 0, "only root has users to be"), arguments: Mode.tested)
  func ownersAreRemembered(_ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: directory.path)
    let script = """
      umask 022; cd /v; mkdir d; : >d/f; ln -s f d/l; chmod 600 d/f; stat -c '%u:%g %a' d d/f; mv d/f d/g; stat -c %u:%g d/g d/l
      rm d/g; : >d/g; stat -c %u:%g d/g
      """
    let made = try await run(directory, mode, options: ["-u1000"], script)
    #expect(made.text == "1000:1000 755\n1000:1000 600\n1000:1000\n1000:1000\n1000:1000\n", "\(made.errorText)")
    let given = try await run(
      directory, mode, ": >/v/x; chown 7:8 /v/x; stat -c %u:%g /v/x; chmod 640 /v/x; stat -c '%u %a' /v/x")
    #expect(given.text == "7:8\n7 640\n", "\(given.errorText)")
    let host = try await Runner.host(["/bin/sh", "-c", "stat -c %u:%g d d/g x"], directory: directory.path)
    #expect(host.text == "0:0\n0:0\n0:0\n")
    guard Programs.exists("git") else { return }
    let git = try await run(
      directory, mode, options: ["-u1000", "--env", "HOME=/v"],
      """
      cd /v && git init -q r && cd r && git -c user.name=a -c user.email=b commit -q --allow-empty -m c &&
      git log --format=%s
      """)
    #expect(git.text == "c\n", "\(git.errorText)")
  }

  /// With `ids` the host's files belong to whom the guest says.
  @Test(.enabled(if: getuid() == 0, "only root gives files away"), arguments: Mode.tested)
  func ownersAreTheHosts(_ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: directory.path)
    let made = try await run(
      directory, mode, options: ["-u1000"], suffix: ":ids", "cd /v; mkdir d; : >d/f; ln -s f l; stat -c %u:%g d d/f l")
    #expect(made.text == "1000:1000\n1000:1000\n1000:1000\n", "\(made.errorText)")
    let given = try await run(directory, mode, suffix: ":ids", "chown 7:8 /v/d/f; stat -c %u:%g /v/d/f")
    #expect(given.text == "7:8\n", "\(given.errorText)")
    let host = try await Runner.host(["/bin/sh", "-c", "stat -c %u:%g d d/f l"], directory: directory.path)
    #expect(host.text == "1000:1000\n7:8\n1000:1000\n")
  }

  /// Files without a name (`O_TMPFILE`) get one, unless they may not.
  @Test(.enabled(if: Programs.exists("python3"), "needs python3"), arguments: Mode.tested)
  func filesWithoutAName(_ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    let script = """
      import os, sys
      for name, flags in ("made", 0), ("not", os.O_EXCL):
          fd = os.open(sys.argv[1], os.O_TMPFILE | os.O_RDWR | flags, 0o640)
          os.write(fd, b"text")
          try: os.link(f"/proc/self/fd/{fd}", sys.argv[1] + "/" + name, src_dir_fd=fd); print("linked", os.stat(fd).st_nlink)
          except OSError as e: print(e.strerror)
      print(open(sys.argv[1] + "/made").read(), oct(os.stat(sys.argv[1] + "/made").st_mode))
      """
    try directory.write("script.py", script)
    let outcome = try await run(directory, mode, "umask 0; exec python3 /v/script.py /v")
    #expect(outcome.text == "linked 1\nNo such file or directory\ntext 0o100640\n", "\(outcome.errorText)")
    #expect(directory.entries.contains("made") && !directory.entries.contains("not"))
  }
}
