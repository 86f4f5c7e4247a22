import FileSystem
import LinuxABI

/// The two times that utimensat(2) and its like set.
struct FileTimes<Time: FileTime>: GuestValue {
  let access: Time
  let modification: Time
  var traced: String? { "[\(access.tracedTime), \(modification.tracedTime)]" }
}

/// How a call gives a time of a file.
protocol FileTime: GuestValue {
  /// What it asks for; nil to leave the time as it is. - Throws: `EINVAL`.
  var change: AttributeChange.TimeChange? { get throws(Errno) }
  var tracedTime: String { get }
}

/// `UTIME_NOW` and `UTIME_OMIT` stand in the nanoseconds (utimensat(2)).
extension Timespec: FileTime {
  var change: AttributeChange.TimeChange? {
    get throws(Errno) {
      switch nanoseconds {
      case Timespec.utimeNow: .now
      case Timespec.utimeOmit: nil
      case 0..<1_000_000_000: .set(self)
      default: throw .invalidArgument
      }
    }
  }
  var isOmitted: Bool { nanoseconds == Timespec.utimeOmit }
  var tracedTime: String {
    switch nanoseconds {
    case Timespec.utimeNow: "UTIME_NOW"
    case Timespec.utimeOmit: "UTIME_OMIT"
    default: traced ?? ""
    }
  }
}

/// utimes(2).
extension Timeval: FileTime {
  var change: AttributeChange.TimeChange? {
    get throws(Errno) {
      guard (0..<1_000_000).contains(microseconds) else { throw .invalidArgument }
      return .set(Timespec(seconds: seconds, nanoseconds: microseconds * 1000))
    }
  }
  var tracedTime: String { traced ?? "" }
}

/// Seconds alone: `struct utimbuf` of utime(2).
extension Int64: FileTime {
  var change: AttributeChange.TimeChange? { .set(Timespec(seconds: self, nanoseconds: 0)) }
  var tracedTime: String { "\(self)" }
}
