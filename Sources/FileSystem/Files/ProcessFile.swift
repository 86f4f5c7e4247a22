import LinuxABI

/// The process that a process descriptor refers to.
package protocol ProcessHandle: AnyObject {
  var processID: ProcessID { get }
  /// It has ended, whether or not its parent has waited for it.
  var hasEnded: Bool { get }
  /// Its parent has waited for it, too: nothing is left of it.
  var wasReaped: Bool { get }
  /// Woken when it ends, and when it is reaped.
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
  package override func readiness() -> PollEvents {
    process.wasReaped ? [.readable, .hangUp] : process.hasEnded ? .readable : []
  }
  package override var information: String {
    let id = process.wasReaped ? ProcessID.nobody : process.processID
    return "Pid:\t\(id)\nNSpid:\t\(id)\n"
  }
}
