import FileSystem
import LinuxABI
import Memory

/// Descriptors: closing, duplicating, fcntl(2).
extension Syscalls {
  static let descriptorTable: [SyscallEntry] = [
    .init(.close, close, [.fd]),
    .init(.close_range, closeRange, [.uint, .uint, .hex]),
    .init(.dup, dup, [.fd]),
    .init(.dup2, dup2, [.fd, .fd]),
    .init(.dup3, dup3, [.fd, .fd, .openFlags]),
    .init(.fcntl, fcntl, [.fd, .fcntl, .hex]),
    .init(.ioctl, ioctl, [.fd, .ioctl, .pointer]),
  ]

  /// close(2).
  static func close(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.files.close(a.int(0))
    return 0
  }

  /// close_range(2).
  static func closeRange(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let (first, last, flags) = (a.uint(0), a.uint(1), CloseRangeFlags(rawValue: a.uint(2)))
    guard first <= last, flags.isSubset(of: [.unshare, .closeOnExec]) else { throw .invalidArgument }
    if flags.contains(.unshare) { task.unshareFiles() }
    for descriptor in task.files.descriptors {
      guard UInt32(descriptor) >= first, UInt32(descriptor) <= last else { continue }
      if flags.contains(.closeOnExec) {
        try task.files.setCloseOnExec(descriptor, true)
      } else {
        try task.files.close(descriptor)
      }
    }
    return 0
  }

  /// dup(2).
  static func dup(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    Int(try task.addFile(try task.files.file(a.int(0)), closeOnExec: false))
  }

  /// dup2(2).
  static func dup2(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let file = try task.files.file(a.int(0))
    if a.int(0) != a.int(1) {
      try task.files.set(a.int(1), to: file, closeOnExec: false, limit: task.descriptorLimit)
    }
    return Int(a.int(1))
  }

  /// dup3(2).
  static func dup3(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = OpenFlags(rawValue: a.uint(2))
    guard flags.isSubset(of: .closeOnExec), a.int(0) != a.int(1) else { throw .invalidArgument }
    let file = try task.files.file(a.int(0))
    let closes = flags.contains(.closeOnExec)
    try task.files.set(a.int(1), to: file, closeOnExec: closes, limit: task.descriptorLimit)
    return Int(a.int(1))
  }

  /// fcntl(2). No file sends SIGIO and none has leases or directory notifications: `O_ASYNC` isn't set, as on Linux for
  /// files without it, and `F_SETLEASE` and `F_NOTIFY` are refused.
  static func fcntl(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let descriptor = a.int(0)
    let slot = try task.files.slot(descriptor)
    let file = slot.file
    guard let command = FcntlCommand(rawValue: a.int(1)) else { throw .invalidArgument }
    if file.flags.contains(.path) {
      let allowed: [FcntlCommand] = [
        .duplicate, .duplicateCloseOnExec, .duplicateQuery, .getDescriptorFlags, .setDescriptorFlags, .getStatusFlags,
      ]
      guard allowed.contains(command) else { throw .badFileDescriptor }
    }
    switch command {
    case .duplicate, .duplicateCloseOnExec:
      guard a.int(2) >= 0, UInt64(a.int(2)) < task.descriptorLimit else { throw .invalidArgument }
      return Int(try task.addFile(file, closeOnExec: command == .duplicateCloseOnExec, minimum: a.int(2)))
    case .duplicateQuery:
      return try task.files.file(a.int(2)) === file ? 1 : 0
    case .getDescriptorFlags: return slot.closeOnExec ? Int(DescriptorFlags.closeOnExec.rawValue) : 0
    case .setDescriptorFlags:
      try task.files.setCloseOnExec(descriptor, DescriptorFlags(rawValue: a.uint(2)).contains(.closeOnExec))
      return 0
    case .getStatusFlags:
      let hidden: OpenFlags = [.create, .exclusive, .truncate, .noControllingTTY, .closeOnExec]
      let large: OpenFlags = file.location != nil && !file.flags.contains(.path) ? .largeFile : []
      return Int(file.flags.subtracting(hidden).union(large).rawValue)
    case .setStatusFlags:
      try setStatusFlags(task, file, OpenFlags(rawValue: a.uint(2)))
      return 0
    case .getLock, .getDescriptionLock, .setLock, .setLockWait, .setDescriptionLock, .setDescriptionLockWait:
      return try recordLock(task, file, command, a[2])
    default: return try fileControl(task, file, command, a)
    }
  }

