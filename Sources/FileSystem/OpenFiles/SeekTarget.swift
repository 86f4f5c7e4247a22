import LinuxABI

/// Where lseek(2) goes, for files with a size.
enum SeekTarget {
  static func compute(_ offset: Int64, whence: Whence, position: UInt64, size: UInt64) throws(Errno) -> UInt64 {
    let base: UInt64
    switch whence {
    case .start: base = 0
    case .current: base = position
    case .end: base = size
    default: throw .invalidArgument
    }
    let (target, overflow) = Int64(clamping: base).addingReportingOverflow(offset)
    if overflow || target < 0 { throw .invalidArgument }
    return UInt64(target)
  }
}
