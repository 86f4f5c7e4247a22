import CStub
import LinuxABI

/// Host calls on files. Paths given to them are always relative to a descriptor that Apus holds.
extension Host {
  /// Calls `body` with the address of a C string.
  @discardableResult
  static func withPath<R>(_ path: [UInt8], _ body: (Int) throws(Errno) -> R) throws(Errno) -> R {
    if path.contains(0) { throw .invalidArgument }
    let terminated = path + [0]
    return try unsafe terminated.withUnsafeBufferPointer { pointer throws(Errno) in
      try body(Int(bitPattern: pointer.baseAddress))
    }
  }

  private static func number(_ descriptor: FileDescriptor) -> Int { Int(descriptor.rawValue) }

  /// An array that a host call fills: `body` gets the address of its storage and returns the number of bytes.
  private static func array(_ capacity: Int, _ body: (Int) throws(Errno) -> Int) throws(Errno) -> [UInt8] {
    var failure: Errno?
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
      do throws(Errno) { count = try body(Int(bitPattern: buffer.baseAddress)) } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }

  // MARK: opening

  /// openat(2). Only for single names, or a root that the user named.
  package static func open(
    at directory: FileDescriptor?, _ path: [UInt8], _ flags: OpenFlags, mode: UInt32 = 0
  ) throws(Errno) -> FileDescriptor {
    try withPath(path) { (pointer) throws(Errno) in
      let base = directory.map { number($0) } ?? Int(AtFlags.workingDirectory)
      let result = try call(.openat, base, pointer, flags.union(.closeOnExec).argument, Int(mode))
      return try descriptor(result)
    }
  }

  /// openat2(2) below a directory, through no link of any kind.
  /// - Throws: `ENOSYS` on hosts before Linux 5.6; `EXDEV`, `ELOOP` where the path leads out or through a link.
  package static func openBeneath(
    _ directory: FileDescriptor, _ path: [UInt8], _ flags: OpenFlags
  ) throws(Errno) -> FileDescriptor {
    var how = OpenHow()
    how.flags = UInt64(flags.union(.closeOnExec).rawValue)
    how.resolve = [.noMagicLinks, .noSymbolicLinks, .beneath]
    return try withPath(path) { (pointer) throws(Errno) in
      let result = try unsafe withUnsafeMutablePointer(to: &how) { how throws(Errno) in
        try call(.openat2, number(directory), pointer, Int(bitPattern: how), Int(OpenHow.size))
      }
      return try descriptor(result)
    }
  }

  // MARK: attributes

  /// newfstatat(2) of a name, not following a link.
  package static func status(at directory: FileDescriptor, _ name: [UInt8]) throws(Errno) -> Stat {
    try withPath(name) { (pointer) throws(Errno) in
      try status { (target) throws(Errno) in
        try call(.newfstatat, number(directory), pointer, target, AtFlags.symbolicLinkNoFollow.argument)
      }
    }
  }

  /// fstat(2).
  package static func status(_ descriptor: FileDescriptor) throws(Errno) -> Stat {
    try status { (target) throws(Errno) in try call(.fstat, number(descriptor), target) }
  }

  private static func status(_ body: (Int) throws(Errno) -> Int) throws(Errno) -> Stat {
    var stat = Stat()
    _ = try unsafe withUnsafeMutablePointer(to: &stat) { pointer throws(Errno) in
      try body(Int(bitPattern: pointer))
    }
    return stat
  }

  /// When a name's file was made, not following a link, or the descriptor's own where the name is nil (statx(2)); nil where
  /// the file system does not know.
  package static func birthTime(at directory: FileDescriptor, _ name: [UInt8]?) throws(Errno) -> Timespec? {
    var result = Statx()
    let flags = ([.symbolicLinkNoFollow, .emptyPath] as AtFlags).argument
    try withPath(name ?? []) { (pointer) throws(Errno) in
      _ = try unsafe withUnsafeMutablePointer(to: &result) { target throws(Errno) in
        try call(
          .statx, number(directory), pointer, flags, StatxMask.birthTime.argument, Int(bitPattern: target))
      }
    }
    guard result.mask.contains(.birthTime) else { return nil }
    return Timespec(seconds: result.birthTime.seconds, nanoseconds: Int64(result.birthTime.nanoseconds))
  }

