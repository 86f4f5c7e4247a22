import FileSystem
import LinuxABI

/// Capability sets (capabilities(7)).
extension Syscalls {
  static let capabilityTable: [SyscallEntry] = [
    .init(.capget, capget, [.pointer, .pointer]),
    .init(.capset, capset, [.pointer, .pointer]),
  ]

  private static let preferredVersion: UInt32 = 0x2008_0522

  /// Words of 32 capabilities that a version of the interface has; nil for an unknown version.
  private static func words(of version: UInt32) -> Int? {
    switch version {
    case 0x1998_0330: 1
    case 0x2007_1026, preferredVersion: 2
    default: nil
    }
  }

  /// capget(2).
  static func capget(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let header = try task.memory.readArray(a[0], count: 2, as: UInt32.self)
    guard let count = words(of: header[0]) else {
      try task.memory.writeValue(a[0], preferredVersion)
      if a[1] == 0 { return 0 }
      throw .invalidArgument
    }
    if a[1] == 0 { return 0 }
    let pid = Int32(bitPattern: header[1])
    guard pid >= 0 else { throw .invalidArgument }
    guard let target = pid == 0 ? task : task.kernel.tasks[pid] else { throw .noSuchProcess }
    let credentials = target.credentials
    var values: [UInt32] = []
    for word in 0..<count {
      for set in [credentials.effective, credentials.permitted, credentials.inheritable] {
        values.append(UInt32(truncatingIfNeeded: set >> UInt64(32 * word)))
      }
    }
    try task.memory.writeArray(a[1], values)
    return 0
  }

  /// capset(2).
  static func capset(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let header = try task.memory.readArray(a[0], count: 2, as: UInt32.self)
    guard let count = words(of: header[0]) else {
      try task.memory.writeValue(a[0], preferredVersion)
      throw .invalidArgument
    }
    let pid = Int32(bitPattern: header[1])
    guard pid == 0 || pid == task.id else { throw .notPermitted }
    let values = try task.memory.readArray(a[1], count: 3 * count, as: UInt32.self)
    func set(_ index: Int) -> UInt64 {
      let high = count > 1 ? UInt64(values[3 + index]) << 32 : 0
      return (UInt64(values[index]) | high) & Credentials.allCapabilities
    }
    let (effective, permitted, inheritable) = (set(0), set(1), set(2))
    let old = task.credentials
    guard effective & ~permitted == 0, permitted & ~old.permitted == 0,
      inheritable & ~(old.inheritable | old.bounding) == 0,
      old.has(.setpcap) || inheritable & ~(old.inheritable | old.permitted) == 0
    else { throw .notPermitted }
    task.credentials.effective = effective
    task.credentials.permitted = permitted
    task.credentials.inheritable = inheritable
    task.credentials.ambient &= permitted & inheritable
    return 0
  }
}

/// `SECBIT_*` of capabilities(7).
public struct SecureBits: OptionSet, Sendable, Equatable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let noRoot = SecureBits(rawValue: 1)
  public static let noSetUIDFixup = SecureBits(rawValue: 4)
  public static let keepCapabilities = SecureBits(rawValue: 0x10)
  public static let keepCapabilitiesLocked = SecureBits(rawValue: 0x20)
  public static let noAmbientRaise = SecureBits(rawValue: 0x40)
  /// All bits there are, and those that lock their neighbour below.
  public static let all = SecureBits(rawValue: 0xff)
  public static let locks = SecureBits(rawValue: 0xaa)
}

extension Task {
  /// Takes on new user and group ids, with what that does to capabilities, to `PR_SET_DUMPABLE` and to the parent-death
  /// signal (capabilities(7), "Effect of user ID changes on capabilities"; prctl(2)).
  func adopt(_ new: Credentials) {
    let old = credentials
    var new = new
    if !attributes.secureBits.contains(.noSetUIDFixup) {
      let hadRoot = old.uid == 0 || old.euid == 0 || old.suid == 0
      if hadRoot, new.uid != 0, new.euid != 0, new.suid != 0 {
        if !attributes.secureBits.contains(.keepCapabilities) {
          new.permitted = 0
          new.effective = 0
        }
        new.ambient = 0
      }
      if old.euid == 0, new.euid != 0 { new.effective = 0 }
      if old.euid != 0, new.euid == 0 { new.effective = new.permitted }
      // CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID LINUX_IMMUTABLE MKNOD MAC_OVERRIDE
      let fileCapabilities: UInt64 = 0b1_1111 | 1 << 9 | 1 << 27 | 1 << 32
      if old.euid == new.euid {
        if old.fsuid == 0, new.fsuid != 0 { new.effective &= ~fileCapabilities }
        if old.fsuid != 0, new.fsuid == 0 { new.effective |= new.permitted & fileCapabilities }
      }
    }
    if old.euid != new.euid || old.egid != new.egid || old.fsuid != new.fsuid || old.fsgid != new.fsgid {
      group.isDumpable = false
      parentDeathSignal = 0
    }
    credentials = new
  }
}
