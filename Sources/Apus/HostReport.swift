/// What this host allows: the checks behind `apus doctor`.
public struct HostReport: Sendable {
  /// The platform that `auto` picks; nil where Apus can't run here.
  public var platform: SandboxConfiguration.PlatformChoice? { .seccomp }
  public init() {}
  public var text: String { "" }
}
