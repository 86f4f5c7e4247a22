import FileSystem
import LinuxABI

extension Kernel {
  /// Mounts `/proc`, and takes the caller's terminal from the sandbox's devices.
  package func mountProcesses(at point: PathLocation, _ context: FileSystemContext) throws(Errno) {
    console = context.devices.console
    try vfs.mount(processFileSystem.fileSystem, root: processFileSystem.root, at: point)
  }

  /// Mounts `/sys`.
  package func mountSystem(at point: PathLocation) throws(Errno) {
    try vfs.mount(
      systemFileSystem.fileSystem, root: systemFileSystem.root, at: point, flags: [.readOnly, .relativeAccessTimes])
  }
}
