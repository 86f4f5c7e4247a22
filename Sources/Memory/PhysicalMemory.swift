import Host
import LinuxABI

/// The frames of one sandbox: a sparse memory file whose pages are handed out as extents and counted by frame.
package final class PhysicalMemory {
  /// The memory file, for the platform to map into guest processes.
  package let descriptor: FileDescriptor
  /// Bytes that guests may hold.
  package let limit: UInt64
  /// Bytes in use.
  package var usedBytes: UInt64 { 0 }
  /// The most that was in use.
  package var peakBytes: UInt64 { 0 }

  package init(size limit: UInt64) throws(Errno) {
    self.limit = limit
    self.descriptor = FileDescriptor(rawValue: -1)
  }
}
