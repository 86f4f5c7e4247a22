/// The general registers of a guest thread, as a trap found them and as the thread goes on with them.
///
/// Field names follow `struct user_regs_struct`, their order `struct sigcontext`. For a system call `rax` holds the number (and then the result),
/// the arguments are `rdi rsi rdx r10 r8 r9`, and `rip` is the address after the instruction (syscall(2)).
package struct Registers: BitwiseCopyable, Sendable, Equatable {
  package var r8: UInt64 = 0
  package var r9: UInt64 = 0
  package var r10: UInt64 = 0
  package var r11: UInt64 = 0
  package var r12: UInt64 = 0
  package var r13: UInt64 = 0
  package var r14: UInt64 = 0
  package var r15: UInt64 = 0
  package var rdi: UInt64 = 0
  package var rsi: UInt64 = 0
  package var rbp: UInt64 = 0
  package var rbx: UInt64 = 0
  package var rdx: UInt64 = 0
  package var rax: UInt64 = 0
  package var rcx: UInt64 = 0
  package var rsp: UInt64 = 0
  package var rip: UInt64 = 0
  package var rflags: UInt64 = 0x202
  package var fsBase: UInt64 = 0
  package var gsBase: UInt64 = 0

  package init() {}

  /// `r8` to `rflags`.
  package typealias General = InlineArray<18, UInt64>
  /// The registers up to `rflags`, which lie here as in a signal frame (`struct sigcontext`).
  package var general: General {
    get { unsafe withUnsafeBytes(of: self) { unsafe $0.load(as: General.self) } }
    set { unsafe withUnsafeMutableBytes(of: &self) { unsafe $0.storeBytes(of: newValue, as: General.self) } }
  }
}
