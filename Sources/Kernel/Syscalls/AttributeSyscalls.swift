import FileSystem
import LinuxABI
import Memory
import Network

/// Changing modes, owners and times.
extension Syscalls {
  static let attributeTable: [SyscallEntry] = [
    .init(.chmod, chmod),
    .init(.fchmod, fchmod),
    .init(.fchmodat, fchmodat),
    .init(.fchmodat2, fchmodat2),
    .init(.chown, chown),
    .init(.lchown, lchown),
    .init(.fchown, fchown),
    .init(.fchownat, fchownat),
    .init(.utime, utime),
    .init(.utimes, utimes),
    .init(.futimesat, futimesat),
    .init(.utimensat, utimensat),
  ]

  // MARK: modes

  private static func changeMode(_ task: Task, _ target: Task.PathTarget, _ mode: FileMode) throws(Errno) -> Int {
    if let socket = target.socket {
      let attributes = PermissionAttributes(try socket.attributes())
      guard task.credentials.owns(attributes) else { throw .notPermitted }
      var change = AttributeChange()
      change.permissions = mode.permissions
      try socket.setAttributes(change)
      return 0
    }
    // Pipes and the like have a mode that nothing looks at.
    guard let inode = target.inode else { return 0 }
    try target.setAttributes(
      try task.kernel.vfs.permissionChange(inode, on: target.mount, mode.permissions, task.credentials))
    return 0
  }

  /// chmod(2).
  static func chmod(_ task: Task, _ path: GuestPath, _ mode: FileMode) throws(Errno) -> Int {
    try changeMode(task, .location(try task.resolve(path)), mode)
  }

  /// fchmod(2).
  static func fchmod(_ task: Task, _ file: FileDescriptorNumber, _ mode: FileMode) throws(Errno) -> Int {
    try changeMode(task, .file(try task.openFile(file)), mode)
  }

  /// fchmodat(2) without flags.
  static func fchmodat(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ mode: FileMode
  ) throws(Errno) -> Int {
    try changeMode(task, .location(try task.resolve(at: directory, path)), mode)
  }

  /// fchmodat2(2).
  static func fchmodat2(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ mode: FileMode, _ flags: AtFlags
  ) throws(Errno) -> Int {
    guard flags.isSubset(of: [.symbolicLinkNoFollow, .emptyPath]) else { throw .invalidArgument }
    return try changeMode(task, try task.target(at: directory, path, flags), mode)
  }

  // MARK: owners

  private static func changeOwner(
    _ task: Task, _ target: Task.PathTarget, _ owner: IDChange, _ group: IDChange
  ) throws(Errno) -> Int {
    if let socket = target.socket {
      let attributes = try socket.attributes()
      let isSame =
        (owner.value ?? attributes.uid) == attributes.uid && (group.value ?? attributes.gid) == attributes.gid
      guard isSame || task.credentials.has(.chown) else { throw .notPermitted }
      var change = AttributeChange()
      change.uid = owner.value
      change.gid = group.value
      try socket.setAttributes(change)
      return 0
    }
    guard let inode = target.inode else { return 0 }
    let change = try task.kernel.vfs.ownerChange(
      inode, on: target.mount, uid: owner.value, gid: group.value, task.credentials)
    try target.setAttributes(change)
    return 0
  }

  /// chown(2).
  static func chown(_ task: Task, _ path: GuestPath, _ owner: IDChange, _ group: IDChange) throws(Errno) -> Int {
    try changeOwner(task, .location(try task.resolve(path)), owner, group)
  }

  /// lchown(2).
  static func lchown(_ task: Task, _ path: GuestPath, _ owner: IDChange, _ group: IDChange) throws(Errno) -> Int {
    try changeOwner(task, .location(try task.resolve(path, .noFollow)), owner, group)
  }

  /// fchown(2).
  static func fchown(
    _ task: Task, _ file: FileDescriptorNumber, _ owner: IDChange, _ group: IDChange
  ) throws(Errno) -> Int {
    try changeOwner(task, .file(try task.openFile(file)), owner, group)
  }

  /// fchownat(2).
  static func fchownat(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ owner: IDChange, _ group: IDChange,
    _ flags: AtFlags
  ) throws(Errno) -> Int {
    guard flags.isSubset(of: [.symbolicLinkNoFollow, .emptyPath]) else { throw .invalidArgument }
    return try changeOwner(task, try task.target(at: directory, path, flags), owner, group)
  }

  // MARK: times

  /// What two times ask for; without them, both are now. - Throws: `EFAULT`, `EINVAL`.
  private static func changes<Time>(
    _ task: Task, _ times: InPointer<FileTimes<Time>>
  ) throws(Errno) -> (access: AttributeChange.TimeChange?, modification: AttributeChange.TimeChange?) {
    try changes(times.isNull ? nil : try task.load(times))
  }

  private static func changes<Time>(
    _ times: FileTimes<Time>?
  ) throws(Errno) -> (access: AttributeChange.TimeChange?, modification: AttributeChange.TimeChange?) {
    guard let times else { return (.now, .now) }
    return (try times.access.change, try times.modification.change)
  }

  private static func changeTimes(
    _ task: Task, _ target: Task.PathTarget,
    _ changes: (access: AttributeChange.TimeChange?, modification: AttributeChange.TimeChange?)
  ) throws(Errno) -> Int {
    guard let inode = target.inode else { return 0 }
    try target.setAttributes(
      try task.kernel.vfs.timeChange(
        inode, on: target.mount, access: changes.access, modification: changes.modification, task.credentials))
    return 0
  }

  /// utime(2).
  static func utime(_ task: Task, _ path: GuestPath, _ times: InPointer<FileTimes<Int64>>) throws(Errno) -> Int {
    let changes = try changes(task, times)
    return try changeTimes(task, .location(try task.resolve(path)), changes)
  }

  /// utimes(2).
  static func utimes(_ task: Task, _ path: GuestPath, _ times: InPointer<FileTimes<Timeval>>) throws(Errno) -> Int {
    let changes = try changes(task, times)
    return try changeTimes(task, .location(try task.resolve(path)), changes)
  }

  /// futimesat(2). Without a path, the file is that of the descriptor.
  static func futimesat(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ times: InPointer<FileTimes<Timeval>>
  ) throws(Errno) -> Int {
    let changes = try changes(task, times)
    let target: Task.PathTarget =
      path.address.isNull
      ? .file(try task.openFile(directory.descriptor)) : .location(try task.resolve(at: directory, path))
    return try changeTimes(task, target, changes)
  }

  /// utimensat(2). Without a path, the file is that of the descriptor.
  static func utimensat(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ times: InPointer<FileTimes<Timespec>>,
    _ flags: AtFlags
  ) throws(Errno) -> Int {
    guard flags.isSubset(of: [.symbolicLinkNoFollow, .emptyPath]) else { throw .invalidArgument }
    let times = times.isNull ? nil : try task.load(times)
    // Both omitted: Linux does not even look at the file. Whether the times are valid is checked last.
    if let times, times.access.isOmitted, times.modification.isOmitted { return 0 }
    let target: Task.PathTarget
    if path.address.isNull {
      guard !directory.isWorkingDirectory else { throw .badAddress }
      guard flags.isEmpty else { throw .invalidArgument }
      target = .file(try task.openFile(directory.descriptor))
    } else {
      target = try task.target(at: directory, path, flags)
    }
    return try changeTimes(task, target, try changes(times))
  }
}
