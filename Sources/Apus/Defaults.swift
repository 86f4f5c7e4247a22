import Host
import LinuxABI

extension SandboxConfiguration {
  /// `PATH` and `LANG` as the caller has them, `TERM` if it has one, and `HOME` of the user, as `/etc/passwd` in the
  /// host directory `root` has it.
  public static func defaultEnvironment(user: User = .root, root: String = "/") -> [String] {
    let path = Host.environmentValue("PATH") ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    let home = home(of: user, root: root) ?? (user.uid == 0 ? "/root" : "/")
    return [
      "PATH=\(path)", "TERM=\(Host.environmentValue("TERM") ?? "dumb")",
      "LANG=\(Host.environmentValue("LANG") ?? "C.UTF-8")", "HOME=\(home)",
    ]
  }

  /// The home directory in passwd(5): name, password, uid, gid, comment, home, shell.
  private static func home(of user: User, root: String) -> String? {
    guard let directory = try? Host.open(at: nil, Array(root.utf8), [.path, .directory]) else { return nil }
    defer { Host.close(directory) }
    guard let file = try? Host.openBeneath(directory, Array("etc/passwd".utf8), .nonBlocking) else { return nil }
    defer { Host.close(file) }
    guard let size = try? Host.status(file).size else { return nil }
    var bytes = [UInt8](repeating: 0, count: min(Int(clamping: size), 1 << 18))
    guard let count = try? Host.read(file, into: &bytes, count: bytes.count, at: 0) else { return nil }
    let number = Array("\(user.uid)".utf8)
    for line in bytes[..<count].split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      guard fields.count >= 6, fields[2].elementsEqual(number) else { continue }
      return fields[5].isEmpty || fields[5].contains(0) ? nil : String(decoding: fields[5], as: UTF8.self)
    }
    return nil
  }

  /// The caller's environment, as `NAME=value` strings.
  public static var callerEnvironment: [String] { Host.environment }

  /// Half of the host's memory, in bytes.
  public static var defaultMemory: UInt64 { max(64 << 20, (Host.totalMemory / 2).pageDown) }

  /// The host CPUs that this process may use (sched_getaffinity(2)).
  public static var usableCPUs: Int { max(1, Host.usableCPUs.count) }

  /// The least memory a sandbox works with, in bytes.
  public static let minimumMemory: UInt64 = 8 << 20
  /// The most virtual CPUs.
  public static let maximumCPUs = 64
}
