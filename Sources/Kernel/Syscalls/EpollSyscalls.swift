import FileSystem
import LinuxABI
import Memory

/// epoll(7).
extension Syscalls {
  static let epollTable: [SyscallEntry] = [
    .init(.epoll_create, epollCreate, [.int]),
    .init(.epoll_create1, epollCreate1, [.openFlags]),
    .init(.epoll_ctl, epollCtl, [.fd, .epollOperation, .fd, .epollEvent]),
    .init(.epoll_wait, epollWait, [.fd, .epollEvents, .int, .int]),
    .init(.epoll_pwait, epollPwait, [.fd, .epollEvents, .int, .int, .signalSet, .uint]),
    .init(.epoll_pwait2, epollPwait2, [.fd, .epollEvents, .int, .timespec, .signalSet, .uint]),
  ]

  /// epoll_create(2).
  static func epollCreate(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a.int(0) > 0 else { throw .invalidArgument }
    return Int(try task.addFile(Epoll(), closeOnExec: false))
  }

  /// epoll_create1(2).
  static func epollCreate1(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = OpenFlags(rawValue: a.uint(0))
    guard flags.isSubset(of: .closeOnExec) else { throw .invalidArgument }
    return Int(try task.addFile(Epoll(), closeOnExec: flags.contains(.closeOnExec)))
  }

  /// epoll_ctl(2).
  static func epollCtl(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let operation = EpollOperation(rawValue: a.int(1))
    let event = operation == .delete ? EpollEvent() : try task.memory.readValue(GuestAddress(a[3]), as: EpollEvent.self)
    let instance = try task.openFile(a.int(0))
    let file = try task.openFile(a.int(2))
    guard file.isPollable else { throw .notPermitted }
    guard let epoll = instance as? Epoll, let operation else { throw .invalidArgument }
    switch operation {
    case .add: try epoll.add(a.int(2), file, event)
    case .modify: try epoll.modify(a.int(2), file, event)
    case .delete: try epoll.delete(a.int(2), file)
    }
    return 0
  }

  /// epoll_wait(2).
  static func epollWait(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try waitForEvents(task, a, timeout: milliseconds(a.int(3)))
  }

  /// epoll_pwait(2).
  static func epollPwait(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.withTemporaryMask(GuestAddress(a[4]), size: a[5]) { () throws(Errno) in
      try waitForEvents(task, a, timeout: milliseconds(a.int(3)))
    }
  }

  /// epoll_pwait2(2).
  static func epollPwait2(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let timeout = try nanoseconds(task, timespec: a[3])
    return try task.withTemporaryMask(GuestAddress(a[4]), size: a[5]) { () throws(Errno) in
      try waitForEvents(task, a, timeout: timeout)
    }
  }

  private static func waitForEvents(
    _ task: Task, _ a: SyscallArguments, timeout: UInt64?
  ) throws(Errno) -> Int {
    let limit = a.int(2)
    guard limit > 0, limit <= Int32.max / 12 else { throw .invalidArgument }
    guard let epoll = try task.openFile(a.int(0)) as? Epoll else { throw .invalidArgument }
    let events = epoll.collect(limit: min(Int(limit), 4096))
    if !events.isEmpty {
      try task.memory.writeArray(GuestAddress(a[1]), events)
      return events.count
    }
    if timeout == 0 { return 0 }
    let deadline = timeout.map { task.deadline(after: $0) }
    if let deadline, task.kernel.monotonicTime >= deadline { return 0 }
    guard let queue = epoll.waitQueue else { throw .invalidArgument }
    throw task.wait(on: [queue], events: .readable, deadline: deadline, interrupted: .interrupted)
  }

  /// A timeout in milliseconds as nanoseconds; nil for a negative one, which is without end.
  static func milliseconds(_ value: Int32) -> UInt64? { value < 0 ? nil : UInt64(value) * 1_000_000 }

  /// A timeout in guest memory as nanoseconds; nil where there is none. - Throws: `EINVAL`.
  static func nanoseconds(_ task: Task, timespec address: UInt64) throws(Errno) -> UInt64? {
    guard address != 0 else { return nil }
    let value = try task.memory.readValue(GuestAddress(address), as: Timespec.self)
    guard value.isValid else { throw .invalidArgument }
    return UInt64(value.totalNanoseconds)
  }
}
