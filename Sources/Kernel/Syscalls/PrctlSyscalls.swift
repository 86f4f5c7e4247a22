import FileSystem
import LinuxABI
import Memory

/// prctl(2).
extension Syscalls {
  static let prctlTable: [SyscallEntry] = [
    .init(.prctl, prctl, .partial("only the options that Apus has a meaning for"))
  ]

  /// prctl(2): the options that Apus has a meaning for; others are `EINVAL`, as on a kernel without them.
  static func prctl(
    _ task: Task, _ option: Constant<PrctlOption>, _ second: Hexadecimal<UInt64>, _ third: Hexadecimal<UInt64>,
    _ fourth: Hexadecimal<UInt64>, _ fifth: Hexadecimal<UInt64>
  ) throws(Errno) -> Int {
    guard let option = option.value else { throw .invalidArgument }
    let a = PrctlArguments(second: second.value, third: third.value, fourth: fourth.value, fifth: fifth.value)
    if let result = try taskOption(task, option, a) { return result }
    return try credentialOption(task, option, a)
  }

  /// What an option does with the rest of the arguments: numbers, addresses, or nothing.
  private struct PrctlArguments {
    let second, third, fourth, fifth: UInt64
  }

  private static func requireZeros(_ values: UInt64...) throws(Errno) {
    for value in values where value != 0 { throw .invalidArgument }
  }

  private static func taskOption(_ task: Task, _ option: PrctlOption, _ a: PrctlArguments) throws(Errno) -> Int? {
    switch option {
    case .setParentDeathSignal:
      let signal = Signal(rawValue: Int32(clamping: a.second))
      guard signal == .null || signal.isValid else { throw .invalidArgument }
      task.attributes.parentDeathSignal = signal
    case .getParentDeathSignal: try task.memory.writeValue(GuestAddress(a.second), task.attributes.parentDeathSignal)
    case .getDumpable: return task.group.isDumpable ? 1 : 0
    case .setDumpable:
      guard a.second <= 1 else { throw .invalidArgument }
      task.group.isDumpable = a.second == 1
    case .setName:
      task.name = try commandName(task, a.second)
    case .getName:
      let name = Array(task.name.utf8.prefix(15))
      try task.memory.write(GuestAddress(a.second), name + [UInt8](repeating: 0, count: 16 - name.count))
    case .getSeccomp: return 0  // No guest has a filter.
    case .getTimestampCounter: try task.memory.writeValue(GuestAddress(a.second), PrctlValue.timestampCounterEnabled)
    case .setTimestampCounter:
      guard a.second == UInt64(PrctlValue.timestampCounterEnabled) else { throw .invalidArgument }
    case .setTimerSlack:
      task.attributes.timerSlack =
        a.second == 0 ? task.attributes.defaultTimerSlack : Nanoseconds(rawValue: a.second)
    case .getTimerSlack: return Int(clamping: task.attributes.timerSlack.rawValue)
    case .setChildSubreaper:
      task.group.isSubreaper = a.second != 0
    case .getChildSubreaper: try task.memory.writeValue(GuestAddress(a.second), Int32(task.group.isSubreaper ? 1 : 0))
    case .getTIDAddress: try task.memory.writeValue(GuestAddress(a.second), task.clearChildTID)
    case .setHugePagesDisabled:
      try requireZeros(a.third, a.fourth, a.fifth)
      task.attributes.disablesHugePages = a.second != 0
    case .getHugePagesDisabled:
      try requireZeros(a.second, a.third, a.fourth, a.fifth)
      return task.attributes.disablesHugePages ? 1 : 0
    case .setIOFlusher:
      guard task.credentials.has(.sysResource) else { throw .notPermitted }
      guard a.second <= 1 else { throw .invalidArgument }
      task.attributes.ioFlusher = a.second == 1
    case .getIOFlusher: return task.attributes.ioFlusher ? 1 : 0
    case .setMapping: try nameMapping(task, a)
    case .getAuxiliaryVector:
      try requireZeros(a.fourth, a.fifth)
      let bytes = task.group.auxiliaryVector
      try task.memory.writeArray(GuestAddress(a.second), Array(bytes.prefix(Int(min(a.third, 4096) / 8))))
      return bytes.count * 8
    default: return nil
    }
    return 0
  }

  /// At most 15 bytes up to a NUL.
  private static func commandName(_ task: Task, _ address: UInt64) throws(Errno) -> String {
    var bytes: [UInt8] = []
    while bytes.count < 15 {
      let byte = try task.memory.readValue(GuestAddress(address &+ UInt64(bytes.count)), as: UInt8.self)
      if byte == 0 { break }
      bytes.append(byte)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// `PR_SET_VMA_ANON_NAME`.
  private static func nameMapping(_ task: Task, _ a: PrctlArguments) throws(Errno) {
    guard a.second == PrctlValue.anonymousMappingName, a.third & Layout.pageMask == 0 else { throw .invalidArgument }
    guard let length = a.fourth.pageUp, !a.third.addingReportingOverflow(length).overflow else {
      throw .invalidArgument
    }
    if length == 0 { return }
    if a.fifth == 0 { return task.memory.setName(start: GuestAddress(a.third), length: length, name: "") }
    let name: [UInt8]
    do throws(Errno) {
      name = try task.memory.readCString(GuestAddress(a.fifth), limit: 80)
    } catch { throw error == .fileNameTooLong ? .invalidArgument : error }
    let isClean = name.allSatisfy { (0x20...0x7e).contains($0) && !"\\`$[]".utf8.contains($0) }
    guard isClean else { throw .invalidArgument }
    task.memory.setName(
      start: GuestAddress(a.third), length: length, name: "[anon:\(String(decoding: name, as: UTF8.self))]")
  }

  /// The options that deal with capabilities and privileges.
  private static func credentialOption(
    _ task: Task, _ option: PrctlOption, _ a: PrctlArguments
  ) throws(Errno) -> Int {
    let bits = task.attributes.secureBits
    switch option {
    case .getKeepCapabilities: return bits.contains(.keepCapabilities) ? 1 : 0
    case .setKeepCapabilities:
      guard a.second <= 1 else { throw .invalidArgument }
      guard !bits.contains(.keepCapabilitiesLocked) else { throw .notPermitted }
      if a.second == 1 {
        task.attributes.secureBits.insert(.keepCapabilities)
      } else {
        task.attributes.secureBits.remove(.keepCapabilities)
      }
    case .readBoundingCapability:
      return task.credentials.bounding.isSuperset(of: try capability(a.second)) ? 1 : 0
    case .dropBoundingCapability:
      let capability = try capability(a.second)
      guard task.credentials.has(.setpcap) else { throw .notPermitted }
      task.credentials.bounding.subtract(capability)
    case .getSecureBits: return Int(bits.rawValue)
    case .setSecureBits: try setSecureBits(task, a.second)
    case .setNoNewPrivileges:
      guard a.second == 1 else { throw .invalidArgument }
      try requireZeros(a.third, a.fourth, a.fifth)
      task.credentials.noNewPrivileges = true
    case .getNoNewPrivileges:
      try requireZeros(a.second, a.third, a.fourth, a.fifth)
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

  private static func ambient(_ task: Task, _ a: PrctlArguments) throws(Errno) -> Int {
    let operation = AmbientOperation(rawValue: Int32(truncatingIfNeeded: a.second))
    if operation == .clearAll {
      try requireZeros(a.third, a.fourth, a.fifth)
      task.credentials.ambient = []
      return 0
    }
    try requireZeros(a.fourth, a.fifth)
    let capability = try capability(a.third)
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
