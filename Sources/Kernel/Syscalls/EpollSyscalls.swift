import FileSystem
import LinuxABI
import Memory

/// epoll(7).
extension Syscalls {
  static let epollTable: [SyscallEntry] = [
    .init(.epoll_create, epollCreate),
    .init(.epoll_create1, epollCreate1),
    .init(.epoll_ctl, epollCtl),
    .init(.epoll_wait, epollWait),
    .init(.epoll_pwait, epollPwait),
    .init(.epoll_pwait2, epollPwait2),
  ]

  /// epoll_create(2).
  static func epollCreate(_ task: Task, _ size: Int32) throws(Errno) -> Int {
    guard size > 0 else { throw .invalidArgument }
    return try epollCreate1(task, [])
  }

  /// epoll_create1(2).
  static func epollCreate1(_ task: Task, _ flags: EpollCreateFlags) throws(Errno) -> Int {
    guard flags.isSubset(of: .closeOnExec) else { throw .invalidArgument }
    let epoll = Epoll(memory: task.kernel.kernelMemory)
    return Int(try task.addFile(epoll, closeOnExec: flags.contains(.closeOnExec)).rawValue)
  }

  /// epoll_ctl(2).
  static func epollCtl(
    _ task: Task, _ epoll: FileDescriptorNumber, _ operation: Constant<EpollOperation>,
    _ descriptor: FileDescriptorNumber, _ request: InPointer<EpollEvent>
  ) throws(Errno) -> Int {
    let event = operation.value == .delete ? EpollEvent() : try task.load(request)
    let instance = try task.openFile(epoll)
    let file = try task.openFile(descriptor)
    guard file.isPollable else { throw .notPermitted }
    guard let epoll = instance as? Epoll, let operation = operation.value else { throw .invalidArgument }
    switch operation {
    case .add: try epoll.add(descriptor, file, event)
    case .modify: try epoll.modify(descriptor, file, event)
    case .delete: try epoll.delete(descriptor, file)
    }
    return 0
  }

  /// epoll_wait(2).
  static func epollWait(
    _ task: Task, _ epoll: FileDescriptorNumber, _ events: EpollEventList, _ limit: Int32, _ timeout: Int32
  ) throws(Errno) -> CallOutcome<Int> {
    try waitForEvents(task, epoll, events, limit, timeout: milliseconds(timeout))
  }

  /// epoll_pwait(2).
  static func epollPwait(
    _ task: Task, _ epoll: FileDescriptorNumber, _ events: EpollEventList, _ limit: Int32, _ timeout: Int32,
    _ mask: InPointer<SignalSet>, _ size: UInt64
  ) throws(Errno) -> CallOutcome<Int> {
    try task.withTemporaryMask(mask, size: size) { () throws(Errno) in
      try waitForEvents(task, epoll, events, limit, timeout: milliseconds(timeout))
    }
  }

  /// epoll_pwait2(2).
  static func epollPwait2(
    _ task: Task, _ epoll: FileDescriptorNumber, _ events: EpollEventList, _ limit: Int32,
    _ timeout: InPointer<Timespec>, _ mask: InPointer<SignalSet>, _ size: UInt64
  ) throws(Errno) -> CallOutcome<Int> {
    let timeout = try self.timeout(task, timeout)
    return try task.withTemporaryMask(mask, size: size) { () throws(Errno) in
      try waitForEvents(task, epoll, events, limit, timeout: timeout)
    }
  }

  private static func waitForEvents(
    _ task: Task, _ epoll: FileDescriptorNumber, _ result: EpollEventList, _ limit: Int32, timeout: Nanoseconds?
  ) throws(Errno) -> CallOutcome<Int> {
    guard limit > 0, limit <= Int(Int32.max) / MemoryLayout<EpollEvent>.size else { throw .invalidArgument }
    guard let epoll = try task.openFile(epoll) as? Epoll else { throw .invalidArgument }
    let events = epoll.collect(limit: Int(limit))
    if !events.isEmpty {
      try task.memory.writeArray(result.address, events)
      return .done(events.count)
    }
    if timeout == .zero { return .done(0) }
    let deadline = timeout.map { task.deadline(after: $0) }
    if let deadline, task.kernel.monotonicTime >= deadline { return .done(0) }
    guard let queue = epoll.waitQueue else { throw .invalidArgument }
    return .suspended(task.wait(on: [queue], events: .readable, deadline: deadline, interrupted: .never))
  }
}

/// Where epoll_wait(2) writes events, as many as it returns.
struct EpollEventList: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  func describe(in call: CallFormatter) -> String? {
    guard call.succeeded, let count = call.result else { return pointer(address.rawValue) }
    return call.list(address, count: UInt64(count), of: EpollEvent.self)
  }
}
