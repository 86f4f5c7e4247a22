import FileSystem
import LinuxABI
import Memory
import Network

extension CloseRangeFlags: SyscallArgument {}
extension DescriptorFlags: SyscallArgument {}
extension FileSeals: SyscallArgument {}

/// Descriptors: closing, duplicating, fcntl(2).
extension Syscalls {
  static let descriptorTable: [SyscallEntry] = [
    .init(.close, close),
    .init(.close_range, closeRange),
    .init(.dup, dup),
    .init(.dup2, dup2),
    .init(.dup3, dup3),
    .init(.fcntl, fcntl, .partial("no leases, no directory notifications, no write hints; only sockets send SIGIO")),
    .init(.ioctl, ioctl, .partial("files have no flags and can't be cloned")),
  ]

  /// close(2).
  static func close(_ task: Task, _ descriptor: FileDescriptorNumber) throws(Errno) -> Int {
    try task.files.close(descriptor)
    return 0
  }

  /// close_range(2).
  static func closeRange(
    _ task: Task, _ first: UInt32, _ last: UInt32, _ flags: CloseRangeFlags
  ) throws(Errno) -> Int {
    guard first <= last, flags.isSubset(of: [.unshare, .closeOnExec]) else { throw .invalidArgument }
    if flags.contains(.unshare) { try task.unshareFiles() }
    for descriptor in task.files.descriptors {
      let number = UInt32(bitPattern: descriptor.rawValue)
      guard number >= first, number <= last else { continue }
      if flags.contains(.closeOnExec) {
        try task.files.setCloseOnExec(descriptor, true)
      } else {
        try task.files.close(descriptor)
      }
    }
    return 0
  }

  /// dup(2).
  static func dup(_ task: Task, _ descriptor: FileDescriptorNumber) throws(Errno) -> Int {
    Int(try task.addFile(try task.files.file(descriptor), closeOnExec: false).rawValue)
  }

  /// dup2(2).
  static func dup2(
    _ task: Task, _ old: FileDescriptorNumber, _ new: FileDescriptorNumber
  ) throws(Errno) -> Int {
    let file = try task.files.file(old)
    if old != new { try task.files.set(new, to: file, closeOnExec: false, limit: task.descriptorLimit) }
    return Int(new.rawValue)
  }

  /// dup3(2).
  static func dup3(
    _ task: Task, _ old: FileDescriptorNumber, _ new: FileDescriptorNumber, _ flags: OpenFlags
  ) throws(Errno) -> Int {
    guard flags.isSubset(of: .closeOnExec), old != new else { throw .invalidArgument }
    let file = try task.files.file(old)
    let closes = flags.contains(.closeOnExec)
    try task.files.set(new, to: file, closeOnExec: closes, limit: task.descriptorLimit)
    return Int(new.rawValue)
  }

