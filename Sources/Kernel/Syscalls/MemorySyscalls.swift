import FileSystem
import LinuxABI
import Memory

/// Address spaces: mmap(2) and relatives.
extension Syscalls {
  static let memoryTable: [SyscallEntry] = [
    .init(.mmap, mmap, [.pointer, .uint, .protection, .mapFlags, .fd, .hex]),
    .init(.munmap, munmap, [.pointer, .uint]),
    .init(.mprotect, mprotect, [.pointer, .uint, .protection]),
    .init(.mremap, mremap, [.pointer, .uint, .uint, .remapFlags, .pointer]),
    .init(.brk, brk, [.pointer]),
    .init(.madvise, madvise, [.pointer, .uint, .advice]),
    .init(.msync, msync, [.pointer, .uint, .flags(msyncFlags)]),
    .init(.mincore, mincore, [.pointer, .uint, .pointer]),
    .init(.mlock, mlock, [.pointer, .uint]),
    .init(.mlock2, mlock2, [.pointer, .uint, .hex]),
    .init(.munlock, munlock, [.pointer, .uint]),
    .init(.mlockall, mlockall, [.flags(mlockallFlags)]),
    .init(.munlockall, munlockall, []),
    .init(.process_vm_readv, processVMReadv, [.pid, .pointer, .uint, .pointer, .uint, .hex]),
    .init(.process_vm_writev, processVMWritev, [.pid, .pointer, .uint, .pointer, .uint, .hex]),
  ]

  private static let msyncFlags: [ArgumentKind.FlagName] = [
    .init("MS_ASYNC", 1), .init("MS_INVALIDATE", 2), .init("MS_SYNC", 4),
  ]
  private static let mlockallFlags: [ArgumentKind.FlagName] = [
    .init("MCL_CURRENT", 1), .init("MCL_FUTURE", 2), .init("MCL_ONFAULT", 4),
  ]

  /// The flags that `MAP_SHARED_VALIDATE` knows.
  private static let knownMapFlags: MapFlags = [
    .sharedValidate, .fixed, .anonymous, .low32, .growsDown, .denyWrite, .executable, .locked, .noReserve, .populate,
    .nonBlock, .stack, .fixedNoReplace,
  ]

  /// mmap(2). There are no huge pages: `MAP_HUGETLB` fails as on a host that has none.
  static func mmap(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    var flags = MapFlags(rawValue: a.uint(3))
    let offset = a[5]
    guard offset & Layout.pageMask == 0 else { throw .invalidArgument }
    let file = flags.contains(.anonymous) ? nil : try task.files.file(a.int(4))
    guard a[1] != 0 else { throw .invalidArgument }
    let type = flags.intersection(.sharedValidate)
    guard !type.isEmpty else { throw .invalidArgument }
    if type == .sharedValidate, !flags.isSubset(of: knownMapFlags) { throw .notSupported }
    guard !flags.contains(.hugeTLB) else { throw .noMemory }
    // brk's neighbour: a length or an end that cannot be is "no memory", as Linux has it.
    guard let length = a[1].pageUp, length <= Layout.userEnd.rawValue else { throw .noMemory }
    let (_, overflows) = offset.addingReportingOverflow(length)
    guard !overflows else { throw .overflow }
    if task.memory.locksMappings { flags.insert(.locked) }
    if flags.contains(.locked) {
      try checkLockLimit(task, task.memory.lockedBytes.saturatingAdd(length), .resourceTemporarilyUnavailable)
    }
    let protection = MemoryProtection(rawValue: a.uint(2)).intersection([.read, .write, .execute])
    var request = MapRequest(
      address: GuestAddress(a[0]), length: length, protection: protection, flags: flags, source: .anonymous)
    if let file {
      guard !file.flags.contains(.path) else { throw .badFileDescriptor }
      guard file.flags.isReadable else { throw .permissionDenied }
      if flags.contains(.shared), !file.flags.isWritable || file.flags.contains(.append) {
        guard !protection.contains(.write) else { throw .permissionDenied }
        request.maximumProtection = [.read, .execute]
      }
      if flags.contains(.shared), let seals = try? file.seals(), !seals.isDisjoint(with: .anyWrite) {
        guard !protection.contains(.write) else { throw .notPermitted }
        request.maximumProtection.remove(.write)
      }
      request.source = .file(try file.mappable(), offset: offset)
    }
    return Int(bitPattern: UInt(try task.memory.map(request).rawValue))
  }