  /// fstatfs(2).
  package static func fileSystemStatus(_ descriptor: FileDescriptor) throws(Errno) -> StatFS {
    var result = StatFS()
    _ = try unsafe withUnsafeMutablePointer(to: &result) { pointer throws(Errno) in
      try call(.fstatfs, number(descriptor), Int(bitPattern: pointer))
    }
    return result
  }

  /// fchmod(2).
  package static func changeMode(_ descriptor: FileDescriptor, _ permissions: UInt32) throws(Errno) {
    try call(.fchmod, number(descriptor), Int(permissions))
  }

  /// fchmodat2(2) of a name, not following a link; fchmodat(2) on hosts before Linux 6.6.
  package static func changeMode(
    at directory: FileDescriptor, _ name: [UInt8], _ permissions: UInt32
  ) throws(Errno) {
    try withPath(name) { (pointer) throws(Errno) in
      do throws(Errno) {
        try call(.fchmodat2, number(directory), pointer, Int(permissions), AtFlags.symbolicLinkNoFollow.argument)
      } catch .noFunction {
        let file = try open(at: directory, name, [.path, .noFollow])
        defer { close(file) }
        if try status(file).mode.kind == .symbolicLink { throw .notSupported }
        try withPath(link(to: file)) { (link) throws(Errno) in
          try call(.fchmodat, number(try processFileSystem()), link, Int(permissions))
        }
      }
    }
  }

  /// fchownat(2) of a name, not following a link.
  package static func changeOwner(
    at directory: FileDescriptor, _ name: [UInt8], uid: UInt32?, gid: UInt32?
  ) throws(Errno) {
    try withPath(name) { (pointer) throws(Errno) in
      try call(
        .fchownat, number(directory), pointer, uid.map { Int($0) } ?? -1, gid.map { Int($0) } ?? -1,
        AtFlags.symbolicLinkNoFollow.argument)
    }
  }

  /// fchown(2).
  package static func changeOwner(_ descriptor: FileDescriptor, uid: UInt32?, gid: UInt32?) throws(Errno) {
    try call(.fchown, number(descriptor), uid.map { Int($0) } ?? -1, gid.map { Int($0) } ?? -1)
  }

  /// utimensat(2) of a name, not following a link, or of an open file where the name is nil.
  /// The nanoseconds may be `UTIME_NOW` and `UTIME_OMIT`.
  package static func changeTimes(
    at directory: FileDescriptor, _ name: [UInt8]?, access: Timespec, modification: Timespec
  ) throws(Errno) {
    var times = (access, modification)
    func set(_ path: Int, _ flags: Int) throws(Errno) {
      _ = try unsafe withUnsafeMutablePointer(to: &times) { pointer throws(Errno) in
        try call(.utimensat, number(directory), path, Int(bitPattern: pointer), flags)
      }
    }
    guard let name else { return try set(0, 0) }
    try withPath(name) { (pointer) throws(Errno) in try set(pointer, AtFlags.symbolicLinkNoFollow.argument) }
  }

  // MARK: names

  /// readlinkat(2).
  package static func readLink(at directory: FileDescriptor, _ name: [UInt8]) throws(Errno) -> [UInt8] {
    try withPath(name) { (pointer) throws(Errno) in
      try array(4096) { (buffer) throws(Errno) in
        try call(.readlinkat, number(directory), pointer, buffer, 4096)
      }
    }
  }

  /// mkdirat(2).
  package static func makeDirectory(
    at directory: FileDescriptor, _ name: [UInt8], permissions: UInt32
  ) throws(Errno) {
    try withPath(name) { (pointer) throws(Errno) in
      try call(.mkdirat, number(directory), pointer, Int(permissions))
    }
  }

