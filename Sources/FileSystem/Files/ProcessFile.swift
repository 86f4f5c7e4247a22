import LinuxABI

/// The process that a process descriptor refers to.
package protocol ProcessHandle: AnyObject {
  var processID: ProcessID { get }
  /// It has ended, whether or not its parent has waited for it.
  var hasEnded: Bool { get }
  /// Woken when it ends.
  var endQueue: WaitQueue { get }
}

/// A process descriptor: readable once the process has ended (pidfd_open(2)).
package final class ProcessFile: AnonymousFile {
  package let process: any ProcessHandle

  package init(process: any ProcessHandle, flags: OpenFlags) {
    self.process = process
    super.init(kindName: "[pidfd]", flags: flags.intersection(.nonBlocking).union(.readWrite))
  }

  package override var waitQueue: WaitQueue? { process.endQueue }
  package override func readiness() -> PollEvents { process.hasEnded ? .readable : [] }
  package override var information: String { "Pid:\t\(process.processID)\nNSpid:\t\(process.processID)\n" }
}
