import CStub
import LinuxABI

/// How a child process ended (waitid(2)).
package enum ChildStatus: Sendable, Equatable {
  case exited(Int32)
  case killed(signal: Signal)
}

extension Host {
  /// A descriptor for a process that becomes readable when it ends (pidfd_open(2)).
  package static func openProcess(_ pid: Int32) throws(Errno) -> FileDescriptor {
    try descriptor(try call(.pidfd_open, Int(pid), 0))
  }

  /// Takes the status of a child that has ended; nil while it runs (waitid(2)).
  package static func reap(_ pid: Int32, waiting: Bool) throws(Errno) -> ChildStatus? {
    let options: WaitOptions = waiting ? [.exited, .all] : [.exited, .all, .noHang]
    var bytes = [UInt64](repeating: 0, count: 16)  // siginfo_t
    var result: Int
    repeat {
      result = unsafe bytes.withUnsafeMutableBytes { buffer in
        Host.result(
          .waitid, WaitIDType.process.argument, Int(pid), Int(bitPattern: buffer.baseAddress), options.argument)
      }
    } while isInterrupted(result)
    if result < 0 { throw Errno(rawValue: CInt(-result)) }
    let code = Int32(truncatingIfNeeded: bytes[1])
    let child = Int32(truncatingIfNeeded: bytes[2])
    let status = Int32(truncatingIfNeeded: bytes[3])
    guard child == pid else { return nil }
    return code == SignalInfo.cldExited ? .exited(status) : .killed(signal: Signal(rawValue: status))
  }

  /// Sends a signal to a process (kill(2)). Only for children that have not been reaped.
  package static func kill(_ pid: Int32, signal: Signal) { _ = try? call(.kill, Int(pid), signal.argument) }

  /// Sends a signal to a thread of a process (tgkill(2)).
  package static func kill(_ pid: Int32, thread: Int32, signal: Signal) {
    _ = try? call(.tgkill, Int(pid), Int(thread), signal.argument)
  }

  /// Binds a thread, the caller unless told, to one host CPU (sched_setaffinity(2)). A refusal is ignored: it costs speed alone.
  package static func pin(thread: Int32 = 0, to cpu: Int) {
    guard (0..<1024).contains(cpu) else { return }
    unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 16) { mask in
      unsafe mask.initialize(repeating: 0)
      unsafe mask[cpu / 64] = 1 << UInt64(cpu % 64)
      _ = Host.result(.sched_setaffinity, Int(thread), 128, Int(bitPattern: mask.baseAddress))
    }
  }

  /// Makes a pipe, close-on-exec, whose read end does not block (pipe2(2)).
  package static func makePipe() throws(Errno) -> (read: FileDescriptor, write: FileDescriptor) {
    var ends: (Int32, Int32) = (0, 0)
    try unsafe withUnsafeMutablePointer(to: &ends) { pointer throws(Errno) in
      _ = try call(.pipe2, Int(bitPattern: pointer), PipeFlags.closeOnExec.argument)
    }
    try call(.fcntl, Int(ends.0), FcntlCommand.setStatusFlags.argument, OpenFlags.nonBlocking.argument)
    return (try descriptor(Int(ends.0)), try descriptor(Int(ends.1)))
  }

  /// Makes a pair of connected sockets that keep message boundaries, close-on-exec (socketpair(2)).
  package static func makeMessageSockets() throws(Errno) -> (FileDescriptor, FileDescriptor) {
    var ends: (Int32, Int32) = (0, 0)
    try unsafe withUnsafeMutablePointer(to: &ends) { pointer throws(Errno) in
      let type = SocketType.sequencedPacket.argument | SocketFlags.closeOnExec.argument
      _ = try call(.socketpair, AddressFamily.unix.argument, type, 0, Int(bitPattern: pointer))
    }
    return (try descriptor(Int(ends.0)), try descriptor(Int(ends.1)))
  }

  /// Sends 16 bytes and perhaps a descriptor over a message socket (sendmsg(2), `SCM_RIGHTS`).
  package static func send(
    _ message: (UInt64, UInt64), descriptor: FileDescriptor?, over socket: FileDescriptor
  ) throws(Errno) {
    // struct msghdr (7 words), struct iovec (2), the message (2), struct cmsghdr and the descriptor (3).
    var words = [UInt64](repeating: 0, count: 14)
    words[9] = message.0
    words[10] = message.1
    let result = unsafe words.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return Int(-Errno.invalidArgument.rawValue) }
      let address = UInt64(UInt(bitPattern: base))
      unsafe base.storeBytes(of: address + 56, toByteOffset: 16, as: UInt64.self)
      unsafe base.storeBytes(of: 1, toByteOffset: 24, as: UInt64.self)
      unsafe base.storeBytes(of: address + 72, toByteOffset: 56, as: UInt64.self)
      unsafe base.storeBytes(of: 16, toByteOffset: 64, as: UInt64.self)
      if let descriptor {
        unsafe base.storeBytes(of: address + 88, toByteOffset: 32, as: UInt64.self)
        unsafe base.storeBytes(of: 24, toByteOffset: 40, as: UInt64.self)
        unsafe base.storeBytes(of: 20, toByteOffset: 88, as: UInt64.self)
        unsafe base.storeBytes(of: SocketLevel.socket.rawValue, toByteOffset: 96, as: Int32.self)
        unsafe base.storeBytes(of: ControlMessage.rightsType, toByteOffset: 100, as: Int32.self)
        unsafe base.storeBytes(of: descriptor.rawValue, toByteOffset: 104, as: Int32.self)
      }
      var result: Int
      repeat {
        result = Host.result(.sendmsg, Int(socket.rawValue), Int(bitPattern: base), MessageFlags.noSignal.argument)
      } while isInterrupted(result)
      return result
    }
    if result < 0 { throw Errno(rawValue: CInt(-result)) }
  }

  /// Reads what a descriptor has, up to `count` bytes; nil if nothing is there (read(2)).
  package static func readAvailable(
    _ descriptor: FileDescriptor, into buffer: UnsafeMutableRawPointer, count: Int
  ) -> Int? {
    let result = Host.result(.read, Int(descriptor.rawValue), Int(bitPattern: buffer), count, 0, 0)
    return result > 0 ? result : nil
  }

  /// Waits until one of two descriptors is readable (poll(2)).
  package static func waitReadable(_ first: FileDescriptor, _ second: FileDescriptor, milliseconds: Int) {
    var set = (PollDescriptor(readable: first), PollDescriptor(readable: second))
    unsafe withUnsafeMutablePointer(to: &set) { pointer in
      _ = try? call(.poll, Int(bitPattern: pointer), 2, milliseconds)
    }
  }

  /// Reads a small file below `/proc` whole.
  package static func readSmallFile(_ path: String, limit: Int = 65536) throws(Errno) -> [UInt8] {
    let descriptor = try openForReading(path)
    defer { close(descriptor) }
    return read(descriptor, limit: limit)
  }

  /// Reads what a descriptor has until its end, or until `limit` bytes were read.
  package static func read(_ descriptor: FileDescriptor, limit: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < limit {
      let length = bytes.count
      let room = min(limit - length, 4096)
      bytes.append(contentsOf: repeatElement(0, count: room))
      let count = unsafe bytes.withUnsafeMutableBytes { buffer in
        unsafe buffer.baseAddress.flatMap { unsafe readAvailable(descriptor, into: $0 + length, count: room) }
      }
      bytes.removeLast(room - (count ?? 0))
      if count == nil { break }
    }
    return bytes
  }

  /// The host's proc(5), opened once: what Apus reads there it reaches from here.
  private static let processFiles: FileDescriptor? = try? open(
    at: nil, Array("/proc".utf8), [.path, .directory])

  /// A descriptor to look a path below `/proc` up from.
  static func processFileSystem() throws(Errno) -> FileDescriptor {
    guard let processFiles else { throw .noSuchFileOrDirectory }
    return processFiles
  }

  /// A link to what a descriptor refers to, in `processFileSystem` (proc_pid_fd(5)).
  static func link(to descriptor: FileDescriptor) -> [UInt8] { Array("self/fd/\(descriptor.rawValue)".utf8) }

  /// The path that a descriptor was opened with, where it has one (readlink(2) of proc_pid_fd(5)).
  package static func path(of descriptor: FileDescriptor) throws(Errno) -> [UInt8] {
    try readLink(at: try processFileSystem(), link(to: descriptor))
  }

  /// Opens a file below `/proc` read-only, close-on-exec (openat(2)).
  package static func openForReading(_ path: String) throws(Errno) -> FileDescriptor {
    let prefix = "/proc/"
    guard path.hasPrefix(prefix) else { throw .permissionDenied }
    return try open(at: try processFileSystem(), Array(path.utf8.dropFirst(prefix.utf8.count)), [])
  }

  /// This process's id (getpid(2)).
  package static var processID: Int32 { Int32(truncatingIfNeeded: Host.result(.getpid)) }
}

