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
    var request: ExecRequest
    if case .exec(let kept) = task.call.kept {
      request = kept
    } else {
      request = ExecRequest(
        path: try task.memory.readCString(path.address, limit: 4096),
        arguments: try strings(task, arguments.address), environment: try strings(task, environment.address))
      try check(&request)
      try request.charge(in: task.kernel.kernelMemory)
      task.call.kept = .exec(request)
    }
    return try task.kernel.execute(task, request)
  }

  /// execveat(2).
  static func execveat(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: ProgramPath, _ arguments: ArgumentList,
    _ environment: EnvironmentList, _ flags: AtFlags
  ) throws(Errno) -> CallOutcome<Int> {
    if case .exec(let kept) = task.call.kept { return try task.kernel.execute(task, kept) }
    guard flags.isSubset(of: [.emptyPath, .symbolicLinkNoFollow]) else { throw .invalidArgument }
    let path = try task.memory.readCString(path.address, limit: 4096)
    var request = ExecRequest(
      path: path, arguments: try strings(task, arguments.address), environment: try strings(task, environment.address))
    if path.first != UInt8(ascii: "/"), !directory.isWorkingDirectory {
      let slot = try task.files.slot(directory.descriptor)
      let file = slot.file
      request.isUnreachable = slot.closeOnExec
      request.reachablePath = Array("/dev/fd/\(directory.descriptor.rawValue)".utf8)
      if !path.isEmpty { request.reachablePath += [UInt8(ascii: "/")] + path }
      // A memfd has no path: it stands for its own place.
      request.base = file.location ?? OpenFileInode.location(of: file, in: task.kernel.vfs.memoryFiles)
    }
    if flags.contains(.emptyPath) { request.options.insert(.emptyPath) }
    if flags.contains(.symbolicLinkNoFollow) { request.options.insert(.noFollow) }
    try check(&request)
    try request.charge(in: task.kernel.kernelMemory)
    task.call.kept = .exec(request)
    return try task.kernel.execute(task, request)
  }

  /// A null-terminated array of strings; a null pointer is an empty one, as Linux takes it.
  private static func strings(_ task: Task, _ address: GuestAddress) throws(Errno) -> [[UInt8]] {
    guard !address.isNull else { return [] }
    var result: [[UInt8]] = []
    var total = 0
    let limit = Int(ExecRequest.sizeLimit(stackLimit: task.group.limits[.stack].current))
    var position = address.rawValue
    while true {
      let pointer = try task.memory.readValue(GuestAddress(position), as: UInt64.self)
      if pointer == 0 { return result }
      let string: [UInt8]
      do throws(Errno) {
        string = try task.memory.readCString(GuestAddress(pointer), limit: ExecRequest.stringLimit)
      } catch {
        throw error == .fileNameTooLong ? .argListTooLong : error
      }
      total += string.count + 9
      guard total <= limit else { throw .argListTooLong }
      result.append(string)
      position &+= 8
    }
  }

  private static func check(_ request: inout ExecRequest) throws(Errno) {
    if request.path.isEmpty, !request.options.contains(.emptyPath) { throw .noSuchFileOrDirectory }
    if request.arguments.isEmpty { request.arguments = [[]] }
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
    return "[\(request.arguments.prefix(32).map { CallFormatter.quote($0[...]) }.joined(separator: ", "))]"
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