  private static func setStatusFlags(_ task: Task, _ file: OpenFile, _ new: OpenFlags) throws(Errno) {
    let settable: OpenFlags = [.append, .nonBlocking, .direct, .noAccessTime]
    if new.contains(.noAccessTime), !file.flags.contains(.noAccessTime) {
      let owner = try file.attributes().uid
      guard owner == task.credentials.fsuid || task.credentials.has(.fowner) else { throw .notPermitted }
    }
    if new.contains(.direct), file.pipe != nil { throw .invalidArgument }
    file.flags = file.flags.subtracting(settable).union(new.intersection(settable))
  }

  private static func fileControl(
    _ task: Task, _ file: OpenFile, _ command: FcntlCommand, _ a: SyscallArguments
  ) throws(Errno) -> Int {
    switch command {
    case .setOwner:
      guard a.int(2) != Int32.min else { throw .invalidArgument }
      file.signalOwner = a.int(2)
    case .getOwner: return Int(file.signalOwner)
    case .setOwnerExtended:
      let owner = try task.memory.readValue(GuestAddress(a[2]), as: DescriptorOwner.self)
      guard (0...2).contains(owner.type) else { throw .invalidArgument }
      file.signalOwner = owner.type == 2 ? 0 &- owner.id : owner.id
    case .getOwnerExtended:
      let owner = file.signalOwner
      try task.memory.writeValue(
        GuestAddress(a[2]), owner < 0 ? DescriptorOwner(type: 2, id: 0 &- owner) : DescriptorOwner(type: 1, id: owner))
    case .setSignal:
      let signal = Signal(rawValue: a.int(2))
      guard signal == .null || signal.isValid else { throw .invalidArgument }
      file.ownerSignal = signal
    case .getSignal: return Int(file.ownerSignal.rawValue)
    case .getLease: return 2
    case .setPipeSize:
      guard let pipe = file.pipe else { throw .badFileDescriptor }
      return try pipe.setCapacity(UInt64(a.uint(2)))
    case .getPipeSize:
      guard let pipe = file.pipe else { throw .badFileDescriptor }
      return pipe.capacity
    case .addSeals:
      guard file.flags.isWritable else { throw .notPermitted }
      try file.addSeals(FileSeals(rawValue: a.uint(2)))
    case .getSeals: return Int(try file.seals().rawValue)
    default: throw .invalidArgument
    }
    return 0
  }

  /// ioctl(2): what every file has, terminals' sessions, then the file's own.
  static func ioctl(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let descriptor = a.int(0)
    let request = a.uint(1)
    let file = try task.openFile(descriptor)
    switch request {
    case Ioctl.closeOnExec:
      try task.files.setCloseOnExec(descriptor, true)
      return 0
    case Ioctl.noCloseOnExec:
      try task.files.setCloseOnExec(descriptor, false)
      return 0
    case Ioctl.nonBlocking:
      if try task.memory.readValue(GuestAddress(a[2]), as: Int32.self) != 0 {
        file.flags.insert(.nonBlocking)
      } else {
        file.flags.remove(.nonBlocking)
      }
      return 0
    case Ioctl.async:
      guard try task.memory.readValue(GuestAddress(a[2]), as: Int32.self) == 0 else {
        throw .inappropriateIOCTLForDevice
      }
      return 0
    case Ioctl.readable:
      guard let inode = file.inode, inode.kind == .regular else { break }
      let size = UInt64(clamping: try inode.attributes().size)
      let left = size > file.position ? size - file.position : 0
      try task.memory.writeValue(GuestAddress(a[2]), Int32(clamping: left))
      return 0
    case Ioctl.fileSize:
      guard let inode = file.inode, [.regular, .directory, .symbolicLink].contains(inode.kind) else { break }
      try task.memory.writeValue(GuestAddress(a[2]), try inode.attributes().size)
      return 0
    default: break
    }
    if let terminal = file.terminal, let result = try terminalControl(task, terminal, request, GuestAddress(a[2])) {
      return result
    }
    return try file.control(request, argument: a[2], memory: task.memory)
  }
}