  /// mknodat(2), for FIFOs and sockets only.
  package static func makeNode(at directory: FileDescriptor, _ name: [UInt8], mode: UInt32) throws(Errno) {
    try withPath(name) { (pointer) throws(Errno) in
      try call(.mknodat, number(directory), pointer, Int(mode), 0)
    }
  }

  /// Sets the file mode creation mask to 0 (umask(2)): guests have their own.
  package static func clearFileModeMask() {
    _ = umask
    _ = try? call(.umask, 0)
  }

  /// symlinkat(2).
  package static func makeSymbolicLink(
    at directory: FileDescriptor, _ name: [UInt8], target: [UInt8]
  ) throws(Errno) {
    try withPath(name) { (pointer) throws(Errno) in
      try withPath(target) { (target) throws(Errno) in
        try call(.symlinkat, target, number(directory), pointer)
      }
    }
  }

  /// linkat(2), not following a link.
  package static func link(
    at directory: FileDescriptor, _ name: [UInt8], to newDirectory: FileDescriptor, _ newName: [UInt8]
  ) throws(Errno) {
    try withPath(name) { (old) throws(Errno) in
      try withPath(newName) { (new) throws(Errno) in
        try call(.linkat, number(directory), old, number(newDirectory), new, 0)
      }
    }
  }

  /// linkat(2) of an open file without a name (`O_TMPFILE` of open(2)).
  package static func link(
    _ file: FileDescriptor, to newDirectory: FileDescriptor, _ newName: [UInt8]
  ) throws(Errno) {
    try withPath(link(to: file)) { (old) throws(Errno) in
      try withPath(newName) { (new) throws(Errno) in
        try call(
          .linkat, number(try processFileSystem()), old, number(newDirectory), new, AtFlags.symbolicLinkFollow.argument)
      }
    }
  }

  /// unlinkat(2).
  package static func unlink(
    at directory: FileDescriptor, _ name: [UInt8], isDirectory: Bool
  ) throws(Errno) {
    try withPath(name) { (pointer) throws(Errno) in
      try call(.unlinkat, number(directory), pointer, isDirectory ? AtFlags.removeDirectory.argument : 0)
    }
  }

  /// renameat2(2).
  package static func rename(
    at directory: FileDescriptor, _ name: [UInt8], to newDirectory: FileDescriptor, _ newName: [UInt8], flags: UInt32
  ) throws(Errno) {
    try withPath(name) { (old) throws(Errno) in
      try withPath(newName) { (new) throws(Errno) in
        try call(.renameat2, number(directory), old, number(newDirectory), new, Int(flags))
      }
    }
  }

  /// getdents64(2): all entries of a directory opened for reading, `.` and `..` too.
  package static func readDirectory(_ descriptor: FileDescriptor) throws(Errno) -> [HostDirectoryEntry] {
    var entries: [HostDirectoryEntry] = []
    while true {
      let bytes = try array(1 << 15) { (buffer) throws(Errno) in
        try call(.getdents64, number(descriptor), buffer, 1 << 15)
      }
      if bytes.isEmpty { return entries }
      unsafe bytes.withUnsafeBytes { raw in
        // struct linux_dirent64: d_ino, d_off, d_reclen (u16), d_type (u8), d_name
        var offset = 0
        while offset + 19 <= raw.count {
          let length = Int(unsafe raw.loadUnaligned(fromByteOffset: offset + 16, as: UInt16.self))
          guard length >= 19, offset + length <= raw.count else { break }
          let name = unsafe raw[(offset + 19)..<(offset + length)].prefix { $0 != 0 }
          entries.append(
            HostDirectoryEntry(
              inode: unsafe raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
              type: unsafe raw[offset + 18], name: unsafe Array(name)))
          offset += length
        }
      }
    }
  }

  // MARK: data

