import FileSystem
import LinuxABI

extension Kernel {
  /// Mounts `/proc`, and takes the caller's terminal from the sandbox's devices.
  package func mountProcesses(at point: PathLocation, _ context: FileSystemContext) throws(Errno) {
    console = context.devices.console
    let proc = ProcFS.make(for: self)
    try vfs.mount(proc.fileSystem, root: proc.root, at: point)
  }

  /// Mounts `/sys`.
  package func mountSystem(at point: PathLocation) throws(Errno) {
    let system = SysFS.make(for: self)
    try vfs.mount(system.fileSystem, root: system.root, at: point, isReadOnly: true)
  }
}
