import LinuxABI

/// The pages of a shared object (tmpfs file, memfd, System V segment, shared anonymous memory), by page index.
package final class FrameStore {
  package let physical: PhysicalMemory
  /// Size in bytes; making it smaller drops the frames past the end, and zeroes the rest of the last page.
  package var size: UInt64 = 0
  /// Bytes of frames held.
  package var allocatedBytes: UInt64 { 0 }

  package init(physical: PhysicalMemory) { self.physical = physical }

  /// Reads from `offset` up to the size; holes read as zeros.
  package func read(into buffer: inout IOBuffer, at offset: UInt64) throws(Errno) -> Int { throw .noFunction }
  /// Writes at `offset`, growing the size. Short if memory runs out after some bytes.
  /// - Throws: `ENOSPC` when memory is out.
  package func write(from buffer: inout IOBuffer, at offset: UInt64) throws(Errno) -> Int { throw .noFunction }
  /// Zeroes a range and gives its whole frames back (fallocate(2), `FALLOC_FL_PUNCH_HOLE`).
  package func punch(offset: UInt64, length: UInt64) throws(Errno) { throw .noFunction }
  /// Makes sure that a range has frames (fallocate(2)); does not change the size.
  package func allocate(offset: UInt64, length: UInt64) throws(Errno) { throw .noFunction }
  /// First offset at or after `offset` that holds data (lseek(2), `SEEK_DATA`); nil past the last.
  package func nextData(from offset: UInt64) -> UInt64? { nil }
  /// First offset at or after `offset` that holds none (lseek(2), `SEEK_HOLE`).
  package func nextHole(from offset: UInt64) -> UInt64 { offset }
}