  /// preadv2(2) into host memory. With `wait` false it reads only what is in the page cache.
  /// - Throws: `EAGAIN` where it isn't; `EOPNOTSUPP` where the file system can't tell.
  package static func read(
    _ descriptor: FileDescriptor, into segments: [UnsafeMutableRawBufferPointer], at offset: UInt64, wait: Bool
  ) throws(Errno) -> Int {
    guard let position = Int(exactly: offset) else { throw .invalidArgument }
    return try unsafe withVectors(segments) { (vectors, count) throws(Errno) in
      wait
        ? try call(.preadv, number(descriptor), vectors, count, position, 0)
        : try call(.preadv2, number(descriptor), vectors, count, position, 0, TransferFlags.noWait.argument)
    }
  }

  /// pwritev(2) from host memory, or at the end of the file where `offset` is nil.
  package static func write(
    _ descriptor: FileDescriptor, from segments: [UnsafeMutableRawBufferPointer], at offset: UInt64?
  ) throws(Errno) -> Int {
    guard let offset else {
      return try unsafe withVectors(segments) { (vectors, count) throws(Errno) in
        try call(.pwritev2, number(descriptor), vectors, count, 0, 0, TransferFlags.append.argument)
      }
    }
    guard let position = Int(exactly: offset) else { throw .invalidArgument }
    return try unsafe withVectors(segments) { (vectors, count) throws(Errno) in
      try call(.pwritev, number(descriptor), vectors, count, position, 0)
    }
  }

  private static func withVectors(
    _ segments: [UnsafeMutableRawBufferPointer], _ body: (Int, Int) throws(Errno) -> Int
  ) throws(Errno) -> Int {
    let vectors = unsafe segments.map {
      IOVector(base: UInt64(UInt(bitPattern: $0.baseAddress)), count: UInt64($0.count))
    }
    return try unsafe vectors.withUnsafeBufferPointer { pointer throws(Errno) in
      try body(Int(bitPattern: pointer.baseAddress), pointer.count)
    }
  }

  /// lseek(2).
  package static func seek(_ descriptor: FileDescriptor, _ offset: Int64, whence: Whence) throws(Errno) -> UInt64 {
    UInt64(try call(.lseek, number(descriptor), Int(offset), whence.argument))
  }

  /// ftruncate(2).
  package static func truncate(_ descriptor: FileDescriptor, to size: UInt64) throws(Errno) {
    guard let size = Int(exactly: size) else { throw .invalidArgument }
    try call(.ftruncate, number(descriptor), size)
  }

  /// fallocate(2).
  package static func allocate(
    _ descriptor: FileDescriptor, mode: AllocationMode, offset: UInt64, length: UInt64
  ) throws(Errno) {
    guard let offset = Int(exactly: offset), let length = Int(exactly: length) else { throw .fileTooLarge }
    try call(.fallocate, number(descriptor), mode.argument, offset, length)
  }

  /// fsync(2), fdatasync(2).
  package static func sync(_ descriptor: FileDescriptor, dataOnly: Bool) throws(Errno) {
    try call(dataOnly ? .fdatasync : .fsync, number(descriptor))
  }

  // MARK: limits

  /// Raises the soft limit of open files to the hard one, and returns it (prlimit(2), `RLIMIT_NOFILE`).
  package static func raiseDescriptorLimit() -> UInt64 {
    var limit = ResourceLimit(current: 1024, maximum: 1024)
    unsafe withUnsafeMutablePointer(to: &limit) { pointer in
      let address = Int(bitPattern: pointer)
      _ = try? call(.prlimit64, 0, Resource.openFiles.argument, 0, address)
      unsafe pointer.pointee.current = pointer.pointee.maximum
      _ = try? call(.prlimit64, 0, Resource.openFiles.argument, address, 0)
      _ = try? call(.prlimit64, 0, Resource.openFiles.argument, 0, address)
    }
    return limit.current
  }
}

/// One entry that a host directory lists.
package struct HostDirectoryEntry: Sendable {
  package var inode: UInt64
  /// `DT_*` of readdir(3).
  package var type: UInt8
  package var name: [UInt8]
}
