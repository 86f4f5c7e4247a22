import Host
import LinuxABI
import Synchronization

extension AddressSpace {
  /// What a futex at an address is known by (futex(2)).
  /// - Throws: `EINVAL` for a misaligned address, `EFAULT` for a shared one that isn't mapped or can't be read.
  package func futexKey(_ address: UInt64, isPrivate: Bool) throws(Errno) -> FutexKey {
    guard address & 3 == 0 else { throw .invalidArgument }
    guard address < Layout.stubBase else { throw .badAddress }
    if !isPrivate {
      let page = PageNumber(holding: address)
      guard let index = areas.index(of: page) else { throw .badAddress }
      let area = areas[index]
      guard area.protection.allows(.read) else { throw .badAddress }
      if area.isShared, let object = area.object {
        let offset = area.index(of: page) << 12 | address & Layout.pageMask
        if case .frames(let store) = object.backing {
          return .shared(object: ObjectIdentifier(store), offset: offset)
        }
        return .shared(object: object.identity, offset: offset)
      }
    }
    return .privateAddress(space: ObjectIdentifier(self), address: address)
  }

  /// Reads a futex word.
  package func loadWord(_ address: UInt64) throws(Errno) -> UInt32 {
    guard address & 3 == 0 else { throw .invalidArgument }
    return try readValue(address, as: UInt32.self)
  }

  /// Compares a futex word and exchanges it where it is as expected, in one step.
  package func compareExchangeWord(
    _ address: UInt64, expected: UInt32, desired: UInt32
  ) throws(Errno) -> (exchanged: Bool, original: UInt32) {
    var result = (exchanged: false, original: UInt32(0))
    unsafe try withWord(address) { word in
      result = unsafe word.pointee.compareExchange(
        expected: expected, desired: desired, ordering: .sequentiallyConsistent)
    }
    return result
  }

  /// Replaces a word atomically by what `operation` makes of it; returns the old value.
  package func updateWord(_ address: UInt64, _ operation: (UInt32) -> UInt32) throws(Errno) -> UInt32 {
    var old: UInt32 = 0
    unsafe try withWord(address) { word in
      old = unsafe word.pointee.load(ordering: .sequentiallyConsistent)
      while true {
        let result = unsafe word.pointee.compareExchange(
          expected: old, desired: operation(old), ordering: .sequentiallyConsistent)
        if result.exchanged { return }
        old = result.original
      }
    }
    return old
  }

  private func withWord(_ address: UInt64, _ body: (UnsafeMutablePointer<Atomic<UInt32>>) -> Void) throws(Errno) {
    guard address & 3 == 0 else { throw .invalidArgument }
    guard address < Layout.stubBase else { throw .badAddress }
    let page = PageNumber(holding: address)
    let inPage = Int(address & Layout.pageMask)
    let outcome = resolve(page, .write, wanted: 1)
    guard outcome == .resolved else { throw outcome == .outOfMemory ? .noMemory : .badAddress }
    if let index = extents.index(of: page) {
      let pointer = unsafe physical.pointer(to: extents[index].frame(of: page)) + inPage
      unsafe body(pointer.assumingMemoryBound(to: Atomic<UInt32>.self))
      return
    }
    // A shared page of a host file, which must be mapped here for a moment to be changed atomically.
    guard let index = areas.index(of: page), case .hostFile(_, let file)? = areas[index].object?.backing else {
      throw .badAddress
    }
    let offset = areas[index].index(of: page) << 12
    let pointer = unsafe try MemoryFile.map(file, offset: offset, length: Int(Layout.pageSize))
    defer { unsafe MemoryFile.unmap(pointer, length: Int(Layout.pageSize)) }
    unsafe body((pointer + inPage).assumingMemoryBound(to: Atomic<UInt32>.self))
  }
}
