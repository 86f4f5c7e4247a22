import LinuxABI

extension AddressSpace {
  /// The VMAs and the vDSO, for `/proc/PID/maps` and `smaps` (proc(5)).
  package var mappings: [MappingDescription] { mappings(from: .null, limit: .max) }

  /// The first of them that end above an address.
  package func mappings(from start: GuestAddress, limit: Int) -> [MappingDescription] {
    let first = areas.lowerBound(PageNumber(holding: start))
    let last = first + min(limit, areas.count - first)
    let found = areas.elements[first..<last].map(describe)
    guard last == areas.count, let vdso, start <= vdso.address else { return found }
    let size = UInt64(unsafe vdso.bytes.count)
    let description = MappingDescription(
      start: vdso.address, end: vdso.address &+ size, protection: [.read, .execute], isShared: false, offset: 0,
      device: 0, inode: 0, name: "[vdso]", residentBytes: size, isLocked: false)
    return found + [description]
  }

  private func describe(_ area: VirtualArea) -> MappingDescription {
    var resident: UInt64 = 0
    if area.fileProtection.isEmpty {
      extents.forEach(in: area.range) { resident += $0.end - $0.start }
    } else {
      resident = area.count
    }
    return MappingDescription(
      start: area.start.address, end: area.end.address, protection: area.protection, isShared: area.isShared,
      offset: area.object == nil ? 0 : area.offset.offset, device: area.object?.object.mappingDevice ?? 0,
      inode: area.object?.object.mappingInode ?? 0,
      name: area.name.isEmpty ? area.object?.object.mappingName ?? "" : area.name,
      residentBytes: resident.pagesToBytes, isLocked: area.flags.contains(.locked))
  }

  /// Bytes of all mappings.
  package var totalBytes: UInt64 { areas.pages.pagesToBytes }
  /// Bytes with frames or file pages mapped (an upper bound of RSS).
  package var residentBytes: UInt64 {
    extents.pages.pagesToBytes + sum { !$0.fileProtection.isEmpty }
  }
  /// Bytes of stacks.
  package var stackBytes: UInt64 { sum { $0.flags.contains(.growsDown) } }
  /// Bytes of private writable memory that is not a stack.
  package var dataBytes: UInt64 { sum { $0.isData } }
  /// Bytes of executable file mappings.
  package var executableBytes: UInt64 { sum { $0.object != nil && $0.protection.contains(.execute) } }
  /// Bytes of shared mappings and files.
  package var sharedBytes: UInt64 { sum { $0.object != nil } }

  func sum(_ condition: (VirtualArea) -> Bool) -> UInt64 {
    areas.elements.reduce(0) { $0 + (condition($1) ? $1.byteCount : 0) }
  }

  /// Names a range: `[stack]`, `[heap]`, or what `PR_SET_VMA_ANON_NAME` gives (prctl(2)).
  package func setName(start: GuestAddress, length: UInt64, name: String) {
    guard let bytes = length.pageUp, let end = start.advanced(by: bytes), bytes > 0, hasRoom(for: 2) else { return }
    let range = Range(pagesOf: start..<end)
    areas.split(at: range.lowerBound)
    areas.split(at: range.upperBound)
    for index in areas.indexes(in: range) where areas[index].object == nil { areas[index].name = name }
    areas.join(around: range)
  }
}
