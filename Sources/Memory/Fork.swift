import LinuxABI
import Platform

extension AddressSpace {
  /// fork(2): a copy that shares frames until they are written, in another guest process, which must be empty.
  /// - Throws: `ENOMEM` where there would be too many mappings; the guest process is still the caller's then.
  package func fork(into process: any GuestProcess) throws(Errno) -> AddressSpace {
    let child = AddressSpace(physical: physical, platform: platform, process: process)
    // What is copied ahead splits at most two extents for each group.
    guard hasRoom(for: copyAhead.groups.count * 2) else {
      child.isOver = true
      throw .noMemory
    }
    do throws(Errno) { try child.reserveCopy(of: self) } catch {
      child.isOver = true
      throw error
    }
    child.limits = limits
    child.breakBase = breakBase
    child.breakEnd = breakEnd
    child.randomization = randomization
    child.hasExpeditedBarriers = hasExpeditedBarriers
    child.copyAhead = copyAhead
    child.rewriting = rewriting
    child.copiesSinceFork = 0
    copiesSinceFork = 0

    // The areas' storage is shared until one of the two changes.
    child.areas = areas
    child.areas.removeAll { $0.flags.contains(.dontFork) }
    // Locks are not inherited (mlock(2)).
    for index in 0..<child.areas.count where child.areas[index].flags.contains(.locked) {
      child.areas[index].flags.remove(.locked)
    }
    child.peakTotalBytes = child.areas.pages.pagesToBytes
    child.searchTop = .max
    var kept = ExtentMap()
    kept.reserve(extents.count + 8)
    child.extents.reserve(extents.count + 8)
    var protections = PendingProtection(process: self.process)
    var group = 0
    var next = 0
    for index in 0..<areas.count {
      let area = areas[index]
      let isForked = !area.flags.contains(.dontFork)
      if isForked, case .frames(let store)? = area.object?.backing { store.addMapper(child) }
      let copiesFrames = isForked && !area.flags.contains(.wipeOnFork)
      // An extent may reach over several areas that agree; take it area by area.
      while next < extents.count, extents[next].end <= area.start { next += 1 }
      var position = next
      while position < extents.count, extents[position].start < area.end {
        let extent = extents[position].clipped(to: area.range)
        if !copiesFrames || area.isShared {
          kept.append(extent)
          if copiesFrames { child.share(extent) }
        } else if area.object?.object.mappingIsStable == false {
          // A copy would no longer follow the file.
          shareOnWrite(extent, with: child, &kept, &protections)
        } else {
          while group < copyAhead.groups.count, copyAhead.groups[group].upperBound <= extent.start { group += 1 }
          copyOrShare(extent, with: child, groups: group, &kept, &protections)
        }
        position += 1
      }
    }
    protections.flush()
    extents = kept
    child.showAll()
    return child
  }

  /// Gives the child private pages: copies of those that `copyAhead` names (`groups`: the first that may), the same
  /// frames until one writes for the rest.
  @inline(__always)
  private func copyOrShare(
    _ extent: Extent, with child: AddressSpace, groups: Int, _ kept: inout ExtentMap,
    _ protections: inout PendingProtection
  ) {
    var rest = extent
    var group = groups
    while group < copyAhead.groups.count, copyAhead.groups[group].lowerBound < rest.end {
      let hot = copyAhead.groups[group].clamped(to: rest.start..<rest.end)
      group += 1
      guard !hot.isEmpty, extent.protection.contains(.write) else { continue }
      if rest.start < hot.lowerBound {
        shareOnWrite(rest.clipped(to: rest.start..<hot.lowerBound), with: child, &kept, &protections)
      }
      let part = rest.clipped(to: hot)
      if child.copyNow(part) { kept.append(part) } else { shareOnWrite(part, with: child, &kept, &protections) }
      if hot.upperBound == rest.end { return }
      rest = rest.clipped(to: hot.upperBound..<rest.end)
    }
    shareOnWrite(rest, with: child, &kept, &protections)
  }

  /// Gives the child the same frames, shared for good.
  private func share(_ extent: Extent) {
    physical.retain(extent.frame, extent.count)
    extents.append(extent)
  }

  /// Gives the child the same frames until one writes.
  private func shareOnWrite(
    _ extent: Extent, with child: AddressSpace, _ kept: inout ExtentMap, _ protections: inout PendingProtection
  ) {
    var shared = extent
    shared.isCopyOnWrite = true
    if shared.installed != extent.installed { protections.add(shared) }
    kept.append(shared)
    child.share(shared)
  }

  /// Copies a parent's pages into this child. Returns false where there is too little memory.
  private func copyNow(_ extent: Extent) -> Bool {
    guard let run = physical.allocate(extent.count, zeroed: false) else { return false }
    guard run.count == extent.count else {
      physical.release(run.start, run.count)
      return false
    }
    physical.copy(from: extent.frame, to: run, run.count)
    var copy = extent
    copy.frame = run.start
    copy.isCopyOnWrite = false
    // Extents are shown with the others; those that are copied have no host pages to fault in.
    extents.append(copy)
    return true
  }

  /// Shows everything in an empty guest process.
  private func showAll() {
    for extent in extents.elements {
      show(extent, populate: !extent.isCopyOnWrite && extent.count <= CopyAhead.maximumPages && isPrivate(extent))
    }
    for area in areas.elements where !area.fileProtection.isEmpty { showFile(area, in: area.range) }
  }

  private func isPrivate(_ extent: Extent) -> Bool {
    guard let index = areas.index(of: extent.start) else { return false }
    return !areas[index].isShared
  }
}

/// Write protections of a parent's frames, joined where they touch.
private struct PendingProtection {
  private let process: any GuestProcess
  private var open: (range: Range<PageNumber>, protection: HostProtection)?

  init(process: any GuestProcess) { self.process = process }

  mutating func add(_ extent: Extent) {
    if let last = open, last.range.upperBound == extent.start, last.protection == extent.installed {
      open = (last.range.lowerBound..<extent.end, last.protection)
      return
    }
    flush()
    open = (extent.start..<extent.end, extent.installed)
  }

  mutating func flush() {
    guard let last = open else { return }
    process.queue(
      .protect(
        address: last.range.lowerBound.address, length: last.range.byteCount, protection: last.protection))
    open = nil
  }
}
