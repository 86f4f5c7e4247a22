import LinuxABI

/// What Apus itself keeps for the guests of one sandbox: buffers, inodes, timers, and all else that they can make it keep.
/// It counts in bytes under the same limit as the guests' pages, and takes at most half of it.
///
/// Whoever keeps something holds a `MemoryCharge` for as long as it does, beside the object:
///
///     private var charge: MemoryCharge
///     charge = try memory.charge(Self.price)                       // as it is made; ENOMEM
///     try charge.resize(to: Self.price + storage, otherwise: .noSpace)  // as it grows
///
/// A price is what the object takes with all that hangs from it, rounded up generously: the allocator's share, and
/// half-empty tables, count too. What grows with each call is charged in steps (`resize(toHold:)`).
package final class KernelMemory {
  /// Bytes charged for.
  package private(set) var bytes = 0
  private let limit: Int
  /// The pages that share the limit; nil where there are none (tests).
  weak var pages: PhysicalMemory?

  /// What every sandbox may keep without its counting against the pages: the smallest programs need some, whatever the
  /// limit, and most need no more.
  static let uncounted = 4 << 20

  /// - Parameter limit: how many bytes may be charged for.
  package init(limit: Int = .max) { self.limit = limit }

  /// For what shares the limit with `size` bytes of guests' pages.
  convenience init(beside size: UInt64) {
    self.init(limit: max(Int(clamping: size / 2), KernelMemory.uncounted * 2))
  }

  /// Pages that the guests can't have because of what is kept.
  var countedPages: Int { KernelMemory.pages(of: bytes) }
  private static func pages(of bytes: Int) -> Int { Int(UInt64(max(0, bytes - uncounted)).bytesToPagesUp) }

  /// Charges for something that is about to be kept. - Throws: `error` where there is no room.
  package func charge(_ bytes: Int, otherwise error: Errno = .noMemory) throws(Errno) -> MemoryCharge {
    guard reserve(bytes) else { throw error }
    return MemoryCharge(memory: self, bytes: bytes)
  }

  /// A charge for nothing yet, for what grows later.
  package func openCharge() -> MemoryCharge { MemoryCharge(memory: self, bytes: 0) }

  fileprivate func reserve(_ more: Int) -> Bool {
    let (total, overflow) = bytes.addingReportingOverflow(more)
    guard !overflow, total <= limit else { return false }
    if total > KernelMemory.uncounted, let pages, !pages.hasRoom(keeping: KernelMemory.pages(of: total)) {
      return false
    }
    bytes = total
    return true
  }

  fileprivate func release(_ less: Int) { bytes -= less }
}

/// Bytes that `KernelMemory` counts for one object; they are given back when this goes.
package struct MemoryCharge: ~Copyable {
  private let memory: KernelMemory
  package private(set) var bytes: Int

  /// A step of what grows often: changes by less are not worth counting.
  private static let step = 4096

  fileprivate init(memory: KernelMemory, bytes: Int) {
    self.memory = memory
    self.bytes = bytes
  }

  deinit { memory.release(bytes) }

  /// Charges for more, or less, than before. - Throws: `error` where there is no room; the charge stays as it was then.
  package mutating func resize(to wanted: Int, otherwise error: Errno = .noMemory) throws(Errno) {
    guard wanted > bytes else { return shrink(to: wanted) }
    guard memory.reserve(wanted - bytes) else { throw error }
    bytes = wanted
  }

  /// Charges for `wanted` bytes in steps of a page: more when they don't fit, less when that is two steps too many.
  @inline(__always)
  package mutating func resize(toHold wanted: Int, otherwise error: Errno = .noMemory) throws(Errno) {
    if wanted > bytes || wanted < bytes - 2 * MemoryCharge.step {
      try resize(to: (wanted + MemoryCharge.step - 1) & ~(MemoryCharge.step - 1), otherwise: error)
    }
  }

  /// Charges for less than before.
  package mutating func shrink(to wanted: Int) {
    guard wanted < bytes else { return }
    memory.release(bytes - wanted)
    bytes = wanted
  }
}
