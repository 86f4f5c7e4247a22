import Host
import LinuxABI
import Memory

/// An open regular file of the host.
package final class HostFile: OpenFile {
  private let hostInode: HostInode
  private let reader: HostReader

  init(_ inode: HostInode, _ descriptor: HostDescriptor, flags: OpenFlags, location: PathLocation) {
    hostInode = inode
    reader = HostReader(inode, descriptor)
    super.init(flags: flags, location: location)
  }

  package override func attributes() throws(Errno) -> Stat {
    guard hostInode.fileSystem.isVolatile else { return try hostInode.attributes() }
    return hostInode.guestStat(try Host.status(reader.descriptor))
  }

  package override func setAttributes(_ change: AttributeChange) throws(Errno) {
    if hostInode.fileSystem.isReadOnly { throw .readOnlyFileSystem }
    let descriptor = reader.descriptor
    if let size = change.size { try Host.truncate(descriptor, to: size) }
    try hostInode.setOwner(change) { (uid, gid) throws(Errno) in
      try Host.changeOwner(descriptor, uid: uid, gid: gid)
    }
    if let permissions = change.permissions {
      try Host.changeMode(descriptor, HostChange.permissions(permissions, .regular))
    }
    if let times = HostChange.times(change) {
      try Host.changeTimes(at: descriptor, nil, access: times.access, modification: times.modification)
    }
    hostInode.refresh(try Host.status(descriptor))
  }

  package override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    let count = try reader.read(
      into: &buffer, at: offset ?? position, size: nil, waits: flags.contains(.nonBlocking))
    if offset == nil { position += UInt64(count) }
    return count
  }

  package override func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    var start = offset ?? position
    let appends = flags.contains(.append)
    var done = 0
    while buffer.remaining > 0 {
      let count: Int
      do throws(Errno) {
        count = try buffer.drain(into: reader.descriptor, at: appends ? nil : start &+ UInt64(done))
      } catch {
        if done == 0 { throw error }
        break
      }
      if count == 0 { break }
      done += count
    }
    if offset == nil, done > 0 {
      if appends { start = UInt64(clamping: try Host.status(reader.descriptor).size) &- UInt64(done) }
      position = start &+ UInt64(done)
    }
    return done
  }

  package override func seek(to offset: Int64, whence: Whence) throws(Errno) -> UInt64 {
    if whence == .data || whence == .hole {
      position = try Host.seek(reader.descriptor, offset, whence: whence)
      return position
    }
    let size = whence == .end ? try Host.status(reader.descriptor).size : 0
    position = try SeekTarget.compute(offset, whence: whence, position: position, size: UInt64(clamping: size))
    return position
  }

  package override func truncate(to size: UInt64) throws(Errno) { try Host.truncate(reader.descriptor, to: size) }

  package override func allocate(mode: AllocationMode, offset: UInt64, length: UInt64) throws(Errno) {
    try Host.allocate(reader.descriptor, mode: mode, offset: offset, length: length)
  }

  package override func sync(dataOnly: Bool) throws(Errno) { try Host.sync(reader.descriptor, dataOnly: dataOnly) }

  package override var waitQueue: WaitQueue? { reader.waitQueue }

  /// The description on the host; nil once it is closed.
  var hostDescriptor: HostDescriptor? { reader.file }

  package override func mappable() throws(Errno) -> any MappableObject {
    let fileSystem = hostInode.fileSystem
    return try fileSystem.files.mapping(
      of: hostInode, reader.file, isWritable: flags.isWritable, name: description,
      device: fileSystem.deviceNumber)
  }

  package override func close() { reader.close() }
}

/// Reads a host file without waiting for its disk.
final class HostReader {
  /// nil once it is closed.
  private(set) var file: HostDescriptor?
  var descriptor: FileDescriptor { file?.number ?? FileDescriptor(rawValue: -1) }
  let waitQueue = WaitQueue()
  private let inode: HostInode
  /// The file system can tell what is in the page cache.
  private var tellsCached = true

  init(_ inode: HostInode, _ file: HostDescriptor) {
    self.inode = inode
    self.file = file
  }

  func close() { file = nil }

  /// Reads up to the end of the file. `size` saves a host call where it is known. With `waits` it waits for the disk
  /// in place of throwing `.wouldBlock`: for descriptions with `O_NONBLOCK`, which means nothing to regular files.
  /// - Throws: `.wouldBlock` where part of it isn't in the host's page cache; `waitQueue` is woken when it is.
  func read(into buffer: inout IOBuffer, at offset: UInt64, size: UInt64?, waits: Bool) throws(Errno) -> Int {
    var position = offset
    while buffer.remaining > 0 {
      if let size, position >= size { break }
      var count: Int
      do throws(Errno) {
        count = try buffer.fill(from: descriptor, at: position, waits: !tellsCached)
      } catch .wouldBlock {
        guard waits || inode.missed == position else {
          inode.missed = position
          readAhead(at: position, count: min(buffer.remaining, 1 << 20))
          throw .wouldBlock
        }
        inode.missed = nil
        count = try buffer.fill(from: descriptor, at: position, waits: true)
      } catch .notSupported {
        tellsCached = false
        continue
      }
      if count == 0 { break }
      position += UInt64(count)
    }
    return Int(position - offset)
  }

  /// Has the host bring a part of the file into its page cache; `waitQueue` is woken when it is there.
  func readAhead(at offset: UInt64, count: Int) {
    inode.fileSystem.context.services.readAhead(descriptor, offset: offset, count: count, waking: waitQueue)
  }
}
