import FileSystem
import LinuxABI
import Memory

/// execve(2) and execveat(2).
extension Syscalls {
  static let execTable: [SyscallEntry] = [
    .init(.execve, execve),
    .init(.execveat, execveat),
  ]

  /// execve(2).
  static func execve(
    _ task: Task, _ path: ProgramPath, _ arguments: ArgumentList, _ environment: EnvironmentList
  ) throws(Errno) -> CallOutcome<Int> {
    if case .exec = task.call.kept { return try goOn(task) }
    let path = try task.memory.readCString(path.address, limit: 4096)
    if path.isEmpty { throw .noSuchFileOrDirectory }
    task.call.kept = .exec(
      ExecRequest(path: path, argumentsAt: arguments.address, environmentAt: environment.address))
    return try goOn(task)
  }

  /// execveat(2).
  static func execveat(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: ProgramPath, _ arguments: ArgumentList,
    _ environment: EnvironmentList, _ flags: AtFlags
  ) throws(Errno) -> CallOutcome<Int> {
    if case .exec = task.call.kept { return try goOn(task) }
    guard flags.isSubset(of: [.emptyPath, .symbolicLinkNoFollow]) else { throw .invalidArgument }
    let path = try task.memory.readCString(path.address, limit: 4096)
    var base: (PathLocation, FileDescriptorNumber, Bool)?
    if path.first != UInt8(ascii: "/"), !directory.isWorkingDirectory {
      let slot = try task.files.slot(directory.descriptor)
      // A memfd has no path: it stands for its own place.
      let location = slot.file.location ?? OpenFileInode.location(of: slot.file, in: task.kernel.vfs.memoryFiles)
      base = (location, directory.descriptor, slot.closeOnExec)
    }
    var options = ResolveOptions()
    if flags.contains(.emptyPath) { options.insert(.emptyPath) }
    if flags.contains(.symbolicLinkNoFollow) { options.insert(.noFollow) }
    if path.isEmpty, !flags.contains(.emptyPath) { throw .noSuchFileOrDirectory }
    task.call.kept = .exec(
      ExecRequest(
        path: path, base: base, options: options, argumentsAt: arguments.address, environmentAt: environment.address))
    return try goOn(task)
  }

  /// Reads the rest of the request that the call keeps, then does what it asks for. Others have their turn between parts.
  private static func goOn(_ task: Task) throws(Errno) -> CallOutcome<Int> {
    guard case .exec(var request) = task.call.kept else { throw .invalidArgument }
    // Taken out, so that there is one copy of the strings.
    task.call.kept = .nothing
    let isRead = try request.read(from: task)
    task.call.kept = .exec(request)
    guard isRead else { return .suspended(task.giveWay()) }
    return try task.kernel.execute(task, request)
  }
}

// How the arguments of execve(2) are shown. The first process asks for its program without having any memory: what it asks
// for is in the request that it keeps.

/// The path of a program.
struct ProgramPath: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  func describe(in call: CallFormatter) -> String? {
    if case .exec(let request) = call.task.call.kept { return CallFormatter.quote(request.path[...]) }
    return call.string(address.rawValue, limit: 4096)
  }
}

/// A null-terminated array of strings that a program gets as its arguments.
struct ArgumentList: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  func describe(in call: CallFormatter) -> String? {
    guard case .exec(let request) = call.task.call.kept else { return call.stringArray(address.rawValue) }
    return "[\(request.arguments.prefix(32).map { CallFormatter.quote($0) }.joined(separator: ", "))]"
  }
}

/// The same for the environment, which is only counted.
struct EnvironmentList: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  func describe(in call: CallFormatter) -> String? {
    if case .exec(let request) = call.task.call.kept { return "/* \(request.environment.count) vars */" }
    return "\(pointer(address.rawValue)) /* \(call.pointerCount(address.rawValue)) vars */"
  }
}
