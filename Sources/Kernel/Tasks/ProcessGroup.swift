import LinuxABI

/// Processes that a shell treats as one job (setpgid(2), credentials(7)). All are of one session.
///
/// `ProcessTable` keeps it as long as it has members. A process that has been reaped still knows what it was a member of.
final class ProcessGroup {
  let id: ProcessID
  let session: Session
  /// In the order of their ids; zombies are members until they are reaped.
  private(set) var members: [ThreadGroup] = []

  init(id: ProcessID, session: Session) {
    self.id = id
    self.session = session
  }

  /// No process of the group has a parent that is in the same session but outside of the group, and so could continue it.
  /// Terminal stop signals have no effect on such a group (setpgid(2)).
  var isOrphaned: Bool {
    !members.contains { member in
      guard !member.isZombie, let parent = member.parent?.processGroup else { return false }
      return parent.session === session && parent !== self
    }
  }

  func insert(_ process: ThreadGroup) { members.insert(process, at: index(of: process.id)) }

  func remove(_ process: ThreadGroup) {
    let index = index(of: process.id)
    if index < members.count, members[index] === process { members.remove(at: index) }
  }

  /// Where the process of an id is, or would be.
  private func index(of id: ProcessID) -> Int {
    var range = members.indices
    while let last = range.last {
      let middle = range.lowerBound + (last - range.lowerBound) / 2
      range = members[middle].id < id ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return range.lowerBound
  }
}

/// Process groups that share a controlling terminal (setsid(2), credentials(7)).
final class Session {
  let id: ProcessID
  /// Those that have members.
  private(set) var processGroups: [ProcessGroup] = []

  init(id: ProcessID) { self.id = id }

  /// Those of its processes that are stopped, in the order of their ids.
  var stoppedMembers: [ThreadGroup] {
    // Looked at whenever a process ends, and mostly there are none.
    var stopped: [ThreadGroup] = []
    for group in processGroups {
      for member in group.members where member.isStopped { stopped.append(member) }
    }
    return stopped.sorted { $0.id < $1.id }
  }

  func insert(_ group: ProcessGroup) { processGroups.append(group) }
  func remove(_ group: ProcessGroup) { processGroups.removeAll { $0 === group } }
}
