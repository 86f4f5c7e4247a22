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

  // MARK: Users and groups

  // setuid(2), setreuid(2), setresuid(2), getresuid(2), setfsuid(2), and the same of groups.

  static func setuid(_ task: Task, _ id: IDChange) throws(Errno) -> Int { try setID(task, .users, id) }
  static func setgid(_ task: Task, _ id: IDChange) throws(Errno) -> Int { try setID(task, .groups, id) }

  static func setreuid(_ task: Task, _ real: IDChange, _ effective: IDChange) throws(Errno) -> Int {
    try setREID(task, .users, real.value, effective.value)
  }
  static func setregid(_ task: Task, _ real: IDChange, _ effective: IDChange) throws(Errno) -> Int {
    try setREID(task, .groups, real.value, effective.value)
  }

  static func setresuid(_ task: Task, _ real: IDChange, _ effective: IDChange, _ saved: IDChange) throws(Errno) -> Int {
    try setRESID(task, .users, real.value, effective.value, saved.value)
  }
  static func setresgid(_ task: Task, _ real: IDChange, _ effective: IDChange, _ saved: IDChange) throws(Errno) -> Int {
    try setRESID(task, .groups, real.value, effective.value, saved.value)
  }

  static func getresuid(
    _ task: Task, _ real: OutPointer<IDResult>, _ effective: OutPointer<IDResult>, _ saved: OutPointer<IDResult>
  ) throws(Errno) -> Int { try getRESID(task, .users, real, effective, saved) }
  static func getresgid(
    _ task: Task, _ real: OutPointer<IDResult>, _ effective: OutPointer<IDResult>, _ saved: OutPointer<IDResult>
  ) throws(Errno) -> Int { try getRESID(task, .groups, real, effective, saved) }

  static func setfsuid(_ task: Task, _ id: IDChange) throws(Errno) -> Int { setFileSystemID(task, .users, id) }
  static func setfsgid(_ task: Task, _ id: IDChange) throws(Errno) -> Int { setFileSystemID(task, .groups, id) }

  private static func setID(_ task: Task, _ family: IdentityFamily, _ id: IDChange) throws(Errno) -> Int {
    guard let id = id.value else { throw .invalidArgument }
    var new = task.credentials
    if new.has(family.capability) {
      new[family].real = id
      new[family].saved = id
    } else if id != new[family].real && id != new[family].saved {
      throw .notPermitted
    }
    new[family].effective = id
    new[family].fileSystem = id
    task.adopt(new)
    return 0
  }

  private static func setREID(
    _ task: Task, _ family: IdentityFamily, _ real: UInt32?, _ effective: UInt32?
  ) throws(Errno) -> Int {
    var new = task.credentials
    let old = new[family]
    if !new.has(family.capability) {
      if let real, real != old.real, real != old.effective { throw .notPermitted }
      if let effective, ![old.real, old.effective, old.saved].contains(effective) { throw .notPermitted }
    }
    var ids = old
    if let real { ids.real = real }
    if let effective { ids.effective = effective }
    if real != nil || effective != nil && effective != old.real { ids.saved = ids.effective }
    ids.fileSystem = ids.effective
    new[family] = ids
    task.adopt(new)
    return 0
  }

  private static func setRESID(
    _ task: Task, _ family: IdentityFamily, _ real: UInt32?, _ effective: UInt32?, _ saved: UInt32?
  ) throws(Errno) -> Int {
    var new = task.credentials
    let old = new[family]
    for id in [real, effective, saved] where !new.has(family.capability) {
      if let id, ![old.real, old.effective, old.saved].contains(id) { throw .notPermitted }
    }
    var ids = old
    if let real { ids.real = real }
    if let effective { ids.effective = effective }
    if let saved { ids.saved = saved }
    ids.fileSystem = ids.effective
    new[family] = ids
    task.adopt(new)
    return 0
  }

  private static func getRESID(
    _ task: Task, _ family: IdentityFamily, _ real: OutPointer<IDResult>, _ effective: OutPointer<IDResult>,
    _ saved: OutPointer<IDResult>
  ) throws(Errno) -> Int {
    let ids = task.credentials[family]
    try task.store(IDResult(id: ids.real), to: real)
    try task.store(IDResult(id: ids.effective), to: effective)
    try task.store(IDResult(id: ids.saved), to: saved)
    return 0
  }

  /// The old id is returned whether it changed or not.
  private static func setFileSystemID(_ task: Task, _ family: IdentityFamily, _ id: IDChange) -> Int {
    var new = task.credentials
    let old = new[family]
    if let id = id.value,
      new.has(family.capability) || [old.real, old.effective, old.saved, old.fileSystem].contains(id)
    {
      new[family].fileSystem = id
      task.adopt(new)
    }
    return Int(old.fileSystem)
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
    try task.setGroups(groups.sorted())
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

/// Users and groups: the calls that change the ids of one and of the other are alike.
private enum IdentityFamily {
  case users, groups

  /// Allows to take on any id.
  var capability: Capability {
    switch self {
    case .users: .setuid
    case .groups: .setgid
    }
  }
}

extension Credentials {
  fileprivate subscript(_ family: IdentityFamily) -> IdentityIDs {
    get {
      switch family {
      case .users: userIDs
      case .groups: groupIDs
      }
    }
    set {
      switch family {
      case .users: userIDs = newValue
      case .groups: groupIDs = newValue
      }
    }
  }
}
