import FileSystem
import LinuxABI
import Memory

/// Extended attributes (xattr(7)): kept by file systems in memory, `ENOTSUP` elsewhere.
extension Syscalls {
  static let extendedAttributeTable: [SyscallEntry] = [
    .init(.getxattr, getxattr, [.path, .string, .pointer, .uint]),
    .init(.lgetxattr, lgetxattr, [.path, .string, .pointer, .uint]),
    .init(.fgetxattr, fgetxattr, [.fd, .string, .pointer, .uint]),
    .init(.setxattr, setxattr, [.path, .string, .bytes(count: 3), .uint, .hex]),
    .init(.lsetxattr, lsetxattr, [.path, .string, .bytes(count: 3), .uint, .hex]),
    .init(.fsetxattr, fsetxattr, [.fd, .string, .bytes(count: 3), .uint, .hex]),
    .init(.listxattr, listxattr, [.path, .pointer, .uint]),
    .init(.llistxattr, llistxattr, [.path, .pointer, .uint]),
    .init(.flistxattr, flistxattr, [.fd, .pointer, .uint]),
    .init(.removexattr, removexattr, [.path, .string]),
    .init(.lremovexattr, lremovexattr, [.path, .string]),
    .init(.fremovexattr, fremovexattr, [.fd, .string]),
  ]

  /// How a call names its file.
  private enum Form { case following, notFollowing, descriptor }

  private static func target(_ task: Task, _ a: SyscallArguments, _ form: Form) throws(Errno) -> Task.PathTarget {
    switch form {
    case .following: .location(try task.resolve(GuestAddress(a[0])))
    case .notFollowing: .location(try task.resolve(GuestAddress(a[0]), .noFollow))
    case .descriptor: .file(try task.openFile(a.int(0)))
    }
  }

  /// The file and the name of an attribute, after the checks of xattr(7).
  private static func attribute(
    _ task: Task, _ a: SyscallArguments, _ form: Form, writing: Bool
  ) throws(Errno) -> (inode: FileSystem.Inode, name: String) {
    let bytes: [UInt8]
    do throws(Errno) { bytes = try task.memory.readCString(GuestAddress(a[1]), limit: 256) } catch .fileNameTooLong {
      throw .outOfRange
    }
    let name = FileName.string(bytes)
    let target = try target(task, a, form)
    guard let inode = target.inode else { throw .notSupported }
    try task.kernel.vfs.checkExtendedAttribute(
      inode, on: target.mount, name, writing: writing, task.credentials)
    return (inode, name)
  }

  /// Copies a result out. A size of 0 asks for the length.
  private static func store(
    _ task: Task, _ bytes: [UInt8], _ address: UInt64, size: UInt64
  ) throws(Errno) -> Int {
    if size == 0 { return bytes.count }
    guard UInt64(bytes.count) <= size else { throw .outOfRange }
    try task.memory.write(GuestAddress(address), bytes)
    return bytes.count
  }

  private static func get(_ task: Task, _ a: SyscallArguments, _ form: Form) throws(Errno) -> Int {
    let (inode, name) = try attribute(task, a, form, writing: false)
    return try store(task, try inode.extendedAttribute(name), a[2], size: a[3])
  }

  private static func set(_ task: Task, _ a: SyscallArguments, _ form: Form) throws(Errno) -> Int {
    let flags = ExtendedAttributeFlags(rawValue: a.uint(4))
    guard flags.isSubset(of: [.create, .replace]) else { throw .invalidArgument }
    guard a[3] <= 65536 else { throw .argListTooLong }
    let value = a[3] == 0 ? [] : try task.memory.read(GuestAddress(a[2]), count: Int(a[3]))
    let (inode, name) = try attribute(task, a, form, writing: true)
    try inode.setExtendedAttribute(name, value, flags: flags)
    return 0
  }

  private static func list(_ task: Task, _ a: SyscallArguments, _ form: Form) throws(Errno) -> Int {
    guard let inode = try target(task, a, form).inode else { throw .notSupported }
    var bytes: [UInt8] = []
    for name in try inode.extendedAttributeNames() {
      if name.hasPrefix("trusted.") && !task.credentials.has(.sysAdmin) { continue }
      bytes += FileName.bytes(name) + [0]
    }
    return try store(task, bytes, a[1], size: a[2])
  }

  private static func remove(_ task: Task, _ a: SyscallArguments, _ form: Form) throws(Errno) -> Int {
    let (inode, name) = try attribute(task, a, form, writing: true)
    try inode.removeExtendedAttribute(name)
    return 0
  }

  /// getxattr(2).
  static func getxattr(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { try get(task, a, .following) }
  /// lgetxattr(2).
  static func lgetxattr(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { try get(task, a, .notFollowing) }
  /// fgetxattr(2).
  static func fgetxattr(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { try get(task, a, .descriptor) }
  /// setxattr(2).
  static func setxattr(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { try set(task, a, .following) }
  /// lsetxattr(2).
  static func lsetxattr(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { try set(task, a, .notFollowing) }
  /// fsetxattr(2).
  static func fsetxattr(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { try set(task, a, .descriptor) }
  /// listxattr(2).
  static func listxattr(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { try list(task, a, .following) }
  /// llistxattr(2).
  static func llistxattr(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { try list(task, a, .notFollowing) }
  /// flistxattr(2).
  static func flistxattr(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { try list(task, a, .descriptor) }
  /// removexattr(2).
  static func removexattr(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { try remove(task, a, .following) }
  /// lremovexattr(2).
  static func lremovexattr(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try remove(task, a, .notFollowing)
  }
  /// fremovexattr(2).
  static func fremovexattr(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try remove(task, a, .descriptor)
  }
}
