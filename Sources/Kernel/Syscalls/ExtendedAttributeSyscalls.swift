import FileSystem
import LinuxABI
import Memory

extension ExtendedAttributeFlags: SyscallArgument {}

/// Extended attributes (xattr(7)): kept by file systems in memory, `ENOTSUP` elsewhere.
extension Syscalls {
  static let extendedAttributeTable: [SyscallEntry] = [
    .init(.getxattr, getxattr, inMemory),
    .init(.lgetxattr, lgetxattr, inMemory),
    .init(.fgetxattr, fgetxattr, inMemory),
    .init(.setxattr, setxattr, inMemory),
    .init(.lsetxattr, lsetxattr, inMemory),
    .init(.fsetxattr, fsetxattr, inMemory),
    .init(.listxattr, listxattr, inMemory),
    .init(.llistxattr, llistxattr, inMemory),
    .init(.flistxattr, flistxattr, inMemory),
    .init(.removexattr, removexattr, inMemory),
    .init(.lremovexattr, lremovexattr, inMemory),
    .init(.fremovexattr, fremovexattr, inMemory),
  ]
  private static let inMemory = SyscallSupport.partial("only file systems in memory have them, files of the host don't")

  /// How a call names its file.
  private enum Subject {
    case path(GuestPath)
    /// What the path names, a symbolic link too.
    case link(GuestPath)
    case descriptor(FileDescriptorNumber)

    func target(_ task: Task) throws(Errno) -> Task.PathTarget {
      switch self {
      case .path(let path): .location(try task.resolve(path))
      case .link(let path): .location(try task.resolve(path, .noFollow))
      case .descriptor(let descriptor): .file(try task.openFile(descriptor))
      }
    }
  }

  /// The file and the name of an attribute, after the checks of xattr(7).
  private static func attribute(
    _ task: Task, _ subject: Subject, _ name: GuestString, writing: Bool
  ) throws(Errno) -> (inode: FileSystem.Inode, name: String) {
    let bytes: [UInt8]
    do throws(Errno) { bytes = try task.memory.readCString(name.address, limit: 256) } catch .fileNameTooLong {
      throw .outOfRange
    }
    let name = FileName.string(bytes)
    let target = try subject.target(task)
    guard let inode = target.inode else { throw .notSupported }
    try task.kernel.vfs.checkExtendedAttribute(
      inode, on: target.mount, name, writing: writing, task.credentials)
    return (inode, name)
  }

  /// Copies a result out. A size of 0 asks for the length.
  private static func store(
    _ task: Task, _ bytes: [UInt8], to buffer: OutBuffer, size: UInt64
  ) throws(Errno) -> Int {
    if size == 0 { return bytes.count }
    guard UInt64(bytes.count) <= size else { throw .outOfRange }
    try task.memory.write(buffer.address, bytes)
    return bytes.count
  }

  // MARK: getting

  private static func get(
    _ task: Task, _ subject: Subject, _ name: GuestString, _ value: OutBuffer, _ size: UInt64
  ) throws(Errno) -> Int {
    let (inode, name) = try attribute(task, subject, name, writing: false)
    return try store(task, try inode.extendedAttribute(name), to: value, size: size)
  }

  /// getxattr(2).
  static func getxattr(
    _ task: Task, _ path: GuestPath, _ name: GuestString, _ value: OutBuffer, _ size: UInt64
  ) throws(Errno) -> Int {
    try get(task, .path(path), name, value, size)
  }

  /// lgetxattr(2).
  static func lgetxattr(
    _ task: Task, _ path: GuestPath, _ name: GuestString, _ value: OutBuffer, _ size: UInt64
  ) throws(Errno) -> Int {
    try get(task, .link(path), name, value, size)
  }

  /// fgetxattr(2).
  static func fgetxattr(
    _ task: Task, _ file: FileDescriptorNumber, _ name: GuestString, _ value: OutBuffer, _ size: UInt64
  ) throws(Errno) -> Int {
    try get(task, .descriptor(file), name, value, size)
  }

