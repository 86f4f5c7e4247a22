import LinuxABI
import Testing

@testable import Kernel

@Suite struct ProcessTableTests {
  let machine: TestMachine
  var table: ProcessTable { machine.kernel.processTable }
  var parent: Task { machine.first }

  init() throws { machine = try TestMachine() }

  /// A process that was not made by a program.
  private func addProcess(_ id: ProcessID, in processGroup: ProcessGroup) -> ThreadGroup {
    let group = ThreadGroup(id: id, parent: nil, processGroup: processGroup, signals: GroupSignals())
    table.add(group)
    return group
  }

  @Test func idsOfProcessGroupsAndSessionsAreNotGivenAway() throws {
    let taken = ProcessGroup(id: 5, session: Session(id: 4))
    let table = ProcessTable(maximumTasks: 10)
    let member = ThreadGroup(id: 3, parent: nil, processGroup: taken, signals: GroupSignals())
    table.add(member)
    #expect(try [table.makeID(), table.makeID()] == [2, 6])
    table.remove(member)
    #expect(table.processGroups.isEmpty && table.sessions.isEmpty)
  }

  @Test func idsBeginAnewAfterTheHighest() throws {
    let table = ProcessTable(maximumTasks: 10, lastID: ProcessID(rawValue: ProcessTable.maximumID.rawValue - 1))
    #expect(try table.makeID() == ProcessTable.maximumID)
    #expect(try table.makeID() == 2)
  }

  @Test func processGroupLivesAsLongAsItsMembers() throws {
    let child = try machine.fork(parent)
    let sibling = try machine.fork(parent)
    #expect(try machine.call(parent, .setpgid, UInt64(child.id), 0) == 0)
    #expect(try machine.call(parent, .setpgid, UInt64(sibling.id), UInt64(child.id)) == 0)
    let group = try #require(table.processGroups[child.id])
    #expect(group.members.map(\.id) == [child.id, sibling.id])
    #expect(group.session === parent.group.session)
    // A zombie is a member until it is waited for.
    _ = try machine.call(child, .exit_group, 0)
    #expect(group.members.count == 2)
    #expect(try machine.call(parent, .wait4, UInt64(child.id), 0, 0, 0) == Int(child.id))
    #expect(table.processGroups[child.id] === group)
    #expect(try machine.call(parent, .setpgid, UInt64(sibling.id), UInt64(parent.id)) == 0)
    #expect(table.processGroups[child.id] == nil)
    #expect(parent.group.processGroup.members.map(\.id) == [parent.id, sibling.id])
  }

  @Test func tasksOfUsersFollowTheirCredentials() throws {
    let child = try machine.fork(parent)
    #expect(table.tasks(ofUser: 0).map(\.id) == [parent.id, child.id])
    #expect(try machine.call(child, .setresuid, 7, 7, 7) == 0)
    #expect(table.tasks(ofUser: 0).map(\.id) == [parent.id])
    #expect(table.taskCount(ofUser: 7) == 1)
    // A zombie counts until it is waited for.
    _ = try machine.call(child, .exit_group, 0)
    #expect(table.tasks(ofUser: 7).map(\.id) == [child.id])
    #expect(try machine.call(parent, .wait4, UInt64(child.id), 0, 0, 0) == Int(child.id))
    #expect(table.taskCount(ofUser: 7) == 0)
  }

  @Test func membersAreInTheOrderOfTheirIDs() {
    let group = ProcessGroup(id: 100, session: Session(id: 100))
    for id: ProcessID in [102, 100, 103, 101] { _ = addProcess(id, in: group) }
    #expect(group.members.map(\.id) == [100, 101, 102, 103])
    table.remove(group.members[1])
    #expect(group.members.map(\.id) == [100, 102, 103])
    for member in group.members where member.id != 102 { member.isStopped = true }
    #expect(group.session.stoppedMembers.map(\.id) == [100, 103])
  }

  @Test func processGroupsDoNotSpanSessions() throws {
    let child = try machine.fork(parent)
    let sibling = try machine.fork(parent)
    #expect(try machine.call(child, .setsid) == Int(child.id))
    #expect(table.sessions[child.id] === child.group.session)
    let refused = -Int(Errno.notPermitted.rawValue)
    #expect(try machine.call(sibling, .setpgid, 0, UInt64(child.id)) == refused)
    #expect(try machine.call(sibling, .setpgid, 0, 4000) == refused)
    #expect(try machine.call(child, .setpgid, 0, UInt64(parent.id)) == refused)
    #expect(try machine.call(child, .setsid) == refused)
  }

  @Test func leaderOfAProcessGroupStartsNoSession() throws {
    let child = try machine.fork(parent)
    let sibling = try machine.fork(parent)
    #expect(try machine.call(child, .setpgid, 0, 0) == 0)
    #expect(try machine.call(sibling, .setpgid, 0, UInt64(child.id)) == 0)
    // Not even after it has left its process group to others.
    #expect(try machine.call(child, .setpgid, 0, UInt64(parent.id)) == 0)
    #expect(try machine.call(child, .setsid) == -Int(Errno.notPermitted.rawValue))
    #expect(try machine.call(sibling, .setpgid, 0, UInt64(parent.id)) == 0)
    #expect(try machine.call(child, .setsid) == Int(child.id))
  }

  @Test func zombieKeepsNoProcessGroupFromBeingOrphaned() throws {
    let child = try machine.fork(parent)
    try table.move(child.group, toProcessGroup: child.id)
    #expect(!child.group.processGroup.isOrphaned)
    _ = try machine.fork(child)
    _ = try machine.call(child, .exit_group, 0)
    #expect(child.group.isZombie)
    #expect(child.group.processGroup.isOrphaned)
  }
}
