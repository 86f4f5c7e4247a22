/// `struct timespec` of timespec(3).
package struct Timespec: BitwiseCopyable, Sendable, Hashable {
  package var seconds: Int64 = 0
  package var nanoseconds: Int64 = 0
  package init() {}
  package init(seconds: Int64, nanoseconds: Int64) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }
  /// A time in nanoseconds as seconds and the rest.
  package init(nanoseconds total: Int64) {
    seconds = total / 1_000_000_000
    nanoseconds = total % 1_000_000_000
    if nanoseconds < 0 {
      seconds -= 1
      nanoseconds += 1_000_000_000
    }
  }
  /// `UTIME_NOW` of utimensat(2), in place of the nanoseconds.
  package static let utimeNow: Int64 = (1 << 30) - 1
  /// `UTIME_OMIT`, likewise.
  package static let utimeOmit: Int64 = (1 << 30) - 2
  /// True where the fields are a time that calls such as nanosleep(2) accept.
  package var isValid: Bool { seconds >= 0 && nanoseconds >= 0 && nanoseconds < 1_000_000_000 }
  /// In nanoseconds, at most `Int64.max`.
  package var totalNanoseconds: Int64 {
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    if overflow { return seconds < 0 ? .min : .max }
    let (sum, more) = product.addingReportingOverflow(nanoseconds)
    return more ? .max : sum
  }
}
