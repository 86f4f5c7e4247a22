import Host
import LinuxABI
import Memory

/// Copies the data of a host file into memory.
enum OverlayCopy {
  private static let chunk = 1 << 18
  /// The most that is copied at once while others may be waiting for the kernel.
  private static let part = 2 << 20

  /// Copies on from `offset`, of a file of `size` bytes; holes of the host file stay holes. With `inParts` it copies what
  /// the host has in its page cache, and no more than one part.
  /// - Throws: `ENOSPC` where no memory is left. In parts, `.wouldBlock` where there is more; the reader's wait queue is woken
  ///   when it may go on.
  static func copy(
    _ reader: HostReader, from offset: inout UInt64, size: UInt64, to store: FrameStore, inParts: Bool
  ) throws(Errno) {
    var left = inParts ? part : Int.max
    while offset < size {
      guard let data = try nextData(reader.descriptor, from: offset), data < size else { break }
      offset = data
      if left <= 0 {
        reader.readAhead(at: offset, count: part)
        throw .wouldBlock
      }
      var target = IOBuffer(collecting: min(chunk, Int(size - offset)))
      if try reader.read(into: &target, at: offset, size: size, waits: !inParts) == 0 { break }
      var buffer = IOBuffer(bytes: target.collected)
      left -= buffer.remaining
      while buffer.remaining > 0 { offset += UInt64(try store.write(from: &buffer, at: offset)) }
    }
    store.size = size
  }

  /// Where data begins (lseek(2), `SEEK_DATA`); nil where only a hole is left.
  private static func nextData(_ file: FileDescriptor, from offset: UInt64) throws(Errno) -> UInt64? {
    do throws(Errno) {
      return try Host.seek(file, Int64(clamping: offset), whence: .data)
    } catch .noSuchAddressOrDevice {
      return nil
    } catch .invalidArgument {
      return offset
    }
  }
}
