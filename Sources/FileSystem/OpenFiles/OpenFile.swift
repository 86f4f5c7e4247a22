import LinuxABI
import Memory

/// Counts as a writer of an inode while it exists.
package final class WriteHold {
  private let inode: Inode
  fileprivate init(_ inode: Inode) {
    self.inode = inode
    inode.writers += 1
  }
  deinit { inode.writers -= 1 }
}

/// An open file description (open(2)): what descriptors refer to. Reference-counted by Swift; `close()` runs when the
/// last descriptor goes.
///
/// No operation blocks: it throws `.wouldBlock`, and `waitQueue` tells when to try again.
///
/// What kinds of files in other targets override is `open`, as Swift demands; the rest is `package`.
open class OpenFile {
  /// Status flags; the access mode never changes, fcntl(2) `F_SETFL` changes the rest.
  package final var flags: OpenFlags
  /// The file offset, for files that have one.
  package final var position: UInt64 = 0
  /// Where it was opened; nil for pipes and other files without a path.
  package final let location: PathLocation?
  /// Descriptors that refer to this description, kept by `FileTable`.
  package private(set) final var descriptorCount = 0
  /// Its place among the open files of the sandbox, from its first descriptor on.
  final var admission: OpenFileCount.Admission?
  /// Epoll instances that watch this description (epoll(7)); they forget it when it is closed.
  final var epollItems: [EpollItem] = []
  /// Owner for SIGIO, `F_SETOWN`.
  package final var signalOwner = DescriptorOwner.none
  /// The signal of `F_SETSIG`; 0 for SIGIO.
  package final var ownerSignal = Signal.null

  package init(flags: OpenFlags, location: PathLocation?) {
    self.flags = flags
    self.location = location
  }

  /// One more descriptor, or place in a message, refers to this description.
  package final func retainDescriptor() {
    if descriptorCount == 0 { noteOpen(true) }
    descriptorCount += 1
  }

  /// One reference less; true where it was the last.
  final func releaseDescriptor() -> Bool {
    descriptorCount -= 1
    guard descriptorCount == 0 else { return false }
    noteOpen(false)
    return true
  }

  private func noteOpen(_ isOpen: Bool) {
    guard let location else { return }
    let written = writtenInode
    written?.writers += isOpen ? 1 : -1
    location.mount.noteOpen(isOpen, writes: written?.kind == .regular)
  }

  /// Keeps the file from being executed (`ETXTBSY`) for as long as a mapping made through this description is there.
  package final var writeHold: WriteHold? { writtenInode.map(WriteHold.init) }

  /// The file can be executed by its path, so nobody may while it is open for writing. A memfd may be.
  private var writtenInode: Inode? {
    flags.isWritable && !flags.contains(.path) ? location?.dentry.inode : nil
  }

  /// The inode, for fstat(2), mmap(2) and locks.
  package var inode: Inode? { location?.dentry.inode }
  /// `/proc/PID/fd/N` of files without a path: `pipe:[7]`, `anon_inode:[eventpoll]`.
  open var description: String { location?.path ?? "anon_inode:[unknown]" }
  open func attributes() throws(Errno) -> Stat {
    guard let inode else { throw .badFileDescriptor }
    return try inode.attributes()
  }

