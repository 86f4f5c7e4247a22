import CStub
import LinuxABI

/// Addresses and numbers that Swift and the stub's assembly share (`StubLayout.h`), in Swift's types.
enum Stub {
  static let base = UInt64(STUB_BASE)
  static let constants = UInt64(STUB_CONSTANTS)
  static let control = UInt64(STUB_CONTROL)
  static let vdso = UInt64(STUB_VDSO)
  static let contexts = UInt64(STUB_CONTEXTS)
  static let contextSize = Int(STUB_CONTEXT_SIZE)
  static let headerOffset = Int(STUB_CONTEXT_SIZE - STUB_CONTEXT_HEADER_SIZE)
  static let controlStride = Int(STUB_CONTROL_STRIDE)
  static let ringCount = UInt64(STUB_RING_COUNT)
  static let batchCount = Int(STUB_BATCH_COUNT)
  /// The signal that interrupts guest code.
  static let preemptSignal = Signal.usr1

  /// How often a thread looks before it sleeps, where it spins: for about as long as it would take to wake it, some 60 µs.
  static let spinLimit: UInt32 = 1500

  static let held = UInt32(STUB_STATE_HELD)
  static let trapped = UInt32(STUB_STATE_TRAPPED)
  static let sleeps = UInt32(STUB_STATE_SLEEPS)
  static let waits = UInt32(STUB_STATE_WAITS)
  static let dead = UInt32(STUB_STATE_DEAD)
  static let notice = UInt32(STUB_STATE_NOTICE)
  static let calls = UInt32(STUB_STATE_CALLS)
  static let wakeGuest = UInt32(STUB_WAKE_GUEST)
  static let wakeApus = UInt32(STUB_WAKE_APUS)

  /// How many guest processes and how many guest threads (of all processes) one platform can hold.
  static let slotLimit = 16384
  static let contextLimit = 32768
  /// How many threads one guest process can hold.
  static let threadLimit = 30000
}
