// The target Memory: frames, address spaces, page faults, and the transfer of bytes between Apus and guests.
//
// It uses Platform (to queue changes of host mappings), Host and LinuxABI. What must hold: the invariants of
// `AddressSpace` below; a frame is not used again before its unmapping is confirmed; a guest's pointer is never
// followed; all is touched with the kernel lock held.

import LinuxABI
import Platform

/// The memory of one guest process, or of several that share it (`CLONE_VM`).
///
/// An address space is an ordered set of VMAs (`areas`) and an ordered map from virtual pages to frames (`extents`).
/// What the guest's host process maps follows from them:
///
/// * where an extent is, its frames, with the extent's installed protection;
/// * elsewhere in a VMA of a host file, the file itself, read-only unless the VMA is shared;
/// * elsewhere nothing: touching it faults.
///
/// Every extent holds one reference to each of its frames. A private extent that isn't `isCopyOnWrite` owns its frames
/// alone. Frames that are given up go through `releases`, because the host process may reach them until it has run
/// its queue. Every change queues the operations that bring the host process in line; none of them may fail there,
/// so everything is checked before.
public final class AddressSpace {
  package let physical: PhysicalMemory
  package let platform: any Platform
  let vdso: VDSOImage?
  /// The host process that holds this address space.
  package let process: any GuestProcess
  package var limits = MemoryLimits()
  /// Tasks that use it, counted by the kernel.
  package var sharers = 1
  /// `MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED` of membarrier(2).
  package var hasExpeditedBarriers = false
  /// Where addresses are chosen from; set it before the first mapping.
  package var randomization = AddressRandomization.none

  var areas = AreaMap()
  var extents = ExtentMap()
  let releases: ReleaseQueue
  var copyAhead: CopyAhead
  /// Write faults on shared frames since the last fork.
  var copiesSinceFork = CopyAhead.watchedFaults
  /// There is no free page between here and the mapping base.
  var searchTop: PageNumber = .max
  var breakBase = GuestAddress.null
  var breakEnd = GuestAddress.null
  /// Nothing is mapped any more: the last process that used it has ended, or executes another program.
  package internal(set) var isOver = false
  /// New mappings are locked (mlockall(2), `MCL_FUTURE`).
  package var locksMappings = false
  /// The most `totalBytes` has been.
  package internal(set) var peakTotalBytes: UInt64 = 0

  /// An empty address space in an empty guest process.
  package init(physical: PhysicalMemory, platform: any Platform, process: any GuestProcess) {
    self.physical = physical
    self.platform = platform
    vdso = platform.vdsoImage
    self.process = process
    releases = ReleaseQueue(platform: platform, process: process, physical: physical)
    copyAhead = CopyAhead()
  }

  /// First page past what a guest may map.
  static let endPage = PageNumber(holding: Layout.stubBase)
  /// Pages kept free below a stack (`stack_guard_gap`).
  static let guardPages: UInt64 = 256
  /// VMAs allowed (`vm.max_map_count`), and as many host mappings: a touched page in each must find room.
  var maximumAreas: Int { min(65530, platform.mappingLimit - 64) }
  /// How many host mappings may be made before they have to be counted again.
  private var uncountedRoom = 0

  /// Host mappings that the guest process has, at most: frames, and what shows of host files between them.
  var hostMappings: Int {
    areas.elements.reduce(extents.count) { count, area in
      guard case .hostFile? = area.object?.backing else { return count }
      return count + extents.indexes(in: area.range).count + 1
    }
  }

  /// Whether `count` more host mappings are allowed, and as many areas, or `newAreas`. A caller makes no more than it
  /// asked for.
  @inline(__always) func hasRoom(for count: Int, areas newAreas: Int? = nil) -> Bool {
    guard areas.count + (newAreas ?? count) <= maximumAreas else { return false }
    if count > uncountedRoom { countRoom() }
    guard count <= uncountedRoom else { return false }
    uncountedRoom -= count
    return true
  }

  /// Counting takes time in proportion to the areas; each count lasts for as many mappings as there is room for.
  @inline(never) private func countRoom() { uncountedRoom = max(0, maximumAreas - hostMappings) }

  // MARK: host mappings

  /// Has the host show frames.
  @inline(__always) func show(_ extent: Extent, populate: Bool = false) {
    process.queue(
      .mapPhysical(
        address: extent.start.address, length: extent.byteCount,
        offset: PhysicalMemory.offset(of: extent.frame), protection: extent.installed, populate: populate))
  }

  /// Has the host show the file in parts of an area that have no frames.
  func showFile(_ area: VirtualArea, in range: Range<PageNumber>) {
    let protection = area.fileProtection
    guard protection.rawValue != 0, let object = area.object, case .hostFile(let file, _) = object.backing else {
      return
    }
    extents.forEachGap(in: range) { gap in
      let address = gap.lowerBound.address
      let length = gap.byteCount
      let offset = area.index(of: gap.lowerBound).offset
      process.queue(
        area.isShared
          ? .mapFileShared(address: address, length: length, file: file, offset: offset, protection: protection)
          : .mapFile(address: address, length: length, file: file, offset: offset, protection: protection))
    }
  }

  func hide(_ range: Range<PageNumber>) {
    process.queue(.unmap(address: range.lowerBound.address, length: range.byteCount))
  }

  /// Gives up the frames in a range. The caller queues what hides them, then settles `releases`.
  func dropExtents(in range: Range<PageNumber>) {
    extents.forEach(in: range) { releases.add(FrameRun(start: $0.frame, count: $0.count)) }
    extents.remove(range)
  }

  // MARK: the end

  /// Releases all frames and recycles the guest process.
  package func destroy() {
    guard !isOver else { return }
    clear()
    releases.retire()
  }

  /// The host process is dead: releases all frames, once it is gone.
  package func abandon() {
    guard !isOver else { return }
    clear()
    releases.abandon()
  }

  private func clear() {
    isOver = true
    if extents.pages > 256 { physical.notePeak() }
    for extent in extents.elements { releases.add(FrameRun(start: extent.frame, count: extent.count)) }
    for area in areas.elements {
      if case .frames(let store) = area.object?.backing { store.removeMapper(self) }
    }
    extents = ExtentMap()
    areas = AreaMap()
  }

  deinit { abandonUnlessOver() }

  private func abandonUnlessOver() {
    guard !isOver else { return }
    destroy()
  }
}
