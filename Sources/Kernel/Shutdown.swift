import FileSystem
import LinuxABI

extension Kernel {
  /// Ends the sandbox from outside, as SIGKILL ends a process.
  package func terminate() { endSandbox(.signaled(Signal.kill)) }

  /// Lets go of all tasks, files and mounts once nothing runs any more. Guest memory goes with the platform.
  package func shutdown() {
    for task in tasks.values where !task.hasEnded {
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
      cpu.clear()
    }
    processTable.removeAll()
    firstGroup = nil
    servedTask = nil
    tracer = nil
    report = nil
    network.shutdown()
    vfs.shutdown()
  }
}
