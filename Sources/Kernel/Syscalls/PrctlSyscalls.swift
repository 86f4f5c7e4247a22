import FileSystem
import LinuxABI
import Memory

/// prctl(2).
extension Syscalls {
  static let prctlTable: [SyscallEntry] = [
    .init(.prctl, prctl, [.prctl, .hex, .hex, .hex, .hex])
  ]

  /// prctl(2): the options that Apus has a meaning for; others are `EINVAL`, as on a kernel without them.
  static func prctl(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    if let result = try taskOption(task, a) { return result }
    if let result = try credentialOption(task, a) { return result }
    throw .invalidArgument
  }

  private static func requireZeros(_ a: SyscallArguments, from index: Int) throws(Errno) {
    for position in index..<5 where a[position] != 0 { throw .invalidArgument }
  }

  private static func taskOption(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int? {
    switch a.int(0) {
    case 1:  // PR_SET_PDEATHSIG
      guard (0...UInt64(Signal.maximum)).contains(a[1]) else { throw .invalidArgument }
      task.parentDeathSignal = Int32(a[1])
    case 2: try task.memory.writeValue(a[1], task.parentDeathSignal)
    case 3: return task.group.isDumpable ? 1 : 0
    case 4:  // PR_SET_DUMPABLE
      guard a[1] <= 1 else { throw .invalidArgument }
      task.group.isDumpable = a[1] == 1
    case 15:  // PR_SET_NAME
      task.name = try commandName(task, a[1])
    case 16:
      let name = Array(task.name.utf8.prefix(15))
      try task.memory.write(a[1], name + [UInt8](repeating: 0, count: 16 - name.count))
    case 21: return 0  // PR_GET_SECCOMP: no guest has a filter.
    case 25: try task.memory.writeValue(a[1], Int32(1))  // PR_GET_TSC: PR_TSC_ENABLE
    case 26:
      guard a[1] == 1 else { throw .invalidArgument }
    case 29:  // PR_SET_TIMERSLACK
      task.attributes.timerSlack = a[1] == 0 ? task.attributes.defaultTimerSlack : a[1]
    case 30: return Int(clamping: task.attributes.timerSlack)
    case 36:  // PR_SET_CHILD_SUBREAPER
      task.group.isSubreaper = a[1] != 0
    case 37: try task.memory.writeValue(a[1], Int32(task.group.isSubreaper ? 1 : 0))
    case 40: try task.memory.writeValue(a[1], task.clearChildTID)  // PR_GET_TID_ADDRESS
    case 41:  // PR_SET_THP_DISABLE
      try requireZeros(a, from: 2)
      task.attributes.disablesHugePages = a[1] != 0
    case 42:
      try requireZeros(a, from: 1)
      return task.attributes.disablesHugePages ? 1 : 0
    case 57:  // PR_SET_IO_FLUSHER
      guard task.credentials.has(.sysResource) else { throw .notPermitted }
      guard a[1] <= 1 else { throw .invalidArgument }
      task.attributes.ioFlusher = a[1] == 1
    case 58: return task.attributes.ioFlusher ? 1 : 0
    case 0x5356_4d41: try nameMapping(task, a)  // PR_SET_VMA
    case 0x4155_5856:  // PR_GET_AUXV
      try requireZeros(a, from: 3)
      let bytes = task.group.auxiliaryVector
      try task.memory.writeArray(a[1], Array(bytes.prefix(Int(min(a[2], 4096) / 8))))
      return bytes.count * 8
    default: return nil
    }
    return 0
  }

  /// At most 15 bytes up to a NUL.
  private static func commandName(_ task: Task, _ address: UInt64) throws(Errno) -> String {
    var bytes: [UInt8] = []
    while bytes.count < 15 {
      let byte = try task.memory.readValue(address &+ UInt64(bytes.count), as: UInt8.self)
      if byte == 0 { break }
      bytes.append(byte)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// `PR_SET_VMA_ANON_NAME`.
  private static func nameMapping(_ task: Task, _ a: SyscallArguments) throws(Errno) {
    guard a[1] == 0, a[2] & Layout.pageMask == 0 else { throw .invalidArgument }
    guard let length = a[3].pageUp, !a[2].addingReportingOverflow(length).overflow else { throw .invalidArgument }
    if length == 0 { return }
    if a[4] == 0 { return task.memory.setName(start: a[2], length: length, name: "") }
    let name: [UInt8]
    do throws(Errno) {
      name = try task.memory.readCString(a[4], limit: 80)
    } catch { throw error == .fileNameTooLong ? .invalidArgument : error }
    let isClean = name.allSatisfy { (0x20...0x7e).contains($0) && !"\\`$[]".utf8.contains($0) }
    guard isClean else { throw .invalidArgument }
    task.memory.setName(start: a[2], length: length, name: "[anon:\(String(decoding: name, as: UTF8.self))]")
  }

  private static func credentialOption(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int? {
    let bits = task.attributes.secureBits
    switch a.int(0) {
    case 7: return bits.contains(.keepCapabilities) ? 1 : 0  // PR_GET_KEEPCAPS
    case 8:
      guard a[1] <= 1 else { throw .invalidArgument }
      guard !bits.contains(.keepCapabilitiesLocked) else { throw .notPermitted }
      if a[1] == 1 {
        task.attributes.secureBits.insert(.keepCapabilities)
      } else {
        task.attributes.secureBits.remove(.keepCapabilities)
      }
    case 23:  // PR_CAPBSET_READ
      return try has(a[1], in: task.credentials.bounding)
    case 24:
      _ = try has(a[1], in: 0)
      guard task.credentials.has(.setpcap) else { throw .notPermitted }
      task.credentials.bounding &= ~(1 << a[1])
    case 27: return Int(bits.rawValue)  // PR_GET_SECUREBITS
    case 28: try setSecureBits(task, a[1])
    case 38:  // PR_SET_NO_NEW_PRIVS
      guard a[1] == 1 else { throw .invalidArgument }
      try requireZeros(a, from: 2)
      task.credentials.noNewPrivileges = true
    case 39:
      try requireZeros(a, from: 1)
      return task.credentials.noNewPrivileges ? 1 : 0
    case 47: return try ambient(task, a)  // PR_CAP_AMBIENT
    default: return nil
    }
    return 0
  }

  /// - Throws: `EINVAL` where there is no such capability.
  private static func has(_ capability: UInt64, in set: UInt64) throws(Errno) -> Int {
    guard capability < 64, Credentials.allCapabilities & (1 << capability) != 0 else { throw .invalidArgument }
    return set & (1 << capability) != 0 ? 1 : 0
  }

  private static func setSecureBits(_ task: Task, _ value: UInt64) throws(Errno) {
    let old = task.attributes.secureBits
    let new = SecureBits(rawValue: UInt32(truncatingIfNeeded: value))
    let locked = old.intersection(.locks)
    let frozen = SecureBits(rawValue: locked.rawValue >> 1)
    let changed = old.symmetricDifference(new)
    guard value <= UInt64(SecureBits.all.rawValue), new.isSuperset(of: locked), changed.isDisjoint(with: frozen),
      task.credentials.has(.setpcap)
    else { throw .notPermitted }
    task.attributes.secureBits = new
  }

  private static func ambient(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    if a.int(1) == 4 {  // PR_CAP_AMBIENT_CLEAR_ALL
      try requireZeros(a, from: 2)
      task.credentials.ambient = 0
      return 0
    }
    try requireZeros(a, from: 3)
    let isSet = try has(a[2], in: task.credentials.ambient)
    let bit: UInt64 = 1 << a[2]
    switch a.int(1) {
    case 1: return isSet
    case 2:
      guard task.credentials.permitted & task.credentials.inheritable & bit != 0,
        !task.attributes.secureBits.contains(.noAmbientRaise)
      else { throw .notPermitted }
      task.credentials.ambient |= bit
    case 3: task.credentials.ambient &= ~bit
    default: throw .invalidArgument
    }
    return 0
  }
}
