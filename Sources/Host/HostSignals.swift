import LinuxABI

/// A signal that Apus got from the host.
package struct HostSignal: Sendable {
  package let number: Signal
  /// A terminal sent it, not a process.
  package let isFromKernel: Bool
}

extension Host {
  /// Makes a non-blocking descriptor that reads blocked signals (signalfd(2)).
  package static func makeSignalDescriptor(_ signals: SignalSet) throws(Errno) -> FileDescriptor {
    var mask = signals.rawValue
    return try unsafe withUnsafeMutablePointer(to: &mask) { pointer throws(Errno) in
      try descriptor(try call(.signalfd4, -1, Int(bitPattern: pointer), 8, 0o2004000))
    }
  }

  /// Takes the next signal from a signal descriptor; nil where there is none.
  package static func readSignal(_ descriptor: FileDescriptor) -> HostSignal? {
    // struct signalfd_siginfo: ssi_signo, ssi_errno, ssi_code, …
    var words = InlineArray<32, Int32>(repeating: 0)
    let count = unsafe withUnsafeMutableBytes(of: &words) { bytes in
      (try? call(.read, Int(descriptor.rawValue), Int(bitPattern: bytes.baseAddress), 128)) ?? 0
    }
    guard count == 128 else { return nil }
    return HostSignal(number: Signal(rawValue: words[0]), isFromKernel: words[2] > 0)
  }

  /// Takes the pending ones of some blocked signals away from the calling thread (rt_sigtimedwait(2)).
  package static func discardSignals(_ signals: SignalSet) {
    var mask = signals.rawValue
    var none = Timespec(nanoseconds: 0)
    unsafe withUnsafeMutablePointer(to: &mask) { mask in
      unsafe withUnsafeMutablePointer(to: &none) { none in
        while (try? call(.rt_sigtimedwait, Int(bitPattern: mask), 0, Int(bitPattern: none), 8)) != nil {}
      }
    }
  }

  /// Stops this process as SIGTSTP does, until SIGCONT; returns at once where the process group is orphaned, for then
  /// nobody would continue it (setpgid(2)).
  package static func stopSelf() {
    guard let process = try? call(.getpid), let thread = try? call(.gettid) else { return }
    let old = setSignalMask([], blocking: true)
    _ = setSignalMask(old.subtracting(SignalSet(Signal.tstp)), blocking: false)
    _ = try? call(.tgkill, process, thread, Int(Signal.tstp.rawValue))
    _ = setSignalMask(old, blocking: false)
  }
}
