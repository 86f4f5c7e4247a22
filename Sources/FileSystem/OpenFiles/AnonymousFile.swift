import LinuxABI
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
  package override func attributes() throws(Errno) -> Stat {
    var stat = Stat()
    stat.device = DeviceNumber.anonymous
    stat.inode = number
    stat.mode = 0o600
    return stat
  }
}

/// Device numbers: `makedev(3)`, and those of file systems that Apus makes up.
package enum DeviceNumber {
  /// makedev(3).
  package static func make(_ major: UInt32, _ minor: UInt32) -> UInt64 {
    let major = UInt64(major)
    let minor = UInt64(minor)
    return (major & 0xffff_f000) << 32 | (major & 0xfff) << 8 | (minor & 0xffff_ff00) << 12 | minor & 0xff
  }
  package static func major(_ device: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: device >> 32 & 0xffff_f000 | device >> 8 & 0xfff)
  }
  package static func minor(_ device: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: device >> 12 & 0xffff_ff00 | device & 0xff)
  }
  /// The file system of pipes.
  package static let pipes = make(0, 13)
  /// The file system of other files without a name.
  package static let anonymous = make(0, 14)
  /// The file system of sockets.
  package static let sockets = make(0, 8)
}
