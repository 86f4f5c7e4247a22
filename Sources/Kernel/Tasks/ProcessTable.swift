import LinuxABI

/// The tasks and processes of a kernel, its process groups and sessions, all by their ids; and which ids are free.
final class ProcessTable {
  private(set) var tasks: [ProcessID: Task] = [:]
  /// The tasks of each user (real uid).
  private var tasksOfUsers: [UInt32: [ProcessID: Task]] = [:]
  /// Processes, until they are reaped.
  private(set) var groups: [ProcessID: ThreadGroup] = [:]
  /// All processes in the order of their ids, so that every run does things to them in the same order.
  var processes: [ThreadGroup] { groups.values.sorted { $0.id < $1.id } }
  /// Those that have members.
  private(set) var processGroups: [ProcessID: ProcessGroup] = [:]
  private(set) var sessions: [ProcessID: Session] = [:]
  private let maximumTasks: Int
  private var lastID: ProcessID

  /// `/proc/sys/kernel/pid_max` − 1.
  static let maximumID = ProcessID(rawValue: 4_194_303)

  /// The first id that is given away is the one after `lastID`.
  init(maximumTasks: Int, lastID: ProcessID = .initial) {
    self.maximumTasks = maximumTasks
    self.lastID = lastID
  }

  /// A process or thread id that is free, as is the process group and session of that id.
  /// - Throws: `EAGAIN` where all are taken.
  func makeID() throws(Errno) -> ProcessID {
    guard tasks.count < maximumTasks else { throw .resourceTemporarilyUnavailable }
    repeat {
      lastID = ProcessID(rawValue: lastID >= ProcessTable.maximumID ? 2 : lastID.rawValue + 1)
    } while tasks[lastID] != nil || groups[lastID] != nil || processGroups[lastID] != nil || sessions[lastID] != nil
    return lastID
  }

  // MARK: Tasks and processes

  /// Adds a task, or gives it the id of the one that had it before.
  func add(_ task: Task) {
    if let old = tasks.updateValue(task, forKey: task.id) { tasksOfUsers.remove(old, of: old.credentials.uid) }
    tasksOfUsers[task.credentials.uid, default: [:]][task.id] = task
  }

  func remove(_ task: Task) {
    guard tasks[task.id] === task else { return }
    tasks[task.id] = nil
    tasksOfUsers.remove(task, of: task.credentials.uid)
  }

  /// A task, which may be in the table, belonged to another user until now.
  func userChanged(of task: Task, from old: UInt32) {
    guard tasks[task.id] === task else { return }
    tasksOfUsers.remove(task, of: old)
    tasksOfUsers[task.credentials.uid, default: [:]][task.id] = task
  }

  /// The tasks of a user (real uid), in the order of their ids; those that have ended too, until they are reaped.
  func tasks(ofUser uid: UInt32) -> [Task] { tasksOfUsers[uid]?.values.sorted { $0.id < $1.id } ?? [] }
  func taskCount(ofUser uid: UInt32) -> Int { tasksOfUsers[uid]?.count ?? 0 }

  /// Adds a process to the table and to its process group.
  func add(_ group: ThreadGroup) {
    groups[group.id] = group
    enter(group)
  }

  /// Forgets a process, and the leader that has its id.
  func remove(_ group: ThreadGroup) {
    if let leader = tasks[group.id] { remove(leader) }
    groups[group.id] = nil
    leave(group)
  }

  /// At the end of the sandbox. Lets go of what refers to each other.
  func removeAll() {
    for group in groups.values { leave(group) }
    tasks = [:]
    tasksOfUsers = [:]
    groups = [:]
  }

  // MARK: Process groups and sessions

  /// Makes a process a member of a process group of its session, which is new where the id is its own (setpgid(2)).
  /// - Throws: `EPERM` where the session has no such process group.
  func move(_ group: ThreadGroup, toProcessGroup id: ProcessID) throws(Errno) {
    let session = group.processGroup.session
    let target: ProcessGroup
    if let found = processGroups[id] {
      guard found.session === session else { throw .notPermitted }
      target = found
    } else {
      guard id == group.id else { throw .notPermitted }
      target = ProcessGroup(id: id, session: session)
    }
    move(group, to: target)
  }

  /// Makes a process the leader of a new session, and of a new process group in it (setsid(2)).
  /// - Throws: `EPERM` where there is a session or a process group of its id.
  func startSession(_ group: ThreadGroup) throws(Errno) {
    guard processGroups[group.id] == nil, sessions[group.id] == nil else { throw .notPermitted }
    move(group, to: ProcessGroup(id: group.id, session: Session(id: group.id)))
  }

  private func move(_ group: ThreadGroup, to target: ProcessGroup) {
    guard target !== group.processGroup else { return }
    leave(group)
    group.processGroup = target
    enter(group)
  }

  /// The first member brings its process group into the table, and that its session.
  private func enter(_ group: ThreadGroup) {
    let processGroup = group.processGroup
    if processGroup.members.isEmpty {
      let session = processGroup.session
      if session.processGroups.isEmpty { sessions[session.id] = session }
      session.insert(processGroup)
      processGroups[processGroup.id] = processGroup
    }
    processGroup.insert(group)
  }

  /// The last member takes its process group out of the table, and that its session.
  private func leave(_ group: ThreadGroup) {
    let processGroup = group.processGroup
    processGroup.remove(group)
    guard processGroup.members.isEmpty else { return }
    let session = processGroup.session
    session.remove(processGroup)
    processGroups[processGroup.id] = nil
    if session.processGroups.isEmpty { sessions[session.id] = nil }
  }
}

extension [UInt32: [ProcessID: Task]] {
  /// A user without tasks is not kept.
  fileprivate mutating func remove(_ task: Task, of uid: UInt32) {
    self[uid]?[task.id] = nil
    if self[uid]?.isEmpty ?? false { self[uid] = nil }
  }
}
