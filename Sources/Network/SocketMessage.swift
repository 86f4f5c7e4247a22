import FileSystem
import LinuxABI

/// Who binds, connects or sends to an address: names of AF_UNIX are looked up and checked with it.
package struct SocketCaller {
  package let credentials: SocketCredentials
  package let vfs: VFS
  package let paths: PathContext
  package init(credentials: SocketCredentials, vfs: VFS, paths: PathContext) {
    self.credentials = credentials
    self.vfs = vfs
    self.paths = paths
  }
}

/// What goes with the bytes of one send (sendmsg(2)).
package struct OutgoingMessage {
  package var flags: MessageFlags = []
  /// Who sends it.
  package var sender: SocketCredentials
  /// The sender's program said who that is (`SCM_CREDENTIALS`).
  package var statesSender = false
  /// Where it goes, in place of the socket's peer.
  package var destination: (address: SocketAddress, caller: SocketCaller)?
  /// Files of `SCM_RIGHTS`. The sender keeps them; the socket retains what it queues.
  package var files: [OpenFile] = []
  /// Whose they are, and how many more than its limit that user may have in messages; nil: any number.
  package var user: UInt32 = 0
  package var fileLimit: UInt64?
  /// Control messages but `SCM_RIGHTS` and `SCM_CREDENTIALS`: those are `files` and `sender`.
  package var control: [ControlMessage] = []
  /// What the sender may do; nothing where that isn't known.
  package var capabilities: CapabilitySet = []
  package init(sender: SocketCredentials) { self.sender = sender }
}

/// What one receive gives beside the bytes (recvmsg(2)).
package struct ReceivedMessage {
  /// What the call returns: the bytes received, or with `MSG_TRUNC` the length of the whole message.
  package var count = 0
  /// `MSG_TRUNC`, `MSG_EOR`, `MSG_OOB`… as `msg_flags` tells them.
  package var flags: MessageFlags = []
  /// Who sent it, where the socket names senders.
  package var source: SocketAddress?
  /// Files of `SCM_RIGHTS`: the caller's to install, and then to drop (`PassedFiles.drop`).
  package var files: [OpenFile] = []
  /// `SCM_CREDENTIALS`, where the socket wants them (`SO_PASSCRED`).
  package var credentials: SocketCredentials?
  /// The process for an `SCM_PIDFD`, where the socket wants one (`SO_PASSPIDFD`).
  package var process: ProcessID?
  /// Further control messages.
  package var control: [ControlMessage] = []
  package init(count: Int = 0) { self.count = count }
}
