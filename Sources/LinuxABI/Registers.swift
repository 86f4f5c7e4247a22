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
  package var rflags: UInt64 = ProcessorFlags.initial
  package var fsBase: UInt64 = 0
  package var gsBase: UInt64 = 0

  package init() {}

  /// The flags that a thread goes on with: those that user code can set, and those that it always has.
  package var runnableFlags: UInt64 { rflags & ProcessorFlags.user | ProcessorFlags.initial }

  /// `r8` to `rflags`.
  package typealias General = InlineArray<18, UInt64>
  /// The registers up to `rflags`, which lie here as in a signal frame (`struct sigcontext`).
  package var general: General {
    get { unsafe withUnsafeBytes(of: self) { unsafe $0.load(as: General.self) } }
    set { unsafe withUnsafeMutableBytes(of: &self) { unsafe $0.storeBytes(of: newValue, as: General.self) } }
  }
}

/// Bits of RFLAGS (Intel SDM volume 1, 3.4.3).
public enum ProcessorFlags {
  @inlinable public static var carry: UInt64 { 1 << 0 }
  /// A bit that is always set.
  @inlinable public static var reserved: UInt64 { 1 << 1 }
  @inlinable public static var parity: UInt64 { 1 << 2 }
  @inlinable public static var adjust: UInt64 { 1 << 4 }
  @inlinable public static var zero: UInt64 { 1 << 6 }
  @inlinable public static var sign: UInt64 { 1 << 7 }
  @inlinable public static var trap: UInt64 { 1 << 8 }
  @inlinable public static var interrupt: UInt64 { 1 << 9 }
  @inlinable public static var direction: UInt64 { 1 << 10 }
  @inlinable public static var overflow: UInt64 { 1 << 11 }
  @inlinable public static var nestedTask: UInt64 { 1 << 14 }
  @inlinable public static var resume: UInt64 { 1 << 16 }
  @inlinable public static var alignmentCheck: UInt64 { 1 << 18 }
  @inlinable public static var identification: UInt64 { 1 << 21 }

  /// The results of arithmetic.
  @inlinable public static var status: UInt64 { carry | parity | adjust | zero | sign | overflow }
  /// What user code can set.
  @inlinable public static var user: UInt64 {
    status | trap | direction | nestedTask | alignmentCheck | identification
  }
  /// What a thread of user code begins with, and always has.
  @inlinable public static var initial: UInt64 { reserved | interrupt }
}

/// The instruction that makes a system call.
public enum SyscallInstruction {
  /// In bytes.
  public static let length: UInt64 = 2
}
