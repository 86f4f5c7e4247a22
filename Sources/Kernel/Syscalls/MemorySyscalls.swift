import FileSystem
import LinuxABI
import Memory

/// Address spaces: mmap(2) and relatives.
extension Syscalls {
  static let memoryTable: [SyscallEntry] = [
    .init(.mmap, mmap, .partial("no huge pages")),
    .init(.munmap, munmap),
    .init(.mprotect, mprotect),
    .init(.mremap, mremap),
    .init(.brk, brk),
    .init(
      .madvise, madvise, .partial("no guard regions, no poisoned pages; merging, huge pages and paging out do nothing")),
    .init(.msync, msync),
    .init(.mincore, mincore),
    .init(.mlock, mlock),
    .init(.mlock2, mlock2),
    .init(.munlock, munlock),
    .init(.mlockall, mlockall, .partial("with MCL_ONFAULT, mappings made later are not counted as locked")),
    .init(.munlockall, munlockall),
  ]

  /// The flags that `MAP_SHARED_VALIDATE` knows.
  private static let knownMapFlags: MapFlags = [
    .sharedValidate, .fixed, .anonymous, .low32, .growsDown, .denyWrite, .executable, .locked, .noReserve, .populate,
    .nonBlock, .stack,
  ]

  /// mmap(2). There are no huge pages: `MAP_HUGETLB` fails as on a host that has none.
  static func mmap(
    _ task: Task, _ address: GuestAddress, _ size: UInt64, _ asked: MemoryProtection, _ flags: MapFlags,
    _ descriptor: FileDescriptorNumber, _ offset: Hexadecimal<UInt64>
  ) throws(Errno) -> CallOutcome<Int> {
    var flags = flags
    let offset = offset.value
    guard offset & Layout.pageMask == 0 else { throw .invalidArgument }
    let file = flags.contains(.anonymous) ? nil : try task.file(descriptor)
    guard size != 0 else { throw .invalidArgument }
    if flags.contains(.fixedNoReplace), !task.memory.isFree(address, length: size) { throw .fileExists }
    let type = flags.intersection(.typeMask)
    guard !type.isEmpty, type != .sharedValidate || file != nil else { throw .invalidArgument }
    if type == .sharedValidate, !flags.isSubset(of: knownMapFlags) { throw .notSupported }
    guard !flags.contains(.hugeTLB) else { throw .noMemory }
    // As in Linux, a length or an end outside of the address space is `ENOMEM`.
    guard let length = size.pageUp, length <= Layout.userEnd.rawValue else { throw .noMemory }
    let (_, overflows) = offset.addingReportingOverflow(length)
    guard !overflows else { throw .overflow }
    if task.memory.locksMappings { flags.insert(.locked) }
    if flags.contains(.locked) {
      let (locked, overflow) = task.memory.lockedBytes.addingReportingOverflow(length)
      try checkLockLimit(task, overflow ? .max : locked, .resourceTemporarilyUnavailable)
    }
    let protection = asked.intersection([.read, .write, .execute])
    var request = MapRequest(
      address: address, length: length, protection: protection, flags: flags, source: .anonymous)
    if let file {
      guard !file.flags.contains(.path) else { throw .badFileDescriptor }
      guard file.flags.isReadable else { throw .permissionDenied }
      if file.location?.mount.flags.contains(.noExecute) == true {
        guard !protection.contains(.execute) else { throw .notPermitted }
        request.maximumProtection.remove(.execute)
      }
      if flags.contains(.shared), !file.flags.isWritable || file.flags.contains(.append) {
        guard !protection.contains(.write) else { throw .permissionDenied }
        request.maximumProtection.remove(.write)
      }
      if flags.contains(.shared), let seals = try? file.seals(), !seals.isDisjoint(with: .anyWrite) {
        guard !protection.contains(.write) else { throw .notPermitted }
        request.maximumProtection.remove(.write)
      }
      // A file of the root may have to be copied first, in parts.
      switch try task.blocking(file, .readable, { () throws(Errno) in try file.mappable() }) {
      case .done(let object): request.source = .file(object, offset: offset)
      case .suspended(let suspension): return .suspended(suspension)
      }
      request.holder = file.writeHold
    }
    return .done(Int(bitPattern: UInt(try task.memory.map(request).rawValue)))
  }

  /// munmap(2).
  static func munmap(_ task: Task, _ address: GuestAddress, _ length: UInt64) throws(Errno) -> Int {
    try task.memory.unmap(address, length: length)
    return 0
  }

  /// mprotect(2).
  static func mprotect(
    _ task: Task, _ address: GuestAddress, _ length: UInt64, _ protection: MemoryProtection
  ) throws(Errno) -> Int {
    guard protection.isSubset(of: [.read, .write, .execute, .growsDown, .growsUp]),
      !protection.isSuperset(of: [.growsDown, .growsUp])
    else { throw .invalidArgument }
    try task.memory.protect(address, length: length, protection)
    return 0
  }

