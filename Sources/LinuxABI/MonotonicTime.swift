/// A time of CLOCK_MONOTONIC (clock_gettime(2)): what deadlines are in. Operations never trap, as those of `Nanoseconds`.
public struct MonotonicTime: Hashable, Comparable, Sendable, BitwiseCopyable {
  public var sinceBoot: Nanoseconds
  @inlinable @inline(__always) public init(sinceBoot: Nanoseconds) { self.sinceBoot = sinceBoot }
  @inlinable @inline(__always) public init(nanoseconds: UInt64) { sinceBoot = Nanoseconds(rawValue: nanoseconds) }

  // Computed, as every trap compares with them: a stored constant costs other modules a call.

  /// Earlier than any other time.
  @inlinable public static var zero: MonotonicTime { MonotonicTime(nanoseconds: 0) }
  /// Never.
  @inlinable public static var never: MonotonicTime { MonotonicTime(nanoseconds: .max) }

  @inlinable @inline(__always) public static func < (left: MonotonicTime, right: MonotonicTime) -> Bool {
    left.sinceBoot < right.sinceBoot
  }
  @inlinable @inline(__always) public static func + (left: MonotonicTime, right: Nanoseconds) -> MonotonicTime {
    MonotonicTime(sinceBoot: left.sinceBoot + right)
  }
  /// The time before another.
  @inlinable @inline(__always) public static func - (left: MonotonicTime, right: Nanoseconds) -> MonotonicTime {
    MonotonicTime(sinceBoot: left.sinceBoot - right)
  }
  /// What lies between two times; none where `left` is the earlier one.
  @inlinable @inline(__always) public static func - (left: MonotonicTime, right: MonotonicTime) -> Nanoseconds {
    left.sinceBoot - right.sinceBoot
  }
}
