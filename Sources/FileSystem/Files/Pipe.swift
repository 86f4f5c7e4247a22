import LinuxABI
import Memory

/// A pipe or an opened FIFO (pipe(7)): a bounded stream of bytes between two kinds of ends.
package final class Pipe {
  /// Waiters of both kinds of ends, told apart by their events.
  package let waitQueue = WaitQueue()
  /// Bytes that fit; `F_SETPIPE_SZ` changes it.
  package private(set) var capacity = Pipe.defaultCapacity
  private var ring = ByteRing()
  /// Where packets were written (`O_DIRECT` of pipe(2)): the parts that the bytes in the ring consist of, in order. Empty
  /// where all is one stream.
  private var parts: [(count: Int, isPacket: Bool)] = []
  /// Charged for the pipe and the storage of its bytes.
  private var charge: MemoryCharge
  /// Ends that can read, that can write.
  private(set) var readers = 0
  private(set) var writers = 0
  /// Ends ever opened: a FIFO's open(2) waits for these to change.
  private(set) var readerGeneration: UInt64 = 0
  private(set) var writerGeneration: UInt64 = 0
  /// For ends without a path.
  let inode: PipeInode

  /// Sixteen pages.
  package static let defaultCapacity = 65536
  /// `fs.pipe-max-size`. It binds the guest's root too: the bytes lie in the memory of Apus.
  package static let maximumCapacity = 1 << 20
  /// `PIPE_BUF`: writes up to this size are not mixed with others.
  package static let atomicSize = 4096

  /// What an empty pipe takes, with room for an atomic write.
  private static let price = 1024 + ByteRing.smallestStorage

  /// - Throws: `error` where there is no memory for it.
  init(owner: Credentials, time: Nanoseconds, memory: KernelMemory, otherwise error: Errno) throws(Errno) {
    charge = try memory.charge(Pipe.price, otherwise: error)
    inode = PipeInode(owner: owner, time: Timespec(time))
  }

  /// Makes a pipe with its two ends (pipe2(2)). `flags`: `O_NONBLOCK`. - Throws: `ENFILE`.
  package static func make(
    flags: OpenFlags, owner: Credentials, time: Nanoseconds, memory: KernelMemory
  ) throws(Errno) -> (reader: PipeEnd, writer: PipeEnd) {
    let pipe = try Pipe(owner: owner, time: time, memory: memory, otherwise: .tooManyOpenFilesInSystem)
    let status = flags.intersection([.nonBlocking, .direct])
    return (
      PipeEnd(pipe, flags: status, location: nil), PipeEnd(pipe, flags: status.union(.writeOnly), location: nil)
    )
  }

  /// Bytes in the pipe.
  package var count: Int { ring.count }
  package var free: Int { max(capacity - ring.count, 0) }
  package var hasReaders: Bool { readers > 0 }
  package var hasWriters: Bool { writers > 0 }
  /// A write of `PIPE_BUF` bytes would not block.
  package var isWritable: Bool { free >= Pipe.atomicSize && hasRoomForPacket }
  /// Each packet takes a page of Linux's pipes.
  private var hasRoomForPacket: Bool { parts.count < capacity / Pipe.atomicSize }

  func opened(_ flags: OpenFlags) {
    if flags.isReadable {
      readers += 1
      readerGeneration += 1
    }
    if flags.isWritable {
      writers += 1
      writerGeneration += 1
    }
    waitQueue.wake()
  }

  func closed(_ flags: OpenFlags) {
    if flags.isReadable { readers -= 1 }
    if flags.isWritable { writers -= 1 }
    if readers == 0 || writers == 0 { waitQueue.wake() }
    if readers == 0, writers == 0 { dropStorage() }
  }

  /// Room for at most `wanted` more bytes: storage is made for them. Where there is no memory, the pipe's capacity
  /// becomes what it has storage for.
  package func room(for wanted: Int) -> Int {
    let wanted = min(wanted, free)
    let storage = ByteRing.storage(for: ring.count + wanted)
    if storage > ring.storage {
      do throws(Errno) {
        try charge.resize(to: Pipe.price - ByteRing.smallestStorage + storage)
      } catch {
        capacity = max(ring.storage, ByteRing.smallestStorage)
        return min(wanted, free)
      }
    }
    return wanted
  }

  /// Gives up the storage of a pipe that is empty, or that nobody will read.
  private func dropStorage() {
    ring = ByteRing()
    parts = []
    charge.shrink(to: Pipe.price)
  }

  /// Moves bytes out. - Throws: `EAGAIN` where it is empty and can still be written.
  package func read(into buffer: inout IOBuffer) throws(Errno) -> Int {
    guard buffer.remaining > 0 else { return 0 }
    guard ring.count > 0 else {
      if writers == 0 { return 0 }
      throw .wouldBlock
    }
    let wasWritable = isWritable
    let count: Int
    if let first = parts.first {
      let limited = min(first.count, buffer.remaining)
      var left = limited
      count = ring.take(into: &buffer, limit: limited)
      // What of a packet has no room is lost.
      if first.isPacket, count == limited {
        ring.drop(first.count - count)
        left = first.count
      }
      dropParts(count == limited ? left : count)
    } else {
      count = ring.take(into: &buffer)
    }
    if ring.count == 0, ring.storage > Pipe.defaultCapacity { dropStorage() }
    if !wasWritable, isWritable, !waitQueue.isEmpty { waitQueue.wakeOne(.writable) }
    return count
  }

  /// Moves in as many bytes as fit; up to `PIPE_BUF` bytes go in together or not at all.
  ///
  /// The rest of a longer write whose beginning was transferred (the buffer knows) may be split.
  /// - Throws: `EPIPE`, `EAGAIN`.
  package func write(from buffer: inout IOBuffer, asPacket: Bool = false) throws(Errno) -> Int {
    guard buffer.remaining > 0 else { return 0 }
    guard readers > 0 else { throw .brokenPipe }
    // Longer packets are several.
    let wanted = asPacket ? min(buffer.remaining, Pipe.atomicSize) : buffer.remaining
    if asPacket, !hasRoomForPacket { throw .wouldBlock }
    let room = room(for: wanted)
    let isAtomic = asPacket || wanted + buffer.transferred <= Pipe.atomicSize
    guard room > 0, !isAtomic || room >= wanted else { throw .wouldBlock }
    let before = ring.count
    let count = ring.append(from: &buffer, limit: room)
    notePart(count, after: before, isPacket: asPacket)
    if !waitQueue.isEmpty { waitQueue.wakeOne(.readable) }
    return count
  }

  /// Bytes came into the pipe, which held some before.
  private func notePart(_ count: Int, after before: Int, isPacket: Bool) {
    guard count > 0, isPacket || !parts.isEmpty else { return }
    if parts.isEmpty, before > 0 { parts.append((before, false)) }
    if !isPacket, let last = parts.last, !last.isPacket {
      parts[parts.count - 1].count += count
    } else {
      parts.append((count, isPacket))
    }
  }

  /// Bytes left the pipe.
  private func dropParts(_ count: Int) {
    var left = count
    while left > 0, let first = parts.first {
      let gone = min(left, first.count)
      left -= gone
      if gone == first.count { parts.removeFirst() } else { parts[0].count -= gone }
    }
  }

  /// The first bytes, which stay (tee(2), splice(2)).
  package func peek(_ limit: Int) -> [UInt8] { ring.peek(limit) }

  /// Drops the first bytes after they were spliced away.
  package func discard(_ count: Int) {
    let wasWritable = isWritable
    ring.drop(count)
    dropParts(count)
    if !wasWritable, isWritable { waitQueue.wakeOne(.writable) }
  }

  /// Appends what there is `room` for.
  package func append(_ bytes: [UInt8]) {
    notePart(bytes.count, after: ring.count, isPacket: false)
    ring.append(bytes)
    waitQueue.wakeOne(.readable)
  }

  /// `F_SETPIPE_SZ`: returns the capacity, which is a power of two of at least a page.
  package func setCapacity(_ wanted: UInt64) throws(Errno) -> Int {
    guard wanted <= 1 << 31 else { throw .invalidArgument }
    var size = 4096
    while UInt64(size) < wanted { size *= 2 }
    guard size <= Pipe.maximumCapacity else { throw .notPermitted }
    guard size >= ring.count else { throw .resourceBusy }
    let wasWritable = isWritable
    capacity = size
    if !wasWritable, isWritable { waitQueue.wake(.writable) }
    return size
  }
}

