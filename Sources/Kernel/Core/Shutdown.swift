import FileSystem
import LinuxABI

extension Machine {
  /// Ends the sandbox from outside: its threads stop, its guests are ended with the platform.
  package func stop() { kernel.withLock { $0.endSandbox(.signaled(Signal.kill)) } }

  /// The body of the thread that reads ahead.
  package func makeReadAheadService() -> @Sendable () -> Void {
    kernel.withLock { $0.services.readAheadWorker.makeService() }
  }
}

extension Kernel {
  /// Lets go of all tasks, files and mounts once nothing runs any more. Guest memory goes with the platform.
  package func shutdown() {
    for task in tasks.values where task.state != .zombie && task.state != .dead {
      task.files.release()
      task.state = .dead
    }
    for group in groups.values {
      group.leader = nil
      group.tasks = []
      group.children = []
    }
    for cpu in scheduler.cpus {
      cpu.current = nil
      cpu.queue = []
    }
    tasks = [:]
    groups = [:]
    firstGroup = nil
    servedTask = nil
    tracer = nil
    report = nil
    vfs.shutdown()
  }
}
