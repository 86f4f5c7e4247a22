import FileSystem
import LinuxABI
import Memory

/// Changing modes, owners and times.
extension Syscalls {
  static let attributeTable: [SyscallEntry] = [
    .init(.chmod, chmod, [.path, .mode]),
    .init(.fchmod, fchmod, [.fd, .mode]),
    .init(.fchmodat, fchmodat, [.directory, .path, .mode]),
    .init(.fchmodat2, fchmodat2, [.directory, .path, .mode, .atFlags]),
    .init(.chown, chown, [.path, .uid, .uid]),
    .init(.lchown, lchown, [.path, .uid, .uid]),
    .init(.fchown, fchown, [.fd, .uid, .uid]),
    .init(.fchownat, fchownat, [.directory, .path, .uid, .uid, .atFlags]),
    .init(.utime, utime, [.path, .pointer]),
    .init(.utimes, utimes, [.path, .pointer]),
    .init(.futimesat, futimesat, [.directory, .path, .pointer]),
    .init(.utimensat, utimensat, [.directory, .path, .pointer, .atFlags]),
  ]

  // MARK: modes

  private static func changeMode(
    _ task: Task, _ target: Task.PathTarget, _ permissions: UInt32
  ) throws(Errno) -> Int {
    // Pipes, sockets and the like have a mode that nothing looks at.
    guard let inode = target.inode else { return 0 }
    try target.setAttributes(
      try task.kernel.vfs.permissionChange(inode, on: target.mount, permissions, task.credentials))
    return 0
  }

  /// chmod(2).
  static func chmod(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try changeMode(task, .location(try task.resolve(GuestAddress(a[0]))), a.uint(1))
  }

  /// fchmod(2).
  static func fchmod(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try changeMode(task, .file(try task.openFile(a.int(0))), a.uint(1))
  }

  /// fchmodat(2) without flags.
  static func fchmodat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try changeMode(task, .location(try task.resolve(at: a.int(0), GuestAddress(a[1]))), a.uint(2))
  }

  /// fchmodat2(2).
  static func fchmodat2(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = AtFlags(rawValue: a.uint(3))
    guard flags.isSubset(of: [.symbolicLinkNoFollow, .emptyPath]) else { throw .invalidArgument }
    return try changeMode(task, try task.target(at: a.int(0), GuestAddress(a[1]), flags), a.uint(2))
  }

  // MARK: owners

  private static func changeOwner(
    _ task: Task, _ target: Task.PathTarget, _ uid: UInt32, _ gid: UInt32
  ) throws(Errno) -> Int {
    guard let inode = target.inode else { return 0 }
    let change = try task.kernel.vfs.ownerChange(
      inode, on: target.mount, uid: uid == .max ? nil : uid, gid: gid == .max ? nil : gid, task.credentials)
    try target.setAttributes(change)
    return 0
  }

  /// chown(2).
  static func chown(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try changeOwner(task, .location(try task.resolve(GuestAddress(a[0]))), a.uint(1), a.uint(2))
  }

  /// lchown(2).
  static func lchown(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try changeOwner(task, .location(try task.resolve(GuestAddress(a[0]), .noFollow)), a.uint(1), a.uint(2))
  }

  /// fchown(2).
  static func fchown(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try changeOwner(task, .file(try task.openFile(a.int(0))), a.uint(1), a.uint(2))
  }

  /// fchownat(2).
  static func fchownat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = AtFlags(rawValue: a.uint(4))
    guard flags.isSubset(of: [.symbolicLinkNoFollow, .emptyPath]) else { throw .invalidArgument }
    return try changeOwner(task, try task.target(at: a.int(0), GuestAddress(a[1]), flags), a.uint(2), a.uint(3))
  }

  // MARK: times

  private static func changeTimes(
    _ task: Task, _ target: Task.PathTarget, _ access: AttributeChange.TimeChange?,
    _ modification: AttributeChange.TimeChange?
  ) throws(Errno) -> Int {
    guard let inode = target.inode else { return 0 }
    try target.setAttributes(
      try task.kernel.vfs.timeChange(
        inode, on: target.mount, access: access, modification: modification, task.credentials))
    return 0
  }

  /// utime(2).
  static func utime(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    var access = AttributeChange.TimeChange.now
    var modification = AttributeChange.TimeChange.now
    if a[1] != 0 {
      let times = try task.memory.readArray(GuestAddress(a[1]), count: 2, as: Int64.self)
      guard times.count == 2 else { throw .badAddress }
      access = .set(Timespec(seconds: times[0], nanoseconds: 0))
      modification = .set(Timespec(seconds: times[1], nanoseconds: 0))
    }
    return try changeTimes(task, .location(try task.resolve(GuestAddress(a[0]))), access, modification)
  }

  /// utimes(2).
  static func utimes(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let (access, modification) = try timevals(task, a[1])
    return try changeTimes(task, .location(try task.resolve(GuestAddress(a[0]))), access, modification)
  }

  /// futimesat(2).
  static func futimesat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let (access, modification) = try timevals(task, a[2])
    let target: Task.PathTarget =
      a[1] == 0 ? .file(try task.openFile(a.int(0))) : .location(try task.resolve(at: a.int(0), GuestAddress(a[1])))
    return try changeTimes(task, target, access, modification)
  }

  private static func timevals(
    _ task: Task, _ address: UInt64
  ) throws(Errno) -> (AttributeChange.TimeChange, AttributeChange.TimeChange) {
    guard address != 0 else { return (.now, .now) }
    let words = try task.memory.readArray(GuestAddress(address), count: 4, as: Int64.self)
    guard words.count == 4 else { throw .badAddress }
    guard (0..<1_000_000).contains(words[1]), (0..<1_000_000).contains(words[3]) else { throw .invalidArgument }
    return (
      .set(Timespec(seconds: words[0], nanoseconds: words[1] * 1000)),
      .set(Timespec(seconds: words[2], nanoseconds: words[3] * 1000))
    )
  }

  /// utimensat(2).
  static func utimensat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = AtFlags(rawValue: a.uint(3))
    guard flags.isSubset(of: [.symbolicLinkNoFollow, .emptyPath]) else { throw .invalidArgument }
    var access: AttributeChange.TimeChange? = .now
    var modification: AttributeChange.TimeChange? = .now
    if a[2] != 0 {
      let times = try task.memory.readArray(GuestAddress(a[2]), count: 2, as: Timespec.self)
      guard times.count == 2 else { throw .badAddress }
      access = try timeChange(times[0])
      modification = try timeChange(times[1])
      // Both omitted: Linux does not even look at the file.
      if access == nil && modification == nil { return 0 }
    }
    let target: Task.PathTarget
    if a[1] == 0 {
      guard a.int(0) != AtFlags.workingDirectory else { throw .badAddress }
      guard flags.isEmpty else { throw .invalidArgument }
      target = .file(try task.openFile(a.int(0)))
    } else {
      target = try task.target(at: a.int(0), GuestAddress(a[1]), flags)
    }
    return try changeTimes(task, target, access, modification)
  }

  /// `UTIME_NOW` and `UTIME_OMIT` stand in the nanoseconds.
  private static func timeChange(_ time: Timespec) throws(Errno) -> AttributeChange.TimeChange? {
    switch time.nanoseconds {
    case (1 << 30) - 1: return .now
    case (1 << 30) - 2: return nil
    case 0..<1_000_000_000: return .set(time)
    default: throw .invalidArgument
    }
  }
}
