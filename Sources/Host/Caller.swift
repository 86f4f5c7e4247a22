import CStub
import LinuxABI

#if canImport(Glibc)
  @unsafe @preconcurrency import Glibc
#elseif canImport(Musl)
  @unsafe @preconcurrency import Musl
#endif

/// What Apus learns of the process that called it and of the machine it runs on.
extension Host {
  /// The file mode creation mask that this process had before `clearFileModeMask` (umask(2)).
  package static let umask: UInt32 = {
    guard let mask = try? call(.umask, 0) else { return 0o022 }
    _ = try? call(.umask, mask)
    return UInt32(truncatingIfNeeded: mask)
  }()

  /// This process may do what root may (geteuid(2)).
  package static var isRoot: Bool { geteuid() == 0 }

  /// One variable of the environment (getenv(3)).
  package static func environmentValue(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }

  /// The environment, as `NAME=value` strings (environ(7)).
  package static var environment: [String] {
    var strings: [String] = []
    var entry = unsafe environ
    while let string = unsafe entry.pointee {
      strings.append(unsafe String(cString: string))
      unsafe entry += 1
    }
    return strings
  }

  /// The working directory (getcwd(2)); nil where it has no path.
  package static var currentDirectory: String? {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe bytes.withUnsafeMutableBytes { buffer in
      (try? call(.getcwd, Int(bitPattern: buffer.baseAddress), buffer.count)) ?? 0
    }
    guard count > 1, bytes[0] == UInt8(ascii: "/") else { return nil }
    return String(decoding: bytes[..<(count - 1)], as: UTF8.self)
  }

  /// The machine's memory in bytes (sysinfo(2)).
  package static var totalMemory: UInt64 {
    var words = [UInt64](repeating: 0, count: 16)
    _ = unsafe words.withUnsafeMutableBytes { buffer in
      try? call(.sysinfo, Int(bitPattern: buffer.baseAddress))
    }
    let unit = UInt32(truncatingIfNeeded: words[13])
    return words[4] &* UInt64(max(unit, 1))
  }

  /// Blocks signals in the calling thread in addition, or sets the whole mask (rt_sigprocmask(2)); returns the old mask.
  package static func setSignalMask(_ set: SignalSet, blocking: Bool) -> SignalSet {
    var new = set.rawValue
    var old: UInt64 = 0
    _ = unsafe withUnsafeMutablePointer(to: &new) { new in
      unsafe withUnsafeMutablePointer(to: &old) { old in
        try? call(
          .rt_sigprocmask, (blocking ? SignalMaskChange.block : .set).argument, Int(bitPattern: new),
          Int(bitPattern: old), Int(SignalSet.size))
      }
    }
    return SignalSet(rawValue: old)
  }
}

/// What the host allows.
extension Host {
  /// `RLIMIT_NPROC` of this process; nil where there is no limit (getrlimit(2)).
  package static var processLimit: UInt64? {
    var limits = ResourceLimit(current: ResourceLimit.infinity, maximum: ResourceLimit.infinity)
    _ = unsafe withUnsafeMutablePointer(to: &limits) { pointer in
      try? call(.getrlimit, Resource.processes.argument, Int(bitPattern: pointer))
    }
    return limits.current == ResourceLimit.infinity ? nil : limits.current
  }
}
