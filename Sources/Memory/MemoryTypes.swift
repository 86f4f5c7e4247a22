import Host
import LinuxABI
import Platform

/// Resource limits that bound an address space (getrlimit(2)); `UInt64.max` is `RLIM_INFINITY`.
package struct MemoryLimits: Sendable, Equatable {
  /// `RLIMIT_AS`.
  package var addressSpace: UInt64 = .max
  /// `RLIMIT_DATA`.
  package var data: UInt64 = .max
  /// `RLIMIT_STACK`.
  package var stack: UInt64 = 8 << 20
  package init() {}
}

/// How guest code or a syscall touches memory.
package enum MemoryAccess: Sendable { case read, write, execute }

/// What became of a page fault.
package enum FaultOutcome: Sendable, Equatable {
  /// The fault is resolved (or was spurious): run the thread again.
  case resolved
  /// Deliver this signal with this `si_code` (SIGSEGV `SEGV_MAPERR`/`SEGV_ACCERR`, SIGBUS `BUS_ADRERR`).
  case signal(_ signal: Signal, code: Int32)
  /// No physical memory is left: the kernel's out-of-memory killer decides.
  case outOfMemory
  /// The host process may have no more mappings.
  case outOfMappings
}

/// What a mapping shows.
package enum MappingSource {
  case anonymous
  /// A file or shared memory object from a byte offset (page-aligned).
  case file(any MappableObject, offset: UInt64)
}

/// A request to `AddressSpace.map`, as mmap(2) describes it.
package struct MapRequest {
  /// The address wanted; 0 lets the kernel choose.
  package var address: GuestAddress
  package var length: UInt64
  package var protection: MemoryProtection
  package var flags: MapFlags
  package var source: MappingSource
  /// Kept for as long as a part of the mapping is there: the open file counts as a writer meanwhile.
  package var holder: AnyObject?
  /// What mprotect(2) may ever allow: without `.write` for a shared mapping of a file that is not open for writing.
  package var maximumProtection: MemoryProtection
  package init(
    address: GuestAddress, length: UInt64, protection: MemoryProtection, flags: MapFlags, source: MappingSource,
    maximumProtection: MemoryProtection = MemoryProtection(rawValue: 7)
  ) {
    self.address = address
    self.length = length
    self.protection = protection
    self.flags = flags
    self.source = source
    self.maximumProtection = maximumProtection
  }
}

/// One page of memory as a futex or a robust list names it: the same for all who share it (futex(2)).
package enum FutexKey: Hashable, Sendable {
  /// Private memory: the address space and the address, and whether `FUTEX_PRIVATE_FLAG` said so. Those that say so and
  /// those that don't never meet.
  case privateAddress(space: ObjectIdentifier, address: GuestAddress, isFlagged: Bool)
  /// Shared memory: the physical address, or file identity and offset.
  case shared(object: ObjectIdentifier, offset: UInt64)
}

/// A VMA as `/proc/PID/maps` shows it.
package struct MappingDescription: Sendable {
  package var start: GuestAddress
  package var end: GuestAddress
  package var protection: MemoryProtection
  package var isShared: Bool
  package var offset: UInt64
  package var device: UInt64
  package var inode: UInt64
  package var name: String
  /// Bytes with frames or file pages mapped (an upper bound of RSS).
  package var residentBytes: UInt64
  /// mlock(2).
  package var isLocked: Bool
}

/// A file, or a shared memory object, that can be mapped.
package protocol MappableObject: AnyObject {
  /// Where the pages come from.
  func mappingBacking() throws(Errno) -> MappingBacking
  /// Size in bytes; pages wholly past it give SIGBUS.
  var mappingSize: UInt64 { get }
  /// No write can change the contents while it is mapped, so that pages may be copied before they are written.
  var mappingIsStable: Bool { get }
  /// Path for `/proc/PID/maps`, device and inode number.
  var mappingName: String { get }
  var mappingDevice: UInt64 { get }
  var mappingInode: UInt64 { get }
  /// Checks that the host maps the file so, before a guest process is told to, which must not fail.
  /// - Throws: `EPERM` where the file system is mounted `noexec`, `ENODEV` where it does not do such mappings.
  func checkHostMapping(_ descriptor: FileDescriptor, isShared: Bool, isExecutable: Bool) throws(Errno)
}

extension MappableObject {
  package var mappingIsStable: Bool { false }

  package func checkHostMapping(_ descriptor: FileDescriptor, isShared: Bool, isExecutable: Bool) throws(Errno) {
    try MemoryFile.checkMapping(descriptor, isShared: isShared, isExecutable: isExecutable)
  }
}

/// Where the pages of a mapped object come from.
package enum MappingBacking {
  /// A host file: mapped straight from its descriptor. `file` is registered with the platform, `descriptor` is Apus's
  /// own, of the same open file description. Where the guest may write through a shared mapping, it must be open for
  /// reading and writing.
  case hostFile(file: MappableFile, descriptor: FileDescriptor)
  /// Frames of physical memory that the object hands out by page index (tmpfs files, shared anonymous memory).
  case frames(FrameStore)
}
