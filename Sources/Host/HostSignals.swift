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
      try descriptor(
        try call(
          .signalfd4, -1, Int(bitPattern: pointer), Int(SignalSet.size),
          ([.closeOnExec, .nonBlocking] as SignalFileFlags).argument))
    }
  }

  /// Takes the next signal from a signal descriptor; nil where there is none.
  package static func readSignal(_ descriptor: FileDescriptor) -> HostSignal? {
    var information = SignalDescriptorInfo()
    let size = MemoryLayout<SignalDescriptorInfo>.size
    let count = unsafe withUnsafeMutablePointer(to: &information) { pointer in
      (try? call(.read, Int(descriptor.rawValue), Int(bitPattern: pointer), size)) ?? 0
    }
    guard count == size else { return nil }
    return HostSignal(
      number: Signal(rawValue: Int32(truncatingIfNeeded: information.signal)),
      isFromKernel: information.code > SignalInfo.siUser)
  }

  /// Takes the pending ones of some blocked signals away from the calling thread (rt_sigtimedwait(2)).
  package static func discardSignals(_ signals: SignalSet) {
    var mask = signals.rawValue
    var none = Timespec(nanoseconds: 0)
    unsafe withUnsafeMutablePointer(to: &mask) { mask in
      unsafe withUnsafeMutablePointer(to: &none) { none in
        while (try? call(.rt_sigtimedwait, Int(bitPattern: mask), 0, Int(bitPattern: none), Int(SignalSet.size))) != nil
        {}
      }
    }
  }

  /// Stops this process as SIGTSTP does, until SIGCONT; returns at once where the process group is orphaned, for then
  /// nobody would continue it (setpgid(2)).
  package static func stopSelf() {
    guard let process = try? call(.getpid), let thread = try? call(.gettid) else { return }
    let old = setSignalMask([], blocking: true)
    _ = setSignalMask(old.subtracting(SignalSet(Signal.tstp)), blocking: false)
    _ = try? call(.tgkill, process, thread, Signal.tstp.argument)
    _ = setSignalMask(old, blocking: false)
  }
}
