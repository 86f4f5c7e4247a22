import FileSystem
import Kernel
import LinuxABI

/// Finds a command in the guest's `PATH`, as execvp(3) does.
struct CommandLookup {
  let vfs: VFS
  let fs: TaskFileSystem
  let credentials: Credentials

  init(vfs: VFS, fs: TaskFileSystem, credentials: Credentials) {
    self.vfs = vfs
    self.fs = fs
    self.credentials = credentials
  }

  /// The path to execute. A command with a slash is a path already.
  /// - Throws: 127 where there is none, 126 where there is one that can't be executed.
  func find(_ command: String, environment: [String]) throws(SandboxError) -> String {
    if command.utf8.contains(UInt8(ascii: "/")) {
      if let problem = problem(command) { throw CommandLookup.error(problem, command: command) }
      return command
    }
    let path = environment.last { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? "/usr/local/bin:/usr/bin:/bin"
    var denied: Errno?
    for directory in path.split(separator: ":", omittingEmptySubsequences: false) {
      let candidate = directory.isEmpty ? "./\(command)" : "\(directory)/\(command)"
      switch problem(candidate) {
      case nil: return candidate
      case .permissionDenied?: denied = .permissionDenied
      default: continue
      }
    }
    if let denied { throw CommandLookup.error(denied, command: command) }
    throw SandboxError("\(command): command not found", exitStatus: SandboxError.notFound)
  }

  /// Why a file can't be executed; nil where it can.
  private func problem(_ path: String) -> Errno? {
    let context = PathContext(root: fs.root, base: fs.workingDirectory, credentials: credentials)
    do throws(Errno) {
      let location = try vfs.resolve(path, context)
      guard location.dentry.inode.kind == .regular else { throw .permissionDenied }
      try vfs.checkAccess(location, .execute, credentials)
      return nil
    } catch { return error }
  }

  /// Puts into words why execve(2) failed.
  static func error(_ error: Errno, command: String) -> SandboxError {
    switch error {
    case .noSuchFileOrDirectory, .notDirectory:
      let text = error == .notDirectory ? "Not a directory" : "No such file or directory"
      return SandboxError("\(command): \(text)", exitStatus: SandboxError.notFound)
    case .execFormatError:
      return SandboxError(
        "\(command): cannot execute: neither a valid x86-64 program nor a script that starts with #!",
        exitStatus: SandboxError.notExecutable)
    default:
      return SandboxError("\(command): cannot execute: \(error)", exitStatus: SandboxError.notExecutable)
    }
  }
}
