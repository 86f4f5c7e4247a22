/// The ELF64 file header (elf(5)).
package struct ELFHeader: BitwiseCopyable, Sendable {
  package var magic: UInt32
  package var fileClass: UInt8
  package var encoding: UInt8
  package var identVersion: UInt8
  package var osABI: UInt8
  private var padding: UInt64
  package var type: UInt16
  package var machine: UInt16
  package var version: UInt32
  package var entry: GuestAddress
  package var programHeaderOffset: UInt64
  package var sectionHeaderOffset: UInt64
  package var flags: UInt32
  package var headerSize: UInt16
  package var programHeaderSize: UInt16
  package var programHeaderCount: UInt16
  package var sectionHeaderSize: UInt16
  package var sectionHeaderCount: UInt16
  package var sectionNameIndex: UInt16

  package static let magic: UInt32 = 0x464c_457f
  package static let executable: UInt16 = 2
  package static let shared: UInt16 = 3
  package static let x86_64: UInt16 = 62
}

/// An ELF64 program header (elf(5)).
package struct ELFProgramHeader: BitwiseCopyable, Sendable {
  /// A `SegmentType`, or another.
  package var type: UInt32
  package var flags: SegmentFlags
  package var offset: UInt64
  package var virtualAddress: GuestAddress
  package var physicalAddress: UInt64
  package var fileSize: UInt64
  package var memorySize: UInt64
  package var alignment: UInt64

  /// `PT_*`, as far as the kernel looks at them.
  package enum SegmentType: UInt32, Sendable {
    case load = 1
    case interpreter = 3
    case programHeaders = 6
    case gnuStack = 0x6474_e551
  }
}

/// `PF_*` of elf(5): the access that a segment allows.
public struct SegmentFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let execute = SegmentFlags(rawValue: 1)
  public static let write = SegmentFlags(rawValue: 2)
  public static let read = SegmentFlags(rawValue: 4)
}

/// Keys of the auxiliary vector (getauxval(3)).
public enum AuxiliaryKey: UInt64, Sendable {
  case null = 0
  case programHeaders = 3
  case programHeaderSize = 4
  case programHeaderCount = 5
  case pageSize = 6
  case interpreterBase = 7
  case flags = 8
  case entry = 9
  case uid = 11
  case euid = 12
  case gid = 13
  case egid = 14
  case platform = 15
  case hardwareCapabilities = 16
  case clockTicks = 17
  case secure = 23
  case random = 25
  case hardwareCapabilities2 = 26
  case executableName = 31
  case vdso = 33
  case minimumSignalStack = 51
}

/// `HWCAP2_*` of `asm/hwcap2.h`, the value of `AT_HWCAP2`.
public struct HardwareCapabilities2: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// User code may use the instructions that read and write the FS and GS bases.
  public static let segmentBaseInstructions = HardwareCapabilities2(rawValue: 1 << 1)
}
