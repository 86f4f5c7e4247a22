import FileSystem
import LinuxABI
import Memory

extension MountFlags: SyscallArgument {}
extension UnmountFlags: SyscallArgument {}

/// Mounts. All processes of a sandbox share one mount namespace.
extension Syscalls {
  static let mountTable: [SyscallEntry] = [
    .init(
      .mount, mount,
      .partial("tmpfs, proc, sysfs, devtmpfs, bind mounts, moves and changes of flags; nothing is propagated")),
    .init(.umount2, umount2, .partial("a mount goes though its files are mapped")),
    .init(
      .pivot_root, .notPermitted, because: "there is one mount namespace, whose root stays",
      [GuestPath.self, GuestPath.self]),
  ]

  /// The flags that a mount has, of those that mount(2) is given.
  private static let mountAttributes: MountFlags = [
    .readOnly, .noSetUserID, .noDevices, .noExecute, .noSymbolicLinks, .noAccessTimes, .noDirectoryAccessTimes,
  ]
  /// Those that belong to the file system.
  private static let fileSystemAttributes: MountFlags = [
    .synchronous, .synchronousDirectories, .mandatoryLocks, .lazyTimes,
  ]

  /// mount(2): file systems that Apus has itself, bind mounts, moves, and changes of flags.
  static func mount(
    _ task: Task, _ source: GuestPath, _ point: GuestPath, _ type: GuestString, _ flags: MountFlags,
    _ data: GuestString
  ) throws(Errno) -> Int {
    var flags = flags
    if flags.intersection(.magicMask) == .magic { flags.subtract(.magicMask) }
    let vfs = task.kernel.vfs
    let type = type.address.isNull ? nil : try text(task, type.address)
    let point = try task.resolve(point)
    guard task.credentials.has(.sysAdmin) else { throw .notPermitted }
    let isRoot = point.dentry === point.mount.root
    var attributes = flags.intersection(mountAttributes.union(fileSystemAttributes))
    if !attributes.contains(.noAccessTimes), !flags.contains(.strictAccessTimes) {
      attributes.insert(.relativeAccessTimes)
    }
    if flags.contains(.remount) {
      guard isRoot else { throw .invalidArgument }
      let old = point.mount.flags
      if flags.isDisjoint(with: .accessTimes) {
        attributes = attributes.subtracting(.accessTimes).union(old.intersection(.accessTimes))
      }
      // With MS_BIND the file system stays as it is.
      if flags.contains(.bind) {
        attributes = attributes.subtracting(fileSystemAttributes).union(old.intersection(fileSystemAttributes))
      }
      try vfs.remount(point.mount, flags: attributes)
    } else if flags.contains(.bind) {
      try vfs.bind(try sourcePlace(task, source), at: point, withMounts: flags.contains(.recursive))
    } else if !flags.isDisjoint(with: .propagation) {
      guard isRoot, flags.intersection(.propagation).rawValue.nonzeroBitCount == 1 else { throw .invalidArgument }
    } else if flags.contains(.move) {
      try vfs.move(try sourcePlace(task, source), to: point)
    } else {
      guard let type else { throw .invalidArgument }
      let source = source.address.isNull ? "none" : try text(task, source.address)
      let data = data.address.isNull ? "" : try text(task, data.address)
      let made = try task.kernel.makeFileSystem(type, source: source, data: data)
      try vfs.mount(made.fileSystem, root: made.root, at: point, flags: attributes)
    }
    return 0
  }

  /// What is to be shown elsewhere, or moved. - Throws: `EINVAL` where nothing is named.
  private static func sourcePlace(_ task: Task, _ source: GuestPath) throws(Errno) -> PathLocation {
    guard !source.address.isNull, try !task.path(source).isEmpty else { throw .invalidArgument }
    return try task.resolve(source)
  }

  /// A string of mount(2), which may be as long as a page.
  private static func text(_ task: Task, _ address: GuestAddress) throws(Errno) -> String {
    FileName.string(try task.memory.readCString(address, limit: 4096))
  }

  /// umount2(2). What is detached though its files are open lives on until they are closed.
  static func umount2(_ task: Task, _ point: GuestPath, _ flags: UnmountFlags) throws(Errno) -> Int {
    guard flags.isSubset(of: .all) else { throw .invalidArgument }
    let location = try task.resolve(point, flags.contains(.noFollow) ? .noFollow : [])
    guard task.credentials.has(.sysAdmin) else { throw .notPermitted }
    if flags.contains(.expire), !flags.isDisjoint(with: [.force, .detach]) { throw .invalidArgument }
    try task.kernel.vfs.unmount(
      location, detach: flags.contains(.detach), expire: flags.contains(.expire),
      isUsed: task.kernel.isInUse(location.mount))
    return 0
  }
}

