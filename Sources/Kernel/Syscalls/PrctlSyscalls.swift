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
    guard let option = PrctlOption(rawValue: a.int(0)) else { throw .invalidArgument }
    if let result = try taskOption(task, option, a) { return result }
    return try credentialOption(task, option, a)
  }

  private static func requireZeros(_ a: SyscallArguments, from index: Int) throws(Errno) {
    for position in index..<5 where a[position] != 0 { throw .invalidArgument }
  }

  private static func taskOption(_ task: Task, _ option: PrctlOption, _ a: SyscallArguments) throws(Errno) -> Int? {
    switch option {
    case .setParentDeathSignal:
      guard (0...UInt64(Signal.maximum)).contains(a[1]) else { throw .invalidArgument }
      task.parentDeathSignal = Int32(a[1])
    case .getParentDeathSignal: try task.memory.writeValue(a[1], task.parentDeathSignal)
    case .getDumpable: return task.group.isDumpable ? 1 : 0
    case .setDumpable:
      guard a[1] <= 1 else { throw .invalidArgument }
      task.group.isDumpable = a[1] == 1
    case .setName:
      task.name = try commandName(task, a[1])
    case .getName:
      let name = Array(task.name.utf8.prefix(15))
      try task.memory.write(a[1], name + [UInt8](repeating: 0, count: 16 - name.count))
    case .getSeccomp: return 0  // No guest has a filter.
    case .getTimestampCounter: try task.memory.writeValue(a[1], PrctlValue.timestampCounterEnabled)
    case .setTimestampCounter:
      guard a[1] == UInt64(PrctlValue.timestampCounterEnabled) else { throw .invalidArgument }
    case .setTimerSlack:
      task.attributes.timerSlack = a[1] == 0 ? task.attributes.defaultTimerSlack : a[1]
    case .getTimerSlack: return Int(clamping: task.attributes.timerSlack)
    case .setChildSubreaper:
      task.group.isSubreaper = a[1] != 0
    case .getChildSubreaper: try task.memory.writeValue(a[1], Int32(task.group.isSubreaper ? 1 : 0))
    case .getTIDAddress: try task.memory.writeValue(a[1], task.clearChildTID)
    case .setHugePagesDisabled:
      try requireZeros(a, from: 2)
      task.attributes.disablesHugePages = a[1] != 0
    case .getHugePagesDisabled:
      try requireZeros(a, from: 1)
      return task.attributes.disablesHugePages ? 1 : 0
    case .setIOFlusher:
      guard task.credentials.has(.sysResource) else { throw .notPermitted }
      guard a[1] <= 1 else { throw .invalidArgument }
      task.attributes.ioFlusher = a[1] == 1
    case .getIOFlusher: return task.attributes.ioFlusher ? 1 : 0
    case .setMapping: try nameMapping(task, a)
    case .getAuxiliaryVector:
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
    guard a[1] == PrctlValue.anonymousMappingName, a[2] & Layout.pageMask == 0 else { throw .invalidArgument }
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

  /// The options that deal with capabilities and privileges.
  private static func credentialOption(
    _ task: Task, _ option: PrctlOption, _ a: SyscallArguments
  ) throws(Errno) -> Int {
    let bits = task.attributes.secureBits
    switch option {
    case .getKeepCapabilities: return bits.contains(.keepCapabilities) ? 1 : 0
    case .setKeepCapabilities:
      guard a[1] <= 1 else { throw .invalidArgument }
      guard !bits.contains(.keepCapabilitiesLocked) else { throw .notPermitted }
      if a[1] == 1 {
        task.attributes.secureBits.insert(.keepCapabilities)
      } else {
        task.attributes.secureBits.remove(.keepCapabilities)
      }
    case .readBoundingCapability:
      return task.credentials.bounding.isSuperset(of: try capability(a[1])) ? 1 : 0
    case .dropBoundingCapability:
      let capability = try capability(a[1])
      guard task.credentials.has(.setpcap) else { throw .notPermitted }
      task.credentials.bounding.subtract(capability)
    case .getSecureBits: return Int(bits.rawValue)
    case .setSecureBits: try setSecureBits(task, a[1])
    case .setNoNewPrivileges:
      guard a[1] == 1 else { throw .invalidArgument }
      try requireZeros(a, from: 2)
      task.credentials.noNewPrivileges = true
    case .getNoNewPrivileges:
      try requireZeros(a, from: 1)
      return task.credentials.noNewPrivileges ? 1 : 0
    case .ambientCapability: return try ambient(task, a)
    default: throw .invalidArgument
    }
    return 0
  }

  /// - Throws: `EINVAL` where there is no such capability.
  private static func capability(_ number: UInt64) throws(Errno) -> CapabilitySet {
    let set = CapabilitySet(rawValue: number < 64 ? 1 << number : 0)
    guard !set.isDisjoint(with: .all) else { throw .invalidArgument }
    return set
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
    let operation = AmbientOperation(rawValue: a.int(1))
    if operation == .clearAll {
      try requireZeros(a, from: 2)
      task.credentials.ambient = []
      return 0
    }
    try requireZeros(a, from: 3)
    let capability = try capability(a[2])
    switch operation {
    case .isSet: return task.credentials.ambient.isSuperset(of: capability) ? 1 : 0
    case .raise:
      guard task.credentials.permitted.intersection(task.credentials.inheritable).isSuperset(of: capability),
        !task.attributes.secureBits.contains(.noAmbientRaise)
      else { throw .notPermitted }
      task.credentials.ambient.formUnion(capability)
    case .lower: task.credentials.ambient.subtract(capability)
    case .clearAll, nil: throw .invalidArgument
    }
    return 0
  }
}