  /// Reads at the position (and moves it), or at `offset` (pread(2); `ESPIPE` where there is none).
  open func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int { throw .invalidArgument }
  /// Writes at the position, at the end with `O_APPEND`, or at `offset`.
  open func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int { throw .invalidArgument }
  /// Moves the position (lseek(2), including `SEEK_DATA` and `SEEK_HOLE`).
  package func seek(to offset: Int64, whence: Whence) throws(Errno) -> UInt64 { throw .illegalSeek }
  /// Directory entries from the position on, until `emit` returns false. The position becomes `entry.next`.
  package func readDirectory(_ emit: (DirectoryEntry) -> Bool) throws(Errno) { throw .notDirectory }
  /// Device control. - Throws: `ENOTTY` where the request isn't known.
  open func control(_ request: UInt32, argument: UInt64, memory: AddressSpace) throws(Errno) -> Int {
    throw .inappropriateIOCTLForDevice
  }
  /// Changes attributes of the open file (fchmod(2), fchown(2), futimens(3)). Permission checks were made.
  open func setAttributes(_ change: AttributeChange) throws(Errno) {
    guard let inode else { throw .badFileDescriptor }
    try inode.setAttributes(change)
  }
  package func truncate(to size: UInt64) throws(Errno) { throw .invalidArgument }
  package func allocate(mode: AllocationMode, offset: UInt64, length: UInt64) throws(Errno) { throw .notSupported }
  package func sync(dataOnly: Bool) throws(Errno) { throw .invalidArgument }
  /// A blocking write(2) goes on until everything is written (pipes, sockets, terminals).
  open var writesFully: Bool { false }
  /// A write that nobody can read any more sends SIGPIPE beside its `EPIPE`.
  open var raisesPipeSignal: Bool { true }
  /// How long a call may wait for `events` (`SO_RCVTIMEO` and `SO_SNDTIMEO` of socket(7)); nil: without end.
  open func waitLimit(for events: PollEvents) -> Nanoseconds? { nil }
  /// The pipe behind a pipe or FIFO (splice(2), `F_SETPIPE_SZ`).
  package var pipe: Pipe? { nil }
  /// The terminal behind this file.
  package var terminal: Terminal? { nil }
  /// An opened FIFO that has no peer yet: open(2) waits on `waitQueue` until this is false, and closes the file where
  /// a signal ends the wait.
  package var isOpenPending: Bool { false }
  /// Makes another description of a file without a path, opened through `/proc/PID/fd/N`. - Throws: `ENXIO`.
  package func reopen(_ flags: OpenFlags) throws(Errno) -> OpenFile { throw .noSuchAddressOrDevice }
  /// Lines of `/proc/PID/fdinfo/N` beyond those that all files have.
  open var information: String { "" }
  /// `F_GETSEALS` and `F_ADD_SEALS` of memfd_create(2).
  package func seals() throws(Errno) -> FileSeals { throw .invalidArgument }
  package func addSeals(_ seals: FileSeals) throws(Errno) { throw .invalidArgument }
  /// What can be done now without blocking (poll(2)).
  open func readiness() -> PollEvents { [.readable, .writable] }
  /// Woken when `readiness` may have changed; nil for files that never block.
  open var waitQueue: WaitQueue? { nil }
  /// The file can keep a program waiting: regular files may have a wait queue for the host's page cache, but are always
  /// ready for poll(2), unfit for epoll(7), and know no `O_NONBLOCK`.
  package final var isPollable: Bool {
    guard waitQueue != nil else { return false }
    return tellsChanges || inode?.kind != .regular && inode?.kind != .directory
  }
  /// A file that is always ready, but says through poll(2) that its text has changed.
  package var tellsChanges: Bool { false }
  /// A task is about to wait on `waitQueue` for `events`: files fed by the host start to watch it here.
  open func prepareToWait(for events: PollEvents) {}
  /// What mmap(2) maps. - Throws: `ENODEV` where the file can't be mapped.
  package func mappable() throws(Errno) -> any MappableObject { throw .operationNotSupportedByDevice }
  /// The last descriptor is gone.
  open func close() {}
  /// The files that were on their way to a file that is closed now (unix(7), `SCM_RIGHTS`).
  open func takeUnreceivedFiles() -> [OpenFile] { [] }
  /// A reference is gone, and others are left. - Returns: files that nobody can reach any more, to be let go of.
  open func lostReference() -> [OpenFile] { [] }
  /// A descriptor of one task is closed (flush of record locks is done by the caller).
  package func flush() {}
}

/// One entry that getdents64(2) lists.
package struct DirectoryEntry {
  package var inode: UInt64
  /// The position after this entry (`d_off`).
  package var next: UInt64
  package var kind: FileMode.Kind?
  package var name: String
  package init(inode: UInt64, next: UInt64, kind: FileMode.Kind?, name: String) {
    self.inode = inode
    self.next = next
    self.kind = kind
    self.name = name
  }
}
