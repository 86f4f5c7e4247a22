import FileSystem
import LinuxABI
import Memory

/// Descriptors of processes (pidfd_open(2) and relatives).
extension Syscalls {
  static let pidfdTable: [SyscallEntry] = [
    .init(.pidfd_open, pidfdOpen, .partial("no descriptors of threads")),
    .init(.pidfd_getfd, pidfdGetfd),
    .init(.pidfd_send_signal, pidfdSendSignal, .partial("no flags")),
  ]

  /// pidfd_open(2).
  static func pidfdOpen(_ task: Task, _ id: ProcessID, _ flags: ProcessFileFlags) throws(Errno) -> Int {
    guard id.isPositive, flags.isSubset(of: .nonBlocking) else { throw .invalidArgument }
    let group: (any ProcessHandle)? = task.kernel.groups[id] ?? (id == .initial ? task.kernel.initProcess : nil)
    guard let group else { throw task.kernel.tasks[id] == nil ? .noSuchProcess : .invalidArgument }
    let file = ProcessFile(process: group, flags: flags.contains(.nonBlocking) ? .nonBlocking : [])
    return Int(try task.addFile(file, closeOnExec: true).rawValue)
  }

  /// pidfd_getfd(2).
  static func pidfdGetfd(
    _ task: Task, _ process: FileDescriptorNumber, _ descriptor: Int32, _ flags: Hexadecimal<UInt32>
  ) throws(Errno) -> Int {
    guard flags.value == 0 else { throw .invalidArgument }
    guard let handle = (try task.openFile(process) as? ProcessFile)?.process else { throw .badFileDescriptor }
    guard let group = handle as? ThreadGroup else { throw .notPermitted }
    guard let owner = group.tasks.first, group.exitStatus == nil else { throw .noSuchProcess }
    guard task.mayAccess(owner) else { throw .notPermitted }
    let file = try owner.files.file(FileDescriptorNumber(rawValue: descriptor))
    return Int(try task.addFile(file, closeOnExec: true).rawValue)
  }

  /// The process of a descriptor: of pidfd_open(2), or of an open `/proc/PID`.
  private static func process(_ file: OpenFile) throws(Errno) -> ThreadGroup {
    if let file = file as? ProcessFile, let group = file.process as? ThreadGroup { return group }
    if let inode = file.inode, let group = ProcessDirectory.process(of: inode) { return group }
    throw .badFileDescriptor
  }

  /// pidfd_send_signal(2).
  static func pidfdSendSignal(
    _ task: Task, _ process: FileDescriptorNumber, _ signal: Signal, _ information: InPointer<SignalInformation>,
    _ flags: Hexadecimal<UInt32>
  ) throws(Errno) -> Int {
    guard flags.value == 0 else { throw .invalidArgument }
    let file = try task.files.file(process)
    try checkSignal(signal)
    if let file = file as? ProcessFile, file.process is InitProcess {
      try checkInit(task)
      return 0
    }
    let group = try self.process(file)
    guard task.kernel.groups[group.id] === group else { throw .noSuchProcess }
    var info = self.information(signal, SignalInfo.siUser, from: task)
    if !information.isNull {
      let given = try task.load(information)
      guard given.signal == signal else { throw .invalidArgument }
      info = try self.information(information, signal, from: task, to: group.id)
    }
    try task.kernel.send(info, from: task, to: group)
    return 0
  }
}

extension ThreadGroup: ProcessHandle {
  var processID: ProcessID { id }
  var hasEnded: Bool { isZombie }
  var wasReaped: Bool { isZombie && leader == nil }
}
