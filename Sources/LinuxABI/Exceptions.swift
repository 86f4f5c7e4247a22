/// The number of an x86 exception (Intel SDM volume 3, 6.3.1), `trapno` in a signal frame.
public struct ProcessorException: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static let divideError = ProcessorException(rawValue: 0)
  public static let debug = ProcessorException(rawValue: 1)
  public static let breakpoint = ProcessorException(rawValue: 3)
  public static let invalidOpcode = ProcessorException(rawValue: 6)
  public static let generalProtection = ProcessorException(rawValue: 13)
  public static let pageFault = ProcessorException(rawValue: 14)
  public static let alignmentCheck = ProcessorException(rawValue: 17)
}

/// The error code of a page fault (Intel SDM volume 3, 4.7).
public struct PageFaultErrorCode: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// The page was there, and did not allow the access.
  public static let present = PageFaultErrorCode(rawValue: 1)
  public static let write = PageFaultErrorCode(rawValue: 2)
  public static let user = PageFaultErrorCode(rawValue: 4)
  public static let instructionFetch = PageFaultErrorCode(rawValue: 16)
}

/// The vsyscall page of x86-64, with its three calls (`asm/vsyscall.h`).
package enum VsyscallPage {
  package static let start: UInt64 = 0xffff_ffff_ff60_0000
  package static func contains(_ address: UInt64) -> Bool { address & ~Layout.pageMask == start }
  /// The system call that an entry of the page stands for.
  package static func call(at address: UInt64) -> SyscallNumber? {
    switch address {
    case start: .gettimeofday
    case start + 0x400: .time
    case start + 0x800: .getcpu
    default: nil
    }
  }
}

/// `AUDIT_ARCH_X86_64` of `linux/audit.h`, and what tells the x32 calls of the same architecture apart
/// (`__X32_SYSCALL_BIT`).
package enum SyscallArchitecture {
  package static let x86_64: UInt32 = 0xc000_003e
  package static let x32Bit: UInt32 = 0x4000_0000
}
