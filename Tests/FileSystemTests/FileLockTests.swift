import LinuxABI
import TestSupport
import Testing

@testable import FileSystem

/// Record locks (fcntl(2)) and whole-file locks (flock(2)).
@Suite struct FileLockTests {
  private let one = FileLockOwner.process(ObjectIdentifier(FileTable.self))
  private let two = FileLockOwner.description(ObjectIdentifier(OpenFile.self))

  private func ranges(_ locks: FileLocks) -> [Range<Int64>] {
    locks.records.map(\.range).sorted { $0.lowerBound < $1.lowerBound }
  }

  @Test func rangesAreCutAndJoined() throws {
    let locks = FileLocks()
    try locks.acquire(owner: one, range: 0..<100, kind: .write, processID: .initial)
    locks.release(owner: one, range: 40..<60)
    #expect(ranges(locks) == [0..<40, 60..<100])
    try locks.acquire(owner: one, range: 40..<60, kind: .write, processID: .initial)
    #expect(ranges(locks) == [0..<100])
    try locks.acquire(owner: one, range: 20..<30, kind: .read, processID: .initial)
    #expect(ranges(locks) == [0..<20, 20..<30, 30..<100])
    locks.release(owner: one, range: 0..<Int64.max)
    #expect(locks.isEmpty)
  }

  @Test func conflictsAreFoundAndWaitersWoken() throws {
    let locks = FileLocks()
    let waiter = CountingWaiter()
    locks.waitQueue.add(waiter)
    try locks.acquire(owner: one, range: 10..<20, kind: .read, processID: ProcessID(rawValue: 7))
    try locks.acquire(owner: two, range: 15..<25, kind: .read, processID: .nobody)
    #expect(throws: Errno.wouldBlock) {
      try locks.acquire(owner: two, range: 0..<11, kind: .write, processID: .nobody)
    }
    #expect(locks.test(owner: two, range: 0..<11, kind: .write)?.processID.rawValue == 7)
    #expect(locks.test(owner: two, range: 0..<10, kind: .write) == nil)
    #expect(waiter.count == 0)
    locks.releaseAll(owner: one)
    #expect(waiter.count == 1)
    try locks.acquire(owner: two, range: 0..<11, kind: .write, processID: .nobody)
  }

  @Test func wholeFileLocksBelongToDescriptions() throws {
    let tree = try TestTree(.memory)
    try tree.vfs.makeNode("/f", tree.paths, mode: FileMode(.regular, permissions: 0o644))
    let first = try tree.open("/f")
    let second = try tree.open("/f")
    let locks = try #require(first.inode?.locks)
    #expect(second.inode?.locks === locks)
    try locks.lockWhole(first, .read)
    try locks.lockWhole(second, .read)
    #expect(throws: Errno.wouldBlock) { try locks.lockWhole(first, .write) }
    locks.unlockWhole(second)
    try locks.lockWhole(first, .write)
    #expect(throws: Errno.wouldBlock) { try locks.lockWhole(second, .read) }
    // The last descriptor takes the lock along.
    let table = FileTable.make()
    let descriptor = try table.add(first, closeOnExec: false, limit: 10)
    let copy = try table.add(first, closeOnExec: false, limit: 10)
    try table.close(descriptor)
    #expect(throws: Errno.wouldBlock) { try locks.lockWhole(second, .read) }
    try table.close(copy)
    try locks.lockWhole(second, .read)
  }

  @Test func recordLocksEndWithAnyDescriptorOfTheProcess() throws {
    let tree = try TestTree(.memory)
    try tree.vfs.makeNode("/f", tree.paths, mode: FileMode(.regular, permissions: 0o644))
    let table = FileTable.make()
    let first = try tree.open("/f")
    _ = try table.add(first, closeOnExec: false, limit: 10)
    let second = try table.add(try tree.open("/f"), closeOnExec: false, limit: 10)
    let locks = try #require(first.inode?.locks)
    let owner = FileLockOwner.process(ObjectIdentifier(table))
    try locks.acquire(owner: owner, range: 0..<1, kind: .write, processID: .initial)
    try table.close(second)
    #expect(locks.isEmpty)
  }
}
