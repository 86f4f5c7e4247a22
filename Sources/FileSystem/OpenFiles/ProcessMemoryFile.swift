import LinuxABI
import Memory

/// `/proc/PID/mem` (proc_pid_mem(5)): the memory that the process had when the file was opened.
package final class ProcessMemoryFile: OpenFile {
  private let memory: AddressSpace

  package init(_ memory: AddressSpace, flags: OpenFlags, location: PathLocation) {
    self.memory = memory
    super.init(flags: flags, location: location)
  }

  package override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard flags.isReadable else { throw .badFileDescriptor }
    return try transfer(&buffer, at: offset) { (buffer, address, count) throws(Errno) in
      try buffer.write(memory.read(address, count: count))
    }
  }

  /// Pages that the process may only read are written, too, where they are its own.
  package override func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard flags.isWritable else { throw .badFileDescriptor }
    return try transfer(&buffer, at: offset) { (buffer, address, count) throws(Errno) in
      let bytes = buffer.read(count)
      try memory.forceWrite(address, bytes)
      return bytes.count
    }
  }

  /// Page by page; the end of what is there ends a transfer, and fails one that has not begun.
  private func transfer(
    _ buffer: inout IOBuffer, at offset: UInt64?,
    _ step: (inout IOBuffer, GuestAddress, Int) throws(Errno) -> Int
  ) throws(Errno) -> Int {
    guard !memory.isOver else { return 0 }
    let start = offset ?? position
    var total = 0
    while buffer.remaining > 0 {
      let address = GuestAddress(start) &+ total
      let part = min(buffer.remaining, Int(Layout.pageSize - address.offsetInPage))
      do throws(Errno) {
        total += try step(&buffer, address, part)
      } catch {
        if total == 0 { throw .ioError }
        break
      }
    }
    if offset == nil { position = start &+ UInt64(total) }
    return total
  }

  package override func seek(to offset: Int64, whence: Whence) throws(Errno) -> UInt64 {
    switch whence {
    case .start: position = UInt64(bitPattern: offset)
    case .current: position = position &+ UInt64(bitPattern: offset)
    default: throw .invalidArgument
    }
    return position
  }
}
