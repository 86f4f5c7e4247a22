import FileSystem
import LinuxABI
import Memory

// What tests make whose memory nobody counts: there is always room for it.

extension Pipe {
  package static func make(
    flags: OpenFlags, owner: Credentials, time: Nanoseconds
  ) -> (reader: PipeEnd, writer: PipeEnd) {
    do throws(Errno) {
      return try make(flags: flags, owner: owner, time: time, memory: KernelMemory())
    } catch { preconditionFailure("no memory: \(error)") }
  }
}

extension Epoll {
  package static func make() -> Epoll { Epoll(memory: KernelMemory()) }
}

extension FileTable {
  package static func make() -> FileTable { FileTable(memory: KernelMemory()) }
}

extension MemoryCharge {
  package static func make() -> MemoryCharge { KernelMemory().openCharge() }
}
