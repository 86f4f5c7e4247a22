import LinuxABI
import Memory

/// Read (shared) or write (exclusive) lock.
package enum FileLockKind: Int16, Sendable {
  case read = 0
  case write = 1
}

/// Who holds a record lock (fcntl(2)).
package enum FileLockOwner: Hashable, Sendable {
  /// A process, by its descriptor table (`F_SETLK`).
  case process(ObjectIdentifier)
  /// An open file description (`F_OFD_SETLK`).
  case description(ObjectIdentifier)
}

/// A locked range of bytes.
package struct FileLockRecord: Sendable {
  package var owner: FileLockOwner
  /// Process id that `F_GETLK` reports; -1 for open file description locks.
  package var processID: ProcessID
  package var kind: FileLockKind
  /// Bytes from `range.lowerBound` on; an upper bound of `Int64.max` means the end of the file, wherever it is.
  package var range: Range<Int64>
}

/// The advisory locks on one inode: flock(2) and fcntl(2) record locks, which do not see each other.
///
/// Nothing blocks: what is refused throws `.wouldBlock`, and `waitQueue` is woken when a lock is given up.
///
/// Of a host file, whatever any guest has locked is locked on the host, too (`HostLocks`).
package final class FileLocks {
  /// Woken when a lock is given up.
  package let waitQueue = WaitQueue()
  /// Record locks of all owners; those of one owner never overlap.
  package private(set) var records: [FileLockRecord] = []
  /// Charged for the records.
  private var charge: MemoryCharge?
  /// What one takes while the list grows.
  private static let price = 192
  /// flock(2) locks by open file description.
  private var whole: [ObjectIdentifier: FileLockKind] = [:]
  /// The locks on the file of the host; nil for files that others than guests of this sandbox can't lock.
  private let host: HostLocks?

  package convenience init() { self.init(host: nil) }
  init(host: HostLocks?) { self.host = host }

  /// Somebody is going to wait on `waitQueue` after a refusal: of locks that others on the host give up nobody tells, so
  /// the queue is woken now and then.
  package func prepareToWait() { host?.prepareToWait(waking: waitQueue) }

  // MARK: flock

  /// Takes or converts a whole-file lock. A conversion gives up the old lock first, as Linux does.
  /// - Throws: `.wouldBlock` while another description holds a lock in the way.
  package func lockWhole(_ file: OpenFile, _ kind: FileLockKind) throws(Errno) {
    let owner = ObjectIdentifier(file)
    if whole[owner] == kind { return }
    let hadLock = whole.removeValue(forKey: owner) != nil
    defer { if hadLock { waitQueue.wake() } }
    if kind == .write ? !whole.isEmpty : whole.values.contains(.write) { throw .wouldBlock }
    // Where others hold one, it is shared, and so is the host's.
    if whole.isEmpty { try host?.lockWhole(kind, through: file) }
    whole[owner] = kind
  }

  /// Gives up a whole-file lock.
  package func unlockWhole(_ file: OpenFile) {
    guard whole.removeValue(forKey: ObjectIdentifier(file)) != nil else { return }
    if whole.isEmpty { host?.unlockWhole() }
    waitQueue.wake()
  }

  // MARK: records

  /// The first record that keeps `owner` from locking the range; nil where no guest does.
  package func test(owner: FileLockOwner, range: Range<Int64>, kind: FileLockKind) -> FileLockRecord? {
    records.filter { record in
      record.owner != owner && record.range.overlaps(range) && (kind == .write || record.kind == .write)
    }.min { $0.range.lowerBound < $1.range.lowerBound }
  }

  /// A record of others on the host that keeps all guests from locking the range (`F_GETLK`).
  package func testOutside(_ range: Range<Int64>, _ kind: FileLockKind, through file: OpenFile) -> FileLockRecord? {
    host?.test(range, kind, through: file)
  }

  /// Makes sure that there is memory for what one `acquire` or `release` may add. - Throws: `ENOLCK`.
  package func reserve(in memory: KernelMemory) throws(Errno) {
    if charge == nil { charge = memory.openCharge() }
    try charge?.resize(toHold: (records.count + 2) * FileLocks.price, otherwise: .noLocks)
  }

  /// The first record of `owner` in a range (`F_OFD_GETLK` for `F_UNLCK`).
  package func held(by owner: FileLockOwner, in range: Range<Int64>) -> FileLockRecord? {
    records.filter { $0.owner == owner && $0.range.overlaps(range) }.min { $0.range.lowerBound < $1.range.lowerBound }
  }

  /// Locks a range, replacing what the owner holds there. `file` was opened for what the kind needs.
  /// - Throws: `.wouldBlock` while another owner holds a lock in the way, `ENOLCK`.
  package func acquire(
    owner: FileLockOwner, range: Range<Int64>, kind: FileLockKind, processID: ProcessID, through file: OpenFile? = nil
  ) throws(Errno) {
    if test(owner: owner, range: range, kind: kind) != nil { throw .wouldBlock }
    // Other guests have at most locks of the same kind there.
    try host?.lock(range, kind, through: file, held: records)
    let weakened = cut(range, from: owner)
    var merged = range
    // Neighbours of the same kind become one record.
    records.removeAll { record in
      guard record.owner == owner, record.kind == kind,
        record.range.upperBound == merged.lowerBound || record.range.lowerBound == merged.upperBound
      else { return false }
      merged = min(merged.lowerBound, record.range.lowerBound)..<max(merged.upperBound, record.range.upperBound)
      return true
    }
    records.append(FileLockRecord(owner: owner, processID: processID, kind: kind, range: merged))
    if weakened { waitQueue.wake() }
  }

  /// Unlocks a range.
  package func release(owner: FileLockOwner, range: Range<Int64>) {
    guard cut(range, from: owner) else { return }
    releaseOutside(range)
    waitQueue.wake()
  }

  /// Unlocks on the host what no guest has locked any more.
  private func releaseOutside(_ range: Range<Int64>) {
    guard let host else { return }
    var start = range.lowerBound
    let others = records.filter { $0.range.overlaps(range) }.sorted { $0.range.lowerBound < $1.range.lowerBound }
    for record in others {
      if record.range.lowerBound > start { host.unlock(start..<record.range.lowerBound) }
      start = max(start, record.range.upperBound)
    }
    if start < range.upperBound { host.unlock(start..<range.upperBound) }
    if records.isEmpty { host.close() }
  }

  /// Unlocks everything an owner holds: a process closed a descriptor of the file, or a description is gone.
  package func releaseAll(owner: FileLockOwner) {
    let held = records.filter { $0.owner == owner }
    if !held.isEmpty {
      records.removeAll { $0.owner == owner }
      for record in held { releaseOutside(record.range) }
      waitQueue.wake()
    }
    if records.isEmpty { charge = nil }
  }

  /// True where nobody holds a lock.
  package var isEmpty: Bool { records.isEmpty && whole.isEmpty }

  /// Removes a range from an owner's records; true where something was removed.
  private func cut(_ range: Range<Int64>, from owner: FileLockOwner) -> Bool {
    var result: [FileLockRecord] = []
    var changed = false
    for record in records {
      guard record.owner == owner, record.range.overlaps(range) else {
        result.append(record)
        continue
      }
      changed = true
      if record.range.lowerBound < range.lowerBound {
        var left = record
        left.range = record.range.lowerBound..<range.lowerBound
        result.append(left)
      }
      if record.range.upperBound > range.upperBound {
        var right = record
        right.range = range.upperBound..<record.range.upperBound
        result.append(right)
      }
    }
    records = result
    return changed
  }
}
