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
      .partial("only tmpfs, bind mounts and changes between read-only and read-write; nothing is propagated or moved")),
    .init(.umount2, umount2, .partial("a mount whose files are open goes too; no MNT_EXPIRE")),
    .init(
      .pivot_root, .notPermitted, because: "there is one mount namespace, whose root stays",
      [GuestPath.self, GuestPath.self]),
  ]

  /// mount(2): tmpfs, bind mounts, and changes between read-only and read-write.
  static func mount(
    _ task: Task, _ source: GuestPath, _ point: GuestPath, _ type: GuestString, _ flags: MountFlags,
    _ data: GuestString
  ) throws(Errno) -> Int {
    guard task.credentials.has(.sysAdmin) else { throw .notPermitted }
    let vfs = task.kernel.vfs
    let point = try task.resolve(point)
    let isReadOnly = flags.contains(.readOnly)
    if flags.contains(.remount) {
      guard point.dentry === point.mount.root else { throw .invalidArgument }
      vfs.remount(point.mount, isReadOnly: isReadOnly)
    } else if flags.contains(.bind) {
      try vfs.bind(try task.resolve(source), at: point, isReadOnly: isReadOnly)
    } else if !flags.isDisjoint(with: .propagation) {
      guard point.dentry === point.mount.root else { throw .invalidArgument }
    } else if flags.contains(.move) {
      throw .notPermitted
    } else {
      let type = try text(task, type.address)
      guard type == "tmpfs" || type == "ramfs" else { throw .operationNotSupportedByDevice }
      let source = source.address.isNull ? "none" : try text(task, source.address)
      let data = data.address.isNull ? "" : try text(task, data.address)
      let options = try TmpFileSystemOptions(data, memory: task.kernel.physicalMemory.limit)
      let fileSystem = TmpFileSystem(
        source: source, size: options.size, nodeLimit: options.nodeLimit, context: vfs.context)
      let root = try fileSystem.makeRoot(permissions: options.permissions, uid: options.uid, gid: options.gid)
      try vfs.mount(fileSystem, root: root, at: point, isReadOnly: isReadOnly)
    }
    return 0
  }

  /// A string of mount(2), which may be as long as a page.
  private static func text(_ task: Task, _ address: GuestAddress) throws(Errno) -> String {
    FileName.string(try task.memory.readCString(address, limit: 4096))
  }

  /// umount2(2). A mount whose files are open goes too; those files live on.
  static func umount2(_ task: Task, _ point: GuestPath, _ flags: UnmountFlags) throws(Errno) -> Int {
    guard flags.isSubset(of: .all) else { throw .invalidArgument }
    guard task.credentials.has(.sysAdmin) else { throw .notPermitted }
    let location = try task.resolve(point, flags.contains(.noFollow) ? .noFollow : [])
    // With MNT_EXPIRE Linux only marks the mount at first. Here no mount ever expires.
    if flags.contains(.expire) { throw .resourceTemporarilyUnavailable }
    try task.kernel.vfs.unmount(location, detach: flags.contains(.detach))
    return 0
  }
}

/// Mount options of tmpfs(5).
struct TmpFileSystemOptions {
  var size: UInt64?
  var nodeLimit: UInt64?
  var permissions: UInt32 = 0o1777
  var uid: UInt32 = 0
  var gid: UInt32 = 0

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
