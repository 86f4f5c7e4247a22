/// A span of time. Operations never trap: a sum ends at the longest span, a difference at none.
public struct Nanoseconds: RawRepresentable, Hashable, Comparable, Sendable, BitwiseCopyable {
  public var rawValue: UInt64
  @inlinable @inline(__always) public init(rawValue: UInt64) { self.rawValue = rawValue }

  public static let zero = Nanoseconds(rawValue: 0)
  /// Longer than anything lasts.
  public static let forever = Nanoseconds(rawValue: .max)
  /// One second.
  public static let second = Nanoseconds(rawValue: 1_000_000_000)
  /// One tick of times(2) and proc(5), of which there are 100 in a second (`sysconf(_SC_CLK_TCK)`).
  public static let clockTick = Nanoseconds(rawValue: 10_000_000)
  @inlinable public static func milliseconds(_ count: UInt64) -> Nanoseconds {
    Nanoseconds(rawValue: 1_000_000) * count
  }
  @inlinable public static func microseconds(_ count: UInt64) -> Nanoseconds { Nanoseconds(rawValue: 1000) * count }

  @inlinable @inline(__always) public static func < (left: Nanoseconds, right: Nanoseconds) -> Bool {
    left.rawValue < right.rawValue
  }
  @inlinable @inline(__always) public static func + (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds {
    let (sum, overflow) = left.rawValue.addingReportingOverflow(right.rawValue)
    return Nanoseconds(rawValue: overflow ? .max : sum)
  }
  @inlinable @inline(__always) public static func += (left: inout Nanoseconds, right: Nanoseconds) {
    left = left + right
  }
  @inlinable @inline(__always) public static func - (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds {
    Nanoseconds(rawValue: left.rawValue > right.rawValue ? left.rawValue &- right.rawValue : 0)
  }
  @inlinable public static func * (left: Nanoseconds, right: UInt64) -> Nanoseconds {
    let (product, overflow) = left.rawValue.multipliedReportingOverflow(by: right)
    return Nanoseconds(rawValue: overflow ? .max : product)
  }
  /// How often `right` fits; 0 where it is no time at all.
  @inlinable public static func / (left: Nanoseconds, right: Nanoseconds) -> UInt64 {
    right.rawValue == 0 ? 0 : left.rawValue / right.rawValue
  }
  /// A part; the whole where `right` is 0.
  @inlinable public static func / (left: Nanoseconds, right: UInt64) -> Nanoseconds {
    Nanoseconds(rawValue: right == 0 ? left.rawValue : left.rawValue / right)
  }
}

extension Timespec {
  package init(_ duration: Nanoseconds) { self.init(nanoseconds: Int64(clamping: duration.rawValue)) }
  /// As a span; none where it is negative.
  package var duration: Nanoseconds { Nanoseconds(rawValue: UInt64(clamping: totalNanoseconds)) }
}
