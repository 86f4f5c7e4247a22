import LinuxABI

/// An address space in a table. It leaves the table before it goes.
struct KnownSpace {
  unowned let space: AddressSpace
}

extension PhysicalMemory {
  /// A file that was shown straight from the host is in memory from now on: all its mappings go on with that, but for pages
  /// that are a mapping's own already.
  package func moveMappings(of old: any MappableObject, to new: any MappableObject) throws(Errno) {
    let backing = try new.mappingBacking()
    guard case .frames(let store) = backing else { return }
    for known in spaces.values { known.space.moveMappings(of: old, to: new, backing, store) }
  }
}

extension AddressSpace {
  fileprivate func moveMappings(
    of old: any MappableObject, to new: any MappableObject, _ backing: MappingBacking, _ store: FrameStore
  ) {
    for index in 0..<areas.count {
      guard let object = areas[index].object, object.object === old else { continue }
      areas[index].object = MappedObject(object: new, backing: backing, holder: object.holder)
      extents.forEachGap(in: areas[index].range) { hide($0) }
      store.addMapper(self)
    }
  }
}