/// What fstat(2) shows of a pipe without a path, and what fchown(2) and locks work on.
package final class PipeInode: Inode {
  private var stat = Stat()
  let number: UInt64

  init(owner: Credentials, time: Timespec) {
    number = AnonymousInode.next()
    super.init()
    stat.device = DeviceNumber.pipes
    stat.inode = number
    stat.mode = FileMode(.fifo, permissions: 0o600)
    stat.uid = owner.fsuid
    stat.gid = owner.fsgid
    stat.accessTime = time
    stat.modificationTime = time
    stat.changeTime = time
  }

  package override var kind: FileMode.Kind { .fifo }
  package override func attributes() throws(Errno) -> Stat { stat }
  package override func setAttributes(_ change: AttributeChange) throws(Errno) {
    if let permissions = change.permissions { stat.mode = FileMode(.fifo, permissions: permissions) }
    if let uid = change.uid { stat.uid = uid }
    if let gid = change.gid { stat.gid = gid }
    if case .set(let time)? = change.accessTime { stat.accessTime = time }
    if case .set(let time)? = change.modificationTime { stat.modificationTime = time }
  }
  package override func statistics() throws(Errno) -> StatFS? {
    var result = StatFS()
    result.type = FileSystemMagic.pipes.rawValue
    return result
  }
}

