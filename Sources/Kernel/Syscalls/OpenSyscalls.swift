import FileSystem
import LinuxABI
import Memory

/// Opening files by their paths.
extension Syscalls {
  static let openTable: [SyscallEntry] = [
    .init(.open, open),
    .init(.creat, creat),
    .init(.openat, openat),
    .init(.openat2, openat2, .partial("RESOLVE_CACHED always asks to try again without it")),
    .init(
      .name_to_handle_at, .notSupported, because: "no file system has handles",
      [DirectoryDescriptor.self, GuestPath.self, GuestAddress.self, GuestAddress.self, AtFlags.self]),
    .init(.open_by_handle_at, openByHandleAt, .partial("no file system has handles: fails")),
  ]

  /// open(2).
  static func open(
    _ task: Task, _ path: GuestPath, _ flags: OpenFlags, _ mode: FileMode
  ) throws(Errno) -> CallOutcome<Int> {
    try open(task, at: .working, path, flags, mode: mode)
  }

  /// creat(2).
  static func creat(_ task: Task, _ path: GuestPath, _ mode: FileMode) throws(Errno) -> CallOutcome<Int> {
    try open(task, at: .working, path, [.create, .writeOnly, .truncate], mode: mode)
  }

  /// openat(2).
  static func openat(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ flags: OpenFlags, _ mode: FileMode
  ) throws(Errno) -> CallOutcome<Int> {
    try open(task, at: directory, path, flags, mode: mode)
  }

  /// openat2(2). `RESOLVE_CACHED` always asks to try again without it.
  static func openat2(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ request: InPointer<OpenHow>, _ size: UInt64
  ) throws(Errno) -> CallOutcome<Int> {
    guard size >= OpenHow.size else { throw .invalidArgument }
    guard size <= 4096 else { throw .argListTooLong }
    let how = try task.load(request)
    if size > OpenHow.size,
      try task.memory.read(request.address &+ OpenHow.size, count: Int(size - OpenHow.size)).contains(where: { $0 != 0 }
      )
    {
      throw .argListTooLong
    }
    guard how.flags & ~UInt64(OpenFlags.all.rawValue) == 0 else { throw .invalidArgument }
    let flags = OpenFlags(rawValue: UInt32(truncatingIfNeeded: how.flags))
    guard flags.mayCreate ? how.mode & ~UInt64(FileMode.permissionMask) == 0 : how.mode == 0 else {
      throw .invalidArgument
    }
    if flags.contains(.path), !flags.isSubset(of: [.path, .directory, .noFollow, .closeOnExec]) {
      throw .invalidArgument
    }
    guard how.resolve.isSubset(of: .all), !how.resolve.isSuperset(of: [.beneath, .inRoot]) else {
      throw .invalidArgument
    }
    if how.resolve.contains(.cached) { throw .wouldBlock }
    var options: ResolveOptions = []
    if how.resolve.contains(.noCrossing) { options.insert(.noCrossing) }
    if how.resolve.contains(.noMagicLinks) { options.insert(.noMagicLinks) }
    if how.resolve.contains(.noSymbolicLinks) { options.formUnion([.noSymbolicLinks, .noMagicLinks]) }
    if how.resolve.contains(.beneath) { options.insert(.beneath) }
    if how.resolve.contains(.inRoot) { options.insert(.inRoot) }
    return try open(
      task, at: directory, path, flags, mode: FileMode(rawValue: UInt32(truncatingIfNeeded: how.mode)), options)
  }

  /// Flags that matter to open(2) itself and are not kept (fcntl(2), `F_GETFL`).
  private static let passing: OpenFlags = [.create, .exclusive, .noControllingTTY, .truncate, .closeOnExec]

  private static func open(
    _ task: Task, at directory: DirectoryDescriptor, _ path: GuestPath, _ flags: OpenFlags, mode: FileMode,
    _ options: ResolveOptions = []
  ) throws(Errno) -> CallOutcome<Int> {
    let file: OpenFile
    if case .opening(let pending) = task.call.kept {
      task.call.kept = .nothing
      file = pending
    } else {
      let path = try task.path(path)
      var context = try task.paths(at: directory, for: path)
      if !options.isDisjoint(with: [.beneath, .inRoot]), !directory.isWorkingDirectory,
        let location = try task.files.file(directory.descriptor).location
      {
        context.base = location
      }
      file = try task.kernel.vfs.open(
        path, context, flags: flags.contains(.path) ? flags : flags.union(.largeFile), mode: mode,
        options: options)
      file.flags.subtract(passing)
    }
    if file.isOpenPending, let queue = file.waitQueue {
      let suspension = task.wait(on: [queue])
      if suspension == .parked { task.call.kept = .opening(file) } else { file.close() }
      return .suspended(suspension)
    }
    return .done(Int(try task.addFile(file, closeOnExec: flags.contains(.closeOnExec)).rawValue))
  }

  /// open_by_handle_at(2).
  static func openByHandleAt(
    _ task: Task, _ mount: FileDescriptorNumber, _ handle: GuestAddress, _ flags: OpenFlags
  ) throws(Errno) -> Int {
    throw task.credentials.has(.dacReadSearch) ? .staleNFSFileHandle : .notPermitted
  }
}
