import CStub
import Host
import LinuxABI

/// A signal frame in a context: `ucontext_t`, `siginfo_t` behind it, and perhaps the extended state elsewhere
/// (the kernel's `struct rt_sigframe`). Offsets are relative to the context and have been checked.
struct HostSignalFrame: Sendable {
  /// Offset of the `ucontext_t`.
  let offset: Int

  private enum Field {
    static let flags = 0
    static let link = 8
    static let stack = 16
    static let registers = 40
    static let selectors = 184
    static let error = 192
    static let trapNumber = 200
    static let cr2 = 216
    static let extendedState = 224
    static let signalMask = 296
    static let siginfo = 304
    static let end = 304 + 128
  }
  private static let flags =
    UserContext.extendedState | UserContext.savesStackSegment | UserContext.restoresStackSegment
  /// `cs` and `ss`, the first and the last of four.
  private static let selectors =
    UInt64(MachineContext.userCodeSegment) | UInt64(MachineContext.userStackSegment) << 48

  /// A frame at an address that a guest thread reported; nil unless all of it lies below the context's header.
  init?(reportedAt address: UInt64, in context: Context) {
    let distance = address &- context.address
    guard distance <= UInt64(Stub.headerOffset - Field.end), distance & 7 == 0 else { return nil }
    offset = Int(truncatingIfNeeded: distance)
  }

  /// Builds a frame for a thread that has not trapped yet, with or without room for an extended state.
  init(in context: Context, extendedState: [UInt8]?) {
    var end = Stub.headerOffset
    if let extendedState {
      end = (Stub.headerOffset - extendedState.count) & ~63
      context.write(extendedState, at: end)
    }
    offset = (end - Field.end - 64) & ~63
    context.store(HostSignalFrame.flags, at: offset + Field.flags)
    context.store(UInt64(0), at: offset + Field.link)
    context.store(context.address, at: offset + Field.stack)
    context.store(UInt64(0), at: offset + Field.stack + 8)
    context.store(UInt64(STUB_CONTEXT_STACK_SIZE), at: offset + Field.stack + 16)
    context.store(
      extendedState == nil ? 0 : context.address + UInt64(end), at: offset + Field.extendedState)
    context.store(UInt64(0), at: offset + Field.signalMask)
    context.setHeader(STUB_HEADER_FRAME, to: context.address + UInt64(offset))
  }

  @inline(__always) func readRegisters(of context: Context, into registers: inout Registers) {
    context.loadRegisters(offset + Field.registers, into: &registers)
  }

  @inline(__always) func writeRegisters(_ registers: Registers, to context: Context) {
    context.storeRegisters(registers, at: offset + Field.registers)
    context.store(HostSignalFrame.selectors, at: offset + Field.selectors)
    context.setHeader(STUB_HEADER_FRAME, to: context.address + UInt64(offset))
    context.setHeader(STUB_HEADER_FS_BASE, to: registers.fsBase & Layout.userAddressMask)
    // The stub finds the context there (`StubCall`) where the guest has no use for it.
    let base = registers.gsBase & Layout.userAddressMask
    context.setHeader(STUB_HEADER_GS_BASE, to: base == 0 ? context.headerAddress : base)
  }

  /// What the frame says about the signal that made it.
  func trap(signal: Signal, in context: Context, registers: inout Registers) -> Trap {
    let code: Int32 = context.load(offset + Field.siginfo + 8)
    let address: UInt64 = context.load(offset + Field.siginfo + 16)
    switch signal {
    case Stub.preemptSignal:
      return .preempted
    case .sys:
      guard code == SignalInfo.sysSeccomp else { return .preempted }  // anything else came from outside
      let number: UInt32 = context.load(offset + Field.siginfo + 24)
      let architecture: UInt32 = context.load(offset + Field.siginfo + 28)
      if architecture != SyscallArchitecture.x86_64 || number & SyscallArchitecture.x32Bit != 0 {
        return .foreignSyscall
      }
      if VsyscallPage.contains(address) {
        // The host has already emulated the return.
        registers.rip = address
        registers.rsp = registers.rsp &- 8
        return .vsyscall
      }
      return .syscall
    case .ill, .trap, .bus, .fpe, .segv:
      if code <= 0 { return .preempted }  // sent by a process, not by the processor
      if signal == .segv, VsyscallPage.contains(registers.rip) { return .vsyscall }
      let trapNumber = ProcessorException(rawValue: context.load(offset + Field.trapNumber))
      return .fault(
        Fault(
          signal: signal, code: code,
          address: GuestAddress(trapNumber == .pageFault ? context.load(offset + Field.cr2) : address),
          trapNumber: trapNumber,
          errorCode: context.load(offset + Field.error)))
    default:
      return .preempted
    }
  }

  /// The extended state that the frame points to; nil stands for the initial state.
  func extendedState(in context: Context) -> [UInt8]? {
    let pointer: UInt64 = context.load(offset + Field.extendedState)
    let distance = pointer &- context.address
    guard pointer != 0, distance & 63 == 0, distance <= UInt64(Stub.headerOffset - 512) else { return nil }
    let start = Int(truncatingIfNeeded: distance)
    return ExtendedState.area(readFrom: start, of: context)
  }
}
