import CStub
import LinuxABI

/// Memory of a file, mapped into Apus. It stays mapped until `unmap()`.
@safe package struct SharedMapping: @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  package let length: Int

  package init(base: UnsafeMutableRawPointer, length: Int) {
    unsafe self.base = base
    self.length = length
  }

  /// Unmaps it (munmap(2)).
  package func unmap() { _ = unsafe try? Host.call(.munmap, Int(bitPattern: base), length) }
}

extension Host {
  /// Makes an anonymous file of `size` bytes, close-on-exec, which may be mapped executable (memfd_create(2)).
  package static func makeMemoryFile(name: StaticString, size: Int) throws(Errno) -> FileDescriptor {
    let name = Int(bitPattern: unsafe name.utf8Start)
    let flags = MemoryFileFlags.closeOnExec
    let number: Int
    do throws(Errno) {
      number = try call(.memfd_create, name, flags.union(.execute).argument)
    } catch {
      // Hosts before 6.3 do not know the second flag.
      guard error == .invalidArgument else { throw error }
      number = try call(.memfd_create, name, flags.argument)
    }
    let descriptor = try descriptor(number)
    do throws(Errno) {
      try call(.ftruncate, Int(descriptor.rawValue), size)
    } catch {
      close(descriptor)
      throw error
    }
    return descriptor
  }

  /// Maps a file shared, readable and writable (mmap(2)).
  package static func mapShared(
    _ descriptor: FileDescriptor, length: Int, offset: Int = 0
  ) throws(Errno) -> SharedMapping {
    let protection: MemoryProtection = [.read, .write]
    let address = try call(
      .mmap, 0, length, protection.argument, MapFlags.shared.argument, Int(descriptor.rawValue), offset)
    guard let base = unsafe UnsafeMutableRawPointer(bitPattern: address) else { throw .noMemory }
    return unsafe SharedMapping(base: base, length: length)
  }

  /// Gives the memory of part of a file back to the host; it reads as zeros afterwards (fallocate(2)).
  package static func punchHole(_ descriptor: FileDescriptor, offset: Int, length: Int) throws(Errno) {
    try call(.fallocate, Int(descriptor.rawValue), AllocationMode.hole.argument, offset, length)
  }

  /// Closes a descriptor; failure means that there is nothing left to do (close(2)).
  package static func close(_ descriptor: FileDescriptor) { _ = try? call(.close, Int(descriptor.rawValue)) }
}
