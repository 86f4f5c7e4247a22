import FileSystem
import LinuxABI
import Memory

/// Looking at files.
extension Syscalls {
  static let statTable: [SyscallEntry] = [
    .init(.stat, stat, [.path, .stat]),
    .init(.lstat, lstat, [.path, .stat]),
    .init(.fstat, fstat, [.fd, .stat]),
    .init(.newfstatat, newfstatat, [.directory, .path, .stat, .atFlags]),
    .init(.statx, statx, [.directory, .path, .atFlags, .hex, .statx]),
    .init(.access, access, [.path, .accessMode]),
    .init(.faccessat, faccessat, [.directory, .path, .accessMode]),
    .init(.faccessat2, faccessat2, [.directory, .path, .accessMode, .atFlags]),
    .init(.readlink, readlink, [.path, .resultBytes, .uint]),
    .init(.readlinkat, readlinkat, [.directory, .path, .resultBytes, .uint]),
    .init(.statfs, statfs, [.path, .statfs]),
    .init(.fstatfs, fstatfs, [.fd, .statfs]),
  ]

  /// stat(2).
  static func stat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.memory.writeValue(a[1], try task.resolve(a[0]).dentry.inode.attributes())
    return 0
  }

  /// lstat(2).
  static func lstat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.memory.writeValue(a[1], try task.resolve(a[0], .noFollow).dentry.inode.attributes())
    return 0
  }

  /// fstat(2).
  static func fstat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.memory.writeValue(a[1], try task.files.file(a.int(0)).attributes())
    return 0
  }

  private static func attributes(_ target: Task.PathTarget) throws(Errno) -> Stat {
    switch target {
    case .file(let file): try file.attributes()
    case .location(let location): try location.dentry.inode.attributes()
    }
  }

  /// fstatat(2).
  static func newfstatat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = AtFlags(rawValue: a.uint(3))
    guard flags.isSubset(of: [.symbolicLinkNoFollow, .noAutomount, .emptyPath]) else { throw .invalidArgument }
    try task.memory.writeValue(a[2], try attributes(try task.target(at: a.int(0), a[1], flags)))
    return 0
  }

  /// statx(2). There is no birth time, and there are no attributes but the root of a mount.
  static func statx(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = AtFlags(rawValue: a.uint(2))
    guard flags.isSubset(of: [.symbolicLinkNoFollow, .noAutomount, .emptyPath, .statxSync]),
      flags.intersection(.statxSync) != .statxSync, StatxMask(rawValue: a.uint(3)).isDisjoint(with: .reserved)
    else { throw .invalidArgument }
    let target = try task.target(at: a.int(0), a[1], flags)
    let stat = try attributes(target)
    var result = Statx()
    result.mask = .basicStats
    result.blockSize = UInt32(truncatingIfNeeded: stat.blockSize)
    result.links = UInt32(clamping: stat.links)
    result.uid = stat.uid
    result.gid = stat.gid
    result.mode = UInt16(truncatingIfNeeded: stat.mode)
    result.inode = stat.inode
    result.size = UInt64(bitPattern: stat.size)
    result.blocks = UInt64(bitPattern: stat.blocks)
    result.accessTime = StatxTimestamp(stat.accessTime)
    result.changeTime = StatxTimestamp(stat.changeTime)
    result.modificationTime = StatxTimestamp(stat.modificationTime)
    result.specialDeviceMajor = DeviceNumber.major(stat.specialDevice)
    result.specialDeviceMinor = DeviceNumber.minor(stat.specialDevice)
    result.deviceMajor = DeviceNumber.major(stat.device)
    result.deviceMinor = DeviceNumber.minor(stat.device)
    if let mount = target.mount {
      result.mask.insert(.mountID)
      result.mountID = UInt64(mount.number)
      result.attributesMask = .mountRoot
      if target.inode === mount.root.inode { result.attributes = .mountRoot }
    }
    try task.memory.writeValue(a[4], result)
    return 0
  }

  /// access(2).
  static func access(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try access(task, at: AtFlags.workingDirectory, a[0], AccessMode(rawValue: a.uint(1)), [])
  }

  /// faccessat(2), which has no flags.
  static func faccessat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try access(task, at: a.int(0), a[1], AccessMode(rawValue: a.uint(2)), [])
  }

  /// faccessat2(2).
  static func faccessat2(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try access(task, at: a.int(0), a[1], AccessMode(rawValue: a.uint(2)), AtFlags(rawValue: a.uint(3)))
  }

  private static func access(
    _ task: Task, at descriptor: Int32, _ address: UInt64, _ mode: AccessMode, _ flags: AtFlags
  ) throws(Errno) -> Int {
    guard mode.isSubset(of: [.read, .write, .execute]),
      flags.isSubset(of: [.symbolicLinkNoFollow, .effectiveAccess, .emptyPath])
    else {
      throw .invalidArgument
    }
    let path = try task.path(address)
    if path.isEmpty, flags.contains(.emptyPath), descriptor != AtFlags.workingDirectory,
      try task.files.file(descriptor).location == nil
    {
      return 0
    }
    var context = try task.paths(at: descriptor, for: path)
    if !flags.contains(.effectiveAccess) { context.credentials = context.credentials.real }
    var options: ResolveOptions = flags.contains(.symbolicLinkNoFollow) ? .noFollow : []
    if flags.contains(.emptyPath) { options.insert(.emptyPath) }
    let location = try task.kernel.vfs.resolve(path, context, options)
    try task.kernel.vfs.checkAccess(location, mode, context.credentials)
    return 0
  }

  /// readlink(2).
  static func readlink(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try readLink(task, at: AtFlags.workingDirectory, a[0], a[1], a.int(2))
  }

  /// readlinkat(2).
  static func readlinkat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try readLink(task, at: a.int(0), a[1], a[2], a.int(3))
  }

  private static func readLink(
    _ task: Task, at descriptor: Int32, _ address: UInt64, _ target: UInt64, _ size: Int32
  ) throws(Errno) -> Int {
    guard size > 0 else { throw .invalidArgument }
    // An empty path names a descriptor of a link itself (O_PATH | O_NOFOLLOW).
    let path = try task.path(address)
    let context = try task.paths(at: descriptor, for: path)
    let options: ResolveOptions = descriptor == AtFlags.workingDirectory ? .noFollow : [.noFollow, .emptyPath]
    let inode = try task.kernel.vfs.resolve(path, context, options).dentry.inode
    guard inode.kind == .symbolicLink else { throw path.isEmpty ? .noSuchFileOrDirectory : .invalidArgument }
    let bytes = FileName.bytes(try inode.readLink()).prefix(Int(size))
    try task.memory.write(target, Array(bytes))
    return bytes.count
  }

  /// statfs(2).
  static func statfs(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.memory.writeValue(a[1], encode(try task.kernel.vfs.statistics(try task.resolve(a[0]))))
    return 0
  }

  /// fstatfs(2). Files without a path are on file systems with nothing to tell.
  static func fstatfs(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let file = try task.files.file(a.int(0))
    if let location = file.location {
      try task.memory.writeValue(a[1], encode(try task.kernel.vfs.statistics(location)))
    } else {
      var result = FileSystemStatistics()
      // TMPFS_MAGIC for memory files, ANON_INODE_FS_MAGIC for the rest.
      result.type = file.inode != nil ? 0x0102_1994 : 0x0904_1934
      try task.memory.writeValue(a[1], encode(result))
    }
    return 0
  }

  private static func encode(_ statistics: FileSystemStatistics) -> StatFS {
    var result = StatFS()
    result.type = statistics.type
    result.blockSize = statistics.blockSize
    result.blocks = statistics.blocks
    result.freeBlocks = statistics.freeBlocks
    result.availableBlocks = statistics.availableBlocks
    result.files = statistics.files
    result.freeFiles = statistics.freeFiles
    result.nameLength = statistics.nameLength
    result.fragmentSize = statistics.blockSize
    result.flags = statistics.flags
    return result
  }
}
