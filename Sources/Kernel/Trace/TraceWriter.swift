import LinuxABI

/// Writes a line for each system call, as strace(1) does (`--trace`). A call is shown when it ends. Called with the kernel
/// lock held.
package final class TraceWriter {
  private let output: (String) -> Void
  private var showsIDs = false
  /// The arguments of calls that change what they point to beyond recognition (execve), by task.
  private var begun: [ObjectIdentifier: String] = [:]
  /// Results start in this column, where the call leaves room.
  private static let resultColumn = 40

  /// `output` gets each line, with its end.
  package init(_ output: @escaping (String) -> Void) { self.output = output }

  /// A call begins that does not come back (exit, execve that succeeds) or that blocks.
  func syscallBegan(
    _ task: Task, _ entry: SyscallEntry?, number: UInt64, _ arguments: SyscallArguments
  ) {
    let call = CallFormatter(task: task, entry: entry, number: number, arguments: arguments, result: nil).text
    if entry?.number == .exit || entry?.number == .exit_group {
      write(task, padded(task, call) + "= ?")
    } else {
      begun[ObjectIdentifier(task)] = call
    }
  }

  /// A call ended. Arguments that the call reads are still as they were.
  func syscallEnded(
    _ task: Task, _ entry: SyscallEntry?, number: UInt64, _ arguments: SyscallArguments, _ result: CallResult
  ) {
    let call =
      begun.removeValue(forKey: ObjectIdentifier(task))
      ?? CallFormatter(task: task, entry: entry, number: number, arguments: arguments, result: result.register).text
    write(task, padded(task, call) + "= " + TraceWriter.describe(result, number))
  }

  /// A signal is delivered.
  func signalDelivered(_ task: Task, _ info: SignalInfo) {
    write(task, "--- \(SignalNames.name(info.signal)) \(SignalNames.describe(info)) ---")
  }

  func taskEnded(_ task: Task, _ status: WaitStatus) {
    begun[ObjectIdentifier(task)] = nil
    if let signal = status.signal {
      write(task, "+++ killed by \(SignalNames.name(signal)) +++")
    } else {
      write(task, "+++ exited with \(status.exitCode ?? 0) +++")
    }
  }

  /// Shows a line that belongs to no single call.
  package func note(_ text: String) { output("--- \(text) ---\n") }

  private func prefix(_ task: Task) -> String {
    if !showsIDs, task.kernel.tasks.count > 1 { showsIDs = true }
    return showsIDs ? "[pid \(task.id)] " : ""
  }

  private func padded(_ task: Task, _ call: String) -> String {
    let used = prefix(task).utf8.count + call.utf8.count
    return call + String(repeating: " ", count: max(1, TraceWriter.resultColumn - used))
  }

  private func write(_ task: Task, _ line: String) {
    output(prefix(task) + line + "\n")
  }

  /// What a call returned.
  private static func describe(_ result: CallResult, _ number: UInt64) -> String {
    if case .restart(let restart) = result { return "? \(describe(restart))" }
    let value = result.register
    if (-4095 ... -1).contains(value) {
      let error = Errno(rawValue: CInt(-value))
      return "-1 \(ErrnoNames.name(error)) (\(error))"
    }
    if addressCalls.contains(Int(clamping: number)) { return hex(UInt64(bitPattern: Int64(value))) }
    return "\(value)"
  }

  private static let addressCalls: Set<Int> = [
    SyscallNumber.mmap.rawValue, SyscallNumber.mremap.rawValue, SyscallNumber.brk.rawValue,
    SyscallNumber.shmat.rawValue,
  ]

  private static func describe(_ restart: RestartKind) -> String {
    switch restart {
    case .restartSys: "ERESTARTSYS (To be restarted if SA_RESTART is set)"
    case .restartNoIntr: "ERESTARTNOINTR (To be restarted)"
    case .restartNoHand: "ERESTARTNOHAND (To be restarted if no handler)"
    case .restartBlock: "ERESTART_RESTARTBLOCK (Interrupted by signal)"
    case .never: "EINTR (Interrupted system call)"
    }
  }
}
