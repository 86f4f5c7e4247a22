import CStub
import LinuxABI

extension Host {
  /// Makes an epoll instance (epoll_create1(2)).
  package static func makeEpoll() throws(Errno) -> FileDescriptor {
    try descriptor(try call(.epoll_create1, EpollCreateFlags.closeOnExec.argument))
  }

  /// Adds, changes or removes a descriptor (epoll_ctl(2)).
  package static func control(
    _ epoll: FileDescriptor, _ operation: EpollOperation, _ descriptor: FileDescriptor, _ event: EpollEvent
  ) throws(Errno) {
    var event = event
    try unsafe withUnsafeMutablePointer(to: &event) { pointer throws(Errno) in
      _ = try call(
        .epoll_ctl, Int(epoll.rawValue), operation.argument, Int(descriptor.rawValue), Int(bitPattern: pointer))
    }
  }

  /// Waits for events until a CLOCK_MONOTONIC deadline in nanoseconds; nil waits without end (epoll_pwait2(2)).
  package static func wait(
    _ epoll: FileDescriptor, into events: inout [EpollEvent], deadline: UInt64?
  ) throws(Errno) -> Int {
    let now = monotonicTime
    var timeout = Timespec(nanoseconds: deadline.map { $0 > now ? Int64(clamping: $0 - now) : 0 } ?? 0)
    let count = events.count
    return try unsafe events.withUnsafeMutableBufferPointer { buffer throws(Errno) in
      try unsafe withUnsafeMutablePointer(to: &timeout) { pointer throws(Errno) in
        try call(
          .epoll_pwait2, Int(epoll.rawValue), Int(bitPattern: buffer.baseAddress), count,
          deadline == nil ? 0 : Int(bitPattern: pointer), 0, 0)
      }
    }
  }

  /// Makes a non-blocking event counter (eventfd(2)).
  package static func makeEventCounter() throws(Errno) -> FileDescriptor {
    try descriptor(try call(.eventfd2, 0, ([.closeOnExec, .nonBlocking] as EventFlags).argument))
  }

  /// Adds one to an event counter.
  package static func signal(_ counter: FileDescriptor) {
    var one: UInt64 = 1
    unsafe withUnsafeMutablePointer(to: &one) { pointer in
      _ = try? call(.write, Int(counter.rawValue), Int(bitPattern: pointer), 8)
    }
  }

  /// Takes an event counter back to zero.
  package static func drain(_ counter: FileDescriptor) {
    var value: UInt64 = 0
    unsafe withUnsafeMutablePointer(to: &value) { pointer in
      _ = try? call(.read, Int(counter.rawValue), Int(bitPattern: pointer), 8)
    }
  }

  /// The host CPU that the caller runs on (getcpu(2)).
  package static var currentCPU: Int {
    var cpu: UInt32 = 0
    unsafe withUnsafeMutablePointer(to: &cpu) { pointer in
      _ = try? call(.getcpu, Int(bitPattern: pointer))
    }
    return Int(cpu)
  }

  /// The host CPUs that this process may use (sched_getaffinity(2)), in order.
  package static var usableCPUs: [Int] {
    var bytes = [UInt8](repeating: 0, count: 128)
    let count = unsafe bytes.withUnsafeMutableBytes { buffer in
      (try? call(.sched_getaffinity, 0, 128, Int(bitPattern: buffer.baseAddress))) ?? 0
    }
    return (0..<count * 8).filter { bytes[$0 / 8] & (1 << UInt8($0 % 8)) != 0 }
  }
}
