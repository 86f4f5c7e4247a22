import FileSystem
import LinuxABI
import Memory

extension RenameFlags: SyscallArgument {}

/// Making, moving and removing names of files.
extension Syscalls {
  static let nameTable: [SyscallEntry] = [
    .init(.mknod, mknod),
    .init(.mknodat, mknodat),
    .init(.unlink, unlink),
    .init(.unlinkat, unlinkat),
    .init(.rename, rename),
    .init(.renameat, renameat),
    .init(.renameat2, renameat2, .partial("no RENAME_WHITEOUT")),
    .init(.link, link),
    .init(.linkat, linkat),
    .init(.symlink, symlink),
    .init(.symlinkat, symlinkat),
  ]

  // MARK: special files

  /// mknod(2).
  static func mknod(
    _ task: Task, _ path: GuestPath, _ mode: FileMode, _ device: Hexadecimal<UInt32>
  ) throws(Errno) -> Int {
    try mknodat(task, .working, path, mode, device)
  }

  /// mknodat(2).
  static func mknodat(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ mode: FileMode,
    _ device: Hexadecimal<UInt32>
  ) throws(Errno) -> Int {
    let path = try task.path(path)
    let context = try task.paths(at: directory, for: path)
    try task.kernel.vfs.makeNode(path, context, mode: mode, device: UInt64(device.value))
    return 0
  }

  // MARK: removing

  /// unlink(2).
  static func unlink(_ task: Task, _ path: GuestPath) throws(Errno) -> Int {
    try unlinkat(task, .working, path, [])
  }

  /// unlinkat(2).
  static func unlinkat(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ flags: AtFlags
  ) throws(Errno) -> Int {
    guard flags.isSubset(of: .removeDirectory) else { throw .invalidArgument }
    let path = try task.path(path)
    let context = try task.paths(at: directory, for: path)
    if flags.contains(.removeDirectory) {
      try task.kernel.vfs.removeDirectory(path, context)
    } else {
      try task.kernel.vfs.unlink(path, context)
    }
    return 0
  }

  // MARK: moving

  /// rename(2).
  static func rename(_ task: Task, _ old: GuestPath, _ new: GuestPath) throws(Errno) -> Int {
    try renameat2(task, .working, old, .working, new, [])
  }

  /// renameat(2).
  static func renameat(
    _ task: Task, _ oldDirectory: DirectoryDescriptor, _ old: GuestPath, _ newDirectory: DirectoryDescriptor,
    _ new: GuestPath
  ) throws(Errno) -> Int {
    try renameat2(task, oldDirectory, old, newDirectory, new, [])
  }

  /// renameat2(2), without `RENAME_WHITEOUT`.
  static func renameat2(
    _ task: Task, _ oldDirectory: DirectoryDescriptor, _ old: GuestPath, _ newDirectory: DirectoryDescriptor,
    _ new: GuestPath, _ flags: RenameFlags
  ) throws(Errno) -> Int {
    let old = try task.path(old)
    let new = try task.path(new)
    try task.kernel.vfs.rename(
      old, try task.paths(at: oldDirectory, for: old, allowsEmpty: true), to: new,
      try task.paths(at: newDirectory, for: new, allowsEmpty: true),
      flags: flags)
    return 0
  }

  // MARK: links

  /// link(2).
  static func link(_ task: Task, _ old: GuestPath, _ new: GuestPath) throws(Errno) -> Int {
    try linkat(task, .working, old, .working, new, [])
  }

  /// linkat(2).
  static func linkat(
    _ task: Task, _ oldDirectory: DirectoryDescriptor, _ old: GuestPath, _ newDirectory: DirectoryDescriptor,
    _ new: GuestPath, _ flags: AtFlags
  ) throws(Errno) -> Int {
    guard flags.isSubset(of: [.symbolicLinkFollow, .emptyPath]) else { throw .invalidArgument }
    if flags.contains(.emptyPath) && !task.credentials.has(.dacReadSearch) { throw .noSuchFileOrDirectory }
    var options: ResolveOptions = flags.contains(.symbolicLinkFollow) ? [] : .noFollow
    if flags.contains(.emptyPath) { options.insert(.emptyPath) }
    let source = try task.resolve(at: oldDirectory, old, options)
    let path = try task.path(new)
    try task.kernel.vfs.link(source, path, try task.paths(at: newDirectory, for: path))
    return 0
  }

  /// symlink(2).
  static func symlink(_ task: Task, _ target: GuestPath, _ path: GuestPath) throws(Errno) -> Int {
    try symlinkat(task, target, .working, path)
  }

  /// symlinkat(2).
  static func symlinkat(
    _ task: Task, _ target: GuestPath, _ directory: DirectoryDescriptor, _ path: GuestPath
  ) throws(Errno) -> Int {
    let path = try task.path(path)
    let context = try task.paths(at: directory, for: path)
    try task.kernel.vfs.makeSymbolicLink(path, context, target: try task.path(target))
    return 0
  }
}
