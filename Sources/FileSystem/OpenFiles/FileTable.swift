import LinuxABI
import Memory

/// The descriptors of one or more tasks (`CLONE_FILES` shares a table).
package final class FileTable {
  /// A descriptor: the description it refers to, and its own flag.
  package struct Slot {
    package var file: OpenFile
    package var closeOnExec: Bool
  }
  private var slots: [Slot?] = []
  private var lowestFree = 0
  private let memory: KernelMemory
  /// Charged for the slots.
  private var charge: MemoryCharge
  /// What a slot takes while the table grows.
  private static let slotPrice = 32
  /// Tasks that share this table.
  package var sharers = 1

  /// An empty table; `memory` counts what it grows to.
  package init(memory: KernelMemory) {
    self.memory = memory
    charge = memory.openCharge()
  }

  /// A task lets go of the table; the last one closes everything.
  package func release() {
    sharers -= 1
    if sharers == 0 { closeAll() }
  }

  /// The description behind a descriptor. - Throws: `EBADF`.
  package func file(_ descriptor: FileDescriptorNumber) throws(Errno) -> OpenFile { try slot(descriptor).file }

  package func slot(_ descriptor: FileDescriptorNumber) throws(Errno) -> Slot {
    let index = Int(descriptor.rawValue)
    guard index >= 0, index < slots.count, let slot = slots[index] else { throw .badFileDescriptor }
    return slot
  }

  /// Makes slots up to `index`. - Throws: `ENOMEM`.
  private func grow(toHold index: Int) throws(Errno) {
    guard slots.count <= index else { return }
    try charge.resize(to: (index + 1) * FileTable.slotPrice)
    while slots.count <= index { slots.append(nil) }
  }

  /// Gives the file the lowest free descriptor that is at least `minimum`. - Throws: `EMFILE`, `ENOMEM`.
  package func add(
    _ file: OpenFile, closeOnExec: Bool, minimum: FileDescriptorNumber = .lowest, limit: UInt64
  ) throws(Errno) -> FileDescriptorNumber {
    var index = max(Int(minimum.rawValue), lowestFree)
    while index < slots.count, slots[index] != nil { index += 1 }
    guard UInt64(index) < limit else { throw .tooManyOpenFiles }
    try grow(toHold: index)
    slots[index] = Slot(file: file, closeOnExec: closeOnExec)
    file.retainDescriptor()
    if Int(minimum.rawValue) <= lowestFree { lowestFree = index + 1 }
    return FileDescriptorNumber(rawValue: Int32(index))
  }

  /// There is a free descriptor below the limit.
  package func hasRoom(below limit: UInt64) -> Bool {
    UInt64(slots.count) < limit || slots.prefix(Int(clamping: limit)).dropFirst(lowestFree).contains { $0 == nil }
  }

  /// Makes `descriptor` refer to the file, closing what it referred to (dup2(2)).
  package func set(
    _ descriptor: FileDescriptorNumber, to file: OpenFile, closeOnExec: Bool, limit: UInt64
  ) throws(Errno) {
    let index = Int(descriptor.rawValue)
    guard index >= 0, UInt64(index) < limit else { throw .badFileDescriptor }
    try grow(toHold: index)
    let old = slots[index]
    slots[index] = Slot(file: file, closeOnExec: closeOnExec)
    file.retainDescriptor()
    if let old { release(old.file) }
  }

  package func setCloseOnExec(_ descriptor: FileDescriptorNumber, _ value: Bool) throws(Errno) {
    _ = try slot(descriptor)
    slots[Int(descriptor.rawValue)]?.closeOnExec = value
  }

  /// Closes a descriptor and returns the description it referred to. - Throws: `EBADF`.
  @discardableResult
  package func close(_ descriptor: FileDescriptorNumber) throws(Errno) -> OpenFile {
    let slot = try slot(descriptor)
    let index = Int(descriptor.rawValue)
    slots[index] = nil
    lowestFree = min(lowestFree, index)
    release(slot.file)
    return slot.file
  }

  /// A copy for a child without `CLONE_FILES` (fork(2)). - Throws: `ENOMEM`.
  package func copy() throws(Errno) -> FileTable {
    let table = FileTable(memory: memory)
    // As in Linux, the copy is as large as what is in use.
    let used = (slots.lastIndex { $0 != nil } ?? -1) + 1
    try table.charge.resize(to: used * FileTable.slotPrice)
    table.slots = Array(slots[..<used])
    table.lowestFree = min(lowestFree, used)
    for slot in slots { slot?.file.retainDescriptor() }
    return table
  }

  /// Closes what execve(2) closes.
  package func closeOnExec() {
    for index in slots.indices where slots[index]?.closeOnExec == true { close(at: index) }
  }

  private func close(at index: Int) { _ = try? close(FileDescriptorNumber(rawValue: Int32(index))) }

  /// Closes everything (exit).
  package func closeAll() {
    for index in slots.indices where slots[index] != nil { close(at: index) }
    slots = []
    lowestFree = 0
    charge.shrink(to: 0)
  }

  /// Open descriptors in ascending order.
  package var descriptors: [FileDescriptorNumber] {
    slots.indices.filter { slots[$0] != nil }.map { FileDescriptorNumber(rawValue: Int32($0)) }
  }
  package var count: Int { slots.count }

  /// A descriptor is gone. Record locks of this table end with *any* descriptor of their file (fcntl(2)); flock(2) and
  /// open file description locks end with the description.
  private func release(_ file: OpenFile) {
    file.flush()
    file.inode?.existingLocks?.releaseAll(owner: .process(ObjectIdentifier(self)))
    FileTable.letGo(file)
  }

  /// One reference to a description is gone: a descriptor, or a place in a message (unix(7), `SCM_RIGHTS`).
  package static func letGo(_ file: OpenFile) {
    // Sockets may wait in sockets, deeper than a stack.
    var pending = [file]
    while let file = pending.popLast() {
      guard file.releaseDescriptor() else {
        pending += file.lostReference()
        continue
      }
      let locks = file.inode?.existingLocks
      locks?.unlockWhole(file)
      locks?.releaseAll(owner: .description(ObjectIdentifier(file)))
      for item in file.epollItems { item.epoll?.forget(item) }
      file.close()
      pending += file.takeUnreceivedFiles()
    }
  }
}
