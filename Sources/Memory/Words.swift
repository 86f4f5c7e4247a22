import Host
import LinuxABI
import Synchronization

extension AddressSpace {
  /// What a futex at an address is known by (futex(2)).
  /// - Throws: `EINVAL` for a misaligned address, `EFAULT` for a shared one that isn't mapped, can't be read, or is
  ///   beyond the end of its file.
  package func futexKey(_ address: GuestAddress, isPrivate: Bool) throws(Errno) -> FutexKey {
    guard address.isAligned(to: 4) else { throw .invalidArgument }
    guard address < Layout.stubBase else { throw .badAddress }
    if !isPrivate {
      let page = PageNumber(holding: address)
      guard let index = areas.index(of: page) else { throw .badAddress }
      let area = areas[index]
      guard area.protection.allows(.read) else { throw .badAddress }
      if let object = area.object, extents.index(of: page) == nil {
        guard area.index(of: page) < PageNumber.zero + object.object.mappingSize.bytesToPagesUp else {
          throw .badAddress
        }
      }
      if area.isShared, let object = area.object {
        let offset = area.index(of: page).offset | address.offsetInPage
        if case .frames(let store) = object.backing {
          return .shared(object: ObjectIdentifier(store), offset: offset)
        }
        return .shared(object: object.identity, offset: offset)
      }
    }
    return .privateAddress(space: ObjectIdentifier(self), address: address, isFlagged: isPrivate)
  }

  /// Reads a futex word.
  package func loadWord(_ address: GuestAddress) throws(Errno) -> UInt32 {
    guard address.isAligned(to: 4) else { throw .invalidArgument }
    return try readValue(address, as: UInt32.self)
  }

  /// Compares a futex word and exchanges it where it is as expected, in one step.
  package func compareExchangeWord(
    _ address: GuestAddress, expected: UInt32, desired: UInt32
  ) throws(Errno) -> (exchanged: Bool, original: UInt32) {
    switch try word(address) {
    case .memory(let word):
      return unsafe word.pointee.compareExchange(
        expected: expected, desired: desired, ordering: .sequentiallyConsistent)
    case .file(let file, let offset):
      return try MemoryFile.withWord(file, at: offset) { (word) throws(Errno) in
        let original = try word.replace(expected: expected, desired: desired)
        return (original == expected, original)
      }
    }
  }

  /// Replaces a word atomically by what `operation` makes of it; returns the old value.
  package func updateWord(_ address: GuestAddress, _ operation: (UInt32) -> UInt32) throws(Errno) -> UInt32 {
    var old = try loadWord(address)
    switch try word(address) {
    case .memory(let word):
      while true {
        let result = unsafe word.pointee.compareExchange(
          expected: old, desired: operation(old), ordering: .sequentiallyConsistent)
        if result.exchanged { return old }
        old = result.original
      }
    case .file(let file, let offset):
      return try MemoryFile.withWord(file, at: offset) { (word) throws(Errno) in
        while true {
          let original = try word.replace(expected: old, desired: operation(old))
          if original == old { return old }
          old = original
        }
      }
    }
  }

  /// Where a word is that can be changed atomically.
  @safe private enum Word {
    case memory(UnsafeMutablePointer<Atomic<UInt32>>)
    /// In a host file, which others may truncate meanwhile.
    case file(FileDescriptor, UInt64)
  }

  private func word(_ address: GuestAddress) throws(Errno) -> Word {
    guard address.isAligned(to: 4) else { throw .invalidArgument }
    guard address < Layout.stubBase else { throw .badAddress }
    let page = PageNumber(holding: address)
    let inPage = Int(address.offsetInPage)
    let outcome = resolve(page, .write, wanted: 1)
    guard outcome == .resolved else { throw outcome == .outOfMemory ? .noMemory : .badAddress }
    if let index = extents.index(of: page) {
      let pointer = unsafe physical.pointer(to: extents[index].frame(of: page)) + inPage
      return unsafe .memory(pointer.assumingMemoryBound(to: Atomic<UInt32>.self))
    }
    guard let index = areas.index(of: page), case .hostFile(_, let file)? = areas[index].object?.backing else {
      throw .badAddress
    }
    return .file(file, areas[index].index(of: page).offset + UInt64(inPage))
  }
}
