import LinuxABI

/// How many frames the objects of a file system may hold together (tmpfs(5), `size`).
package final class FrameQuota {
  /// In pages.
  package let limit: UInt64
  package fileprivate(set) var used: UInt64 = 0

  /// - Parameter size: in bytes; the last page of a size that is no multiple counts whole.
  package init(size: UInt64) { limit = size.bytesToPagesUp }

  var left: UInt64 { limit > used ? limit - used : 0 }
}

/// The pages of a shared object (tmpfs file, memfd, System V segment, shared anonymous memory), by page index.
///
/// The store holds one reference to each frame; every mapping that shows a frame holds another. Frames past the end
/// of the object may be there, given ahead of a growing file; they are zero.
package final class FrameStore {
  package let physical: PhysicalMemory
  private let quota: FrameQuota?
  private var extents = ExtentMap()
  private var bytes: UInt64 = 0
  /// Where pages past the size end that stay (`FALLOC_FL_KEEP_SIZE` of fallocate(2)).
  private var reservedEnd = PageNumber.zero
  /// Address spaces that map the store. They drop frames before the store does.
  private var mappers: [ObjectIdentifier: Mapper] = [:]

  private struct Mapper {
    weak var space: AddressSpace?
  }

  package init(physical: PhysicalMemory, quota: FrameQuota? = nil) {
    self.physical = physical
    self.quota = quota
  }

  deinit {
    for extent in extents.elements { physical.release(extent.frame, extent.count) }
    quota?.used -= extents.pages
  }

  /// Largest size in bytes.
  package static let maximumSize = UInt64(Int64.max)

  /// Size in bytes; making it smaller drops the frames past the end, and zeroes the rest of the last page.
  package var size: UInt64 {
    get { bytes }
    set {
      let wanted = min(newValue, FrameStore.maximumSize)
      let old = bytes
      bytes = wanted
      if wanted < old {
        reservedEnd = .zero
        zeroTail(from: wanted)
        drop(pageCount..<PageNumber.max, evenCopies: true)
      } else if wanted > old {
        zeroTail(from: old)
      }
    }
  }

  /// Bytes of frames held.
  package var allocatedBytes: UInt64 {
    var pages = extents.pages
    var index = extents.count
    let end = max(pageCount, reservedEnd)
    while index > 0, extents[index - 1].end > end {
      index -= 1
      pages -= extents[index].end - max(extents[index].start, end)
    }
    return pages.pagesToBytes
  }

  /// Gives up frames past the size that were taken ahead: nobody is going to write there soon.
  package func trim() {
    let end = max(pageCount, reservedEnd)
    guard extents.count > 0, extents[extents.count - 1].end > end else { return }
    drop(end..<PageNumber.max, evenCopies: false)
  }

  /// No frames are left for the file system that this belongs to: its own limit, not memory, is used up.
  var isOverQuota: Bool { quota?.left == 0 }

  /// Pages up to the size.
  var pageCount: PageNumber { .zero + bytes.bytesToPagesUp }

  // MARK: contents

  /// Reads from `offset` up to the size; holes read as zeros.
  package func read(into buffer: inout IOBuffer, at offset: UInt64) throws(Errno) -> Int {
    guard offset < bytes else { return 0 }
    var left = Int(clamping: min(bytes - offset, UInt64(buffer.remaining)))
    var position = offset
    let total = left
    while left > 0 {
      let page = PageNumber(holding: position)
      let index = extents.lowerBound(page)
      let inPage = position & Layout.pageMask
      let count: Int
      if index < extents.count, extents[index].start <= page {
        let extent = extents[index]
        count = min(left, Int(clamping: (extent.end - page).pagesToBytes - inPage))
        let source = unsafe physical.pointer(to: extent.frame(of: page)) + Int(inPage)
        _ = unsafe buffer.write(UnsafeRawBufferPointer(start: source, count: count))
      } else {
        let next = index < extents.count ? extents[index].start - page : UInt64(left)
        count = min(left, Int(clamping: min(next, UInt64(left)).pagesToBytes) - Int(inPage))
        _ = buffer.fill(count)
      }
      position += UInt64(count)
      left -= count
    }
    return total
  }

  /// Writes at `offset`, growing the size. Writes less than asked if memory runs out after some bytes.
  /// - Throws: `ENOSPC` when no memory is left, `EFBIG` past the largest size.
  package func write(from buffer: inout IOBuffer, at offset: UInt64) throws(Errno) -> Int {
    let (end, overflow) = offset.addingReportingOverflow(UInt64(buffer.remaining))
    guard !overflow, end <= FrameStore.maximumSize else { throw .fileTooLarge }
    guard buffer.remaining > 0 else { return 0 }
    if offset > bytes { zeroTail(from: bytes) }
    var position = offset
    while position < end {
      let page = PageNumber(holding: position)
      let inPage = Int(position & Layout.pageMask)
      let last = PageNumber(holding: end - 1)
      guard let extent = frames(around: page, in: page..<last + 1, growing: true) else {
        guard position > offset else { throw .noSpace }
        break
      }
      let room = Int(clamping: extent.end - page).pagesToBytes - inPage
      let target = unsafe physical.pointer(to: extent.frame(of: page)) + inPage
      let count = min(room, Int(end - position))
      let done = unsafe buffer.read(into: UnsafeMutableRawBufferPointer(start: target, count: count), count: count)
      position += UInt64(done)
      if done < count { break }
    }
    bytes = max(bytes, position)
    return Int(position - offset)
  }

  /// Zeroes a range and gives its whole frames back (fallocate(2), `FALLOC_FL_PUNCH_HOLE`).
  package func punch(offset: UInt64, length: UInt64) throws(Errno) {
    let end = min(offset.addingReportingOverflow(length).overflow ? .max : offset + length, FrameStore.maximumSize)
    guard offset < end else { return }
    let first = PageNumber(holding: offset.pageUp ?? offset)
    let last = PageNumber(holding: end)
    if first > last {
      zero(offset, end)
      return
    }
    zero(offset, first.offset)
    zero(last.offset, end)
    if first < last { drop(first..<last, evenCopies: false) }
  }

  /// Makes sure that a range has frames (fallocate(2)); does not change the size.
  /// - Throws: `ENOSPC` when no memory is left.
  package func allocate(offset: UInt64, length: UInt64) throws(Errno) {
    let (end, overflow) = offset.addingReportingOverflow(length)
    guard !overflow, end <= FrameStore.maximumSize else { throw .fileTooLarge }
    guard length > 0 else { return }
    guard length <= physical.limit else { throw .noSpace }
    var page = PageNumber(holding: offset)
    let last = PageNumber(holding: end - 1)
    while page <= last {
      guard let extent = frames(around: page, in: page..<last + 1) else { throw .noSpace }
      page = extent.end
    }
    reservedEnd = max(reservedEnd, last + 1)
  }

  /// First offset at or after `offset` that holds data (lseek(2), `SEEK_DATA`); nil past the last.
  package func nextData(from offset: UInt64) -> UInt64? {
    let index = extents.lowerBound(PageNumber(holding: offset))
    guard index < extents.count else { return nil }
    let found = max(extents[index].start.offset, offset)
    return found < bytes ? found : nil
  }

  /// First offset at or after `offset` that holds none (lseek(2), `SEEK_HOLE`); the size where there is none before.
  package func nextHole(from offset: UInt64) -> UInt64 {
    var position = offset
    var index = extents.lowerBound(PageNumber(holding: offset))
    while index < extents.count, extents[index].start.offset <= position {
      position = extents[index].end.offset
      index += 1
    }
    return min(position, bytes)
  }

  private func zero(_ start: UInt64, _ end: UInt64) {
    guard start < end else { return }
    let page = PageNumber(holding: start)
    let index = extents.lowerBound(page)
    guard index < extents.count, extents[index].start <= page else { return }
    let target = unsafe physical.pointer(to: extents[index].frame(of: page)) + Int(start & Layout.pageMask)
    unsafe target.initializeMemory(as: UInt8.self, repeating: 0, count: Int(end - start))
  }

  /// Zeroes what follows `offset` in its page.
  private func zeroTail(from offset: UInt64) {
    guard offset & Layout.pageMask != 0 else { return }
    zero(offset, offset.pageDown + Layout.pageSize)
  }

  // MARK: frames

  /// Drops the frames of a range here and wherever they are mapped.
  private func drop(_ range: Range<PageNumber>, evenCopies: Bool) {
    for mapper in mappers.values { mapper.space?.storeDropped(self, range, evenCopies: evenCopies) }
    let gone = extents.parts(in: range)
    extents.remove(range)
    for extent in gone { physical.release(extent.frame, extent.count) }
    quota?.used -= gone.reduce(0) { $0 + UInt64($1.count) }
  }

  /// The frames of a range, as extents of page indexes.
  func parts(in range: Range<PageNumber>) -> ContiguousArray<Extent> { extents.parts(in: range) }

  /// The frame of a page; nil where there is none.
  func frame(of page: PageNumber) -> Frame? { extents.index(of: page).map { extents[$0].frame(of: page) } }

  /// The part of a range around a page that has no frames; nil where the page has one.
  func hole(around page: PageNumber, in range: Range<PageNumber>) -> Range<PageNumber>? {
    let index = extents.lowerBound(page)
    if index < extents.count, extents[index].start <= page { return nil }
    let low = index > 0 ? max(range.lowerBound, extents[index - 1].end) : range.lowerBound
    let high = index < extents.count ? min(range.upperBound, extents[index].start) : range.upperBound
    return low..<max(high, page + 1)
  }

  /// The consecutive frames around a page, inside a range; made where there are none. Nil when no memory is left.
  func frames(around page: PageNumber, in range: Range<PageNumber>, growing: Bool = false) -> Extent? {
    if let index = extents.index(of: page) { return extents[index].clipped(to: range) }
    guard let hole = hole(around: page, in: range) else { return nil }
    var wanted = hole.count
    if growing, page > .zero, extents.count > 0, extents[extents.count - 1].end == page {
      // A file that grows at its end gets frames ahead, so that it is made of few extents.
      let ahead = min(extents.pages / 4, 256)
      if quota.map({ $0.left > 16 * ahead }) ?? true { wanted = max(wanted, Int(ahead)) }
    }
    if let quota { wanted = Int(min(UInt64(wanted), quota.left)) }
    guard let run = physical.allocate(min(wanted, 1024), zeroed: true) else { return nil }
    let count = UInt64(run.count)
    var start = hole.lowerBound
    if page >= start + count { start = page + 1 - count }
    let extent = Extent(start: start, end: start + count, frame: run.start, protection: [], isCopyOnWrite: false)
    extents.insert(extent)
    quota?.used += count
    return extent.clipped(to: range)
  }

  // MARK: mappings

  func addMapper(_ space: AddressSpace) {
    let key = ObjectIdentifier(space)
    if let known = mappers[key], known.space === space { return }
    mappers[key] = Mapper(space: space)
  }

  /// Whether a shared mapping may write to it (`F_SEAL_WRITE` of fcntl(2)).
  package var isMappedForWriting: Bool {
    mappers.values.contains { mapper in
      mapper.space?.areas.elements.contains { area in
        guard area.isShared, area.maximum.contains(.write), case .frames(let store)? = area.object?.backing else {
          return false
        }
        return store === self
      } ?? false
    }
  }

  func removeMapper(_ space: AddressSpace) { mappers[ObjectIdentifier(space)] = nil }
}

extension AddressSpace {
  /// A store is going to drop frames that this address space may show. `evenCopies` drops private copies of the pages
  /// too, as truncation does.
  func storeDropped(_ store: FrameStore, _ indexes: Range<PageNumber>, evenCopies: Bool) {
    guard !isOver else { return }
    var changed = false
    for index in 0..<areas.count {
      let area = areas[index]
      guard case .frames(let mapped)? = area.object?.backing, mapped === store else { continue }
      let low = max(area.offset, indexes.lowerBound)
      let high = min(area.offset &+ area.count, indexes.upperBound)
      guard low < high else { continue }
      let range = area.start + (low - area.offset)..<area.start + (high - area.offset)
      for extent in extents.parts(in: range) {
        var page = extent.start
        while page < extent.end {
          // The longest part that is the store's own, or a copy.
          let isOwn = store.frame(of: area.index(of: page)) == extent.frame(of: page)
          var end = page + 1
          while end < extent.end,
            (store.frame(of: area.index(of: end)) == extent.frame(of: end)) == isOwn
          {
            end += 1
          }
          if isOwn || evenCopies {
            dropExtents(in: page..<end)
            hide(page..<end)
            changed = true
          }
          page = end
        }
      }
    }
    if changed { releases.settle() }
  }
}
