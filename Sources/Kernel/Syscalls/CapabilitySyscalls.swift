import FileSystem
import LinuxABI

/// Capability sets (capabilities(7)).
extension Syscalls {
  static let capabilityTable: [SyscallEntry] = [
    .init(.capget, capget),
    .init(.capset, capset),
  ]

  /// How many words the sets of a request have. Where its version is unknown, the header gets the one to use.
  private static func words(
    _ request: CapabilityHeader, _ task: Task, _ header: InOutPointer<CapabilityHeader>
  ) throws(Errno) -> Int? {
    if let version = CapabilityVersion(rawValue: request.version) { return version.words }
    var answer = request
    answer.version = CapabilityVersion.preferred.rawValue
    try task.store(answer, to: header)
    return nil
  }

  /// capget(2).
  static func capget(
    _ task: Task, _ header: InOutPointer<CapabilityHeader>, _ result: GuestAddress
  ) throws(Errno) -> Int {
    let request = try task.load(header)
    guard let count = try words(request, task, header) else {
      if result.isNull { return 0 }
      throw .invalidArgument
    }
    if result.isNull { return 0 }
    let pid = request.processID
    guard !pid.isNegative else { throw .invalidArgument }
    guard let target = task.kernel.schedulingTarget(pid, by: task) else { throw .noSuchProcess }
    let credentials = target.credentials
    var values: [UInt32] = []
    for word in 0..<count {
      for set in [credentials.effective, credentials.permitted, credentials.inheritable] {
        values.append(UInt32(truncatingIfNeeded: set.rawValue >> UInt64(32 * word)))
      }
    }
    try task.memory.writeArray(result, values)
    return 0
  }

  /// capset(2).
  static func capset(
    _ task: Task, _ header: InOutPointer<CapabilityHeader>, _ sets: GuestAddress
  ) throws(Errno) -> Int {
    let request = try task.load(header)
    guard let count = try words(request, task, header) else { throw .invalidArgument }
    guard request.processID == .zero || request.processID == task.id else { throw .notPermitted }
    let values = try task.memory.readArray(sets, count: 3 * count, as: UInt32.self)
    func set(_ index: Int) -> CapabilitySet {
      let high = count > 1 ? UInt64(values[3 + index]) << 32 : 0
      return CapabilitySet(rawValue: UInt64(values[index]) | high).intersection(.all)
    }
    let (effective, permitted, inheritable) = (set(0), set(1), set(2))
    let old = task.credentials
    guard effective.isSubset(of: permitted), permitted.isSubset(of: old.permitted),
      inheritable.isSubset(of: old.inheritable.union(old.bounding)),
      old.has(.setpcap) || inheritable.isSubset(of: old.inheritable.union(old.permitted))
    else { throw .notPermitted }
    task.credentials.effective = effective
    task.credentials.permitted = permitted
    task.credentials.inheritable = inheritable
    task.credentials.ambient.formIntersection(permitted.intersection(inheritable))
    return 0
  }
}
