import LinuxABI
import Memory
import Synchronization

/// Inode numbers of files that have no path: pipes, event files, sockets.
package enum AnonymousInode {
  private static let last = Atomic<UInt64>(1)
  package static func next() -> UInt64 { last.add(1, ordering: .relaxed).newValue }
}

/// An open file without a name in any file system that is shown as `anon_inode:[kind]` (eventfd, epoll, timerfd …).
package class AnonymousFile: OpenFile {
  /// `[eventfd]`, as `/proc/PID/fd` shows it.
  private let kindName: String
  private let number = AnonymousInode.next()

  init(kindName: String, flags: OpenFlags) {
    self.kindName = kindName
    super.init(flags: flags, location: nil)
  }

  package override var description: String { "anon_inode:\(kindName)" }
  package override func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    throw offset == nil ? .invalidArgument : .illegalSeek
  }
  package override func attributes() throws(Errno) -> Stat {
    var stat = Stat()
    stat.device = DeviceNumber.anonymous
    stat.inode = number
    stat.mode = 0o600
    return stat
  }
}

/// The device numbers of file systems that have no place in the tree.
extension DeviceNumber {
  /// The file system of pipes.
  package static let pipes = make(0, 13)
  /// The file system of other files without a name.
  package static let anonymous = make(0, 14)
  /// The file system of sockets.
  package static let sockets = make(0, 8)
}
