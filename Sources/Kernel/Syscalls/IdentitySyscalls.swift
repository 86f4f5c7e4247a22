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
    .init(.setuid, setuid),
    .init(.setgid, setgid),
    .init(.setreuid, setreuid),
    .init(.setregid, setregid),
    .init(.setresuid, setresuid),
    .init(.setresgid, setresgid),
    .init(.getresuid, getresuid),
    .init(.getresgid, getresgid),
    .init(.setfsuid, setfsuid),
    .init(.setfsgid, setfsgid),
    .init(.getgroups, getgroups),
    .init(.setgroups, setgroups),
    .init(.getpgid, getpgid),
    .init(.setpgid, setpgid),
    .init(.getpgrp, getpgrp),
    .init(.getsid, getsid),
    .init(.setsid, setsid),
  ]

  // getpid(2), gettid(2), getppid(2), getuid(2), getgid(2) and the effective ids.

  static func getpid(_ task: Task) throws(Errno) -> Int { Int(task.group.id.rawValue) }
  static func gettid(_ task: Task) throws(Errno) -> Int { Int(task.id.rawValue) }
  static func getppid(_ task: Task) throws(Errno) -> Int { Int(task.group.parentID.rawValue) }
  static func getuid(_ task: Task) throws(Errno) -> Int { Int(task.credentials.uid) }
  static func geteuid(_ task: Task) throws(Errno) -> Int { Int(task.credentials.euid) }
  static func getgid(_ task: Task) throws(Errno) -> Int { Int(task.credentials.gid) }
  static func getegid(_ task: Task) throws(Errno) -> Int { Int(task.credentials.egid) }

  // MARK: Users

  /// setuid(2).
  static func setuid(_ task: Task, _ id: IDChange) throws(Errno) -> Int {
    guard let uid = id.value else { throw .invalidArgument }
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
  static func setreuid(_ task: Task, _ real: IDChange, _ effective: IDChange) throws(Errno) -> Int {
    let (real, effective) = (real.value, effective.value)
    let old = task.credentials
    var new = old
    if !old.has(.setuid) {
      if let real, real != old.uid, real != old.euid { throw .notPermitted }
      if let effective, ![old.uid, old.euid, old.suid].contains(effective) { throw .notPermitted }
    }
    if let real { new.uid = real }
    if let effective { new.euid = effective }
    if real != nil || effective != nil && effective != old.uid { new.suid = new.euid }
    new.fsuid = new.euid
    task.adopt(new)
    return 0
  }

  /// setresuid(2).
  static func setresuid(
    _ task: Task, _ real: IDChange, _ effective: IDChange, _ saved: IDChange
  ) throws(Errno) -> Int {
    let old = task.credentials
    var new = old
    for id in [real.value, effective.value, saved.value] where !old.has(.setuid) {
      if let id, ![old.uid, old.euid, old.suid].contains(id) { throw .notPermitted }
    }
    if let real = real.value { new.uid = real }
    if let effective = effective.value { new.euid = effective }
    if let saved = saved.value { new.suid = saved }
    new.fsuid = new.euid
    task.adopt(new)
    return 0
  }

  /// getresuid(2).
  static func getresuid(
    _ task: Task, _ real: OutPointer<IDResult>, _ effective: OutPointer<IDResult>, _ saved: OutPointer<IDResult>
  ) throws(Errno) -> Int {
    try task.store(IDResult(id: task.credentials.uid), to: real)
    try task.store(IDResult(id: task.credentials.euid), to: effective)
    try task.store(IDResult(id: task.credentials.suid), to: saved)
    return 0
  }

  /// setfsuid(2): returns the old id whether it changed or not.
  static func setfsuid(_ task: Task, _ id: IDChange) throws(Errno) -> Int {
    let old = task.credentials
    if let uid = id.value, old.has(.setuid) || [old.uid, old.euid, old.suid, old.fsuid].contains(uid) {
      var new = old
      new.fsuid = uid
      task.adopt(new)
    }
    return Int(old.fsuid)
  }

  // MARK: Groups

  /// setgid(2).
  static func setgid(_ task: Task, _ id: IDChange) throws(Errno) -> Int {
    guard let gid = id.value else { throw .invalidArgument }
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
  static func setregid(_ task: Task, _ real: IDChange, _ effective: IDChange) throws(Errno) -> Int {
    let (real, effective) = (real.value, effective.value)
    let old = task.credentials
    var new = old
    if !old.has(.setgid) {
      if let real, real != old.gid, real != old.egid { throw .notPermitted }
      if let effective, ![old.gid, old.egid, old.sgid].contains(effective) { throw .notPermitted }
    }
    if let real { new.gid = real }
    if let effective { new.egid = effective }
    if real != nil || effective != nil && effective != old.gid { new.sgid = new.egid }
    new.fsgid = new.egid
    task.adopt(new)
    return 0
  }

  /// setresgid(2).
  static func setresgid(
    _ task: Task, _ real: IDChange, _ effective: IDChange, _ saved: IDChange
  ) throws(Errno) -> Int {
    let old = task.credentials
    var new = old
    for id in [real.value, effective.value, saved.value] where !old.has(.setgid) {
      if let id, ![old.gid, old.egid, old.sgid].contains(id) { throw .notPermitted }
    }
    if let real = real.value { new.gid = real }
    if let effective = effective.value { new.egid = effective }
    if let saved = saved.value { new.sgid = saved }
    new.fsgid = new.egid
    task.adopt(new)
    return 0
  }

  /// getresgid(2).
  static func getresgid(
    _ task: Task, _ real: OutPointer<IDResult>, _ effective: OutPointer<IDResult>, _ saved: OutPointer<IDResult>
  ) throws(Errno) -> Int {
    try task.store(IDResult(id: task.credentials.gid), to: real)
    try task.store(IDResult(id: task.credentials.egid), to: effective)
    try task.store(IDResult(id: task.credentials.sgid), to: saved)
    return 0
  }

  /// setfsgid(2): returns the old id whether it changed or not.
  static func setfsgid(_ task: Task, _ id: IDChange) throws(Errno) -> Int {
    let old = task.credentials
    if let gid = id.value, old.has(.setgid) || [old.gid, old.egid, old.sgid, old.fsgid].contains(gid) {
      var new = old
      new.fsgid = gid
      task.adopt(new)
    }
    return Int(old.fsgid)
  }

  private static let maximumGroups = 65536

  /// getgroups(2).
  static func getgroups(_ task: Task, _ room: Int32, _ result: GuestAddress) throws(Errno) -> Int {
    let groups = task.credentials.groups
    guard room >= 0 else { throw .invalidArgument }
    if room > 0 {
      guard groups.count <= Int(room) else { throw .invalidArgument }
      try task.memory.writeArray(result, groups)
    }
    return groups.count
  }

  /// setgroups(2).
  static func setgroups(_ task: Task, _ count: UInt32, _ ids: GuestAddress) throws(Errno) -> Int {
    guard task.credentials.has(.setgid) else { throw .notPermitted }
    guard count <= maximumGroups else { throw .invalidArgument }
    let groups = try task.memory.readArray(ids, count: Int(count), as: UInt32.self)
    task.credentials.groups = groups.sorted()
    return 0
  }

  // MARK: Process groups and sessions

  /// The process that a pid argument names; 0 is the caller.
  private static func process(_ id: ProcessID, _ task: Task) throws(Errno) -> ThreadGroup {
    if id == .zero { return task.group }
    if let group = task.kernel.groups[id] { return group }
    guard let other = task.kernel.tasks[id] else { throw .noSuchProcess }
    return other.group
  }

  /// getpgid(2). Process 1 is Apus itself.
  static func getpgid(_ task: Task, _ id: ProcessID) throws(Errno) -> Int {
    id == .initial ? 1 : Int(try process(id, task).processGroup.id.rawValue)
  }

  /// getpgrp(2).
  static func getpgrp(_ task: Task) throws(Errno) -> Int { Int(task.group.processGroup.id.rawValue) }

  /// getsid(2).
  static func getsid(_ task: Task, _ id: ProcessID) throws(Errno) -> Int {
    id == .initial ? 1 : Int(try process(id, task).session.id.rawValue)
  }

  /// setpgid(2).
  static func setpgid(_ task: Task, _ id: ProcessID, _ processGroup: ProcessID) throws(Errno) -> Int {
    let caller = task.group
    let id = id == .zero ? caller.id : id
    let processGroup = processGroup == .zero ? id : processGroup
    guard !processGroup.isNegative else { throw .invalidArgument }
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
    return Int(group.id.rawValue)
  }
}

/// A user or group id that a call hands out.
struct IDResult: GuestValue {
  let id: UInt32
  var traced: String? { "[\(id)]" }
}
