import CStub
import LinuxABI

/// What a traced thread's wait status says (waitpid(2), ptrace(2)).
package enum TraceStop: Sendable, Equatable {
  case systemCall
  case signal(Signal)
  /// A stop that no signal to the thread caused: an interruption, or a group stop.
  case event
  case ended
}

/// `struct user_regs_struct` of ptrace(2).
package struct TraceRegisters: BitwiseCopyable, Sendable {
  package var r15: UInt64 = 0
  package var r14: UInt64 = 0
  package var r13: UInt64 = 0
  package var r12: UInt64 = 0
  package var rbp: UInt64 = 0
  package var rbx: UInt64 = 0
  package var r11: UInt64 = 0
  package var r10: UInt64 = 0
  package var r9: UInt64 = 0
  package var r8: UInt64 = 0
  package var rax: UInt64 = 0
  package var rcx: UInt64 = 0
  package var rdx: UInt64 = 0
  package var rsi: UInt64 = 0
  package var rdi: UInt64 = 0
  package var originalRAX: UInt64 = .max
  package var rip: UInt64 = 0
  package var cs = UInt64(MachineContext.userCodeSegment)
  package var rflags = ProcessorFlags.initial
  package var rsp: UInt64 = 0
  package var ss = UInt64(MachineContext.userStackSegment)
  package var fsBase: UInt64 = 0
  package var gsBase: UInt64 = 0
  package var ds: UInt64 = 0
  package var es: UInt64 = 0
  package var fs: UInt64 = 0
  package var gs: UInt64 = 0
  package init() {}
}

/// The parts of `siginfo_t` that a tracer looks at.
package struct TraceSignal: Sendable {
  package var code: Int32
  /// `si_addr` or `si_call_addr`.
  package var address: UInt64
}

extension Host {
  private static func trace(
    _ request: TraceRequest, _ thread: Int32, _ address: Int = 0, _ data: Int = 0
  ) throws(Errno) {
    try call(.ptrace, request.argument, Int(thread), address, data)
  }

  /// This thread's id (gettid(2)): what owns a traced thread.
  package static var threadID: Int32 { Int32(truncatingIfNeeded: Host.result(.gettid)) }

  /// Attaches to a thread; it is killed if this thread ends, and goes on until it is interrupted.
  package static func traceSeize(_ thread: Int32) throws(Errno) {
    try trace(.seize, thread, 0, ([.exitKill, .marksSystemCalls] as TraceOptions).argument)
  }

  /// Stops a traced thread.
  package static func traceInterrupt(_ thread: Int32) throws(Errno) { try trace(.interrupt, thread) }

  /// Lets a stopped thread go until it makes a system call, which is not executed.
  package static func traceResume(_ thread: Int32, signal: Signal = .null) throws(Errno) {
    try trace(.systemCallEmulation, thread, 0, signal.argument)
  }

  /// Lets a stopped thread go and attaches to it no longer.
  package static func traceDetach(_ thread: Int32) throws(Errno) { try trace(.detach, thread) }

  /// Waits until a traced thread stops or ends.
  package static func traceWait(_ thread: Int32) -> TraceStop {
    var status: Int32 = 0
    let result = unsafe withUnsafeMutablePointer(to: &status) { pointer in
      var result: Int
      repeat {
        result = Host.result(.wait4, Int(thread), Int(bitPattern: pointer), WaitOptions.all.argument)
      } while isInterrupted(result)
      return result
    }
    guard result == Int(thread), let signal = WaitStatus(rawValue: status).stopSignal else { return .ended }
    if status >> 16 != 0 { return .event }
    return signal.rawValue == Signal.trap.rawValue | 0x80 ? .systemCall : .signal(signal)
  }

  /// Tells whether a process has ended, though its tracers may not have taken notice yet (proc(5), `stat`).
  package static func hasEnded(_ process: Int32) -> Bool {
    guard let text = try? readSmallFile("/proc/\(process)/stat", limit: 512),
      let end = text.lastIndex(of: UInt8(ascii: ")")), end + 2 < text.count
    else { return true }
    return text[end + 2] == UInt8(ascii: "Z") || text[end + 2] == UInt8(ascii: "X")
  }

  /// Reads the registers of a stopped thread.
  package static func traceRead(_ registers: inout TraceRegisters, of thread: Int32) throws(Errno) {
    try unsafe withUnsafeMutablePointer(to: &registers) { pointer throws(Errno) in
      try trace(.getRegisters, thread, 0, Int(bitPattern: pointer))
    }
  }

  /// Writes the registers of a stopped thread.
  package static func traceWrite(_ registers: TraceRegisters, to thread: Int32) throws(Errno) {
    var registers = registers
    try unsafe withUnsafeMutablePointer(to: &registers) { pointer throws(Errno) in
      try trace(.setRegisters, thread, 0, Int(bitPattern: pointer))
    }
  }

  /// The architecture of the system call that a thread stopped at.
  package static func traceArchitecture(_ thread: Int32) -> UInt32? {
    var info = (
      UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0),
      UInt64(0), UInt64(0)
    )
    let result = unsafe withUnsafeMutablePointer(to: &info) { pointer in
      Host.result(.ptrace, TraceRequest.getSyscallInformation.argument, Int(thread), 88, Int(bitPattern: pointer))
    }
    return result > 0 ? UInt32(truncatingIfNeeded: info.0 >> 32) : nil
  }

  /// Why a thread stopped with a signal.
  package static func traceSignal(_ thread: Int32) throws(Errno) -> TraceSignal {
    var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
    var info = (words, words)  // siginfo_t: 128 bytes
    try unsafe withUnsafeMutablePointer(to: &info) { pointer throws(Errno) in
      try trace(.getSignalInformation, thread, 0, Int(bitPattern: pointer))
    }
    words = info.0
    return TraceSignal(code: Int32(truncatingIfNeeded: words.1), address: words.2)
  }

  /// Sets the signal mask of a stopped thread (`PTRACE_SETSIGMASK`).
  package static func traceSetMask(_ mask: UInt64, of thread: Int32) throws(Errno) {
    var mask = mask
    try unsafe withUnsafeMutablePointer(to: &mask) { pointer throws(Errno) in
      try trace(.setSignalMask, thread, Int(SignalSet.size), Int(bitPattern: pointer))
    }
  }

  /// Reads the XSAVE area of a stopped thread.
  package static func traceExtendedState(of thread: Int32) throws(Errno) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 16384)
    let length = try traceRegisterSet(.getRegisterSet, thread, &bytes)
    bytes.removeLast(max(0, bytes.count - length))
    return bytes
  }

  /// Writes the XSAVE area of a stopped thread, which has to be whole.
  package static func traceSetExtendedState(_ area: [UInt8], of thread: Int32) throws(Errno) {
    var area = area
    _ = try traceRegisterSet(.setRegisterSet, thread, &area)
  }

  private static func traceRegisterSet(
    _ request: TraceRequest, _ thread: Int32, _ bytes: inout [UInt8]
  ) throws(Errno) -> Int {
    let count = bytes.count
    let result = unsafe bytes.withUnsafeMutableBytes { buffer in
      // struct iovec
      var vector = (Int(bitPattern: buffer.baseAddress), count)
      let result = unsafe withUnsafeMutablePointer(to: &vector) { pointer in
        Host.result(
          .ptrace, request.argument, Int(thread), RegisterSet.extendedState.argument, Int(bitPattern: pointer))
      }
      return result < 0 ? result : vector.1
    }
    if result < 0 { throw Errno(rawValue: CInt(-result)) }
    return result
  }
}
