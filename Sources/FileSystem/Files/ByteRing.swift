import LinuxABI
import Memory

/// A first-in, first-out buffer of bytes whose storage grows as it is used.
struct ByteRing {
  /// Storage; its size is zero or a power of two.
  private var bytes: [UInt8] = []
  private var head = 0
  private(set) var count = 0
  /// Bytes that it has storage for.
  var storage: Int { bytes.count }
  /// The storage of a ring that was ever used is at least so large.
  static let smallestStorage = 4096
  /// How large its storage gets for `count` bytes.
  static func storage(for count: Int) -> Int {
    var size = smallestStorage
    while size < count { size *= 2 }
    return size
  }

  /// Takes up to `limit` bytes out of the buffer (from the guest); returns how many.
  mutating func append(from buffer: inout IOBuffer, limit: Int) -> Int {
    let total = min(limit, buffer.remaining)
    reserve(count + total)
    var done = 0
    while done < total {
      let start = (head + count) & (bytes.count - 1)
      let run = min(total - done, bytes.count - start)
      let part = buffer.read(into: &bytes, start..<start + run)
      guard part > 0 else { break }
      count += part
      done += part
    }
    return done
  }

  /// Moves bytes into the buffer (towards the guest) until either is used up; returns how many.
  mutating func take(into buffer: inout IOBuffer, limit: Int = .max) -> Int {
    let total = min(count, buffer.remaining, limit)
    var done = 0
    while done < total {
      let run = min(total - done, bytes.count - head)
      let part = buffer.write(bytes[head..<head + run])
      guard part > 0 else { break }
      drop(part)
      done += part
    }
    return done
  }

  /// Appends bytes.
  mutating func append(_ new: [UInt8]) {
    var buffer = IOBuffer(bytes: new)
    _ = append(from: &buffer, limit: new.count)
  }

  /// The first `limit` bytes, which stay.
  func peek(_ limit: Int) -> [UInt8] {
    let total = min(limit, count)
    guard total > 0 else { return [] }
    let first = min(total, bytes.count - head)
    var result = Array(bytes[head..<head + first])
    if first < total { result += bytes[0..<total - first] }
    return result
  }

  /// Drops the first bytes.
  mutating func drop(_ amount: Int) {
    let amount = min(amount, count)
    count -= amount
    head = count == 0 ? 0 : (head + amount) & (bytes.count - 1)
  }

  private mutating func reserve(_ wanted: Int) {
    guard wanted > bytes.count else { return }
    let size = ByteRing.storage(for: wanted)
    var larger = peek(count)
    larger.append(contentsOf: repeatElement(0, count: size - larger.count))
    bytes = larger
    head = 0
  }
}
