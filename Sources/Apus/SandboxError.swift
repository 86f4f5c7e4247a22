import LinuxABI
import Platform

/// Why a sandbox did not run its program.
public struct SandboxError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What went wrong, in one line.
  public let message: String
  /// What can be done about it, where that is known.
  public let remedy: String?
  /// The exit status that shells and container tools use for such errors: `failed`, `notExecutable` or `notFound`.
  public let exitStatus: Int32

  /// An error of the sandbox itself.
  public init(_ message: String, remedy: String? = nil, exitStatus: Int32 = SandboxError.failed) {
    self.message = message
    self.remedy = remedy
    self.exitStatus = exitStatus
  }

  /// An error of the sandbox itself.
  public static let failed: Int32 = 125
  /// The command can't be executed.
  public static let notExecutable: Int32 = 126
  /// The command was not found.
  public static let notFound: Int32 = 127

  /// The message and the remedy, in one line.
  public var description: String { remedy.map { "\(message); \($0)" } ?? message }

  /// Platforms write their remedies as sentences.
  init(_ error: PlatformError) {
    let remedy = error.remedy.hasSuffix(".") ? String(error.remedy.dropLast()) : error.remedy
    self.init(error.cause, remedy: remedy.prefix(1).lowercased() + remedy.dropFirst())
  }
}

/// Runs an operation, and says what it was for if it fails.
func attempt<Result: ~Copyable>(
  _ purpose: @autoclosure () -> String, remedy: String? = nil, _ operation: () throws(Errno) -> Result
) throws(SandboxError) -> Result {
  do throws(Errno) {
    return try operation()
  } catch {
    throw SandboxError("\(purpose()): \(error)", remedy: remedy)
  }
}
