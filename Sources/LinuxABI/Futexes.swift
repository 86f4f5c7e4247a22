/// The operations of futex(2), `FUTEX_*` of `linux/futex.h`.
public enum FutexOperation: UInt32, NamedConstants, Sendable {
  case wait = 0
  case wake = 1
  case requeue = 3
  case compareRequeue = 4
  case wakeOperation = 5
  case lock = 6
  case unlock = 7
  case tryLock = 8
  case waitBitset = 9
  case wakeBitset = 10
  case waitRequeue = 11
  case compareRequeueToLock = 12
  case lockMonotonic = 13

  public static let names: [ConstantName] = [
    .init("FUTEX_WAIT", wait), .init("FUTEX_WAKE", wake), .init("FUTEX_REQUEUE", requeue),
    .init("FUTEX_CMP_REQUEUE", compareRequeue), .init("FUTEX_WAKE_OP", wakeOperation),
    .init("FUTEX_LOCK_PI", lock), .init("FUTEX_UNLOCK_PI", unlock), .init("FUTEX_TRYLOCK_PI", tryLock),
    .init("FUTEX_WAIT_BITSET", waitBitset), .init("FUTEX_WAKE_BITSET", wakeBitset),
    .init("FUTEX_WAIT_REQUEUE_PI", waitRequeue), .init("FUTEX_CMP_REQUEUE_PI", compareRequeueToLock),
    .init("FUTEX_LOCK_PI2", lockMonotonic),
  ]
}

/// What stands beside the operation in the same argument of futex(2).
public struct FutexFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// `FUTEX_PRIVATE_FLAG`.
  public static let isPrivate = FutexFlags(rawValue: 128)
  /// `FUTEX_CLOCK_REALTIME`.
  public static let clockRealTime = FutexFlags(rawValue: 256)
  public static let all: FutexFlags = [.isPrivate, .clockRealTime]
}

/// The bits of a futex word that holds a lock: the owner's thread id and two flags (futex(2), "Robust futexes").
public enum FutexWord {
  /// `FUTEX_WAITERS`.
  public static let waiters: UInt32 = 0x8000_0000
  /// `FUTEX_OWNER_DIED`.
  public static let ownerDied: UInt32 = 0x4000_0000
  /// `FUTEX_TID_MASK`.
  public static let ownerMask: UInt32 = 0x3fff_ffff
  /// A thread as it stands in the word.
  public static func owner(_ id: ProcessID) -> UInt32 { UInt32(bitPattern: id.rawValue) }
  /// The thread that holds the lock; 0 for none.
  public static func owner(of word: UInt32) -> ProcessID {
    ProcessID(rawValue: Int32(truncatingIfNeeded: word & ownerMask))
  }
}

/// The third value of `FUTEX_WAKE_OP` in its parts (futex(2)): change the second word, compare what was there.
public struct FutexWakeChange: Sendable {
  /// `FUTEX_OP_SET` to `FUTEX_OP_XOR`.
  public enum Change: UInt32, Sendable {
    case set = 0
    case add = 1
    case or = 2
    case andNot = 3
    case xor = 4
  }
  /// `FUTEX_OP_CMP_EQ` to `FUTEX_OP_CMP_GE`.
  public enum Comparison: UInt32, Sendable {
    case equal = 0
    case notEqual = 1
    case less = 2
    case lessOrEqual = 3
    case greater = 4
    case greaterOrEqual = 5
  }
  public let change: Change
  public let comparison: Comparison
  public let operand: UInt32
  public let comparand: Int32

  /// Takes the value apart; nil where it names no change or no comparison.
  public init?(_ code: UInt32) {
    guard let change = Change(rawValue: code >> 28 & 7), let comparison = Comparison(rawValue: code >> 24 & 15) else {
      return nil
    }
    self.change = change
    self.comparison = comparison
    // Both arguments are signed, 12 bits wide.
    let operand = Int32(bitPattern: code << 8) >> 20
    comparand = Int32(bitPattern: code << 20) >> 20
    let shiftsOperand = code & FutexWakeChange.shift != 0
    self.operand = shiftsOperand ? 1 << UInt32(truncatingIfNeeded: operand & 31) : UInt32(bitPattern: operand)
  }

  /// `FUTEX_OP_OPARG_SHIFT`, where it stands in the value: the operand is the number of a bit.
  private static let shift: UInt32 = 0x8000_0000

  /// What the second word becomes.
  public func changed(_ word: UInt32) -> UInt32 {
    switch change {
    case .set: operand
    case .add: word &+ operand
    case .or: word | operand
    case .andNot: word & ~operand
    case .xor: word ^ operand
    }
  }

  /// Whether waiters of the second word are woken, too, after `word` was there.
  public func matches(_ word: UInt32) -> Bool {
    let old = Int32(bitPattern: word)
    return switch comparison {
    case .equal: old == comparand
    case .notEqual: old != comparand
    case .less: old < comparand
    case .lessOrEqual: old <= comparand
    case .greater: old > comparand
    case .greaterOrEqual: old >= comparand
    }
  }
}

/// `struct robust_list_head` of get_robust_list(2).
package struct RobustListHead: BitwiseCopyable, Sendable {
  package var first: RobustListLink
  /// From a list entry to its futex word.
  package var futexOffset: UInt64
  /// The entry that is being added or removed.
  package var pending: RobustListLink

  package static let size: UInt64 = 24
}

/// A pointer of a robust list: bit 0 tells that the futex is a priority-inheritance one.
package struct RobustListLink: BitwiseCopyable, Sendable {
  private var value: UInt64
  package var address: GuestAddress { GuestAddress(value & ~1) }
  package var locks: Bool { value & 1 != 0 }
}
