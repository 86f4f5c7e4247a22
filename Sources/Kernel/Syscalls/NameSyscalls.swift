import FileSystem
import LinuxABI
import Memory

/// Making, moving and removing names of files.
extension Syscalls {
  static let nameTable: [SyscallEntry] = [
    .init(.mknod, mknod, [.path, .mode, .hex]),
    .init(.mknodat, mknodat, [.directory, .path, .mode, .hex]),
    .init(.unlink, unlink, [.path]),
    .init(.unlinkat, unlinkat, [.directory, .path, .atFlags]),
    .init(.rename, rename, [.path, .path]),
    .init(.renameat, renameat, [.directory, .path, .directory, .path]),
    .init(.renameat2, renameat2, [.directory, .path, .directory, .path, .hex]),
    .init(.link, link, [.path, .path]),
    .init(.linkat, linkat, [.directory, .path, .directory, .path, .atFlags]),
    .init(.symlink, symlink, [.string, .path]),
    .init(.symlinkat, symlinkat, [.string, .directory, .path]),
  ]

  /// mknod(2).
  static func mknod(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try makeNode(task, at: AtFlags.workingDirectory, a[0], a.uint(1), a.uint(2))
  }

  /// mknodat(2).
  static func mknodat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try makeNode(task, at: a.int(0), a[1], a.uint(2), a.uint(3))
  }

  private static func makeNode(
    _ task: Task, at descriptor: Int32, _ address: UInt64, _ mode: UInt32, _ device: UInt32
  ) throws(Errno) -> Int {
    let path = try task.path(GuestAddress(address))
    try task.kernel.vfs.makeNode(
      path, try task.paths(at: descriptor, for: path), mode: FileMode(rawValue: mode), device: UInt64(device))
    return 0
  }

  /// unlink(2).
  static func unlink(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.kernel.vfs.unlink(try task.path(GuestAddress(a[0])), task.paths)
    return 0
  }

  /// unlinkat(2).
  static func unlinkat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = AtFlags(rawValue: a.uint(2))
    guard flags.isSubset(of: .removeDirectory) else { throw .invalidArgument }
    let path = try task.path(GuestAddress(a[1]))
    let context = try task.paths(at: a.int(0), for: path)
    if flags.contains(.removeDirectory) {
      try task.kernel.vfs.removeDirectory(path, context)
    } else {
      try task.kernel.vfs.unlink(path, context)
    }
    return 0
  }

  /// rename(2).
  static func rename(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try rename(task, AtFlags.workingDirectory, a[0], AtFlags.workingDirectory, a[1], [])
  }

  /// renameat(2).
  static func renameat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try rename(task, a.int(0), a[1], a.int(2), a[3], [])
  }

  /// renameat2(2), without `RENAME_WHITEOUT`.
  static func renameat2(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try rename(task, a.int(0), a[1], a.int(2), a[3], RenameFlags(rawValue: a.uint(4)))
  }

  private static func rename(
    _ task: Task, _ oldDescriptor: Int32, _ oldAddress: UInt64, _ newDescriptor: Int32, _ newAddress: UInt64,
    _ flags: RenameFlags
  ) throws(Errno) -> Int {
    let old = try task.path(GuestAddress(oldAddress))
    let new = try task.path(GuestAddress(newAddress))
    try task.kernel.vfs.rename(
      old, try task.paths(at: oldDescriptor, for: old), to: new, try task.paths(at: newDescriptor, for: new),
      flags: flags)
    return 0
  }

  /// link(2).
  static func link(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let source = try task.resolve(GuestAddress(a[0]), .noFollow)
    try task.kernel.vfs.link(source, try task.path(GuestAddress(a[1])), task.paths)
    return 0
  }

  /// linkat(2).
  static func linkat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = AtFlags(rawValue: a.uint(4))
    guard flags.isSubset(of: [.symbolicLinkFollow, .emptyPath]) else { throw .invalidArgument }
    if flags.contains(.emptyPath) && !task.credentials.has(.dacReadSearch) { throw .noSuchFileOrDirectory }
    var options: ResolveOptions = flags.contains(.symbolicLinkFollow) ? [] : .noFollow
    if flags.contains(.emptyPath) { options.insert(.emptyPath) }
    let source = try task.resolve(at: a.int(0), GuestAddress(a[1]), options)
    let path = try task.path(GuestAddress(a[3]))
    try task.kernel.vfs.link(source, path, try task.paths(at: a.int(2), for: path))
    return 0
  }

  /// symlink(2).
  static func symlink(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.kernel.vfs.makeSymbolicLink(
      try task.path(GuestAddress(a[1])), task.paths, target: try task.path(GuestAddress(a[0])))
    return 0
  }

  /// symlinkat(2).
  static func symlinkat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let path = try task.path(GuestAddress(a[2]))
    try task.kernel.vfs.makeSymbolicLink(
      path, try task.paths(at: a.int(1), for: path), target: try task.path(GuestAddress(a[0])))
    return 0
  }
}
