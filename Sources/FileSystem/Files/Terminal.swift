import LinuxABI

/// What Apus keeps of a terminal: who may use it. The line discipline is the host's.
package final class Terminal {
  /// The session whose controlling terminal it is; 0 before there is one, −1 once it was given up.
  package var session = ProcessID.zero
  /// The foreground process group (tcsetpgrp(3)).
  package var foregroundGroup = ProcessID.zero
  /// The host's descriptor, for `/dev/tty` and `/dev/console`.
  package let descriptor: FileDescriptor
  /// What the caller's descriptors for it allow together.
  package let access: OpenFlags
  /// The device node that stat(2) of an open terminal shows (`/dev/console`).
  package var node: Inode?

  package init(descriptor: FileDescriptor, access: OpenFlags) {
    self.descriptor = descriptor
    self.access = access
  }
  /// `makedev(5, 1)`, the console.
  package static let device = DeviceNumber.make(5, 1)
}
