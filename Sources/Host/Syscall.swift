// The target Host: every system call that Apus makes of the host, each a small typed function.
//
// It uses LinuxABI and CStub. What must hold: no other target calls the host; a call has its line in `HostCallRule`,
// from which Apus's own filter is made; a new descriptor goes through `Host.descriptor`, which keeps it above the
// streams; paths are relative to descriptors while guests run; pages of host files are never touched, but read.

import CStub
import LinuxABI

/// The host's system calls, thinly wrapped. Every host call that Apus makes is in this module, and
/// has its line in `HostCallRule`.
package enum Host {
  /// Makes one host system call and returns its result.
  /// - Throws: the call's errno.
  @inline(__always) @discardableResult
  static func call(
    _ number: SyscallNumber, _ a: Int = 0, _ b: Int = 0, _ c: Int = 0, _ d: Int = 0, _ e: Int = 0, _ f: Int = 0
  ) throws(Errno) -> Int {
    let result = result(number, a, b, c, d, e, f)
    if result < 0 && result > -4096 { throw Errno(rawValue: CInt(-result)) }
    return result
  }

  /// Makes one host system call and returns what the kernel returns: a negated errno where it failed.
  @inline(__always)
  static func result(
    _ number: SyscallNumber, _ a: Int = 0, _ b: Int = 0, _ c: Int = 0, _ d: Int = 0, _ e: Int = 0, _ f: Int = 0
  ) -> Int {
    apus_syscall(number.rawValue, a, b, c, d, e, f)
  }

  /// What the kernel returned means that a signal interrupted the call.
  static func isInterrupted(_ result: Int) -> Bool { result == Int(-Errno.interrupted.rawValue) }
}

extension RawRepresentable where RawValue: FixedWidthInteger {
  /// A constant or flags of the ABI, as an argument of a host call.
  @inline(__always) var argument: Int { Int(truncatingIfNeeded: rawValue) }
}
