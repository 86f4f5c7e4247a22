/// The requests of ptrace(2), `PTRACE_*`, as far as Apus makes them.
public enum TraceRequest: Int, Sendable {
  case getRegisters = 12
  case setRegisters = 13
  case detach = 17
  case systemCallEmulation = 31
  case getSignalInformation = 0x4202
  case getRegisterSet = 0x4204
  case setRegisterSet = 0x4205
  case seize = 0x4206
  case interrupt = 0x4207
  case setSignalMask = 0x420b
  case getSyscallInformation = 0x420e
}

/// `PTRACE_O_*` of ptrace(2).
public struct TraceOptions: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// A stop at a system call is reported as SIGTRAP with bit 7 set.
  public static let marksSystemCalls = TraceOptions(rawValue: 0x01)
  /// The thread is killed when its tracer ends.
  public static let exitKill = TraceOptions(rawValue: 0x10_0000)
}

/// `NT_*` of elf(5): which registers `PTRACE_GETREGSET` is about.
public enum RegisterSet: Int, Sendable {
  /// `NT_X86_XSTATE`.
  case extendedState = 0x202
}
