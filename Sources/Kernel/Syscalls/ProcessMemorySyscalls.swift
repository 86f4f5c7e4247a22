import LinuxABI
import Memory

/// The memory of other processes.
extension Syscalls {
  static let processMemoryTable: [SyscallEntry] = [
    .init(.process_vm_readv, processVMReadv, .partial("at most 64 MiB at once")),
    .init(.process_vm_writev, processVMWritev, .partial("at most 64 MiB at once")),
  ]

  private static let maximumVectors: UInt64 = 1024
  /// The most bytes that one call copies, as the kernel lock is held meanwhile. Callers expect partial transfers.
  private static let copyLimit = 64 << 20

  /// process_vm_readv(2).
  static func processVMReadv(
    _ task: Task, _ process: ProcessID, _ local: VectorPointer, _ localCount: UInt64, _ remote: VectorPointer,
    _ remoteCount: UInt64, _ flags: Hexadecimal<UInt64>
  ) throws(Errno) -> Int {
    guard flags.value == 0 else { throw .invalidArgument }
    return try transfer(task, process, (local, localCount), (remote, remoteCount), isWrite: false)
  }

  /// process_vm_writev(2).
  static func processVMWritev(
    _ task: Task, _ process: ProcessID, _ local: VectorPointer, _ localCount: UInt64, _ remote: VectorPointer,
    _ remoteCount: UInt64, _ flags: Hexadecimal<UInt64>
  ) throws(Errno) -> Int {
    guard flags.value == 0 else { throw .invalidArgument }
    return try transfer(task, process, (local, localCount), (remote, remoteCount), isWrite: true)
  }

  private static func transfer(
    _ task: Task, _ process: ProcessID, _ local: (vectors: VectorPointer, count: UInt64),
    _ remote: (vectors: VectorPointer, count: UInt64), isWrite: Bool
  ) throws(Errno) -> Int {
    var local = try vectorCursor(task, local.vectors, count: local.count)
    var remote = try vectorCursor(task, remote.vectors, count: remote.count)
    if process == .initial { throw .notPermitted }
    guard let other = task.kernel.tasks[process], other.group.exitStatus == nil, other.state != .zombie else {
      throw .noSuchProcess
    }
    guard other === task || task.mayAccess(other) else { throw .notPermitted }
    let (source, target) = isWrite ? (task.memory, other.memory) : (other.memory, task.memory)
    var done = 0
    while done < copyLimit, let count = VectorCursor.step(&local, &remote, limit: 64 << 10) {
      let from = isWrite ? local.address : remote.address
      let to = isWrite ? remote.address : local.address
      do throws(Errno) {
        try target.write(to, try source.read(from, count: count))
      } catch {
        if done > 0 { return done }
        throw error
      }
      local.advance(count)
      remote.advance(count)
      done += count
    }
    return done
  }

  private static func vectorCursor(
    _ task: Task, _ vectors: VectorPointer, count: UInt64
  ) throws(Errno) -> VectorCursor {
    guard count <= maximumVectors else { throw .invalidArgument }
    let words = try task.memory.readArray(vectors.address, count: Int(count) * 2, as: UInt64.self)
    for index in stride(from: 1, to: words.count, by: 2) where words[index] > UInt64(Int64.max) {
      throw .invalidArgument
    }
    return VectorCursor(words)
  }

  /// A position in an array of `struct iovec`.
  private struct VectorCursor {
    private let words: [UInt64]
    private var index = 0
    private var offset: UInt64 = 0
    init(_ words: [UInt64]) { self.words = words }
    var address: GuestAddress { GuestAddress(words[index] &+ offset) }
    private var left: UInt64 { words[index + 1] - offset }

    mutating func advance(_ count: Int) { offset += UInt64(count) }

    private mutating func settle() -> Bool {
      while index + 1 < words.count {
        if offset < words[index + 1] { return true }
        index += 2
        offset = 0
      }
      return false
    }

    /// How much can be moved between the two positions at once; nil at the end of either.
    static func step(_ a: inout VectorCursor, _ b: inout VectorCursor, limit: UInt64) -> Int? {
      guard a.settle(), b.settle() else { return nil }
      return Int(min(a.left, b.left, limit))
    }
  }
}