extension Kernel {
  /// A process has its root, its working directory or its program there.
  fileprivate func isInUse(_ mount: Mount) -> Bool {
    tasks.values.contains { task in
      !task.hasEnded
        && (task.fs.root.mount === mount || task.fs.workingDirectory.mount === mount
          || task.group.executable?.mount === mount)
    }
  }

  /// A file system of a type, to be mounted. - Throws: `ENODEV` where Apus has none, `EINVAL` for its options.
  fileprivate func makeFileSystem(
    _ type: String, source: String, data: String
  ) throws(Errno) -> (fileSystem: any MountedFileSystem, root: Inode) {
    switch type {
    case "tmpfs", "ramfs":
      let options = try TmpFileSystemOptions(data, memory: physicalMemory.limit)
      let fileSystem = TmpFileSystem(
        source: source, size: options.size, nodeLimit: options.nodeLimit, options: options.shown, context: vfs.context)
      let root = try fileSystem.makeRoot(permissions: options.permissions, uid: options.uid, gid: options.gid)
      return (fileSystem, root)
    case "devtmpfs":
      let devices = TmpFileSystem(source: source, context: vfs.context)
      let root = try devices.makeRoot(permissions: 0o755)
      try vfs.context.devices.populate(root)
      return (devices, root)
    case "proc": return processFileSystem
    case "sysfs": return systemFileSystem
    default: throw .operationNotSupportedByDevice
    }
  }
}

/// Mount options of tmpfs(5).
struct TmpFileSystemOptions {
  var size: UInt64?
  var nodeLimit: UInt64?
  var permissions: UInt32 = 0o1777
  var uid: UInt32 = 0
  var gid: UInt32 = 0

  /// As `/proc/mounts` shows them: what is not as it is by itself.
  var shown: String {
    var text = ""
    if let size { text += ",size=\(size / 1024)k" }
    if let nodeLimit { text += ",nr_inodes=\(nodeLimit == .max ? 0 : nodeLimit)" }
    if permissions != 0o1777 { text += ",mode=\(String(permissions, radix: 8))" }
    if uid != 0 { text += ",uid=\(uid)" }
    if gid != 0 { text += ",gid=\(gid)" }
    return text
  }

  /// - Throws: `EINVAL` for a value that an option can't have.
  init(_ text: String, memory: UInt64) throws(Errno) {
    for option in text.split(separator: ",") {
      let parts = option.split(separator: "=", maxSplits: 1)
      guard let name = parts.first, parts.count == 2 else { continue }
      let value = parts[1]
      switch name {
      case "size":
        let bytes = try TmpFileSystemOptions.bytes(value, memory: memory)
        size = bytes == 0 ? .max : bytes
      case "nr_blocks":
        let (bytes, overflow) = try TmpFileSystemOptions.bytes(value, memory: 0).multipliedReportingOverflow(by: 4096)
        size = overflow || bytes == 0 ? .max : bytes
      case "nr_inodes":
        let count = try TmpFileSystemOptions.bytes(value, memory: 0)
        nodeLimit = count == 0 ? .max : count
      case "mode":
        guard let mode = UInt32(value, radix: 8), mode <= FileMode.permissionMask else { throw .invalidArgument }
        permissions = mode
      case "uid":
        guard let id = UInt32(value) else { throw .invalidArgument }
        uid = id
      case "gid":
        guard let id = UInt32(value) else { throw .invalidArgument }
        gid = id
      default: break
      }
    }
  }

  /// A number with a suffix `k`, `m`, `g`, or `%` of memory.
  private static func bytes(_ text: Substring, memory: UInt64) throws(Errno) -> UInt64 {
    let factor: UInt64?
    switch text.last {
    case "k", "K": factor = 1 << 10
    case "m", "M": factor = 1 << 20
    case "g", "G": factor = 1 << 30
    case "%": factor = memory / 100
    default: factor = nil
    }
    guard let number = UInt64(factor == nil ? text : text.dropLast()) else { throw .invalidArgument }
    let (result, overflow) = number.multipliedReportingOverflow(by: factor ?? 1)
    return overflow ? .max : result
  }
}
