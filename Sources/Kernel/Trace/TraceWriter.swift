import LinuxABI
package final class TraceWriter: SyscallTracer {
  package init(_ d: FileDescriptor) {}
  package func syscallEnded(
    _ task: Task, _ entry: SyscallEntry?, number: UInt64, _ arguments: SyscallArguments, result: Int
  ) {}
  package func syscallBegan(_ task: Task, _ entry: SyscallEntry?, number: UInt64, _ arguments: SyscallArguments) {}
  package func signalDelivered(_ task: Task, _ info: SignalInfo) {}
  package func taskEnded(_ task: Task, _ status: WaitStatus) {}
}
