import DequeModule
import LinuxABI
import Memory

/// Pieces of memory in which what was sent waits to be received. All sockets of a sandbox share them, so an idle socket
/// has none, and those that are filled next are in the processor's caches.
package final class ChunkPool {
  /// One piece: bytes from `start` to `end` are in use.
  final class Chunk {
    fileprivate(set) var bytes: [UInt8]
    fileprivate(set) var start = 0
    fileprivate(set) var end = 0
    fileprivate init(size: Int) { bytes = [UInt8](repeating: 0, count: size) }
  }

  /// What a short message gets, and what a stream gets.
  private static let smallSize = 2048
  private static let largeSize = 32 << 10
  /// Unused pieces that are kept, of each size.
  private static let maximumFree = 128

  private var small: [Chunk] = []
  private var large: [Chunk] = []
  private let memory: KernelMemory
  /// Nil before anything was sent.
  private var charge: MemoryCharge?
  /// Memory in use, in bytes: whole pieces.
  package private(set) var byteCount = 0

  package init(_ memory: KernelMemory) { self.memory = memory }

  /// A piece; nil where there is no memory for it.
  fileprivate func take(for count: Int) -> Chunk? {
    let isSmall = count <= ChunkPool.smallSize
    let size = isSmall ? ChunkPool.smallSize : ChunkPool.largeSize
    do throws(Errno) { try recharge(byteCount + size) } catch { return nil }
    byteCount += size
    return (isSmall ? small.popLast() : large.popLast()) ?? Chunk(size: size)
  }

  private func recharge(_ bytes: Int) throws(Errno) {
    if charge == nil { charge = try memory.charge(0) }
    try charge?.resize(toHold: bytes)
  }

  fileprivate func give(_ chunk: Chunk) {
    byteCount -= chunk.bytes.count
    try? recharge(byteCount)
    (chunk.start, chunk.end) = (0, 0)
    if chunk.bytes.count == ChunkPool.smallSize {
      if small.count < ChunkPool.maximumFree { small.append(chunk) }
    } else if large.count < ChunkPool.maximumFree {
      large.append(chunk)
    }
  }
}

/// Bytes that wait to be received, first in, first out. They are copied once on their way in and once on their way out.
struct StreamBuffer {
  private let pool: ChunkPool
  private var chunks = Deque<ChunkPool.Chunk>()
  private(set) var count = 0

  init(_ pool: ChunkPool) { self.pool = pool }

  /// Takes up to `limit` bytes out of the buffer (from the guest); returns how many, which are fewer where there is no
  /// memory for more.
  mutating func append(from buffer: inout IOBuffer, limit: Int) -> Int {
    let total = min(limit, buffer.remaining)
    var left = total
    while left > 0 {
      let chunk: ChunkPool.Chunk
      if let last = chunks.last, last.end < last.bytes.count {
        chunk = last
      } else {
        guard let new = pool.take(for: chunks.isEmpty ? left : .max) else { break }
        chunk = new
        chunks.append(chunk)
      }
      let part = buffer.read(into: &chunk.bytes, chunk.end..<min(chunk.bytes.count, chunk.end + left))
      guard part > 0 else { break }
      chunk.end += part
      left -= part
    }
    count += total - left
    return total - left
  }

  /// Moves up to `limit` bytes into the buffer (towards the guest); returns how many.
  mutating func take(into buffer: inout IOBuffer, limit: Int) -> Int {
    var left = min(limit, count, buffer.remaining)
    let total = left
    while left > 0, let chunk = chunks.first {
      let part = buffer.write(chunk.bytes[chunk.start..<min(chunk.end, chunk.start + left)])
      guard part > 0 else { break }
      consume(part, of: chunk)
      left -= part
    }
    return total - left
  }

  /// Copies up to `limit` bytes from an offset on into the buffer; they stay.
  func copy(from offset: Int, into buffer: inout IOBuffer, limit: Int) -> Int {
    var skip = offset
    var left = min(limit, max(count - offset, 0), buffer.remaining)
    let total = left
    for chunk in chunks where left > 0 {
      let size = chunk.end - chunk.start
      guard skip < size else {
        skip -= size
        continue
      }
      let start = chunk.start + skip
      skip = 0
      left -= buffer.write(chunk.bytes[start..<min(chunk.end, start + left)])
    }
    return total - left
  }

  /// Drops the first bytes; returns how many.
  @discardableResult
  mutating func drop(_ amount: Int) -> Int {
    var left = min(amount, count)
    let total = left
    while left > 0, let chunk = chunks.first {
      let part = min(left, chunk.end - chunk.start)
      consume(part, of: chunk)
      left -= part
    }
    return total
  }

  private mutating func consume(_ part: Int, of chunk: ChunkPool.Chunk) {
    chunk.start += part
    count -= part
    if chunk.start == chunk.end {
      chunks.removeFirst()
      pool.give(chunk)
    }
  }

  /// Takes back what was just added.
  mutating func removeLast(_ amount: Int) {
    var left = min(amount, count)
    count -= left
    while left > 0, let chunk = chunks.last {
      let part = min(left, chunk.end - chunk.start)
      chunk.end -= part
      left -= part
      if chunk.start == chunk.end {
        chunks.removeLast()
        pool.give(chunk)
      }
    }
  }

  mutating func removeAll() {
    for chunk in chunks { pool.give(chunk) }
    chunks = []
    count = 0
  }
}
