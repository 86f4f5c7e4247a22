import FileSystem
import LinuxABI

/// Who a task is: ids of processes, users and groups (credentials(7)).
extension Syscalls {
  static let identityTable: [SyscallEntry] = [
    .init(.getpid, getpid),
    .init(.gettid, gettid),
    .init(.getppid, getppid),
    .init(.getuid, getuid),
    .init(.geteuid, geteuid),
    .init(.getgid, getgid),
    .init(.getegid, getegid),
    .init(.setuid, setuid, [.uid]),
    .init(.setgid, setgid, [.uid]),
    .init(.setreuid, setreuid, [.uid, .uid]),
    .init(.setregid, setregid, [.uid, .uid]),
    .init(.setresuid, setresuid, [.uid, .uid, .uid]),
    .init(.setresgid, setresgid, [.uid, .uid, .uid]),
    .init(.getresuid, getresuid, [.uidResult, .uidResult, .uidResult]),
    .init(.getresgid, getresgid, [.uidResult, .uidResult, .uidResult]),
    .init(.setfsuid, setfsuid, [.uid]),
    .init(.setfsgid, setfsgid, [.uid]),
    .init(.getgroups, getgroups, [.int, .pointer]),
    .init(.setgroups, setgroups, [.uint, .pointer]),
    .init(.getpgid, getpgid, [.pid]),
    .init(.setpgid, setpgid, [.pid, .pid]),
    .init(.getpgrp, getpgrp),
    .init(.getsid, getsid, [.pid]),
    .init(.setsid, setsid),
  ]

  // getpid(2), gettid(2), getppid(2), getuid(2), getgid(2) and the effective ids.

  static func getpid(_ task: Task) throws(Errno) -> Int { Int(task.group.id) }
  static func gettid(_ task: Task) throws(Errno) -> Int { Int(task.id) }
  static func getppid(_ task: Task) throws(Errno) -> Int { Int(task.group.parentID) }
  static func getuid(_ task: Task) throws(Errno) -> Int { Int(task.credentials.uid) }
  static func geteuid(_ task: Task) throws(Errno) -> Int { Int(task.credentials.euid) }
  static func getgid(_ task: Task) throws(Errno) -> Int { Int(task.credentials.gid) }
  static func getegid(_ task: Task) throws(Errno) -> Int { Int(task.credentials.egid) }

  // MARK: Users

  /// The id that leaves a field as it is.
  private static let unchanged = UInt32.max

  /// setuid(2).
  static func setuid(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let uid = a.uint(0)
    guard uid != unchanged else { throw .invalidArgument }
    var new = task.credentials
    if new.has(.setuid) {
      new.uid = uid
      new.suid = uid
    } else if uid != new.uid && uid != new.suid {
      throw .notPermitted
    }
    new.euid = uid
    new.fsuid = uid
    task.adopt(new)
    return 0
  }

  /// setreuid(2).
  static func setreuid(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let (real, effective) = (a.uint(0), a.uint(1))
    let old = task.credentials
    var new = old
    if !old.has(.setuid) {
      guard real == unchanged || real == old.uid || real == old.euid else { throw .notPermitted }
      guard effective == unchanged || [old.uid, old.euid, old.suid].contains(effective) else { throw .notPermitted }
    }
    if real != unchanged { new.uid = real }
    if effective != unchanged { new.euid = effective }
    if real != unchanged || effective != unchanged && effective != old.uid { new.suid = new.euid }
    new.fsuid = new.euid
    task.adopt(new)
    return 0
  }

  /// setresuid(2).
  static func setresuid(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let old = task.credentials
    var new = old
    for index in 0..<3 where a.uint(index) != unchanged && !old.has(.setuid) {
      guard [old.uid, old.euid, old.suid].contains(a.uint(index)) else { throw .notPermitted }
    }
    if a.uint(0) != unchanged { new.uid = a.uint(0) }
    if a.uint(1) != unchanged { new.euid = a.uint(1) }
    if a.uint(2) != unchanged { new.suid = a.uint(2) }
    new.fsuid = new.euid
    task.adopt(new)
    return 0
  }

  /// getresuid(2).
  static func getresuid(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.memory.writeValue(GuestAddress(a[0]), task.credentials.uid)
    try task.memory.writeValue(GuestAddress(a[1]), task.credentials.euid)
    try task.memory.writeValue(GuestAddress(a[2]), task.credentials.suid)
    return 0
  }

  /// setfsuid(2): returns the old id whether it changed or not.
  static func setfsuid(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let old = task.credentials
    let uid = a.uint(0)
    if uid != unchanged, old.has(.setuid) || [old.uid, old.euid, old.suid, old.fsuid].contains(uid) {
      var new = old
      new.fsuid = uid
      task.adopt(new)
    }
    return Int(old.fsuid)
  }

  // MARK: Groups