  // MARK: setting

  private static func set(
    _ task: Task, _ subject: Subject, _ name: GuestString, _ value: InBuffer, _ size: UInt64,
    _ flags: ExtendedAttributeFlags
  ) throws(Errno) -> Int {
    guard flags.isSubset(of: [.create, .replace]) else { throw .invalidArgument }
    guard size <= 65536 else { throw .argListTooLong }
    let value = size == 0 ? [] : try task.memory.read(value.address, count: Int(size))
    let (inode, name) = try attribute(task, subject, name, writing: true)
    try inode.setExtendedAttribute(name, value, flags: flags)
    return 0
  }

  /// setxattr(2).
  static func setxattr(
    _ task: Task, _ path: GuestPath, _ name: GuestString, _ value: InBuffer, _ size: UInt64,
    _ flags: ExtendedAttributeFlags
  ) throws(Errno) -> Int {
    try set(task, .path(path), name, value, size, flags)
  }

  /// lsetxattr(2).
  static func lsetxattr(
    _ task: Task, _ path: GuestPath, _ name: GuestString, _ value: InBuffer, _ size: UInt64,
    _ flags: ExtendedAttributeFlags
  ) throws(Errno) -> Int {
    try set(task, .link(path), name, value, size, flags)
  }

  /// fsetxattr(2).
  static func fsetxattr(
    _ task: Task, _ file: FileDescriptorNumber, _ name: GuestString, _ value: InBuffer, _ size: UInt64,
    _ flags: ExtendedAttributeFlags
  ) throws(Errno) -> Int {
    try set(task, .descriptor(file), name, value, size, flags)
  }

  // MARK: listing

  private static func list(
    _ task: Task, _ subject: Subject, _ names: OutBuffer, _ size: UInt64
  ) throws(Errno) -> Int {
    guard let inode = try subject.target(task).inode else { throw .notSupported }
    var bytes: [UInt8] = []
    for name in try inode.extendedAttributeNames() {
      if name.hasPrefix("trusted.") && !task.credentials.has(.sysAdmin) { continue }
      bytes += FileName.bytes(name) + [0]
    }
    return try store(task, bytes, to: names, size: size)
  }

  /// listxattr(2).
  static func listxattr(_ task: Task, _ path: GuestPath, _ names: OutBuffer, _ size: UInt64) throws(Errno) -> Int {
    try list(task, .path(path), names, size)
  }

  /// llistxattr(2).
  static func llistxattr(_ task: Task, _ path: GuestPath, _ names: OutBuffer, _ size: UInt64) throws(Errno) -> Int {
    try list(task, .link(path), names, size)
  }

  /// flistxattr(2).
  static func flistxattr(
    _ task: Task, _ file: FileDescriptorNumber, _ names: OutBuffer, _ size: UInt64
  ) throws(Errno) -> Int {
    try list(task, .descriptor(file), names, size)
  }

  // MARK: removing

  private static func remove(_ task: Task, _ subject: Subject, _ name: GuestString) throws(Errno) -> Int {
    let (inode, name) = try attribute(task, subject, name, writing: true)
    try inode.removeExtendedAttribute(name)
    return 0
  }

  /// removexattr(2).
  static func removexattr(_ task: Task, _ path: GuestPath, _ name: GuestString) throws(Errno) -> Int {
    try remove(task, .path(path), name)
  }

  /// lremovexattr(2).
  static func lremovexattr(_ task: Task, _ path: GuestPath, _ name: GuestString) throws(Errno) -> Int {
    try remove(task, .link(path), name)
  }

  /// fremovexattr(2).
  static func fremovexattr(_ task: Task, _ file: FileDescriptorNumber, _ name: GuestString) throws(Errno) -> Int {
    try remove(task, .descriptor(file), name)
  }
}
