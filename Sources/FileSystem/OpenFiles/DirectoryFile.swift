import LinuxABI
import Memory

/// An open directory. It lists what the directory held when it was first read, or rewound: entries neither move nor
/// appear twice while others come and go, and positions stay good.
package final class DirectoryFile: OpenFile {
  private var entries: [DirectoryEntry]?

  package override func readDirectory(_ emit: (DirectoryEntry) -> Bool) throws(Errno) {
    guard let location, let inode else { throw .notDirectory }
    if location.dentry.isDeleted { throw .noSuchFileOrDirectory }
    if position == 0 || entries == nil {
      let up = location.dentry.parent?.inode ?? inode
      let dot = DirectoryEntry(inode: try inode.attributes().inode, next: 0, kind: .directory, name: ".")
      let dotDot = DirectoryEntry(inode: try up.attributes().inode, next: 0, kind: .directory, name: "..")
      let listed = try inode.listEntries()
      try chargeContent(listed.reduce(0) { $0 + 64 + $1.name.utf8.count })
      entries = [dot, dotDot] + listed
    }
    if !flags.contains(.noAccessTime) { inode.touchAccessTime(location.mount.accessTimeRule(.directory)) }
    guard let entries else { return }
    while position < UInt64(entries.count) {
      var entry = entries[Int(position)]
      entry.next = position + 1
      guard emit(entry) else { return }
      position += 1
    }
  }

  package override func seek(to offset: Int64, whence: Whence) throws(Errno) -> UInt64 {
    let base: Int64
    switch whence {
    case .start: base = 0
    case .current: base = Int64(clamping: position)
    case .end: base = Int64(entries?.count ?? 0)
    default: throw .invalidArgument
    }
    let (target, overflow) = base.addingReportingOverflow(offset)
    if overflow || target < 0 { throw .invalidArgument }
    position = UInt64(target)
    if target == 0 { entries = nil }
    return position
  }

  package override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    throw .isDirectory
  }
  package override func sync(dataOnly: Bool) throws(Errno) {}
}
