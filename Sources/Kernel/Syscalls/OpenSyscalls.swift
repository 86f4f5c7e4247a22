import FileSystem
import LinuxABI
import Memory

/// Opening files by their paths.
extension Syscalls {
  static let openTable: [SyscallEntry] = [
    .init(.open, open, [.path, .openFlags, .mode]),
    .init(.creat, creat, [.path, .mode]),
    .init(.openat, openat, [.directory, .path, .openFlags, .mode]),
    .init(.openat2, openat2, [.directory, .path, .pointer, .uint]),
    .init(.name_to_handle_at, nameToHandleAt, [.directory, .path, .pointer, .pointer, .atFlags]),
    .init(.open_by_handle_at, openByHandleAt, [.fd, .pointer, .openFlags]),
    .init(.memfd_create, memfdCreate, [.string, .hex]),
  ]

  /// open(2).
  static func open(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try open(task, at: AtFlags.workingDirectory, a[0], OpenFlags(rawValue: a.uint(1)), mode: a.uint(2))
  }

  /// creat(2).
  static func creat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try open(task, at: AtFlags.workingDirectory, a[0], [.create, .writeOnly, .truncate], mode: a.uint(1))
  }

  /// openat(2).
  static func openat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try open(task, at: a.int(0), a[1], OpenFlags(rawValue: a.uint(2)), mode: a.uint(3))
  }

  /// openat2(2). `RESOLVE_CACHED` always asks to try again without it.
  static func openat2(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let size = a[3]
    guard size >= OpenHow.size else { throw .invalidArgument }
    guard size <= 4096 else { throw .argListTooLong }
    let how = try task.memory.readValue(a[2], as: OpenHow.self)
    if size > OpenHow.size,
      try task.memory.read(a[2] &+ OpenHow.size, count: Int(size - OpenHow.size)).contains(where: { $0 != 0 })
    {
      throw .argListTooLong
    }
    guard how.flags & ~UInt64(OpenFlags.all.rawValue) == 0 else { throw .invalidArgument }
    let flags = OpenFlags(rawValue: UInt32(truncatingIfNeeded: how.flags))
    let makes = flags.contains(.create) || flags.contains(.temporary)
    guard makes ? how.mode & ~UInt64(FileMode.permissionMask) == 0 : how.mode == 0 else { throw .invalidArgument }
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
      task, at: a.int(0), a[1], flags, mode: UInt32(truncatingIfNeeded: how.mode), options)
  }

  /// Flags that matter to open(2) itself and are not kept (fcntl(2), `F_GETFL`).
  private static let passing: OpenFlags = [.create, .exclusive, .noControllingTTY, .truncate, .closeOnExec]

  private static func open(
    _ task: Task, at descriptor: Int32, _ address: UInt64, _ flags: OpenFlags, mode: UInt32,
    _ options: ResolveOptions = []
  ) throws(Errno) -> Int {
    let file: OpenFile
    if let pending = task.retry.object as? OpenFile {
      file = pending
    } else {
      let path = try task.path(address)
      var context = try task.paths(at: descriptor, for: path)
      if !options.isDisjoint(with: [.beneath, .inRoot]), descriptor != AtFlags.workingDirectory,
        let location = try task.files.file(descriptor).location
      {
        context.base = location
      }
      file = try task.kernel.vfs.open(
        path, context, flags: flags.contains(.path) ? flags : flags.union(.largeFile), mode: mode, options: options)
      file.flags.subtract(passing)
    }
    if file.isOpenPending, let queue = file.waitQueue {
      let error = task.wait(on: [queue])
      if error == .parked { task.retry.object = file } else { file.close() }
      throw error
    }
    do throws(Errno) {
      return Int(try task.addFile(file, closeOnExec: flags.contains(.closeOnExec)))
    } catch {
      file.close()
      throw error
    }
  }

  /// name_to_handle_at(2): no file system of Apus has handles.
  static func nameToHandleAt(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { throw .notSupported }

  /// open_by_handle_at(2).
  static func openByHandleAt(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    throw task.credentials.has(.dacReadSearch) ? .staleNFSFileHandle : .notPermitted
  }

  /// memfd_create(2), without huge pages.
  static func memfdCreate(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = MemoryFileFlags(rawValue: a.uint(1))
    guard flags.isSubset(of: [.closeOnExec, .allowSealing, .noExecuteSeal, .execute]),
      !flags.isSuperset(of: [.noExecuteSeal, .execute])
    else { throw .invalidArgument }
    let name: [UInt8]
    do throws(Errno) { name = try task.memory.readCString(a[0], limit: 250) } catch .fileNameTooLong {
      throw .invalidArgument
    }
    let file = try task.kernel.vfs.memoryFiles.makeMemoryFile(
      FileName.string(name), isSealable: !flags.isDisjoint(with: [.allowSealing, .noExecuteSeal]),
      isExecutable: !flags.contains(.noExecuteSeal), owner: task.credentials)
    do throws(Errno) {
      return Int(try task.addFile(file, closeOnExec: flags.contains(.closeOnExec)))
    } catch {
      file.close()
      throw error
    }
  }
}
