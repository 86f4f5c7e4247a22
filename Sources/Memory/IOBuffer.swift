import Host
import LinuxABI

/// Guest memory resolved to host memory, as the source or destination of one I/O operation.
///
/// It has a cursor: each transfer goes on where the last one ended, so a file may fill it in several steps.
/// It is valid only while the kernel lock is held and the address space is unchanged.
@safe package struct IOBuffer {
  /// Bytes not transferred yet.
  package private(set) var remaining: Int
  /// Bytes transferred so far.
  package private(set) var transferred = 0
  private var segments: [UnsafeMutableRawBufferPointer]
  private var index = 0
  private var offset = 0
  /// Keeps the storage of bounced bytes alive.
  private var storage: [ByteStorage]

  /// Bytes that stand in for guest memory that Apus does not map (file-backed pages), or for kernel memory.
  @safe package final class ByteStorage {
    package let pointer: UnsafeMutableRawBufferPointer
    package init(_ bytes: [UInt8]) {
      unsafe pointer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 16)
      unsafe bytes.withUnsafeBytes { unsafe pointer.copyMemory(from: $0) }
    }
    package init(count: Int) {
      unsafe pointer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 16)
    }
    deinit { unsafe pointer.deallocate() }
  }

  /// A buffer over host memory that outlives it.
  package init(unsafeSegments segments: [UnsafeMutableRawBufferPointer], storage: [ByteStorage] = []) {
    unsafe self.segments = segments
    self.storage = storage
    self.remaining = unsafe segments.reduce(0) { $0 + $1.count }
  }

  /// A buffer that reads from a copy of `bytes`.
  package init(bytes: [UInt8]) {
    let store = ByteStorage(bytes)
    unsafe self.init(
      unsafeSegments: [UnsafeMutableRawBufferPointer(rebasing: store.pointer[..<bytes.count])], storage: [store])
  }

  /// A buffer in kernel memory to write into; `collected` gives what was written.
  package init(collecting count: Int) {
    let store = ByteStorage(count: count)
    unsafe self.init(
      unsafeSegments: [UnsafeMutableRawBufferPointer(rebasing: store.pointer[..<count])], storage: [store])
  }

  /// The bytes transferred so far into a buffer made by `init(collecting:)`.
  package var collected: [UInt8] {
    guard let store = storage.first else { return [] }
    return unsafe Array(store.pointer[..<transferred])
  }

  /// The bytes not transferred yet, as iovecs for host calls; at most 1024 (IOV_MAX).
  package var pendingSegments: [UnsafeMutableRawBufferPointer] {
    var result: [UnsafeMutableRawBufferPointer] = unsafe []
    var skip = offset
    for position in unsafe segments.indices[index...].prefix(1024) {
      let segment = unsafe segments[position]
      unsafe result.append(UnsafeMutableRawBufferPointer(rebasing: segment[skip...]))
      skip = 0
    }
    return unsafe result
  }

  /// Marks `count` bytes as transferred.
  package mutating func advance(_ count: Int) {
    var left = min(count, remaining)
    transferred += left
    remaining -= left
    while left > 0 {
      let room = unsafe segments[index].count - offset
      if left < room {
        offset += left
        return
      }
      left -= room
      index += 1
      offset = 0
    }
  }

  /// Keeps at most `count` of the remaining bytes.
  package mutating func truncate(to count: Int) {
    guard count < remaining else { return }
    var keep = max(count, 0) + offset
    var kept: [UnsafeMutableRawBufferPointer] = unsafe []
    for position in unsafe segments.indices[index...] {
      let segment = unsafe segments[position]
      let part = min(keep, segment.count)
      unsafe kept.append(UnsafeMutableRawBufferPointer(rebasing: segment[..<part]))
      keep -= part
      if keep == 0 { break }
    }
    unsafe segments = kept
    index = 0
    remaining = max(count, 0)
  }

  /// Copies bytes into the buffer (towards the guest) until either is used up; returns how many.
  @discardableResult
  package mutating func write(_ bytes: ArraySlice<UInt8>) -> Int {
    unsafe bytes.withUnsafeBytes { unsafe write($0) }
  }

  /// Copies bytes into the buffer (towards the guest) until either is used up; returns how many.
  @discardableResult
  package mutating func write(_ bytes: [UInt8]) -> Int { write(bytes[...]) }

  /// Copies bytes from host memory into the buffer; returns how many.
  package mutating func write(_ source: UnsafeRawBufferPointer) -> Int {
    var done = 0
    while done < source.count && remaining > 0 {
      let segment = unsafe segments[index]
      let count = min(segment.count - offset, source.count - done)
      if count > 0 {
        unsafe UnsafeMutableRawBufferPointer(rebasing: segment[offset..<offset + count])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[done..<done + count]))
      }
      done += count
      if count == 0 { index += 1; offset = 0; continue }
      advance(count)
    }
    return done
  }

  /// Fills up to `count` bytes of the buffer with one value; returns how many.
  package mutating func fill(_ count: Int, with byte: UInt8 = 0) -> Int {
    let total = min(count, remaining)
    var left = total
    while left > 0 {
      let segment = unsafe segments[index]
      let part = min(segment.count - offset, left)
      if part == 0 { index += 1; offset = 0; continue }
      unsafe UnsafeMutableRawBufferPointer(rebasing: segment[offset..<offset + part]).initializeMemory(
        as: UInt8.self, repeating: byte)
      left -= part
      advance(part)
    }
    return total
  }

  /// Takes up to `count` bytes out of the buffer (from the guest).
  package mutating func read(_ count: Int) -> [UInt8] {
    let total = min(count, remaining)
    return unsafe [UInt8](unsafeUninitializedCapacity: total) { target, initialized in
      initialized = unsafe read(into: UnsafeMutableRawBufferPointer(target), count: total)
    }
  }

  /// Copies up to `count` bytes out of the buffer into host memory; returns how many.
  package mutating func read(into target: UnsafeMutableRawBufferPointer, count: Int) -> Int {
    let total = min(count, remaining, target.count)
    var done = 0
    while done < total {
      let segment = unsafe segments[index]
      let part = min(segment.count - offset, total - done)
      if part == 0 { index += 1; offset = 0; continue }
      unsafe UnsafeMutableRawBufferPointer(rebasing: target[done..<done + part])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: segment[offset..<offset + part]))
      done += part
      advance(part)
    }
    return total
  }
}
