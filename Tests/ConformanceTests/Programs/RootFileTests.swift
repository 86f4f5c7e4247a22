import Foundation
import Testing

/// Files that were there before: the sandbox changes its own copy.
@Suite(.enabled(if: Programs.exists("python3"), "needs python3")) struct RootFileTests {
  private static let script = """
    import ctypes, mmap, os, sys
    path = sys.argv[1]
    r = os.open(path, os.O_RDONLY)
    maps = [mmap.mmap(r, 8192, flags, mmap.PROT_READ) for flags in (mmap.MAP_SHARED, mmap.MAP_PRIVATE)]
    own = mmap.mmap(r, 8192, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
    untouched = mmap.mmap(r, 8192, mmap.MAP_SHARED, mmap.PROT_READ)
    print([m[:3] for m in maps])
    read, write = os.pipe(); seen, tell = os.pipe()
    if os.fork() == 0:
        os.read(read, 1); print("child", [m[4096:4099] for m in maps + [untouched]], flush=True); os._exit(0)
    w = os.open(path, os.O_RDWR)
    os.pwrite(w, b"NEW", 0); os.pwrite(w, b"NEW", 4096)
    print([m[:3] for m in maps + [untouched]], flush=True)
    os.write(write, b"x"); os.wait()
    os.ftruncate(w, 16384); os.pwrite(w, b"after", 8192)
    print(os.pread(r, 5, 8192), os.path.getsize(path))
    os.truncate(path, 5); print(maps[0][:6])
    """

  /// What is mapped of a file follows it, though the file becomes the sandbox's own with its first change.
  @Test(arguments: Mode.tested)
  func mappingsFollow(_ mode: Mode) async throws {
    let directory = try TemporaryDirectory()
    try directory.write("script.py", Self.script)
    let old = String(repeating: "old.", count: 2048)
    try directory.write("native", old)
    try directory.write("inside", old)
    let native = try await Runner.host(["python3", "\(directory.path)/script.py", "\(directory.path)/native"])
    let inside = try await Runner.apus(
      Command(name: "mappings", arguments: ["python3", "\(directory.path)/script.py", "\(directory.path)/inside"]),
      mode: mode)
    expect(inside, isLike: native, name: "mappings of a changed file on \(mode)")
    #expect(native.status == 0 && native.text.contains("child"))
    #expect(try String(contentsOfFile: "\(directory.path)/inside", encoding: .utf8) == old)
  }

  /// The sandbox's own name is in its `/etc/hosts`.
  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/etc/hosts")))
  func ownName() async throws {
    let outcome = try await Runner.host(
      [Programs.apus, "run", "--hostname", "a-name", "--", "/bin/sh", "-c", "grep -cw a-name /etc/hosts"])
    #expect(outcome.text == "1\n", "\(outcome.errorText)")
  }
}
