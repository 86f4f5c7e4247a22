import LinuxABI

#if canImport(Glibc)
  import Glibc
#endif

extension Host {
  /// CLOCK_MONOTONIC in nanoseconds (clock_gettime(2), through the vDSO).
  package static var monotonicTime: UInt64 { time(of: CLOCK_MONOTONIC) }
  /// CLOCK_REALTIME in nanoseconds.
  package static var realTime: UInt64 { time(of: CLOCK_REALTIME) }

  private static func time(of clock: clockid_t) -> UInt64 {
    var value = timespec()
    unsafe clock_gettime(clock, &value)
    return UInt64(bitPattern: Int64(value.tv_sec)) &* 1_000_000_000 &+ UInt64(bitPattern: Int64(value.tv_nsec))
  }

  /// Reads any clock of clock_gettime(2).
  package static func time(ofClock clock: Int32) throws(Errno) -> Timespec {
    var value = timespec()
    guard unsafe clock_gettime(clock, &value) == 0 else { throw .invalidArgument }
    return Timespec(seconds: Int64(value.tv_sec), nanoseconds: Int64(value.tv_nsec))
  }

  /// clock_getres(2) of any clock.
  package static func resolution(ofClock clock: Int32) throws(Errno) -> Timespec {
    var value = timespec()
    guard unsafe clock_getres(clock, &value) == 0 else { throw .invalidArgument }
    return Timespec(seconds: Int64(value.tv_sec), nanoseconds: Int64(value.tv_nsec))
  }
}