  /// setgid(2).
  static func setgid(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let gid = a.uint(0)
    guard gid != unchanged else { throw .invalidArgument }
    var new = task.credentials
    if new.has(.setgid) {
      new.gid = gid
      new.sgid = gid
    } else if gid != new.gid && gid != new.sgid {
      throw .notPermitted
    }
    new.egid = gid
    new.fsgid = gid
    task.adopt(new)
    return 0
  }

  /// setregid(2).
  static func setregid(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let (real, effective) = (a.uint(0), a.uint(1))
    let old = task.credentials
    var new = old
    if !old.has(.setgid) {
      guard real == unchanged || real == old.gid || real == old.egid else { throw .notPermitted }
      guard effective == unchanged || [old.gid, old.egid, old.sgid].contains(effective) else { throw .notPermitted }
    }
    if real != unchanged { new.gid = real }
    if effective != unchanged { new.egid = effective }
    if real != unchanged || effective != unchanged && effective != old.gid { new.sgid = new.egid }
    new.fsgid = new.egid
    task.adopt(new)
    return 0
  }

  /// setresgid(2).
  static func setresgid(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let old = task.credentials
    var new = old
    for index in 0..<3 where a.uint(index) != unchanged && !old.has(.setgid) {
      guard [old.gid, old.egid, old.sgid].contains(a.uint(index)) else { throw .notPermitted }
    }
    if a.uint(0) != unchanged { new.gid = a.uint(0) }
    if a.uint(1) != unchanged { new.egid = a.uint(1) }
    if a.uint(2) != unchanged { new.sgid = a.uint(2) }
    new.fsgid = new.egid
    task.adopt(new)
    return 0
  }

  /// getresgid(2).
  static func getresgid(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.memory.writeValue(GuestAddress(a[0]), task.credentials.gid)
    try task.memory.writeValue(GuestAddress(a[1]), task.credentials.egid)
    try task.memory.writeValue(GuestAddress(a[2]), task.credentials.sgid)
    return 0
  }

  /// setfsgid(2): returns the old id whether it changed or not.
  static func setfsgid(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let old = task.credentials
    let gid = a.uint(0)
    if gid != unchanged, old.has(.setgid) || [old.gid, old.egid, old.sgid, old.fsgid].contains(gid) {
      var new = old
      new.fsgid = gid
      task.adopt(new)
    }
    return Int(old.fsgid)
  }

  private static let maximumGroups = 65536

  /// getgroups(2).
  static func getgroups(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let groups = task.credentials.groups
    let room = a.int(0)
    guard room >= 0 else { throw .invalidArgument }
    if room > 0 {
      guard groups.count <= Int(room) else { throw .invalidArgument }
      try task.memory.writeArray(GuestAddress(a[1]), groups)
    }
    return groups.count
  }

  /// setgroups(2).
  static func setgroups(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard task.credentials.has(.setgid) else { throw .notPermitted }
    let count = a.uint(0)
    guard count <= maximumGroups else { throw .invalidArgument }
    let groups = try task.memory.readArray(GuestAddress(a[1]), count: Int(count), as: UInt32.self)
    task.credentials.groups = groups.sorted()
    return 0
  }

  // MARK: Process groups and sessions

  /// The process that a pid argument names; 0 is the caller.
  private static func process(_ id: Int32, _ task: Task) throws(Errno) -> ThreadGroup {
    if id == 0 { return task.group }
    if let group = task.kernel.groups[id] { return group }
    guard let other = task.kernel.tasks[id] else { throw .noSuchProcess }
    return other.group
  }

  /// getpgid(2). Process 1 is Apus itself.
  static func getpgid(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    a.int(0) == 1 ? 1 : Int(try process(a.int(0), task).processGroup.id)
  }

  /// getpgrp(2).
  static func getpgrp(_ task: Task) throws(Errno) -> Int { Int(task.group.processGroup.id) }

  /// getsid(2).
  static func getsid(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    a.int(0) == 1 ? 1 : Int(try process(a.int(0), task).session.id)
  }

  /// setpgid(2).
  static func setpgid(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let caller = task.group
    let id = a.int(0) == 0 ? caller.id : a.int(0)
    let processGroup = a.int(1) == 0 ? id : a.int(1)
    guard processGroup >= 0 else { throw .invalidArgument }
    guard let target = task.kernel.groups[id] else {
      throw task.kernel.tasks[id] == nil ? .noSuchProcess : .invalidArgument
    }
    if target !== caller {
      guard target.parent === caller else { throw .noSuchProcess }
      guard target.session === caller.session else { throw .notPermitted }
      guard !target.hasExecuted else { throw .permissionDenied }
    }
    guard !target.isSessionLeader else { throw .notPermitted }
    try task.kernel.processTable.move(target, toProcessGroup: processGroup)
    return 0
  }

  /// setsid(2).
  static func setsid(_ task: Task) throws(Errno) -> Int {
    let group = task.group
    try task.kernel.processTable.startSession(group)
    return Int(group.id)
  }
}