  /// fcntl(2). Only sockets send SIGIO, and none has leases or directory notifications: elsewhere `O_ASYNC` isn't set, as on
  /// Linux for files without it, and `F_SETLEASE` and `F_NOTIFY` are refused.
  static func fcntl(
    _ task: Task, _ descriptor: FileDescriptorNumber, _ command: Constant<FcntlCommand>, _ argument: FcntlArgument
  ) throws(Errno) -> CallOutcome<Int> {
    let file = try task.file(descriptor)
    guard let command = command.value else { throw .invalidArgument }
    if file.flags.contains(.path) {
      let allowed: [FcntlCommand] = [
        .duplicate, .duplicateCloseOnExec, .duplicateQuery, .getDescriptorFlags, .setDescriptorFlags, .getStatusFlags,
      ]
      guard allowed.contains(command) else { throw .badFileDescriptor }
    }
    switch command {
    case .duplicate, .duplicateCloseOnExec:
      let minimum = argument.as(FileDescriptorNumber.self)
      guard minimum.rawValue >= 0, UInt64(minimum.rawValue) < task.descriptorLimit else { throw .invalidArgument }
      let closeOnExec = command == .duplicateCloseOnExec
      return .done(Int(try task.addFile(file, closeOnExec: closeOnExec, minimum: minimum).rawValue))
    case .duplicateQuery:
      return .done(try task.files.file(argument.as(FileDescriptorNumber.self)) === file ? 1 : 0)
    case .getDescriptorFlags:
      return .done(try task.files.slot(descriptor).closeOnExec ? Int(DescriptorFlags.closeOnExec.rawValue) : 0)
    case .setDescriptorFlags:
      try task.files.setCloseOnExec(descriptor, argument.as(DescriptorFlags.self).contains(.closeOnExec))
      return .done(0)
    case .getStatusFlags:
      let hidden: OpenFlags = [.create, .exclusive, .truncate, .noControllingTTY, .closeOnExec]
      let large: OpenFlags = file.location != nil && !file.flags.contains(.path) ? .largeFile : []
      return .done(Int(file.flags.subtracting(hidden).union(large).rawValue))
    case .setStatusFlags:
      let flags = argument.as(OpenFlags.self)
      try setStatusFlags(task, file, flags)
      _ = task.kernel.setAsync(file, descriptor, flags.contains(.async))
      return .done(0)
    case .getLock, .getDescriptionLock, .setLock, .setLockWait, .setDescriptionLock, .setDescriptionLockWait:
      return try recordLock(task, descriptor, file, command, argument.as(InOutPointer<RecordLock>.self))
    default: return .done(try fileControl(task, file, command, argument))
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
    _ task: Task, _ file: OpenFile, _ command: FcntlCommand, _ argument: FcntlArgument
  ) throws(Errno) -> Int {
    switch command {
    case .setOwner:
      guard let owner = DescriptorOwner(number: argument.as(Int32.self)) else { throw .invalidArgument }
      file.signalOwner = owner
    case .getOwner: return Int(file.signalOwner.number)
    case .setOwnerExtended:
      let owner = try task.load(argument.as(InPointer<DescriptorOwner>.self))
      guard DescriptorOwner.Kind(rawValue: owner.type) != nil else { throw .invalidArgument }
      file.signalOwner = owner
    case .getOwnerExtended: try task.store(file.signalOwner, to: argument.as(OutPointer<DescriptorOwner>.self))
    case .setSignal:
      let signal = Signal(rawValue: argument.as(Int32.self))
      guard signal == .null || signal.isValid else { throw .invalidArgument }
      file.ownerSignal = signal
    case .getSignal: return Int(file.ownerSignal.rawValue)
    case .getLease: return Int(RecordLock.Kind.unlocked.rawValue)
    case .setPipeSize:
      guard let pipe = file.pipe else { throw .badFileDescriptor }
      return try pipe.setCapacity(UInt64(argument.as(UInt32.self)))
    case .getPipeSize:
      guard let pipe = file.pipe else { throw .badFileDescriptor }
      return pipe.capacity
    case .addSeals:
      guard file.flags.isWritable else { throw .notPermitted }
      try file.addSeals(argument.as(FileSeals.self))
    case .getSeals: return Int(try file.seals().rawValue)
    default: throw .invalidArgument
    }
    return 0
  }

  /// What has to hold of two files one of which is to become the other (`FICLONE`).
  private static func checkCloning(_ source: OpenFile, _ target: OpenFile) throws(Errno) {
    guard source.location?.mount.fileSystem === target.location?.mount.fileSystem else { throw .improperLink }
    let kinds = [source.inode?.kind, target.inode?.kind]
    guard !kinds.contains(.directory) else { throw .isDirectory }
    guard kinds.allSatisfy({ $0 == .regular }) else { throw .invalidArgument }
    guard source.flags.isReadable, target.flags.isWritable, !target.flags.contains(.append) else {
      throw .badFileDescriptor
    }
  }

  /// ioctl(2): what every file has, terminals' sessions, then the file's own.
  static func ioctl(
    _ task: Task, _ descriptor: FileDescriptorNumber, _ request: IoctlRequest, _ argument: GuestAddress
  ) throws(Errno) -> CallOutcome<Int> {
    let file = try task.openFile(descriptor)
    switch request.rawValue {
    case Ioctl.closeOnExec:
      try task.files.setCloseOnExec(descriptor, true)
      return .done(0)
    case Ioctl.noCloseOnExec:
      try task.files.setCloseOnExec(descriptor, false)
      return .done(0)
    case Ioctl.nonBlocking:
      if try task.memory.readValue(argument, as: Int32.self) != 0 {
        file.flags.insert(.nonBlocking)
      } else {
        file.flags.remove(.nonBlocking)
      }
      return .done(0)
    case Ioctl.async:
      let isOn = try task.memory.readValue(argument, as: Int32.self) != 0
      guard task.kernel.setAsync(file, descriptor, isOn) || !isOn else { throw .inappropriateIOCTLForDevice }
      return .done(0)
    case Ioctl.readable:
      guard let inode = file.inode, inode.kind == .regular else { break }
      let size = UInt64(clamping: try inode.attributes().size)
      let left = size > file.position ? size - file.position : 0
      try task.memory.writeValue(argument, Int32(clamping: left))
      return .done(0)
    case Ioctl.fileSize:
      guard let inode = file.inode, [.regular, .directory, .symbolicLink].contains(inode.kind) else { break }
      try task.memory.writeValue(argument, try inode.attributes().size)
      return .done(0)
    case Ioctl.clone, Ioctl.cloneRange:
      let source =
        request.rawValue == Ioctl.clone
        ? Int64(Int32(truncatingIfNeeded: argument.rawValue))
        : try task.memory.readValue(argument, as: Int64.self)
      try checkCloning(
        try task.openFile(FileDescriptorNumber(rawValue: Int32(truncatingIfNeeded: source))), file)
      throw .notSupported
    case Ioctl.getFlags:
      guard file.inode?.hasFlags == true else { break }
      try task.memory.writeValue(argument, Int32(0))
      return .done(0)
    case Ioctl.setFlags:
      guard let inode = file.inode, inode.hasFlags else { break }
      guard task.credentials.owns(try inode.permissionAttributes()) else { throw .permissionDenied }
      guard try task.memory.readValue(argument, as: Int32.self) == 0 else { throw .notSupported }
      return .done(0)
    case Ioctl.unixFile:
      guard let socket = file as? UnixSocket else { break }
      guard task.credentials.has(.netAdmin) else { throw .notPermitted }
      return .done(Int(try task.addFile(try socket.boundFile(), closeOnExec: true).rawValue))
    default: break
    }
    if let terminal = file.terminal, let result = try terminalControl(task, terminal, request.rawValue, argument) {
      return result
    }
    if file is Socket, let request = InterfaceRequest(rawValue: request.rawValue) {
      try interfaceControl(task, request, argument)
      return .done(0)
    }
    return .done(try file.control(request.rawValue, argument: argument.rawValue, memory: task.memory))
  }
}
