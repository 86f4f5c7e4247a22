import CStub
import Host
import LinuxABI

/// Shows that a thread sleeps in the stub in a state that nothing a former guest did can have spoiled.
///
/// The code behind the sleep depends only on `rdi`, on `rip` and on memory that Apus rewrites. The signal mask matters
/// too: were the preemption signal not blocked, it could overwrite the next guest's frame.
@safe struct ParkedThreadCheck: ~Copyable {
  private let callFile: FileDescriptor
  private let statusFile: FileDescriptor

  /// - Throws: `ENOENT` if the thread isn't one of the process.
  init(process: Int32, thread: Int32) throws(Errno) {
    let folder = "/proc/\(process)/task/\(thread)/"
    let call = try Host.openForReading(folder + "syscall")
    let status: FileDescriptor
    do throws(Errno) {
      status = try Host.openForReading(folder + "stat")
    } catch {
      Host.close(call)
      throw error
    }
    callFile = call
    statusFile = status
  }

  deinit {
    Host.close(callFile)
    Host.close(statusFile)
  }

  /// True if the thread is parked on the context at `header` with all signals blocked.
  func isParked(header: UInt64) -> Bool {
    // proc(5): number, six arguments, stack pointer and program counter; or "running".
    let call = fields(of: callFile)
    guard call.count == 9, decimal(call[0]) == 202, hexadecimal(call[1]) == header, hexadecimal(call[2]) == 9,
      hexadecimal(call[4]) == 0, hexadecimal(call[6]) == UInt64(Stub.wakeGuest),
      hexadecimal(call[8]) == Stub.base + apus_stub_park_site_offset()
    else { return false }
    // The 32nd field, the blocked signals 1 to 31; the name in field 2 is ours, without blanks.
    let status = fields(of: statusFile)
    guard status.count > 31, let blocked = decimal(status[31]) else { return false }
    return SignalSet(rawValue: blocked).contains(Stub.preemptSignal)
  }

  /// True if the thread sleeps where those go that have yet to be traced.
  var isResting: Bool {
    let call = fields(of: callFile)
    return call.count == 9 && decimal(call[0]) == 202
      && hexadecimal(call[1]) == Stub.constants + UInt64(STUB_CONSTANTS_FLAGS) && hexadecimal(call[2]) == 0
  }

  /// The fields of the file, as bytes: this is done for each process that starts, and strings are slow.
  private func fields(of file: FileDescriptor) -> [ArraySlice<UInt8>] {
    var bytes = [UInt8](repeating: 0, count: 1024)
    guard let count = try? Host.read(file, into: &bytes, count: 1024, at: 0) else { return [] }
    return bytes[0..<count].split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
  }

  private func decimal(_ digits: ArraySlice<UInt8>) -> UInt64? { number(digits, radix: 10) }

  /// A number after `0x`.
  private func hexadecimal(_ text: ArraySlice<UInt8>) -> UInt64? { number(text.dropFirst(2), radix: 16) }

  private func number(_ digits: ArraySlice<UInt8>, radix: UInt64) -> UInt64? {
    var value: UInt64 = 0
    for digit in digits {
      let digitValue: UInt8
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digitValue = digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digitValue = digit - UInt8(ascii: "a") + 10
      default: return nil
      }
      value = value &* radix &+ UInt64(digitValue)
    }
    return digits.isEmpty ? nil : value
  }
}

extension StubProcess {
  /// Starts to empty the process for its next use.
  /// - Returns: false where that cannot work: it had several threads, or never ran.
  func beginRecycling() -> Bool {
    ring.withLock { ring in
      guard !isDead, ring.threads.count == 1, let thread = ring.threads.first, ring.starts.isEmpty,
        !thread.isInCall
      else { return false }
      if thread.spins { thread.setSpins(false) }
      let id = thread.id.load(ordering: .sequentiallyConsistent)
      guard id != 0 else { return false }
      if platform.kind == .ptrace {
        guard park(thread) else { return false }
        ring.idleThreads = [thread]
        return ring.empty(in: self)
      }
      if ring.check == nil { ring.check = try? ParkedThreadCheck(process: hostPID, thread: id) }
      guard ring.check != nil else { return false }
      ring.idleThreads = [thread]
      return ring.empty(in: self)
    }
  }

  /// True once the agent has confirmed that the guest's memory is unmapped.
  var isEmptied: Bool {
    let ticket = platform.confirmedTicket(ofSlot: slot)
    return ring.withLock { $0.emptyTicket <= ticket }
  }

  /// Readies an emptied process for its next guest.
  /// - Returns: false where its thread cannot be shown to be parked.
  func finishRecycling() -> Bool {
    ring.withLock { ring in
      guard let thread = ring.threads.first, !isDead else { return false }
      let context = thread.context
      for attempt in 0..<20 {
        if attempt > 0 { Host.sleep(nanoseconds: 20_000) }
        // Under ptrace the tracer itself has sent it there.
        guard platform.kind == .ptrace || ring.isParked(header: context.headerAddress) else { continue }
        context.clear(from: 0)
        context.prepareHeader(isReused: true)
        context.state.store(platform.kind == .ptrace ? Stub.held | Stub.sleeps : Stub.trapped | Stub.sleeps)
        thread.noteTrap()
        thread.calls = 0
        ring.settleAll()
        return true
      }
      return false
    }
  }
}
