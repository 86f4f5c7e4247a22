import Host
import LinuxABI

/// What guests have locked of a file of a volume, as the host sees it: the locks of all guests together, held by one open
/// file description of each kind. Guests keep each other out by `FileLocks` before the host is asked.
final class HostLocks {
  private unowned let inode: HostInode
  /// Needed until the end, when the inode is gone already.
  private unowned let services: any KernelServices
  /// The description with the flock(2) lock.
  private var whole: HostDescriptor?
  /// The description with the record locks (`F_OFD_SETLK` of fcntl(2)), and what it was opened for.
  private var records: HostDescriptor?
  private var access: OpenFlags = []
  /// The host refused a lock, and nobody was woken to try again since.
  private var wasRefused = false
  /// Wakes those who wait, later each time.
  private var retry: KernelTimer?
  private var delay = HostLocks.shortestDelay

  private static let shortestDelay = Nanoseconds.milliseconds(1) / 2
  private static let longestDelay = Nanoseconds.milliseconds(10)

  init(_ inode: HostInode) {
    self.inode = inode
    services = inode.fileSystem.context.services
  }

  deinit { if let retry { services.disarm(retry) } }

  private var quota: HostDescriptorQuota { inode.fileSystem.context.hostDescriptors }

  /// Notes what the host said. File systems without locks leave them to the guests.
  private func asking(_ body: () throws(Errno) -> Void) throws(Errno) {
    do throws(Errno) {
      try body()
      delay = HostLocks.shortestDelay
    } catch .wouldBlock, .permissionDenied {
      wasRefused = true
      throw .wouldBlock
    } catch .noLocks {
      throw .noLocks
    } catch {}
  }

  /// Sees to it that `queue` is woken when the host might no longer refuse.
  func prepareToWait(waking queue: WaitQueue) {
    guard wasRefused else { return }
    wasRefused = false
    let timer = retry ?? KernelTimer { [unowned queue] in queue.wake() }
    retry = timer
    services.arm(timer, deadline: services.monotonicTime + delay)
    delay = min(delay + delay, HostLocks.longestDelay)
  }

  // MARK: flock

  func lockWhole(_ kind: FileLockKind, through file: OpenFile?) throws(Errno) {
    let held: HostDescriptor
    if let whole { held = whole } else { held = try open([[]], through: file).descriptor }
    whole = held
    do throws(Errno) {
      try asking { () throws(Errno) in try Host.lockWhole(held.number, kind == .write ? .exclusive : .shared) }
    } catch {
      whole = nil
      throw error
    }
  }

  func unlockWhole() {
    if let whole { try? Host.lockWhole(whole.number, .unlock) }
    whole = nil
  }

  // MARK: records

  /// - Parameter held: what guests have locked already.
  func lock(
    _ range: Range<Int64>, _ kind: FileLockKind, through file: OpenFile?, held: [FileLockRecord]
  ) throws(Errno) {
    let descriptor = try descriptor(for: kind, through: file, held: held)
    defer { if held.isEmpty && wasRefused { close() } }
    try asking { () throws(Errno) in
      try Host.setLock(descriptor.number, HostLocks.request(range, kind))
    }
  }

  func unlock(_ range: Range<Int64>) {
    guard let records else { return }
    try? Host.setLock(records.number, HostLocks.request(range, nil))
  }

  /// No guest has a record any more.
  func close() { records = nil }

  /// A lock in the way, whose owner is nobody that guests know.
  func test(_ range: Range<Int64>, _ kind: FileLockKind, through file: OpenFile?) -> FileLockRecord? {
    do throws(Errno) {
      let descriptor: HostDescriptor
      if let records { descriptor = records } else { descriptor = try open([[]], through: file).descriptor }
      let found = try Host.testLock(descriptor.number, HostLocks.request(range, kind))
      guard let kind = FileLockKind(rawValue: found.type) else { return nil }
      let end = found.length == 0 ? Int64.max : found.start &+ found.length
      guard found.start < end else { return nil }
      // A process of the host has no number here, and a description has none anyway.
      let processID = found.processID == .nobody ? ProcessID.nobody : .zero
      return FileLockRecord(
        owner: .description(ObjectIdentifier(self)), processID: processID, kind: kind, range: found.start..<end)
    } catch { return nil }
  }

  /// Without a kind: to unlock.
  private static func request(_ range: Range<Int64>, _ kind: FileLockKind?) -> RecordLock {
    var lock = RecordLock()
    lock.type = kind?.rawValue ?? RecordLock.Kind.unlocked.rawValue
    lock.start = range.lowerBound
    lock.length = range.upperBound == .max ? 0 : range.upperBound - range.lowerBound
    return lock
  }

  // MARK: descriptions

  /// The description for records of a kind. Where the one there is was not opened for it, another takes its records over.
  private func descriptor(
    for kind: FileLockKind, through file: OpenFile?, held: [FileLockRecord]
  ) throws(Errno) -> HostDescriptor {
    if let records, kind == .write ? access.isWritable : access.isReadable { return records }
    let opened = try open(kind == .write ? [.readWrite] : [.readWrite, []], through: file)
    do throws(Errno) {
      for record in held {
        try Host.setLock(opened.descriptor.number, HostLocks.request(record.range, record.kind))
      }
    } catch { throw .noLocks }
    (records, access) = opened
    return opened.descriptor
  }

  /// A description of its own where the file still has its name, so that no guest shares it; else that of `file`.
  private func open(
    _ choices: [OpenFlags], through file: OpenFile?
  ) throws(Errno) -> (descriptor: HostDescriptor, access: OpenFlags) {
    if inode.kind == .directory { return (HostDescriptor(try inode.openList(), quota: quota), []) }
    for flags in choices {
      guard let descriptor = try? inode.openRegular(flags) else { continue }
      return (HostDescriptor(descriptor, quota: quota), flags)
    }
    guard let own = file as? HostFile, let descriptor = own.hostDescriptor else { throw .noLocks }
    return (descriptor, own.flags.intersection(.accessMask))
  }
}
