import FileSystem
import LinuxABI
import Memory

/// Record locks (fcntl(2), `F_SETLK` and `F_OFD_SETLK`).
extension Syscalls {
  static func recordLock(
    _ task: Task, _ descriptor: FileDescriptorNumber, _ file: OpenFile, _ command: FcntlCommand,
    _ pointer: InOutPointer<RecordLock>
  ) throws(Errno) -> CallOutcome<Int> {
    var request = try task.load(pointer)
    let isDescription = [.getDescriptionLock, .setDescriptionLock, .setDescriptionLockWait].contains(command)
    if isDescription, request.processID != .zero { throw .invalidArgument }
    let range = try lockedRange(request, file)
    let owner: FileLockOwner =
      isDescription ? .description(ObjectIdentifier(file)) : .process(ObjectIdentifier(task.files))
    let kind = FileLockKind(rawValue: request.type)
    guard kind != nil || RecordLock.Kind(rawValue: request.type) == .unlocked else { throw .invalidArgument }
    guard let locks = file.inode?.locks else { throw .badFileDescriptor }

    if command == .getLock || command == .getDescriptionLock {
      guard kind != nil || isDescription else { throw .invalidArgument }
      let record =
        kind.map {
          locks.test(owner: owner, range: range, kind: $0) ?? locks.testOutside(range, $0, through: file)
        } ?? locks.held(by: owner, in: range)
      if let found = record {
        request.type = found.kind.rawValue
        request.whence = Int16(Whence.start.rawValue)
        request.start = found.range.lowerBound
        request.length = found.range.upperBound == .max ? 0 : found.range.upperBound - found.range.lowerBound
        request.processID = found.processID
      } else {
        request.type = RecordLock.Kind.unlocked.rawValue
      }
      try task.store(request, to: pointer)
      return .done(0)
    }

    guard let kind else {
      locks.release(owner: owner, range: range)
      return .done(0)
    }
    guard kind == .read ? file.flags.isReadable : file.flags.isWritable else { throw .badFileDescriptor }
    do throws(Errno) {
      try locks.reserve(in: task.kernel.kernelMemory)
      try locks.acquire(
        owner: owner, range: range, kind: kind, processID: isDescription ? .nobody : task.group.id, through: file)
    } catch {
      guard error == .wouldBlock, command == .setLockWait || command == .setDescriptionLockWait else { throw error }
      let request = RecordLockRequest(locks: locks, owner: owner, range: range, kind: kind)
      if !isDescription, task.kernel.recordLockWaits.wouldDeadlock(request) { throw .deadlock }
      task.call.kept = .recordLock(RecordLockWait(request, among: task.kernel.recordLockWaits))
      locks.prepareToWait()
      return .suspended(task.wait(on: [locks.waitQueue]))
    }
    // A process's locks end with any descriptor of their file: this one came too late.
    if task.call.isRetry, !isDescription, (try? task.files.file(descriptor)) !== file {
      locks.release(owner: owner, range: range)
      throw .badFileDescriptor
    }
    return .done(0)
  }

  /// The bytes that a request names; up to `Int64.max` means to the end of the file, wherever it is.
  private static func lockedRange(_ request: RecordLock, _ file: OpenFile) throws(Errno) -> Range<Int64> {
    let base: Int64
    switch Whence(rawValue: Int32(request.whence)) {
    case .start: base = 0
    case .current: base = Int64(clamping: file.position)
    case .end: base = try file.attributes().size
    default: throw .invalidArgument
    }
    let (start, overflow) = base.addingReportingOverflow(request.start)
    guard !overflow else { throw .overflow }
    guard start >= 0 else { throw .invalidArgument }
    if request.length == 0 { return start..<Int64.max }
    let (end, over) = start.addingReportingOverflow(request.length)
    guard !over else { throw .overflow }
    if request.length > 0 { return start..<end }
    guard end >= 0 else { throw .invalidArgument }
    return end..<start
  }
}

/// What a task in `F_SETLKW` waits for. It is known by its owner for as long as there is this.
final class RecordLockWait {
  let request: RecordLockRequest
  private let waits: RecordLockWaits
  private let number: Int

  init(_ request: RecordLockRequest, among waits: RecordLockWaits) {
    self.request = request
    self.waits = waits
    number = waits.add(request)
  }

  deinit { waits.remove(number, of: request.owner) }
}

/// A lock that an owner wants.
struct RecordLockRequest {
  let locks: FileLocks
  let owner: FileLockOwner
  let range: Range<Int64>
  let kind: FileLockKind

  /// Who holds a lock in the way.
  var blocker: FileLockOwner? { locks.test(owner: owner, range: range, kind: kind)?.owner }
}

/// What is waited for in `F_SETLKW`, by the owners who wait.
final class RecordLockWaits {
  private var requests: [FileLockOwner: [(number: Int, request: RecordLockRequest)]] = [:]
  private var count = 0

  /// Owners in a row that are looked at, as in Linux.
  private static let longestChain = 10

  fileprivate func add(_ request: RecordLockRequest) -> Int {
    count += 1
    requests[request.owner, default: []].append((count, request))
    return count
  }

  fileprivate func remove(_ number: Int, of owner: FileLockOwner) {
    requests[owner]?.removeAll { $0.number == number }
    if requests[owner]?.isEmpty == true { requests[owner] = nil }
  }

  /// Whether whoever stands in the way of a request waits, through others, for its owner.
  fileprivate func wouldDeadlock(_ request: RecordLockRequest) -> Bool {
    var blocker = request.blocker
    for _ in 0..<RecordLockWaits.longestChain {
      guard let current = blocker, let next = requests[current]?.first else { return false }
      blocker = next.request.blocker
      if blocker == request.owner { return true }
    }
    return false
  }
}
