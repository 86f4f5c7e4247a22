import Platform

/// What this host allows: the checks behind `apus doctor`.
public struct HostReport: Sendable {
  /// One check.
  public struct Check: Sendable {
    /// What is checked, in a few words.
    public let name: String
    /// The host has what is checked.
    public let isPassed: Bool
    /// The platforms that can't do without it.
    public let requiredBy: [SandboxConfiguration.PlatformChoice]
    /// What was found.
    public let result: String
    /// What Apus needs it for.
    public let meaning: String
    /// What to do where it is missing.
    public let remedy: String
  }
  /// In the order in which they were made.
  public let checks: [Check]

  /// Runs all checks, each for a moment in a process of its own.
  public init() {
    checks = HostChecks.run().map { check in
      Check(
        name: check.name, isPassed: check.outcome.isPassed,
        requiredBy: check.requiredBy.compactMap { SandboxConfiguration.PlatformChoice(rawValue: $0.rawValue) },
        result: check.outcome.text, meaning: check.meaning, remedy: check.remedy)
    }
  }

  /// The platform that `SandboxConfiguration.PlatformChoice.automatic` picks; nil where Apus can't run here.
  public var platform: SandboxConfiguration.PlatformChoice? {
    [.seccomp, .ptrace].first { choice in
      checks.allSatisfy { $0.isPassed || !$0.requiredBy.contains(choice) }
    }
  }

  /// The report for people, without a line break at its end.
  public var text: String {
    var lines: [String] = []
    for check in checks {
      let mark = check.isPassed ? "ok" : check.requiredBy.isEmpty ? "note" : "MISSING"
      let pad = String(repeating: " ", count: max(1, 25 - check.name.count))
      let markPad = String(repeating: " ", count: 9 - mark.count)
      lines.append("\(check.name)\(pad)\(mark)\(markPad)\(check.result): \(check.meaning)")
      if !check.isPassed { lines.append(String(repeating: " ", count: 34) + "→ \(check.remedy)") }
    }
    lines.append("")
    switch platform {
    case .seccomp: lines.append("platform: seccomp, strict mode (--trusted is possible)")
    case .ptrace: lines.append("platform: ptrace")
    default: lines.append("platform: none; apus needs what is MISSING above")
    }
    return lines.joined(separator: "\n")
  }
}
