import FileSystem
import LinuxABI
import Memory

/// What tests make whose memory nobody counts: there is always room for it.
private func uncounted<Value: ~Copyable>(_ make: (KernelMemory) throws(Errno) -> Value) -> Value {
  do throws(Errno) { return try make(KernelMemory()) } catch { preconditionFailure("no memory: \(error)") }
}

extension Pipe {
  package static func make(
    flags: OpenFlags, owner: Credentials, time: Nanoseconds
  ) -> (reader: PipeEnd, writer: PipeEnd) {
    uncounted { (memory) throws(Errno) in try make(flags: flags, owner: owner, time: time, memory: memory) }
  }
}

extension Epoll {
  package static func make() -> Epoll { uncounted { (memory) throws(Errno) in try Epoll(memory: memory) } }
}

extension FileTable {
  package static func make() -> FileTable { uncounted { (memory) throws(Errno) in try FileTable(memory: memory) } }
}

extension MemoryCharge {
  package static func make() -> MemoryCharge { uncounted { (memory) throws(Errno) in try memory.charge(0) } }
}
