import LinuxABI
import Platform

/// The memory of one guest process, or of several that share it (`CLONE_VM`).
package final class AddressSpace {
  package let physical: PhysicalMemory
  package let platform: any Platform
  /// The host process that holds this address space.
  package private(set) var process: any GuestProcess
  package var limits = MemoryLimits()
  /// Tasks that use it, counted by the kernel.
  package var sharers = 1
  /// Bytes of all mappings.
  package private(set) var totalBytes: UInt64 = 0
  /// Bytes with frames or file pages mapped (an upper bound of RSS).
  package var residentBytes: UInt64 { 0 }
  package var stackBytes: UInt64 { 0 }
  package var dataBytes: UInt64 { 0 }
  package var executableBytes: UInt64 { 0 }
  /// The most `totalBytes` has been.
  package var peakTotalBytes: UInt64 { 0 }
  package var sharedBytes: UInt64 { 0 }

  package init(physical: PhysicalMemory, platform: any Platform, process: any GuestProcess) {
    self.physical = physical
    self.platform = platform
    self.process = process
  }

  // MARK: mapping calls

  /// mmap(2). Returns the address.
  package func map(_ request: MapRequest) throws(Errno) -> UInt64 { throw .noFunction }
  /// munmap(2).
  package func unmap(_ address: UInt64, length: UInt64) throws(Errno) { throw .noFunction }
  /// mprotect(2).
  package func protect(_ address: UInt64, length: UInt64, _ protection: MemoryProtection) throws(Errno) {
    throw .noFunction
  }
  /// mremap(2).
  package func remap(
    _ old: UInt64, oldLength: UInt64, newLength: UInt64, flags: RemapFlags, newAddress: UInt64
  ) throws(Errno) -> UInt64 { throw .noFunction }
  /// madvise(2).
  package func advise(_ address: UInt64, length: UInt64, advice: Int32) throws(Errno) { throw .noFunction }
  /// msync(2).
  package func sync(_ address: UInt64, length: UInt64, flags: Int32) throws(Errno) { throw .noFunction }
  /// mincore(2).
  package func isResident(_ address: UInt64, length: UInt64) throws(Errno) -> [UInt8] { throw .noFunction }
  /// Where the program break starts.
  package func setBreakBase(_ address: UInt64) {}
  /// brk(2): returns the break, unchanged where the change is refused.
  package func setBreak(_ address: UInt64) -> UInt64 { 0 }

  // MARK: life

  /// Resolves a page fault.
  package func fault(at address: UInt64, access: MemoryAccess) -> FaultOutcome { .outOfMemory }
  /// fork(2): a copy that shares frames until written, in another guest process.
  package func fork(into process: any GuestProcess) throws(Errno) -> AddressSpace { throw .noFunction }
  /// Releases all frames and recycles the guest process.
  package func destroy() {}
  /// The host process is dead: releases all frames.
  package func abandon() {}

  // MARK: access to guest memory

  package func read(_ address: UInt64, count: Int) throws(Errno) -> [UInt8] { throw .noFunction }
  package func readValue<T: BitwiseCopyable>(_ address: UInt64, as type: T.Type = T.self) throws(Errno) -> T {
    throw .noFunction
  }
  package func readArray<T: BitwiseCopyable>(_ address: UInt64, count: Int, as type: T.Type = T.self) throws(Errno)
    -> [T]
  { throw .noFunction }
  package func write(_ address: UInt64, _ bytes: [UInt8]) throws(Errno) { throw .noFunction }
  package func writeValue<T: BitwiseCopyable>(_ address: UInt64, _ value: T) throws(Errno) { throw .noFunction }
  package func writeArray<T: BitwiseCopyable>(_ address: UInt64, _ values: [T]) throws(Errno) { throw .noFunction }
  /// Reads a C string, without its NUL.
  /// - Throws: `ENAMETOOLONG` when there is no NUL in `limit` bytes.
  package func readCString(_ address: UInt64, limit: Int) throws(Errno) -> [UInt8] { throw .noFunction }
  /// Resolves guest memory for I/O; `.write` means that the kernel writes into it. Shortened at the first bad page;
  /// - Throws: `EFAULT` where the first byte is bad.
  package func buffer(_ address: UInt64, count: Int, for access: MemoryAccess) throws(Errno) -> IOBuffer {
    throw .noFunction
  }
  /// The same for an iovec.
  package func buffer(_ vectors: [(address: UInt64, count: UInt64)], for access: MemoryAccess) throws(Errno) -> IOBuffer
  { throw .noFunction }

  // MARK: futex words

  /// - Throws: `EINVAL` for a misaligned address, `EFAULT` for a bad one.
  package func futexKey(_ address: UInt64, isPrivate: Bool) throws(Errno) -> FutexKey { throw .noFunction }
  package func loadWord(_ address: UInt64) throws(Errno) -> UInt32 { throw .noFunction }
  package func compareExchangeWord(
    _ address: UInt64, expected: UInt32, desired: UInt32
  ) throws(Errno) -> (exchanged: Bool, original: UInt32) { throw .noFunction }
  /// Replaces a word atomically by what `operation` makes of it; returns the old value.
  package func updateWord(_ address: UInt64, _ operation: (UInt32) -> UInt32) throws(Errno) -> UInt32 {
    throw .noFunction
  }

  // MARK: procfs

  package var mappings: [MappingDescription] { [] }
  /// Names a range: `[stack]`, `[heap]`, or what `PR_SET_VMA_ANON_NAME` gives (prctl(2)).
  package func setName(start: UInt64, length: UInt64, name: String) {}
}
