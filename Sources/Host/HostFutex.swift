import CStub
import LinuxABI

/// A 32-bit word in memory shared between processes, used as a futex (futex(2)).
@safe package struct SharedWord: @unchecked Sendable {
  package let pointer: UnsafeMutablePointer<UInt32>

  @inlinable @inline(__always) package init(_ pointer: UnsafeMutableRawPointer) {
    unsafe self.pointer = pointer.assumingMemoryBound(to: UInt32.self)
  }

  @inlinable @inline(__always) package func load() -> UInt32 { unsafe apus_atomic_load(pointer) }
  @inlinable @inline(__always) package func store(_ value: UInt32) { unsafe apus_atomic_store(pointer, value) }
  @inlinable @inline(__always) package func exchange(_ value: UInt32) -> UInt32 {
    unsafe apus_atomic_exchange(pointer, value)
  }
  @inlinable @inline(__always) @discardableResult
  package func formUnion(_ value: UInt32) -> UInt32 { unsafe apus_atomic_or(pointer, value) }
  /// Replaces `expected` by `desired`; tells whether it did.
  @inlinable @inline(__always) package func replace(_ expected: UInt32, by desired: UInt32) -> Bool {
    unsafe apus_atomic_replace(pointer, expected, desired) != 0
  }

  /// Sleeps while the word holds `expected`, until a wake with a common bit or the deadline (CLOCK_MONOTONIC, in
  /// nanoseconds). May return early for no reason.
  package func wait(expected: UInt32, bitset: UInt32 = ~0, deadline: UInt64? = nil) {
    guard let deadline else {
      _ = unsafe Host.result(
        .futex, Int(bitPattern: pointer), FutexOperation.waitBitset.argument, Int(expected), 0, 0, Int(bitset))
      return
    }
    var time = Timespec(nanoseconds: Int64(clamping: deadline))
    unsafe withUnsafeMutablePointer(to: &time) { time in
      _ = unsafe Host.result(
        .futex, Int(bitPattern: pointer), FutexOperation.waitBitset.argument, Int(expected), Int(bitPattern: time), 0,
        Int(bitset))
    }
  }

  /// Wakes up to `count` sleepers whose bitset has a common bit.
  package func wake(count: Int = 1, bitset: UInt32 = ~0) {
    _ = unsafe Host.result(
      .futex, Int(bitPattern: pointer), FutexOperation.wakeBitset.argument, count, 0, 0, Int(bitset))
  }
}

extension Host {
  /// Tells the processor that this is a spin loop.
  @inlinable @inline(__always) package static func pause() { apus_pause() }
}