  /// munmap(2).
  static func munmap(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.memory.unmap(GuestAddress(a[0]), length: a[1])
    return 0
  }

  /// mprotect(2).
  static func mprotect(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let protection = MemoryProtection(rawValue: a.uint(2))
    guard protection.isSubset(of: [.read, .write, .execute, .growsDown, .growsUp]),
      !protection.isSuperset(of: [.growsDown, .growsUp])
    else { throw .invalidArgument }
    try task.memory.protect(GuestAddress(a[0]), length: a[1], protection)
    return 0
  }

  /// mremap(2).
  static func mremap(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = RemapFlags(rawValue: a.uint(3))
    guard flags.isSubset(of: [.mayMove, .fixed, .dontUnmap]) else { throw .invalidArgument }
    if flags.contains(.fixed) || flags.contains(.dontUnmap) {
      guard flags.contains(.mayMove) else { throw .invalidArgument }
    }
    if flags.contains(.dontUnmap), a[1] != a[2] { throw .invalidArgument }
    guard a[0] & Layout.pageMask == 0, a[2] != 0 else { throw .invalidArgument }
    let address = try task.memory.remap(
      GuestAddress(a[0]), oldLength: a[1], newLength: a[2], flags: flags, newAddress: GuestAddress(a[4]))
    return Int(bitPattern: UInt(address.rawValue))
  }

  /// brk(2): the raw call returns the break, moved or not.
  static func brk(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    Int(bitPattern: UInt(task.memory.setBreak(GuestAddress(a[0])).rawValue))
  }

  /// madvise(2).
  static func madvise(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard let advice = MemoryAdvice(rawValue: a.int(2)) else { throw .invalidArgument }
    try task.memory.advise(GuestAddress(a[0]), length: a[1], advice: advice)
    return 0
  }

  /// msync(2).
  static func msync(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.memory.sync(GuestAddress(a[0]), length: a[1], flags: MemorySyncFlags(rawValue: a.uint(2)))
    return 0
  }

  /// mincore(2).
  static func mincore(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a[0] & Layout.pageMask == 0 else { throw .invalidArgument }
    guard let length = a[1].pageUp, length <= task.memory.totalBytes else { throw .noMemory }
    if length == 0 { return 0 }
    try task.memory.write(GuestAddress(a[2]), try task.memory.isResident(GuestAddress(a[0]), length: length))
    return 0
  }

  // MARK: Locking

  /// `RLIMIT_MEMLOCK`. - Throws: `EPERM` where nothing may be locked, `error` where `bytes` are too much.
  private static func checkLockLimit(_ task: Task, _ bytes: UInt64, _ error: Errno) throws(Errno) {
    guard !task.credentials.has(.ipcLock) else { return }
    let limit = task.group.limits[.lockedMemory].current
    guard limit > 0 else { throw .notPermitted }
    guard bytes <= limit else { throw error }
  }

  /// The whole pages that an address and a length touch. - Throws: `ENOMEM` for more than there are.
  private static func lockedPages(
    _ task: Task, _ address: UInt64, _ length: UInt64
  ) throws(Errno) -> (start: UInt64, length: UInt64) {
    guard let size = (length &+ (address & Layout.pageMask)).pageUp, size <= task.memory.totalBytes else {
      throw .noMemory
    }
    return (address.pageDown, size)
  }

  private static func lock(
    _ task: Task, _ address: UInt64, _ length: UInt64, fills: Bool
  ) throws(Errno) -> Int {
    let range = try lockedPages(task, address, length)
    try checkLockLimit(
      task, try task.memory.lockedBytes(adding: GuestAddress(range.start), length: range.length), .noMemory)
    try task.memory.setLocked(true, GuestAddress(range.start), length: range.length, fills: fills)
    return 0
  }

  /// mlock(2).
  static func mlock(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try lock(task, a[0], a[1], fills: true)
  }

  /// mlock2(2).
  static func mlock2(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = LockFlags(rawValue: a[2])
    guard flags.isSubset(of: .onFault) else { throw .invalidArgument }
    return try lock(task, a[0], a[1], fills: flags.isEmpty)
  }

  /// munlock(2).
  static func munlock(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let range = try lockedPages(task, a[0], a[1])
    try task.memory.setLocked(false, GuestAddress(range.start), length: range.length, fills: false)
    return 0
  }

