import Host
import LinuxABI

/// The ways to run guest code.
package enum PlatformKind: String, Sendable, CaseIterable {
  /// Guest threads trap into the stub through their seccomp filter (seccomp(2), `SECCOMP_RET_TRAP`).
  case seccomp
  /// Guest threads are traced (ptrace(2), `PTRACE_SYSEMU`).
  case ptrace
}

/// What a platform needs to start.
package struct PlatformConfiguration: Sendable {
  package var kind: PlatformKind
  /// Trapping threads run their own memory operations and hold the agent's rights: faster, for guests that are trusted.
  package var trusted: Bool
  /// The physical memory (a memfd). The caller keeps its descriptor.
  package var physicalMemory: FileDescriptor
  /// The CPU time for which a guest thread may leave a preemption signal unanswered, in nanoseconds.
  package var gracePeriod: UInt64
  /// How many emptied host processes are kept for reuse.
  package var poolLimit: Int

  /// The signal that brings a running guest thread back to Apus.
  package static var preemptSignal: Signal { Stub.preemptSignal }

  package init(
    kind: PlatformKind, trusted: Bool = false, physicalMemory: FileDescriptor, gracePeriod: UInt64 = 2_000_000_000,
    poolLimit: Int = 16
  ) {
    self.kind = kind
    self.trusted = trusted
    self.physicalMemory = physicalMemory
    self.gracePeriod = gracePeriod
    self.poolLimit = poolLimit
  }
}

/// Why a platform did not start, and what to do about it.
package struct PlatformError: Error, Sendable, CustomStringConvertible {
  package let cause: String
  package let remedy: String

  package init(cause: String, remedy: String) {
    self.cause = cause
    self.remedy = remedy
  }

  init(_ action: String, _ error: Errno, remedy: String = "Run `apus doctor` to see what this host allows.") {
    self.init(cause: "\(action): \(error)", remedy: remedy)
  }

  package var description: String { "\(cause). \(remedy)" }
}

/// Starts a platform: forks the zygote and maps what Apus shares with guest processes.
package func makePlatform(_ configuration: PlatformConfiguration) throws(PlatformError) -> any Platform {
  if let check = HostChecks.missing(for: configuration.kind) {
    throw PlatformError(
      cause: "The \(configuration.kind) platform needs what this host lacks: \(check.name): \(check.outcome.text)",
      remedy: check.remedy)
  }
  return try StubPlatform(configuration)
}
