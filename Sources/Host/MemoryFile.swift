import CStub
import LinuxABI
import Synchronization

/// The host calls behind physical memory: a sparse memory file, its mapping in Apus, and file contents by position.
package enum MemoryFile {
  /// Makes an empty memory file that is closed on exec (memfd_create(2)).
  package static func create(name: StaticString) throws(Errno) -> FileDescriptor {
    let number = unsafe try Host.call(
      .memfd_create, Int(bitPattern: name.utf8Start), MemoryFileFlags.closeOnExec.argument)
    return try Host.descriptor(number)
  }

  /// Sets the size (ftruncate(2)).
  package static func resize(_ file: FileDescriptor, to size: UInt64) throws(Errno) {
    try Host.call(.ftruncate, Int(file.rawValue), Int(truncatingIfNeeded: size))
  }

  /// Closes the descriptor; there is nothing to do about a failure.
  package static func close(_ file: FileDescriptor) { _ = try? Host.call(.close, Int(file.rawValue)) }

  /// Maps a file shared and writable, without reserving swap (mmap(2)).
  package static func map(
    _ file: FileDescriptor, offset: UInt64 = 0, length: Int
  ) throws(Errno) -> UnsafeMutableRawPointer {
    let flags: MapFlags = [.shared, .noReserve]
    return unsafe try pointer(
      Host.call(
        .mmap, 0, length, writable.argument, flags.argument, Int(file.rawValue), Int(truncatingIfNeeded: offset)))
  }

  /// Maps zeros, given memory only where touched (mmap(2)).
  package static func mapZeros(length: Int) throws(Errno) -> UnsafeMutableRawPointer {
    let flags: MapFlags = [.private, .anonymous, .noReserve]
    return unsafe try pointer(Host.call(.mmap, 0, length, writable.argument, flags.argument, -1, 0))
  }

  private static let writable: MemoryProtection = [.read, .write]

  private static func pointer(_ address: Int) throws(Errno) -> UnsafeMutableRawPointer {
    guard let pointer = unsafe UnsafeMutableRawPointer(bitPattern: address) else { throw .noMemory }
    return unsafe pointer
  }

  /// munmap(2).
  package static func unmap(_ address: UnsafeMutableRawPointer, length: Int) {
    _ = try? Host.call(.munmap, Int(bitPattern: address), length)
  }

  /// Gives the memory of a range back (fallocate(2)).
  package static func punchHole(_ file: FileDescriptor, offset: UInt64, length: UInt64) throws(Errno) {
    try Host.call(
      .fallocate, Int(file.rawValue), AllocationMode.hole.argument, Int(truncatingIfNeeded: offset),
      Int(truncatingIfNeeded: length))
  }

  /// Bytes that the file holds in memory (fstat(2), `st_blocks`).
  package static func allocatedBytes(_ file: FileDescriptor) -> UInt64 {
    guard let status = try? Host.status(file) else { return 0 }
    return UInt64(clamping: status.blocks) &* 512
  }

  /// First offset from `offset` on that holds data (lseek(2)); nil where there is none.
  package static func nextData(_ file: FileDescriptor, from offset: UInt64) -> UInt64? {
    try? Host.seek(file, Int64(truncatingIfNeeded: offset), whence: .data)
  }

  /// Maps the page of a file that holds an aligned word, for as long as `body` runs.
  package static func withWord<Result>(
    _ file: FileDescriptor, at offset: UInt64, _ body: (GuardedWord) throws(Errno) -> Result
  ) throws(Errno) -> Result {
    let page = offset & ~4095
    let base = unsafe try map(file, offset: page, length: 4096)
    defer { unsafe unmap(base, length: 4096) }
    handler.withLock { _ in apus_catch_bus_errors() }
    return try body(unsafe GuardedWord((base + Int(offset - page)).assumingMemoryBound(to: UInt32.self)))
  }

  /// The handler of SIGBUS belongs to the process.
  private static let handler = Mutex(())

  /// Tells which pages of a mapped range are in memory: bit 0 of each byte (mincore(2)).
  package static func residency(
    of address: UnsafeMutableRawPointer, length: Int, into vector: UnsafeMutablePointer<UInt8>
  ) throws(Errno) {
    try Host.call(.mincore, Int(bitPattern: address), length, Int(bitPattern: vector))
  }

  /// Gets a mapped range ready for writing in one go (madvise(2)). Returns false where the host
  /// can't.
  @discardableResult
  package static func populate(_ address: UnsafeMutableRawPointer, length: Int) -> Bool {
    (try? Host.call(.madvise, Int(bitPattern: address), length, MemoryAdvice.populateWrite.argument)) != nil
  }

  /// Reads at a position, until `count` bytes or the end (pread(2)). Returns the bytes read.
  package static func read(
    _ file: FileDescriptor, at offset: UInt64, into target: UnsafeMutableRawPointer, count: Int
  ) throws(Errno) -> Int {
    var done = 0
    while done < count {
      do throws(Errno) {
        let got = try Host.call(
          .pread64, Int(file.rawValue), Int(bitPattern: target) + done, count - done,
          Int(truncatingIfNeeded: offset) &+ done)
        if got == 0 { break }
        done += got
      } catch {
        if error != .interrupted { throw error }
      }
    }
    return done
  }

  /// Writes at a position (pwrite(2)).
  package static func write(
    _ file: FileDescriptor, at offset: UInt64, from source: UnsafeRawPointer, count: Int
  ) throws(Errno) {
    var done = 0
    while done < count {
      do throws(Errno) {
        done += try Host.call(
          .pwrite64, Int(file.rawValue), Int(bitPattern: source) + done, count - done,
          Int(truncatingIfNeeded: offset) &+ done)
      } catch {
        if error != .interrupted { throw error }
      }
    }
  }

  /// Checks that the host lets the file be mapped, before a guest process is told to, which must not fail.
  /// - Throws: `EPERM` where the file system is mounted `noexec`, `ENODEV` where it does not do such mappings.
  package static func checkMapping(_ file: FileDescriptor, isShared: Bool, isExecutable: Bool) throws(Errno) {
    // Apus itself may not map it executable, so it asks how the file system is mounted.
    if isExecutable, try Host.fileSystemStatus(file).flags.contains(.noExecute) { throw .notPermitted }
    let flags: MapFlags = isShared ? .shared : .private
    let address = try Host.call(
      .mmap, 0, 4096, MemoryProtection.read.argument, flags.argument, Int(file.rawValue), 0)
    _ = try? Host.call(.munmap, address, 4096)
  }

  /// Writes the file's data to its device (fdatasync(2)).
  package static func synchronize(_ file: FileDescriptor) throws(Errno) {
    try Host.call(.fdatasync, Int(file.rawValue))
  }
}

/// A word in a mapped file. Whoever truncates the file does no harm: its pages are touched in this way alone.
@safe package struct GuardedWord {
  private let pointer: UnsafeMutablePointer<UInt32>
  fileprivate init(_ pointer: UnsafeMutablePointer<UInt32>) { unsafe self.pointer = pointer }

  /// Replaces the word by `desired` where it is `expected`, in one step; returns what it was.
  /// - Throws: `EFAULT` where the file has no such page.
  package func replace(expected: UInt32, desired: UInt32) throws(Errno) -> UInt32 {
    guard let old = UInt32(exactly: unsafe apus_guarded_compare_exchange(pointer, expected, desired)) else {
      throw .badAddress
    }
    return old
  }
}
