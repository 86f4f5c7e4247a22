/// `struct sigcontext` of x86-64: the registers in a signal frame (sigreturn(2), `asm/sigcontext.h`).
package struct MachineContext: BitwiseCopyable, Sendable {
  private var general = Registers.General(repeating: 0)
  package var cs: UInt16 = MachineContext.userCodeSegment
  package var gs: UInt16 = 0
  package var fs: UInt16 = 0
  package var ss: UInt16 = MachineContext.userStackSegment
  package var errorCode: UInt64 = 0
  package var trapNumber: UInt64 = 0
  package var oldMask: UInt64 = 0
  package var faultAddress: UInt64 = 0
  /// Address of the XSAVE area; 0: none.
  package var extendedState: UInt64 = 0
  private var reserved = InlineArray<8, UInt64>(repeating: 0)

  package static let userCodeSegment: UInt16 = 0x33
  package static let userStackSegment: UInt16 = 0x2b
  /// The flags that sigreturn takes from a frame: AC, OF, DF, TF, SF, ZF, AF, PF, CF and RF.
  package static let restorableFlags =
    ProcessorFlags.status | ProcessorFlags.trap | ProcessorFlags.direction | ProcessorFlags.resume
    | ProcessorFlags.alignmentCheck

  package init() {}

  /// The registers as a frame shows them.
  package init(_ registers: Registers) { general = registers.general }

  /// The registers in the frame; segment bases are not there and read as 0.
  package var registers: Registers {
    var registers = Registers()
    registers.general = general
    return registers
  }

  /// `registers` with everything that sigreturn restores. Segment bases are not in a frame and stay.
  package func restored(into registers: Registers) -> Registers {
    var result = registers
    result.general = general
    let flags = MachineContext.restorableFlags
    result.rflags = registers.rflags & ~flags | result.rflags & flags
    return result
  }
}

/// `SS_*` of sigaltstack(2).
public struct AlternateStackFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let onStack = AlternateStackFlags(rawValue: 1)
  public static let disabled = AlternateStackFlags(rawValue: 2)
  public static let autoDisarm = AlternateStackFlags(rawValue: 0x8000_0000)

  public static let names: [ConstantName] = [
    .init("SS_ONSTACK", onStack), .init("SS_DISABLE", disabled), .init("SS_AUTODISARM", autoDisarm),
  ]
}

/// `stack_t` of sigaltstack(2).
package struct AlternateStack: BitwiseCopyable, Sendable, Equatable {
  package var address: UInt64 = 0
  package var flags: AlternateStackFlags = .disabled
  private var padding: Int32 = 0
  package var size: UInt64 = 0
  package init() {}

  /// `MINSIGSTKSZ`.
  package static let minimumSize: UInt64 = 2048

  /// A stack pointer is inside this stack.
  package func holds(_ stackPointer: UInt64) -> Bool {
    stackPointer > address && stackPointer &- address <= size
  }
  /// A stack pointer is on this stack; never so with `SS_AUTODISARM`.
  package func isInUse(at stackPointer: UInt64) -> Bool {
    !flags.contains(.autoDisarm) && holds(stackPointer)
  }
  /// The flags that sigaltstack(2) reports.
  package func reportedFlags(at stackPointer: UInt64) -> AlternateStackFlags {
    let state: AlternateStackFlags = size == 0 ? .disabled : isInUse(at: stackPointer) ? .onStack : []
    return state.union(flags.intersection(.autoDisarm))
  }
}

/// `struct ucontext` of x86-64.
package struct UserContext: BitwiseCopyable, Sendable {
  package var flags: UInt64 = 0
  package var link: UInt64 = 0
  package var stack = AlternateStack()
  package var machine = MachineContext()
  package var mask = SignalSet()
  package init() {}

  /// `UC_FP_XSTATE`.
  package static let extendedState: UInt64 = 1
  /// `UC_SIGCONTEXT_SS`.
  package static let savesStackSegment: UInt64 = 2
  /// `UC_STRICT_RESTORE_SS`.
  package static let restoresStackSegment: UInt64 = 4
}

/// `struct rt_sigframe`: what a handler finds on its stack. The XSAVE area lies above it.
package struct SignalFrame: BitwiseCopyable, Sendable {
  /// The return address of the handler: `sa_restorer`.
  package var restorer: UInt64 = 0
  package var context = UserContext()
  package var information = SignalInformation()
  package init() {}

  /// Offset of `context`, the handler's third argument.
  package static let contextOffset: UInt64 = 8
  /// Offset of `information`, the handler's second argument.
  package static let informationOffset: UInt64 = 312
  package static let size: UInt64 = 440
}

/// The XSAVE area of a signal frame (`asm/sigcontext.h`). In its legacy part, which FXSAVE knows, `struct _fpx_sw_bytes`
/// describes all of it; a second magic number follows it.
package enum ExtendedStateArea {
  /// Length of the legacy part.
  @inlinable package static var legacySize: Int { 512 }
  /// Offset of the description, which begins with the magic number.
  @inlinable package static var description: Int { 464 }
  /// Offset of the length of the area with the second magic number.
  @inlinable package static var extendedSize: Int { 468 }
  /// `FP_XSTATE_MAGIC1`.
  package static let magic: UInt32 = 0x4650_5853
  /// `FP_XSTATE_MAGIC2`.
  package static let endMagic: UInt32 = 0x4650_5845
}
