import FileSystem
import LinuxABI
import Memory

/// What the sandbox runs first.
package struct FirstProcess {
  var path: String
  var arguments: [String]
  var environment: [String]
  var files: FileTable
  var fs: TaskFileSystem
  var credentials: Credentials
  package init(
    path: String, arguments: [String], environment: [String], files: FileTable, fs: TaskFileSystem,
    credentials: Credentials
  ) {
    self.path = path
    self.arguments = arguments
    self.environment = environment
    self.files = files
    self.fs = fs
    self.credentials = credentials
  }
}

extension Kernel {
  /// Makes the first process and has it execute its program as soon as a CPU runs. Where execve(2) fails, `startError` is
  /// set and the sandbox ends.
  package func start(_ first: FirstProcess) throws(Errno) {
    let id = try processTable.makeID()
    let memory = AddressSpace(physical: physicalMemory, platform: platform, process: try makeGuestProcess())
    let charge = try kernelMemory.charge(Task.price(of: first.credentials) + Task.processPrice)
    let thread = try memory.process.makeThread(registers: Registers(), extendedStateOf: nil)
    let group = ThreadGroup(
      id: id, parent: nil, processGroup: ProcessGroup(id: id, session: Session(id: id)), signals: GroupSignals())
    let task = Task(
      id: id, kernel: self, group: group, memory: memory, thread: thread, files: first.files, fs: first.fs,
      credentials: first.credentials, name: "apus", cpu: scheduler.place(childOf: nil),
      charge: charge)
    group.leader = task
    group.tasks = [task]
    processTable.add(group)
    processTable.add(task)
    firstGroup = group
    // The task is made as if it waited in execve.
    let request = ExecRequest(
      path: Array(first.path.utf8), arguments: first.arguments.map { Array($0.utf8) },
      environment: first.environment.map { Array($0.utf8) })
    task.call.begin(.execve, keeping: .exec(request))
    scheduler.makeRunnable(task)
  }

  /// The first process could not execute its program.
  func firstExecFailed(_ error: Errno) {
    startError = error
    if let group = firstGroup { endGroup(group, .exited(127)) }
  }
}
