import FileSystem
import LinuxABI
import Memory

/// execve(2) and execveat(2).
extension Syscalls {
  static let execTable: [SyscallEntry] = [
    .init(.execve, execve, [.path, .stringArray, .stringArray]),
    .init(.execveat, execveat, [.directory, .path, .stringArray, .stringArray, .atFlags]),
  ]

  /// execve(2).
  static func execve(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let request: ExecRequest
    if let kept = task.retry.object as? ExecRequest {
      request = kept
    } else {
      request = ExecRequest(
        path: try task.memory.readCString(a[0], limit: 4096), arguments: try strings(task, a[1]),
        environment: try strings(task, a[2]))
      try check(request, task)
    }
    task.retry.object = request
    try task.kernel.execute(task, request)
    return 0
  }

  /// execveat(2).
  static func execveat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    if let kept = task.retry.object as? ExecRequest {
      try task.kernel.execute(task, kept)
      return 0
    }
    let flags = AtFlags(rawValue: a.uint(4))
    guard flags.isSubset(of: [.emptyPath, .symbolicLinkNoFollow]) else { throw .invalidArgument }
    let path = try task.memory.readCString(a[1], limit: 4096)
    let request = ExecRequest(path: path, arguments: try strings(task, a[2]), environment: try strings(task, a[3]))
    if path.first != UInt8(ascii: "/"), a.int(0) != AtFlags.workingDirectory {
      let file = try task.files.file(a.int(0))
      // A memfd has no place but itself.
      request.base = file.location ?? OpenFileInode.location(of: file, in: task.kernel.vfs.memoryFiles)
    }
    if flags.contains(.emptyPath) { request.options.insert(.emptyPath) }
    if flags.contains(.symbolicLinkNoFollow) { request.options.insert(.noFollow) }
    try check(request, task)
    task.retry.object = request
    try task.kernel.execute(task, request)
    return 0
  }

  /// A null-terminated array of strings; a null pointer is an empty one, as Linux takes it.
  private static func strings(_ task: Task, _ address: UInt64) throws(Errno) -> [[UInt8]] {
    guard address != 0 else { return [] }
    var result: [[UInt8]] = []
    var total = 0
    let limit = Int(ExecRequest.sizeLimit(stackLimit: task.group.limits[.stack].current))
    var position = address
    while true {
      let pointer = try task.memory.readValue(position, as: UInt64.self)
      if pointer == 0 { return result }
      let string: [UInt8]
      do throws(Errno) {
        string = try task.memory.readCString(pointer, limit: ExecRequest.stringLimit)
      } catch {
        throw error == .fileNameTooLong ? .argListTooLong : error
      }
      total += string.count + 9
      guard total <= limit else { throw .argListTooLong }
      result.append(string)
      position &+= 8
    }
  }

  private static func check(_ request: ExecRequest, _ task: Task) throws(Errno) {
    if request.path.isEmpty, !request.options.contains(.emptyPath) { throw .noSuchFileOrDirectory }
    if request.arguments.isEmpty { request.arguments = [[]] }
  }
}
