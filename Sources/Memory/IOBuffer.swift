import Host
import LinuxABI

/// Guest memory resolved to host memory, as the source or destination of one I/O operation.
///
/// It has a cursor: each transfer goes on where the last one ended, so a file may fill it in several steps.
/// It is valid only while the kernel lock is held and the address space is unchanged.
@safe public struct IOBuffer {
  /// Bytes not transferred yet.
  package private(set) var remaining: Int
  /// Bytes transferred so far.
  package private(set) var transferred = 0
  /// What is left of the segment at the cursor.
  private(set) var current: UnsafeMutableRawBufferPointer
  /// The segments after it, from `next` on.
  private var rest: [UnsafeMutableRawBufferPointer]
  private var next = 0
  /// Keeps the storage of bounced bytes alive.
  private var storage: [ByteStorage]

  /// Bytes that stand in for guest memory that Apus does not map (file-backed pages), or for kernel memory.
  @safe package class ByteStorage {
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

  init(
    first: UnsafeMutableRawBufferPointer, rest: [UnsafeMutableRawBufferPointer], storage: [ByteStorage]
  ) {
    unsafe current = first
    unsafe self.rest = rest
    self.storage = storage
    var total = first.count
    for index in unsafe rest.indices { total += unsafe rest[index].count }
    remaining = total
    if first.count == 0 { normalize() }
  }

  /// A buffer that reads from a copy of `bytes`.
  package init(bytes: [UInt8]) {
    let store = ByteStorage(bytes)
    unsafe self.init(
      first: UnsafeMutableRawBufferPointer(rebasing: store.pointer[..<bytes.count]), rest: [], storage: [store])
  }

  /// A buffer in kernel memory to write into; `collected` gives what was written.
  package init(collecting count: Int) {
    let store = ByteStorage(count: max(count, 0))
    unsafe self.init(
      first: UnsafeMutableRawBufferPointer(rebasing: store.pointer[..<max(count, 0)]), rest: [], storage: [store])
  }

  /// The bytes transferred so far into a buffer made by `init(collecting:)`.
  package var collected: [UInt8] {
    guard let store = storage.first else { return [] }
    return unsafe Array(store.pointer[..<min(transferred, store.pointer.count)])
  }

  /// The bytes not transferred yet, as iovecs for host calls; at most 1024 (IOV_MAX).
  var pendingSegments: [UnsafeMutableRawBufferPointer] {
    guard remaining > 0 else { return unsafe [] }
    var result = unsafe [current]
    unsafe result.append(contentsOf: rest[next...].prefix(1023))
    return unsafe result
  }

  /// Goes on to the next segment that has bytes, if this one is used up.
  @inline(__always)
  private mutating func normalize() {
    while unsafe current.count == 0, unsafe next < rest.count {
      unsafe current = rest[next]
      next += 1
    }
  }

  /// Moves the cursor inside the current segment, of which `count` bytes must be left.
  @inline(__always)
  private mutating func step(_ count: Int) {
    unsafe current = UnsafeMutableRawBufferPointer(rebasing: current[count...])
    transferred += count
    remaining -= count
    normalize()
  }

  /// Marks `count` bytes as transferred.
  package mutating func advance(_ count: Int) {
    var left = min(max(count, 0), remaining)
    while left > 0 {
      let part = unsafe min(left, current.count)
      step(part)
      left -= part
    }
  }

  /// Keeps at most `count` of the remaining bytes.
  package mutating func truncate(to count: Int) {
    guard count < remaining else { return }
    var keep = max(count, 0)
    remaining = keep
    let first = unsafe min(keep, current.count)
    unsafe current = UnsafeMutableRawBufferPointer(rebasing: current[..<first])
    keep -= first
    var index = next
    while keep > 0, unsafe index < rest.count {
      let part = unsafe min(keep, rest[index].count)
      unsafe rest[index] = UnsafeMutableRawBufferPointer(rebasing: rest[index][..<part])
      keep -= part
      index += 1
    }
    unsafe rest.removeSubrange(index...)
  }

  /// Copies bytes into the buffer (towards the guest) until either is used up; returns how many.
  @discardableResult
  package mutating func write(_ bytes: ArraySlice<UInt8>) -> Int {
    unsafe bytes.withUnsafeBytes { unsafe write($0) }
  }

  /// Copies bytes into the buffer (towards the guest) until either is used up; returns how many.
  @discardableResult
  package mutating func write(_ bytes: [UInt8]) -> Int {
    unsafe bytes.withUnsafeBytes { unsafe write($0) }
  }

  /// Copies bytes from host memory into the buffer; returns how many.
  mutating func write(_ source: UnsafeRawBufferPointer) -> Int {
    var done = 0
    while done < source.count && remaining > 0 {
      let count = unsafe min(current.count, source.count - done)
      unsafe current.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[done..<done + count]))
      done += count
      step(count)
    }
    return done
  }

  /// Fills up to `count` bytes of the buffer with one value; returns how many.
  package mutating func fill(_ count: Int, with byte: UInt8 = 0) -> Int {
    let total = min(max(count, 0), remaining)
    var left = total
    while left > 0 {
      let part = unsafe min(current.count, left)
      unsafe UnsafeMutableRawBufferPointer(rebasing: current[..<part]).initializeMemory(
        as: UInt8.self, repeating: byte)
      left -= part
      step(part)
    }
    return total
  }

  /// Takes up to `count` bytes out of the buffer (from the guest).
  package mutating func read(_ count: Int) -> [UInt8] {
    let total = min(max(count, 0), remaining)
    return unsafe [UInt8](unsafeUninitializedCapacity: total) { target, initialized in
      initialized = unsafe read(into: UnsafeMutableRawBufferPointer(target), count: total)
    }
  }

  /// Takes bytes out of the buffer (from the guest) into a part of `target`; returns how many.
  package mutating func read(into target: inout [UInt8], _ part: Range<Int>) -> Int {
    unsafe target.withUnsafeMutableBytes { bytes in
      let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[part])
      return unsafe read(into: bytes, count: part.count)
    }
  }

  /// Copies up to `count` bytes out of the buffer into host memory; returns how many.
  mutating func read(into target: UnsafeMutableRawBufferPointer, count: Int) -> Int {
    let total = min(max(count, 0), remaining, target.count)
    var done = 0
    while done < total {
      let part = unsafe min(current.count, total - done)
      unsafe UnsafeMutableRawBufferPointer(rebasing: target[done..<done + part])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: current[..<part]))
      done += part
      step(part)
    }
    return total
  }
}
