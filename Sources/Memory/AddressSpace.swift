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

  /// Calls that no longer trap by a signal.
  var rewriting = TextRewriting()

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
  package internal(set) var isOver = false {
    didSet { if isOver { physical.spaces[ObjectIdentifier(self)] = nil } }
  }
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
    charge = physical.kernelMemory.openCharge()
    releases = ReleaseQueue(platform: platform, process: process, physical: physical)
    copyAhead = CopyAhead()
    physical.spaces[ObjectIdentifier(self)] = KnownSpace(space: self)
  }

  /// First page past what a guest may map.
  static let endPage = PageNumber(holding: Layout.stubBase)
  /// Pages kept free below a stack (`stack_guard_gap`).
  static let guardPages: UInt64 = 256
  /// VMAs allowed (`vm.max_map_count`), and as many host mappings: a touched page in each must find room.
  var maximumAreas: Int { min(65530, platform.mappingLimit - 64) }
  /// How many host mappings may be made before they have to be counted again.
  private var uncountedRoom = 0
  /// Page tables that may be added before then.
  private var uncountedTables = 0
  /// Charged for areas and extents, and for the host's page tables.
  private var charge: MemoryCharge
  /// What Apus keeps for it, as far as that is more than every address space takes.
  package var keptBytes: Int { charge.bytes }
  private static let areaPrice = 192
  private static let extentPrice = 80
  /// What every process may have, as its own price holds it: faults of most do not fail for want of memory for this.
  package static let basePrice = 48 << 10
  private static let freeTables = 16

  /// Host mappings that the guest process has, at most: frames, and what shows of host files between them.
  var hostMappings: Int {
    areas.elements.reduce(extents.count) { count, area in
      guard case .hostFile? = area.object?.backing else { return count }
      return count + extents.indexes(in: area.range).count + 1
    }
  }

  /// Whether `count` more host mappings are allowed, and as many areas, or `newAreas`. A caller makes no more than it
  /// asked for. With `spare`, so many more are left for faults, which can't be refused.
  @inline(__always) func hasRoom(for count: Int, areas newAreas: Int? = nil, spare: Int = 0) -> Bool {
    guard areas.count + (newAreas ?? count) <= maximumAreas else { return false }
    if count + spare > uncountedRoom || uncountedTables < 0 { countRoom() }
    guard count + spare <= uncountedRoom else { return false }
    uncountedRoom -= count
    return true
  }

  /// Counting takes time in proportion to the areas and extents; each count lasts for a share of them.
  @inline(never) private func countRoom() {
    let step = min(max(0, maximumAreas - hostMappings), max(32, (areas.count + extents.count) / 4))
    let tables = pageTables
    do throws(Errno) {
      try charge.resize(to: price(more: step, tables: tables))
      uncountedRoom = step
      uncountedTables = max(AddressSpace.freeTables, tables / 8)
    } catch { uncountedRoom = 0 }
  }

  private func price(more: Int, tables: Int) -> Int {
    let lists = (areas.count + more) * AddressSpace.areaPrice + (extents.count + more) * AddressSpace.extentPrice
    return max(0, lists - AddressSpace.basePrice)
      + max(0, tables - AddressSpace.freeTables) * Int(Layout.pageSize)
  }

  /// Charges for what a copy of another address space takes. - Throws: `ENOMEM`.
  func reserveCopy(of other: AddressSpace) throws(Errno) {
    try charge.resize(to: other.price(more: 32, tables: other.pageTables))
  }

  /// Pages of page tables that the host has, at most, for what is mapped: one for each 2 MiB, 1 GiB and 512 GiB that
  /// extents and mapped files reach into.
  private var pageTables: Int {
    var counts = (tables: 0, directories: 0, upper: 0)
    func add(_ range: Range<PageNumber>, _ last: inout (UInt64, UInt64, UInt64)) {
      func count(_ shift: UInt64, _ last: inout UInt64) -> Int {
        let first = (range.lowerBound.offset >> shift) + 1
        let end = ((range.upperBound.offset - 1) >> shift) + 1
        defer { last = max(last, end) }
        return end > last ? Int(end - max(first, last + 1) + 1) : 0
      }
      counts.tables += count(21, &last.0)
      counts.directories += count(30, &last.1)
      counts.upper += count(39, &last.2)
    }
    var last: (UInt64, UInt64, UInt64) = (0, 0, 0)
    for extent in extents.elements { add(extent.start..<extent.end, &last) }
    last = (0, 0, 0)
    for area in areas.elements {
      guard case .hostFile? = area.object?.backing else { continue }
      // What the host maps of a large file by itself is not known; most of it is never touched.
      add(area.start..<min(area.end, area.start + AddressSpace.countedFilePages), &last)
    }
    return counts.tables + counts.directories + counts.upper
  }
  private static let countedFilePages: UInt64 = (1 << 30) >> 12

  // MARK: host mappings

  /// Has the host show frames.
  @inline(__always) func show(_ extent: Extent, populate: Bool = false) {
    uncountedTables -= Int(extent.count >> 9) + 1
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
    charge.shrink(to: 0)
  }

  deinit { abandonUnlessOver() }

  private func abandonUnlessOver() {
    guard !isOver else { return }
    destroy()
  }
}
