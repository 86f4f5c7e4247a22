import Host
import LinuxABI
import Platform

extension AddressSpace {
  /// mprotect(2).
  package func protect(_ address: GuestAddress, length: UInt64, _ protection: MemoryProtection) throws(Errno) {
    let grows = protection.intersection([.growsDown, .growsUp])
    guard protection.isSubset(of: [.read, .write, .execute, .growsDown, .growsUp]), grows != [.growsDown, .growsUp]
    else { throw .invalidArgument }
    guard address.isPageAligned else { throw .invalidArgument }
    if length == 0 { return }
    guard let bytes = length.pageUp else { throw .noMemory }
    guard let end = address.advanced(by: bytes), end <= Layout.stubBase else { throw .noMemory }
    var range = Range(pagesOf: address..<end)
    textWillChange(range, protection.contains(.write) ? .movedOrWritten : .protected)
    if !grows.isEmpty {
      // PROT_GROWSUP exists only where stacks grow up.
      guard grows == .growsDown, let index = areas.index(of: range.lowerBound),
        areas[index].flags.contains(.growsDown)
      else { throw .invalidArgument }
      range = areas[index].start..<range.upperBound
    }
    guard hasRoom(for: 4, areas: areas.splits(range)) else { throw .noMemory }
    // As on Linux, what comes before a hole or a refusal is changed.
    let wanted = protection.access
    var position = range.lowerBound
    defer { if position > range.lowerBound { areas.join(around: range.lowerBound..<position) } }
    while position < range.upperBound {
      guard let index = areas.index(of: position) else { throw .noMemory }
      let area = areas[index]
      let part = position..<min(area.end, range.upperBound)
      if area.protection != wanted {
        guard wanted.isSubset(of: area.maximum) else { throw .permissionDenied }
        if wanted.contains(.write), !area.isData, !area.isShared { try checkDataLimit(adding: part.pageCount) }
        if wanted.contains(.execute), let object = area.object, case .hostFile(_, let descriptor) = object.backing {
          try object.object.checkHostMapping(descriptor, isShared: area.isShared, isExecutable: true)
        }
        change(area, part, to: wanted)
        // Locked memory is there for whatever may be done with it.
        if area.flags.contains(.locked), !area.isShared, wanted.contains(.write) { fill(part, populate: true) }
      }
      position = part.upperBound
    }
  }

  private func change(_ old: VirtualArea, _ part: Range<PageNumber>, to protection: MemoryProtection) {
    areas.split(at: part.lowerBound)
    areas.split(at: part.upperBound)
    guard let index = areas.index(of: part.lowerBound) else { return }
    areas[index].protection = protection
    let area = areas[index]
    let host = area.hostProtection

    if !extents.isEmpty {
      let parts = extents.parts(in: part)
      // One host call for frames that follow each other in virtual memory and get the same protection.
      var pending: Extent?
      for extent in parts {
        var changed = extent
        changed.protection = host
        extents.replace(changed)
        guard changed.installed != extent.installed else { continue }
        if let open = pending, open.end == changed.start, open.installed == changed.installed {
          pending?.end = changed.end
        } else {
          if let pending { protectOnHost(pending) }
          pending = changed
        }
      }
      if let pending { protectOnHost(pending) }
    }

    let before = old.fileProtection
    let after = area.fileProtection
    if before != after {
      if before.isEmpty {
        showFile(area, in: part)
      } else {
        extents.forEachGap(in: part) { gap in
          if after.isEmpty {
            hide(gap)
          } else {
            process.queue(
              .protect(address: gap.lowerBound.address, length: gap.byteCount, protection: after))
          }
        }
      }
    }
    // Small pieces of a reserved range that become usable are touched soon.
    if area.object == nil, protection.contains(.write), old.protection.isEmpty, part.count <= 16 {
      fill(part, populate: false)
    }
  }

  private func protectOnHost(_ extent: Extent) {
    process.queue(
      .protect(address: extent.start.address, length: extent.byteCount, protection: extent.installed))
  }

  /// Changes the copy-on-write state of present frames, and the host's protection with it.
  func makeWritable(_ part: Extent) {
    var owned = part
    owned.isCopyOnWrite = false
    extents.replace(owned)
    if owned.installed != part.installed { protectOnHost(owned) }
  }
}
