import LinuxABI
import Memory

/// An open generated file whose text is made in parts, as it is read, because there may be much of it; each read(2) returns
/// what is left of a part.
package final class PartedFile: OpenFile {
  /// Makes a part. Takes and gives numbers that say where a part begins: 0 the first, nil none.
  package typealias Maker = (_ start: UInt64) throws(Errno) -> (text: [UInt8], next: UInt64?)

  private let make: Maker
  /// The part that was made last, and where in the whole it begins.
  private var part: [UInt8] = []
  private var partStart: UInt64 = 0
  private var next: UInt64? = 0

  package init(flags: OpenFlags, location: PathLocation, _ make: @escaping Maker) {
    self.make = make
    super.init(flags: flags, location: location)
  }

  package override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard flags.isReadable else { throw .badFileDescriptor }
    let start = offset ?? position
    if start == 0 || start < partStart { (part, partStart, next) = ([], 0, 0) }
    while start - partStart >= UInt64(part.count) {
      guard let first = next else { return 0 }
      let made = try make(first)
      partStart += UInt64(part.count)
      (part, next) = (made.text, made.next)
    }
    let count = buffer.write(part[Int(start - partStart)...])
    if offset == nil { position = start &+ UInt64(count) }
    return count
  }

  package override func seek(to offset: Int64, whence: Whence) throws(Errno) -> UInt64 {
    try seekInText(to: offset, whence: whence)
  }
}
