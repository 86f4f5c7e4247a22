import Host
import LinuxABI

extension SandboxConfiguration {
  /// `PATH` and `LANG` as the caller has them, `TERM` if it has one, and `HOME` of the user.
  public static func defaultEnvironment(user: User = .root) -> [String] {
    let path = Host.environmentValue("PATH") ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return [
      "PATH=\(path)", "TERM=\(Host.environmentValue("TERM") ?? "dumb")",
      "LANG=\(Host.environmentValue("LANG") ?? "C.UTF-8")", "HOME=\(user.uid == 0 ? "/root" : "/")",
    ]
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
