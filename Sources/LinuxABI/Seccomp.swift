/// What a filter of seccomp(2) answers to a call, `SECCOMP_RET_*`.
public enum SeccompAnswer: UInt32, Sendable {
  case trap = 0x0003_0000
  /// The low half is the number of the error.
  case errno = 0x0005_0000
  case allow = 0x7fff_0000
}

/// The operations of seccomp(2), `SECCOMP_*` of `linux/seccomp.h`.
public enum SeccompOperation: UInt32, Sendable {
  case setModeFilter = 1
  case getActionAvailable = 2
}

/// `SECCOMP_FILTER_FLAG_*` of seccomp(2).
public struct SeccompFilterFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// All threads of the process get the filter (`SECCOMP_FILTER_FLAG_TSYNC`).
  public static let allThreads = SeccompFilterFlags(rawValue: 1)
  /// Speculation goes on as it was (`SECCOMP_FILTER_FLAG_SPEC_ALLOW`).
  public static let speculation = SeccompFilterFlags(rawValue: 4)
}

/// Instructions of a classic BPF program, as far as filters of system calls use them (`linux/bpf_common.h`).
public enum FilterInstruction: UInt16, Sendable {
  /// `BPF_LD | BPF_W | BPF_ABS`: loads a word of `struct seccomp_data`.
  case load = 0x20
  /// `BPF_ALU | BPF_AND | BPF_K`
  case and = 0x54
  /// `BPF_JMP | BPF_JA`
  case jump = 0x05
  /// `BPF_JMP | BPF_JEQ | BPF_K`
  case jumpIfEqual = 0x15
  /// `BPF_JMP | BPF_JGE | BPF_K`
  case jumpIfAtLeast = 0x35
  /// `BPF_JMP | BPF_JSET | BPF_K`
  case jumpIfAnyBit = 0x45
  /// `BPF_RET | BPF_K`
  case answer = 0x06
}