  /// mlockall(2). With `MCL_ONFAULT`, mappings made later are not counted as locked.
  static func mlockall(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = LockAllFlags(rawValue: a.uint(0))
    guard flags.isSubset(of: .all), !flags.isDisjoint(with: [.current, .future]) else { throw .invalidArgument }
    let isCurrent = flags.contains(.current)
    try checkLockLimit(task, isCurrent ? task.memory.totalBytes : 0, .noMemory)
    task.memory.locksMappings = flags.contains(.future) && !flags.contains(.onFault)
    if isCurrent { task.memory.setAllLocked(true, fills: !flags.contains(.onFault)) }
    return 0
  }

  /// munlockall(2).
  static func munlockall(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    task.memory.locksMappings = false
    task.memory.setAllLocked(false, fills: false)
    return 0
  }

  // MARK: Other processes

  private static let maximumVectors: UInt64 = 1024
  /// Bytes that one call copies at most: the kernel lock is held meanwhile. Callers expect partial transfers.
  private static let copyLimit = 64 << 20

  /// process_vm_readv(2).
  static func processVMReadv(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try transfer(task, a, isWrite: false)
  }

  /// process_vm_writev(2).
  static func processVMWritev(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try transfer(task, a, isWrite: true)
  }

  private static func transfer(_ task: Task, _ a: SyscallArguments, isWrite: Bool) throws(Errno) -> Int {
    guard a[5] == 0 else { throw .invalidArgument }
    var local = try vectorCursor(task, a[1], count: a[2])
    var remote = try vectorCursor(task, a[3], count: a[4])
    guard let other = task.kernel.tasks[a.int(0)], other.group.exitStatus == nil, other.state != .zombie else {
      throw .noSuchProcess
    }
    guard other === task || task.mayAccess(other) else { throw .notPermitted }
    let (source, target) = isWrite ? (task.memory, other.memory) : (other.memory, task.memory)
    var done = 0
    while done < copyLimit, let count = VectorCursor.step(&local, &remote, limit: 64 << 10) {
      let from = isWrite ? local.address : remote.address
      let to = isWrite ? remote.address : local.address
      do throws(Errno) {
        try target.write(GuestAddress(to), try source.read(GuestAddress(from), count: count))
      } catch {
        if done > 0 { return done }
        throw error
      }
      local.advance(count)
      remote.advance(count)
      done += count
    }
    return done
  }

  private static func vectorCursor(_ task: Task, _ address: UInt64, count: UInt64) throws(Errno) -> VectorCursor {
    guard count <= maximumVectors else { throw .invalidArgument }
    let words = try task.memory.readArray(GuestAddress(address), count: Int(count) * 2, as: UInt64.self)
    for index in stride(from: 1, to: words.count, by: 2) where words[index] > UInt64(Int64.max) {
      throw .invalidArgument
    }
    return VectorCursor(words)
  }

  /// A position in an array of `struct iovec`.
  private struct VectorCursor {
    private let words: [UInt64]
    private var index = 0
    private var offset: UInt64 = 0
    init(_ words: [UInt64]) { self.words = words }
    var address: UInt64 { words[index] &+ offset }
    private var left: UInt64 { words[index + 1] - offset }

    mutating func advance(_ count: Int) { offset += UInt64(count) }

    private mutating func settle() -> Bool {
      while index + 1 < words.count {
        if offset < words[index + 1] { return true }
        index += 2
        offset = 0
      }
      return false
    }

    /// How much can be moved between the two positions at once; nil at the end of either.
    static func step(_ a: inout VectorCursor, _ b: inout VectorCursor, limit: UInt64) -> Int? {
      guard a.settle(), b.settle() else { return nil }
      return Int(min(a.left, b.left, limit))
    }
  }
}

extension Task {
  /// The access check of ptrace(2), `PTRACE_MODE_ATTACH_REALCREDS`.
  func mayAccess(_ other: Task) -> Bool {
    if group === other.group || credentials.has(.sysPtrace) { return true }
    let (mine, theirs) = (credentials, other.credentials)
    return other.group.isDumpable
      && mine.uid == theirs.uid && mine.uid == theirs.euid && mine.uid == theirs.suid
      && mine.gid == theirs.gid && mine.gid == theirs.egid && mine.gid == theirs.sgid
  }
}
