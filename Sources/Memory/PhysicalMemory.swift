import Host
import LinuxABI

/// The frames of one sandbox: a sparse memory file whose pages are handed out as extents and counted by frame.
/// What Apus keeps for guests beside them (`kernelMemory`) counts under the same limit.
///
/// The file's offset space is much larger than the limit, so extents are easy to find and an extent costs nothing
/// before its pages are touched. What is held under the limit is the memory that the file really has. Guests touch
/// the pages of their extents without a trap; so the check is made when extents are handed out, and extents get
/// small when much was handed out that is not touched yet.
@safe package final class PhysicalMemory {
  /// The memory file, for the platform to map into guest processes; −1 where the frames are private.
  package let descriptor: FileDescriptor
  /// Bytes that guests may hold.
  package let limit: UInt64
  /// Size of the memory file's offset space.
  package let span: UInt64
  /// The address spaces that use it and are not over.
  var spaces: [ObjectIdentifier: KnownSpace] = [:]
  /// What Apus keeps for guests outside of their pages.
  package let kernelMemory: KernelMemory

  /// The frames are memory of this process alone, without a file.
  private let isPrivate: Bool
  private let base: UnsafeMutableRawPointer
  private let references: UnsafeMutablePointer<UInt32>
  private let frameCount: Int
  /// Zeros that reads of untouched memory see.
  let zeros: UnsafeMutableRawPointer
  static let zeroBytes = 64 << 10
  private let scratch: UnsafeMutablePointer<UInt8>
  static let scratchPages = 1024

  private var pool: FramePool
  private let limitPages: Int
  private let dirtyLimit: Int
  /// Frames with references.
  private(set) var handedPages = 0
  /// Pages that the file had when it was last looked at.
  private var measuredPages = 0
  private var handedSinceMeasure = 0
  /// What Apus kept when the pages were last counted for its sake.
  private var keptAtMeasure = 0
  private var peakPages = 0
  private var allocations = 0
  /// Long runs that are free, but whose memory the host still has to take back: that takes longer than others may wait.
  private var returning: [FrameRun] = []
  private var returningPages = 0
  /// Queues that hold frames, of address spaces that live and of those that are gone.
  private var queues: [ReleaseQueue] = []

  /// Bytes in use: pages, and what Apus keeps.
  package var usedBytes: UInt64 {
    measure()
    return UInt64(max(0, measuredPages - returningPages) + kernelMemory.countedPages).pagesToBytes
  }
  /// The most bytes that have been seen in use.
  package var peakBytes: UInt64 { UInt64(max(peakPages, measuredPages)).pagesToBytes }
  /// Frames that have references, in bytes. Zero once every address space and store is gone and confirmed.
  package var referencedBytes: UInt64 { UInt64(handedPages).pagesToBytes }

  /// Makes the memory file and maps it in Apus.
  ///
  /// - Parameter isPrivate: makes no file, for kernels whose guest code runs nowhere (tests).
  package init(size limit: UInt64, isPrivate: Bool = false) throws(Errno) {
    let most: UInt64 = 4 << 40
    let limit = min(max(limit.pageDown, UInt64(64).pagesToBytes), most)
    let span = min(max(limit * 16, 64 << 30), 16 << 40)
    self.limit = limit
    self.span = span
    kernelMemory = KernelMemory(beside: limit)
    let file = isPrivate ? FileDescriptor(rawValue: -1) : try MemoryFile.create(name: "apus-memory")
    self.isPrivate = isPrivate
    do throws(Errno) {
      if !isPrivate { try MemoryFile.resize(file, to: span) }
      unsafe base = try isPrivate ? MemoryFile.mapZeros(length: Int(span)) : MemoryFile.map(file, length: Int(span))
      frameCount = Int(min(span.bytesToPages, UInt64(Frame.max - 1)))
      unsafe references = try MemoryFile.mapZeros(length: frameCount * 4).assumingMemoryBound(to: UInt32.self)
      unsafe zeros = try MemoryFile.mapZeros(length: PhysicalMemory.zeroBytes)
    } catch {
      if !isPrivate { MemoryFile.close(file) }
      throw error
    }
    descriptor = file
    unsafe scratch = .allocate(capacity: PhysicalMemory.scratchPages)
    limitPages = Int(limit.bytesToPages)
    dirtyLimit = min(limitPages / 8, 64 << 8)
    pool = FramePool(frames: Frame(frameCount), step: limitPages * 2)
    kernelMemory.pages = self
  }

  deinit {
    unsafe MemoryFile.unmap(base, length: Int(span))
    unsafe MemoryFile.unmap(UnsafeMutableRawPointer(references), length: frameCount * 4)
    unsafe MemoryFile.unmap(zeros, length: PhysicalMemory.zeroBytes)
    unsafe scratch.deallocate()
    if !isPrivate { MemoryFile.close(descriptor) }
  }

  /// Less than half of the limit was in use when that was last looked at.
  var isPlentiful: Bool { measuredPages + handedSinceMeasure + kernelMemory.countedPages < limitPages / 2 }

  /// Pages that guests may hold beside what Apus keeps.
  private var roomPages: Int { limitPages - kernelMemory.countedPages }

  /// Whether Apus may keep as much as `kept` pages hold, beside the pages in use.
  func hasRoom(keeping kept: Int) -> Bool {
    // Guests touch pages that they were given before without a trap.
    if abs(kept - keptAtMeasure) > 256 || measuredPages + handedSinceMeasure + kept > limitPages {
      measure()
      keptAtMeasure = kept
    }
    while measuredPages + kept > limitPages, returnFrames(4096) { measure() }
    if measuredPages + kept > limitPages { reclaim(waits: false) }
    return measuredPages + kept <= limitPages
  }

  // MARK: access

  /// Where Apus sees a frame. The pages of a run follow each other.
  @inline(__always) func pointer(to frame: Frame) -> UnsafeMutableRawPointer { unsafe base + Int(frame).pagesToBytes }

  /// Offset of a frame in the memory file.
  @inline(__always) static func offset(of frame: Frame) -> UInt64 { UInt64(frame).pagesToBytes }

  @inline(__always) func references(to frame: Frame) -> UInt32 { unsafe references[Int(frame)] }

  // MARK: handing out

  /// How many pages to map at once for memory that is touched in order, after `streak` such chunks.
  func chunkPages(streak: UInt8) -> Int {
    switch streak {
    case 0: pool.hasDirty(16) ? 16 : 64
    case 1: pool.hasDirty(64) ? 64 : 256
    default: pool.hasDirty(256) ? 256 : 1024
    }
  }

  /// Hands out a run of at most `count` frames, each with one reference; nil when no memory is left.
  ///
  /// Frames that are not resident are holes, which read as zeros; `zeroed` clears the others too.
  func allocate(_ count: Int, zeroed: Bool) -> FrameRun? {
    guard count > 0 else { return nil }
    if pool.dirtyPages < 16 && !queues.isEmpty {
      // With many queues, looking at all of them each time would cost more than it frees.
      allocations &+= 1
      if queues.count <= 16 || allocations & 15 == 0 { drainConfirmed() }
    }
    var run: FrameRun
    if let used = pool.takeDirty(count) {
      run = used
      run.isResident = true
      if zeroed { clear(&run) }
    } else {
      guard let fresh = allocateClean(count) else { return nil }
      run = fresh
    }
    unsafe (references + Int(run.start)).update(repeating: 1, count: run.count)
    handedPages += run.count
    if handedSinceMeasure > 4096 { measure() }
    return run
  }

  private func allocateClean(_ count: Int) -> FrameRun? {
    var count = count
    let promised = handedPages + pool.dirtyPages + returningPages
    let room = roomPages
    if promised + count > room {
      if handedSinceMeasure + count > 256 || measuredPages + handedSinceMeasure + count > room / 8 * 7 {
        measure()
      }
      // The host gets no more back than is needed here.
      while measuredPages + count > room, returnFrames(4096) { measure() }
      if measuredPages + count > room {
        reclaim()
        guard measuredPages < room else { return nil }
        count = min(count, room - measuredPages)
      }
      let untouched = promised - measuredPages
      if untouched > limitPages / 2 {
        count = 1
      } else if untouched > limitPages / 4 {
        count = min(count, 16)
      }
    }
    if let run = pool.takeClean(count) {
      handedSinceMeasure += run.count
      return run
    }
    reclaim()
    return pool.takeClean(count)
  }

  private func measure() {
    // Without a file nobody knows what was touched: all that is handed out counts.
    measuredPages =
      isPrivate
      ? handedPages + pool.dirtyPages + returningPages : Int(MemoryFile.allocatedBytes(descriptor).bytesToPages)
    peakPages = max(peakPages, measuredPages)
    handedSinceMeasure = 0
  }

  /// Gives all free memory back to the host; with `waits`, waits a moment for guest processes to confirm what they gave up.
  private func reclaim(waits: Bool = true) {
    for queue in queues { queue.hurry() }
    drainConfirmed()
    _ = returnFrames(.max)
    punch(pool.drainDirty())
    measure()
    var rounds = 0
    while waits, measuredPages >= roomPages, rounds < 20, queues.contains(where: \.hasBatches) {
      Host.sleep(nanoseconds: 100_000)
      drainConfirmed()
      _ = returnFrames(.max)
      punch(pool.drainDirty())
      measure()
      rounds += 1
    }
  }

  /// Gives the memory of free frames back to the host, at most so many pages; false where there are none.
  package func returnFrames(_ count: Int) -> Bool {
    guard returningPages > 0 else { return false }
    var left = count
    while left > 0, let run = returning.popLast() {
      let part = FrameRun(start: run.start, count: min(run.count, left))
      if run.count > left {
        returning.append(FrameRun(start: run.start + Frame(left), count: run.count - left))
      }
      returningPages -= part.count
      left -= part.count
      punch(part)
    }
    return true
  }

  private func punch(_ runs: [FrameRun]) {
    for run in runs { punch(run) }
  }

  private func punch(_ run: FrameRun) {
    do throws(Errno) {
      if isPrivate { throw .notSupported }
      try MemoryFile.punchHole(
        descriptor, offset: PhysicalMemory.offset(of: run.start), length: UInt64(run.byteCount))
    } catch {
      unsafe pointer(to: run.start).initializeMemory(as: UInt8.self, repeating: 0, count: run.byteCount)
    }
    pool.addClean(run)
  }

  // MARK: references

  /// Adds a reference to each frame.
  func retain(_ start: Frame, _ count: Int) {
    let counters = unsafe references + Int(start)
    for index in 0..<count { unsafe counters[index] &+= 1 }
  }

  func release(_ runs: [FrameRun]) {
    for run in runs { release(run.start, run.count) }
  }

  /// Takes a reference from each frame, and frees those without any.
  func release(_ start: Frame, _ count: Int) {
    let counters = unsafe references + Int(start)
    // In most cases others hold either all of them or none.
    var least = UInt32.max
    var most: UInt32 = 0
    for index in 0..<count {
      let left = unsafe counters[index] &- 1
      unsafe counters[index] = left
      least = min(least, left)
      most = max(most, left)
    }
    if least != 0 { return }
    if most == 0 {
      free(FrameRun(start: start, count: count))
      return
    }
    var first = 0
    var index = 0
    while index < count {
      if unsafe counters[index] != 0 {
        if first < index { free(FrameRun(start: start + Frame(first), count: index - first)) }
        first = index + 1
      }
      index += 1
    }
    if first < count { free(FrameRun(start: start + Frame(first), count: count - first)) }
  }

  /// Notes how much memory is in use, for `peakBytes`, before much of it is given up.
  func notePeak() { measure() }

  private func free(_ run: FrameRun) {
    handedPages -= run.count
    if run.count > FramePool.longestDirty, pool.dirtyPages + run.count > dirtyLimit {
      returning.append(run)
      returningPages += run.count
    } else {
      pool.keepDirty(run)
      if pool.dirtyPages > dirtyLimit { punch(pool.drainDirty()) }
    }
  }

  // MARK: frames that wait for a confirmation

  func list(_ queue: ReleaseQueue) {
    // While there is enough memory, the queues of processes that are long gone must not pile up.
    if queues.count & 31 == 31 { drainConfirmed() }
    queues.append(queue)
  }

  /// Frames were given up that guest processes have not confirmed yet.
  package var isReleasing: Bool { queues.contains(where: \.hasBatches) }

  /// Frees what guest processes have confirmed.
  func drainConfirmed() {
    var kept = 0
    // `drain` frees frames, which never lists a queue.
    for index in queues.indices where queues[index].drain() {
      queues.swapAt(kept, index)
      kept += 1
    }
    queues.removeSubrange(kept...)
  }

  /// Frees what processes have confirmed whose address space is gone, if those are few.
  func drainRetired() {
    guard !queues.isEmpty && queues.count <= 8 else { return }
    drainConfirmed()
  }

  // MARK: contents

  /// Tells which pages of a run hold memory, at most `scratchPages`. A page that does not reads as zeros.
  ///
  /// mincore(2) does not see pages that were swapped out, so holes are confirmed by lseek(2).
  private func residency(of start: Frame, _ count: Int) -> UnsafeMutablePointer<UInt8> {
    do throws(Errno) {
      if isPrivate { throw .notSupported }
      unsafe try MemoryFile.residency(of: pointer(to: start), length: count.pagesToBytes, into: scratch)
    } catch {
      unsafe scratch.update(repeating: 1, count: count)
      return unsafe scratch
    }
    var index = 0
    while index < count {
      if unsafe scratch[index] & 1 != 0 {
        index += 1
        continue
      }
      let page = UInt64(start) + UInt64(index)
      let next = MemoryFile.nextData(descriptor, from: page.pagesToBytes).map {
        Int(clamping: $0.bytesToPages &- UInt64(start))
      }
      let data = min(next ?? count, count)
      while index < data {
        unsafe scratch[index] = 0
        index += 1
      }
      if index < count {
        unsafe scratch[index] = 1
        index += 1
      }
    }
    return unsafe scratch
  }

  /// The pages around one page of a range that are like it: all hold memory, or none does.
  func uniform(around page: Int, of start: Frame, _ count: Int) -> (range: Range<Int>, hasData: Bool) {
    guard count > 1, count <= PhysicalMemory.scratchPages else { return (page..<page + 1, true) }
    let present = unsafe residency(of: start, count)
    let wanted = unsafe present[page] & 1
    var low = page
    var high = page + 1
    while low > 0, unsafe present[low - 1] & 1 == wanted { low -= 1 }
    while high < count, unsafe present[high] & 1 == wanted { high += 1 }
    return (low..<high, wanted != 0)
  }

  /// Zeroes a dirty run; leaves its holes alone.
  private func clear(_ run: inout FrameRun) {
    guard run.count > 2, run.count <= PhysicalMemory.scratchPages else {
      zero(run.start, run.count)
      return
    }
    run.isResident = clearResident(run.start, run.count)
  }

  /// Zeroes the pages of a run that hold memory; returns whether all did.
  @discardableResult
  func clearResident(_ start: Frame, _ count: Int) -> Bool {
    let present = unsafe residency(of: start, count)
    var all = true
    var index = 0
    while index < count {
      let first = index
      let bit = unsafe present[index] & 1
      while index < count, unsafe present[index] & 1 == bit { index += 1 }
      if bit != 0 { zero(start + Frame(first), index - first) } else { all = false }
    }
    return all
  }

  func zero(_ start: Frame, _ count: Int) {
    unsafe pointer(to: start).initializeMemory(as: UInt8.self, repeating: 0, count: count.pagesToBytes)
  }

  /// Copies the contents of frames.
  func copy(from source: Frame, to run: FrameRun, _ count: Int) {
    let target = unsafe pointer(to: run.start)
    if !run.isResident && count >= 4 { unsafe MemoryFile.populate(target, length: count.pagesToBytes) }
    unsafe target.copyMemory(from: pointer(to: source), byteCount: count.pagesToBytes)
  }

  /// Fills frames with what a file holds from `offset` on, and zeros past its end.
  func fill(_ run: FrameRun, from file: FileDescriptor, at offset: UInt64) throws(Errno) {
    let target = unsafe pointer(to: run.start)
    let count = run.byteCount
    let got = unsafe try MemoryFile.read(file, at: offset, into: target, count: count)
    if got < count && run.isResident {
      unsafe (target + got).initializeMemory(as: UInt8.self, repeating: 0, count: count - got)
    }
  }
}