  /// mremap(2).
  static func mremap(
    _ task: Task, _ old: GuestAddress, _ oldLength: UInt64, _ newLength: UInt64, _ flags: RemapFlags,
    _ new: RemapTarget
  ) throws(Errno) -> Int {
    guard flags.isSubset(of: [.mayMove, .fixed, .dontUnmap]) else { throw .invalidArgument }
    if flags.contains(.fixed) || flags.contains(.dontUnmap) {
      guard flags.contains(.mayMove) else { throw .invalidArgument }
    }
    if newLength > oldLength, task.memory.isLocked(old) {
      let (locked, overflow) = task.memory.lockedBytes.addingReportingOverflow(newLength - oldLength)
      try checkLockLimit(task, overflow ? .max : locked, .resourceTemporarilyUnavailable)
    }
    let address = try task.memory.remap(
      old, oldLength: oldLength, newLength: newLength, flags: flags, newAddress: new.address)
    return Int(bitPattern: UInt(address.rawValue))
  }

  /// brk(2): the raw call returns the break, moved or not.
  static func brk(_ task: Task, _ end: GuestAddress) throws(Errno) -> Int {
    Int(bitPattern: UInt(task.memory.setBreak(end).rawValue))
  }

  /// madvise(2).
  static func madvise(
    _ task: Task, _ address: GuestAddress, _ length: UInt64, _ advice: Constant<MemoryAdvice>
  ) throws(Errno) -> Int {
    guard let advice = advice.value else { throw .invalidArgument }
    try task.memory.advise(address, length: length, advice: advice)
    return 0
  }

  /// msync(2).
  static func msync(
    _ task: Task, _ address: GuestAddress, _ length: UInt64, _ flags: MemorySyncFlags
  ) throws(Errno) -> Int {
    try task.memory.sync(address, length: length, flags: flags)
    return 0
  }

  /// mincore(2).
  static func mincore(
    _ task: Task, _ address: GuestAddress, _ size: UInt64, _ result: GuestAddress
  ) throws(Errno) -> Int {
    guard address.isPageAligned else { throw .invalidArgument }
    guard let length = size.pageUp, length <= task.memory.totalBytes else { throw .noMemory }
    if length == 0 { return 0 }
    try task.memory.write(result, try task.memory.isResident(address, length: length))
    return 0
  }

  // MARK: Locking

  /// Checks `RLIMIT_MEMLOCK`. - Throws: `EPERM` where nothing may be locked, `error` where `bytes` are too many.
  private static func checkLockLimit(_ task: Task, _ bytes: UInt64, _ error: Errno) throws(Errno) {
    guard !task.credentials.has(.ipcLock) else { return }
    let limit = task.group.limits[.lockedMemory].current
    guard limit > 0 else { throw .notPermitted }
    guard bytes <= limit else { throw error }
  }

  /// The whole pages that an address and a length touch. - Throws: `ENOMEM` for more than there are.
  private static func lockedPages(
    _ task: Task, _ address: GuestAddress, _ length: UInt64
  ) throws(Errno) -> (start: GuestAddress, length: UInt64) {
    guard let size = (length &+ address.offsetInPage).pageUp, size <= task.memory.totalBytes else {
      throw .noMemory
    }
    return (address.pageDown, size)
  }

  private static func lock(
    _ task: Task, _ address: GuestAddress, _ length: UInt64, fills: Bool
  ) throws(Errno) -> Int {
    let range = try lockedPages(task, address, length)
    try checkLockLimit(task, try task.memory.lockedBytes(adding: range.start, length: range.length), .noMemory)
    try task.memory.setLocked(true, range.start, length: range.length, fills: fills)
    return 0
  }

  /// mlock(2).
  static func mlock(_ task: Task, _ address: GuestAddress, _ length: UInt64) throws(Errno) -> Int {
    try lock(task, address, length, fills: true)
  }

  /// mlock2(2).
  static func mlock2(
    _ task: Task, _ address: GuestAddress, _ length: UInt64, _ flags: LockFlags
  ) throws(Errno) -> Int {
    guard flags.isSubset(of: .onFault) else { throw .invalidArgument }
    return try lock(task, address, length, fills: flags.isEmpty)
  }

  /// munlock(2).
  static func munlock(_ task: Task, _ address: GuestAddress, _ length: UInt64) throws(Errno) -> Int {
    let range = try lockedPages(task, address, length)
    try task.memory.setLocked(false, range.start, length: range.length, fills: false)
    return 0
  }

  /// mlockall(2). With `MCL_ONFAULT`, mappings made later are not counted as locked.
  static func mlockall(_ task: Task, _ flags: LockAllFlags) throws(Errno) -> Int {
    guard flags.isSubset(of: .all), !flags.isDisjoint(with: [.current, .future]) else { throw .invalidArgument }
    let isCurrent = flags.contains(.current)
    try checkLockLimit(task, isCurrent ? task.memory.totalBytes : 0, .noMemory)
    task.memory.locksMappings = flags.contains(.future) && !flags.contains(.onFault)
    if isCurrent { task.memory.setAllLocked(true, fills: !flags.contains(.onFault)) }
    return 0
  }

  /// munlockall(2).
  static func munlockall(_ task: Task) throws(Errno) -> Int {
    task.memory.locksMappings = false
    task.memory.setAllLocked(false, fills: false)
    return 0
  }
}

/// Where mremap(2) moves a mapping with `MREMAP_FIXED`; without it there is no such argument.
struct RemapTarget: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  func describe(in call: CallFormatter) -> String? {
    call.argument(RemapFlags.self)?.contains(.fixed) == true ? address.describe(in: call) : nil
  }
}
