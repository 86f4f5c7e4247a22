import FileSystem
import LinuxABI
import Memory

/// Looking at files.
extension Syscalls {
  static let statTable: [SyscallEntry] = [
    .init(.stat, stat),
    .init(.lstat, lstat),
    .init(.fstat, fstat),
    .init(.newfstatat, newfstatat),
    .init(.statx, statx, .partial("no attributes but that of a mount's root")),
    .init(.access, access),
    .init(.faccessat, faccessat),
    .init(.faccessat2, faccessat2),
    .init(.readlink, readlink),
    .init(.readlinkat, readlinkat),
    .init(.statfs, statfs),
    .init(.fstatfs, fstatfs),
  ]

  /// stat(2).
  static func stat(_ task: Task, _ path: GuestPath, _ result: OutPointer<Stat>) throws(Errno) -> Int {
    try task.store(try task.resolve(path).dentry.inode.attributes(), to: result)
    return 0
  }

  /// lstat(2).
  static func lstat(_ task: Task, _ path: GuestPath, _ result: OutPointer<Stat>) throws(Errno) -> Int {
    try task.store(try task.resolve(path, .noFollow).dentry.inode.attributes(), to: result)
    return 0
  }

  /// fstat(2).
  static func fstat(_ task: Task, _ file: FileDescriptorNumber, _ result: OutPointer<Stat>) throws(Errno) -> Int {
    try task.store(try task.files.file(file).attributes(), to: result)
    return 0
  }

  private static func attributes(_ target: Task.PathTarget) throws(Errno) -> Stat {
    switch target {
    case .file(let file): try file.attributes()
    case .location(let location): try location.dentry.inode.attributes()
    }
  }

  /// fstatat(2).
  static func newfstatat(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ result: OutPointer<Stat>, _ flags: AtFlags
  ) throws(Errno) -> Int {
    guard flags.isSubset(of: [.symbolicLinkNoFollow, .noAutomount, .emptyPath]) else { throw .invalidArgument }
    try task.store(try attributes(try task.target(at: directory, path, flags)), to: result)
    return 0
  }

  /// statx(2). There are no attributes but the root of a mount.
  static func statx(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ flags: AtFlags, _ mask: StatxMask,
    _ buffer: OutPointer<Statx>
  ) throws(Errno) -> Int {
    guard flags.isSubset(of: [.symbolicLinkNoFollow, .noAutomount, .emptyPath, .statxSync]),
      flags.intersection(.statxSync) != .statxSync, mask.isDisjoint(with: .reserved)
    else { throw .invalidArgument }
    let target = try task.target(at: directory, path, flags)
    let stat = try attributes(target)
    var result = Statx()
    result.mask = .basicStats
    result.blockSize = UInt32(truncatingIfNeeded: stat.blockSize)
    result.links = UInt32(clamping: stat.links)
    result.uid = stat.uid
    result.gid = stat.gid
    result.mode = UInt16(truncatingIfNeeded: stat.mode.rawValue)
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
    if mask.contains(.birthTime), let birth = target.inode?.birthTime() {
      result.mask.insert(.birthTime)
      result.birthTime = StatxTimestamp(birth)
    }
    if let mount = target.mount {
      result.mask.insert(.mountID)
      result.mountID = UInt64(mount.number)
      result.attributesMask = .mountRoot
      if target.inode === mount.root.inode { result.attributes = .mountRoot }
    }
    try task.store(result, to: buffer)
    return 0
  }

  /// access(2).
  static func access(_ task: Task, _ path: GuestPath, _ mode: AccessMode) throws(Errno) -> Int {
    try checkAccess(task, at: .working, path, mode, [])
  }

  /// faccessat(2), which has no flags.
  static func faccessat(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ mode: AccessMode
  ) throws(Errno) -> Int {
    try checkAccess(task, at: directory, path, mode, [])
  }

  /// faccessat2(2).
  static func faccessat2(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ mode: AccessMode, _ flags: AtFlags
  ) throws(Errno) -> Int {
    try checkAccess(task, at: directory, path, mode, flags)
  }

  private static func checkAccess(
    _ task: Task, at directory: DirectoryDescriptor, _ path: GuestPath, _ mode: AccessMode, _ flags: AtFlags
  ) throws(Errno) -> Int {
    guard mode.isSubset(of: [.read, .write, .execute]),
      flags.isSubset(of: [.symbolicLinkNoFollow, .effectiveAccess, .emptyPath])
    else { throw .invalidArgument }
    let path = try task.path(path)
    if path.isEmpty, flags.contains(.emptyPath), !directory.isWorkingDirectory,
      try task.files.file(directory.descriptor).location == nil
    {
      return 0
    }
    var context = try task.paths(at: directory, for: path, allowsEmpty: flags.contains(.emptyPath))
    if !flags.contains(.effectiveAccess) { context.credentials = context.credentials.real }
    var options: ResolveOptions = flags.contains(.symbolicLinkNoFollow) ? .noFollow : []
    if flags.contains(.emptyPath) { options.insert(.emptyPath) }
    let location = try task.kernel.vfs.resolve(path, context, options)
    try task.kernel.vfs.checkAccess(location, mode, context.credentials)
    return 0
  }

  /// readlink(2).
  static func readlink(
    _ task: Task, _ path: GuestPath, _ target: OutBuffer, _ size: Int32
  ) throws(Errno) -> Int {
    try readLink(task, at: .working, path, target, size)
  }

  /// readlinkat(2).
  static func readlinkat(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ target: OutBuffer, _ size: Int32
  ) throws(Errno) -> Int {
    try readLink(task, at: directory, path, target, size)
  }

  private static func readLink(
    _ task: Task, at directory: DirectoryDescriptor, _ path: GuestPath, _ target: OutBuffer, _ size: Int32
  ) throws(Errno) -> Int {
    guard size > 0 else { throw .invalidArgument }
    // An empty path names a descriptor of a link itself (O_PATH | O_NOFOLLOW).
    let path = try task.path(path)
    let context = try task.paths(at: directory, for: path, allowsEmpty: true)
    let options: ResolveOptions = directory.isWorkingDirectory ? .noFollow : [.noFollow, .emptyPath]
    let location = try task.kernel.vfs.resolve(path, context, options)
    let inode = location.dentry.inode
    guard inode.kind == .symbolicLink else { throw path.isEmpty ? .noSuchFileOrDirectory : .invalidArgument }
    let bytes = FileName.bytes(try inode.readLink()).prefix(Int(size))
    task.kernel.vfs.noteRead(location)
    try task.memory.write(target.address, Array(bytes))
    return bytes.count
  }

  /// statfs(2).
  static func statfs(_ task: Task, _ path: GuestPath, _ result: OutPointer<StatFS>) throws(Errno) -> Int {
    try task.store(try task.kernel.vfs.statistics(try task.resolve(path)), to: result)
    return 0
  }

  /// fstatfs(2). Files without a path are on file systems with nothing to tell.
  static func fstatfs(
    _ task: Task, _ file: FileDescriptorNumber, _ buffer: OutPointer<StatFS>
  ) throws(Errno) -> Int {
    let file = try task.files.file(file)
    if let location = file.location {
      try task.store(try task.kernel.vfs.statistics(location), to: buffer)
    } else {
      var result = StatFS()
      // Of the files without a path, those in memory have an inode.
      result.type = (file.inode != nil ? FileSystemMagic.tmpfs : .anonymousInodes).rawValue
      try task.store(try file.inode?.statistics() ?? result, to: buffer)
    }
    return 0
  }
}
