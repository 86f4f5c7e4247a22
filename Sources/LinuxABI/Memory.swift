/// `PROT_*` of mmap(2).
package struct MemoryProtection: OptionSet, Sendable, BitwiseCopyable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  package static let read = MemoryProtection(rawValue: 1)
  package static let write = MemoryProtection(rawValue: 2)
  package static let execute = MemoryProtection(rawValue: 4)
  package static let growsDown = MemoryProtection(rawValue: 0x0100_0000)
  package static let growsUp = MemoryProtection(rawValue: 0x0200_0000)
}

/// `MAP_*` of mmap(2).
package struct MapFlags: OptionSet, Sendable, BitwiseCopyable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  package static let shared = MapFlags(rawValue: 0x01)
  package static let `private` = MapFlags(rawValue: 0x02)
  package static let sharedValidate = MapFlags(rawValue: 0x03)
  package static let fixed = MapFlags(rawValue: 0x10)
  package static let anonymous = MapFlags(rawValue: 0x20)
  package static let low32 = MapFlags(rawValue: 0x40)
  package static let growsDown = MapFlags(rawValue: 0x0100)
  package static let denyWrite = MapFlags(rawValue: 0x0800)
  package static let executable = MapFlags(rawValue: 0x1000)
  package static let locked = MapFlags(rawValue: 0x2000)
  package static let noReserve = MapFlags(rawValue: 0x4000)
  package static let populate = MapFlags(rawValue: 0x8000)
  package static let nonBlock = MapFlags(rawValue: 0x1_0000)
  package static let stack = MapFlags(rawValue: 0x2_0000)
  package static let hugeTLB = MapFlags(rawValue: 0x4_0000)
  package static let fixedNoReplace = MapFlags(rawValue: 0x10_0000)
}

/// `MREMAP_*` of mremap(2).
package struct RemapFlags: OptionSet, Sendable, BitwiseCopyable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  package static let mayMove = RemapFlags(rawValue: 1)
  package static let fixed = RemapFlags(rawValue: 2)
  package static let dontUnmap = RemapFlags(rawValue: 4)
}