extension Host {
  /// Tells whether a descriptor is readable now (poll(2)).
  package static func isReadable(_ descriptor: FileDescriptor) -> Bool {
    var entry = PollDescriptor(readable: descriptor)
    return unsafe withUnsafeMutablePointer(to: &entry) { pointer in
      Host.result(.poll, Int(bitPattern: pointer), 1, 0, 0, 0) > 0
    }
  }

  /// The ids of a process's threads (proc(5), `/proc/PID/task`).
  package static func threads(of process: Int32) -> [Int32] {
    guard let directory = try? openForReading("/proc/\(process)/task") else { return [] }
    defer { close(directory) }
    let entries = (try? readDirectory(directory)) ?? []
    return entries.compactMap { Int32(String(decoding: $0.name, as: UTF8.self)) }
  }

  /// Tells whether a thread belongs to a process (tgkill(2) with signal 0).
  package static func isThread(_ thread: Int32, of process: Int32) -> Bool {
    Host.result(.tgkill, Int(process), Int(thread)) == 0
  }

  /// Sleeps for a while (nanosleep(2)).
  package static func sleep(nanoseconds: Int64) {
    var time = Timespec(nanoseconds: nanoseconds)
    unsafe withUnsafeMutablePointer(to: &time) { pointer in
      _ = Host.result(.nanosleep, Int(bitPattern: pointer))
    }
  }

  /// The host can answer system calls with a signal (seccomp(2)).
  package static var canTrapSystemCalls: Bool {
    var action = SeccompAnswer.trap.rawValue
    return unsafe withUnsafeMutablePointer(to: &action) { pointer in
      Host.result(.seccomp, SeccompOperation.getActionAvailable.argument, 0, Int(bitPattern: pointer)) == 0
    }
  }
}

extension PollDescriptor {
  /// Asks whether a descriptor can be read.
  fileprivate init(readable descriptor: FileDescriptor) {
    self.init(
      descriptor: FileDescriptorNumber(rawValue: descriptor.rawValue), events: UInt16(PollEvents.input.rawValue))
  }
}
