import FileSystem
import LinuxABI

/// Pipes (pipe(7)).
extension Syscalls {
  static let pipeTable: [SyscallEntry] = [
    .init(.pipe, pipe),
    .init(.pipe2, pipe2, .partial("no notification pipes")),
  ]

  /// pipe(2).
  static func pipe(_ task: Task, _ result: OutPointer<DescriptorPair>) throws(Errno) -> Int {
    try pipe2(task, result, [])
  }

  /// pipe2(2).
  static func pipe2(_ task: Task, _ result: OutPointer<DescriptorPair>, _ flags: PipeFlags) throws(Errno) -> Int {
    let flags = try flags.openFlags(also: .direct)
    let (reader, writer) = try Pipe.make(
      flags: flags, owner: task.credentials, time: task.kernel.realTime, memory: task.kernel.kernelMemory)
    try task.addPair(reader, writer, closeOnExec: flags.contains(.closeOnExec), to: result)
    return 0
  }
}
