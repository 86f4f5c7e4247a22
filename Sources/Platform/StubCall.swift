import CStub
import LinuxABI

/// System calls without a signal: text of a guest that Apus has rewritten jumps into the stub, which stores the registers
/// in the context's header and reports. The rest of the thread's state stays in the thread.
enum StubCall {
  /// Where rewritten text jumps to, with the address to go on at in `rcx`.
  static let entry = Stub.base + apus_stub_call_offset()
  private static let stored = Stub.base + apus_stub_call_stored_offset()
  private static let reported = Stub.base + apus_stub_call_reported_offset()
  private static let end = Stub.base + apus_stub_call_end_offset()
  /// Offset in a context of the registers.
  static let registers = Stub.headerOffset + Int(STUB_HEADER_CALL)

  /// Where a signal has found a thread.
  enum Place {
    /// Outside of this code.
    case elsewhere
    /// On the way in: all registers but `rsp` and `r11` are the guest's.
    case begun
    /// The guest's registers are stored.
    case stored
    /// The call has been reported, and perhaps been answered.
    case reported
  }

  static func place(_ address: UInt64) -> Place {
    if address < entry || address >= end { return .elsewhere }
    return address < stored ? .begun : address < reported ? .stored : .reported
  }

  /// What the stub stores is not enough for the call.
  static func needsFrame(_ number: UInt64) -> Bool {
    SyscallNumber(rawValue: Int(UInt32(truncatingIfNeeded: number)))?.needsWholeThread == true
  }
}

extension SyscallNumber {
  /// The call needs or changes more of a thread than its registers.
  package var needsWholeThread: Bool {
    switch self {
    case .rt_sigreturn, .clone, .fork, .vfork, .execve, .exit, .arch_prctl, .exit_group, .execveat, .clone3: true
    default: false
    }
  }
}