/// One end of a pipe, or an opened FIFO (which may be both ends).
package final class PipeEnd: OpenFile {
  private let end: Pipe
  /// The peer generation at which open(2) of a FIFO started to wait; nil once it has a peer.
  private var awaited: UInt64?
  /// The writer generation at which a hang-up is no news: a FIFO that has not been opened for writing yet.
  private let quietGeneration: UInt64?
  private let access: OpenFlags

  init(_ pipe: Pipe, flags: OpenFlags, location: PathLocation?, waitsForPeer: Bool = false) {
    self.end = pipe
    access = flags.intersection(.accessMask)
    quietGeneration = location != nil && pipe.writers == 0 ? pipe.writerGeneration : nil
    if waitsForPeer { awaited = access == .writeOnly ? pipe.readerGeneration : pipe.writerGeneration }
    super.init(flags: flags, location: location)
    pipe.opened(access)
  }

  package override var pipe: Pipe? { end }
  package override var writesFully: Bool { true }
  package override var inode: Inode? { location?.dentry.inode ?? end.inode }
  package override var description: String { location?.path ?? "pipe:[\(end.inode.number)]" }
  package override var waitQueue: WaitQueue? { end.waitQueue }

  package override var isOpenPending: Bool {
    guard let awaited else { return false }
    let isReader = access.isReadable
    let generation = isReader ? end.writerGeneration : end.readerGeneration
    if generation != awaited || (isReader ? end.hasWriters : end.hasReaders) {
      self.awaited = nil
      return false
    }
    return true
  }

  package override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard offset == nil else { throw .illegalSeek }
    guard flags.isReadable else { throw .badFileDescriptor }
    return try end.read(into: &buffer)
  }

  package override func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard offset == nil else { throw .illegalSeek }
    guard flags.isWritable else { throw .badFileDescriptor }
    guard flags.contains(.direct) else { return try end.write(from: &buffer) }
    var done = try end.write(from: &buffer, asPacket: true)
    while buffer.remaining > 0, let more = try? end.write(from: &buffer, asPacket: true), more > 0 { done += more }
    return done
  }

  package override func readiness() -> PollEvents {
    var events: PollEvents = []
    if access.isReadable {
      if end.count > 0 { events.formUnion(.readable) }
      if !end.hasWriters, quietGeneration != end.writerGeneration { events.insert(.hangUp) }
    }
    if access.isWritable {
      if end.isWritable { events.formUnion(.writable) }
      if !end.hasReaders { events.insert(.error) }
    }
    return events
  }

  package override func control(_ request: UInt32, argument: UInt64, memory: AddressSpace) throws(Errno) -> Int {
    guard request == Ioctl.readable else { throw .inappropriateIOCTLForDevice }
    try memory.writeValue(GuestAddress(argument), Int32(clamping: end.count))
    return 0
  }

  package override func reopen(_ flags: OpenFlags) throws(Errno) -> OpenFile {
    PipeEnd(end, flags: flags.intersection([.accessMask, .nonBlocking]), location: nil)
  }

  package override func close() { end.closed(access) }
}

/// What a FIFO's inode keeps (fifo(7)): the pipe, for as long as it is open anywhere.
package final class FIFO {
  private weak var pipe: Pipe?
  package init() {}

  /// Opens the FIFO; the result is `isOpenPending` where it has no peer yet, so nothing has to wait here.
  /// - Throws: `ENXIO` for `O_WRONLY | O_NONBLOCK` without a reader, `ENOMEM`.
  package func open(
    _ flags: OpenFlags, at location: PathLocation, owner: Credentials, time: Nanoseconds, memory: KernelMemory
  ) throws(Errno) -> OpenFile {
    let pipe: Pipe
    if let open = self.pipe {
      pipe = open
    } else {
      pipe = try Pipe(owner: owner, time: time, memory: memory, otherwise: .noMemory)
    }
    let isBoth = flags.isReadable && flags.isWritable
    var waits = false
    if !isBoth {
      if flags.isReadable {
        waits = !pipe.hasWriters && !flags.contains(.nonBlocking)
      } else if !pipe.hasReaders {
        if flags.contains(.nonBlocking) { throw .noSuchAddressOrDevice }
        waits = true
      }
    }
    self.pipe = pipe
    return PipeEnd(pipe, flags: flags, location: location, waitsForPeer: waits)
  }
}
