import Foundation

/// A platform and mode that programs are run on.
enum Mode: String, CaseIterable, Sendable, CustomStringConvertible {
  case strict = "seccomp strict"
  case trusted = "seccomp trusted"
  case ptrace = "ptrace"

  var description: String { rawValue }

  var options: [String] {
    switch self {
    case .strict: ["--platform", "seccomp"]
    case .trusted: ["--platform", "seccomp", "--trusted"]
    case .ptrace: ["--platform", "ptrace"]
    }
  }

  /// The modes under test: all, or those that `APUS_MODES` names (`strict,trusted,ptrace`).
  static let tested: [Mode] = {
    guard let names = ProcessInfo.processInfo.environment["APUS_MODES"] else { return allCases }
    let wanted = names.split(separator: ",").map(String.init)
    return allCases.filter { mode in wanted.contains { "\(mode)".hasSuffix($0) } }
  }()
}
