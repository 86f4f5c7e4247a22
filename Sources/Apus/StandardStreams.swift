import FileSystem
import Host
import LinuxABI

/// The descriptors 0, 1 and 2 of the first process.
struct StandardStreams {
  let table: FileTable
  /// The caller's terminal, where one of the streams is one.
  let terminal: Terminal?

  init(_ streams: [FileDescriptor?], services: any KernelServices) throws(SandboxError) {
    table = FileTable(memory: services.kernelMemory)
    terminal = StandardStreams.terminal(streams.compactMap(\.self))
    for (number, stream) in streams.enumerated() {
      guard let stream else { continue }
      do throws(Errno) {
        let file = try HostStream(stream, terminal: terminal, services: services)
        let descriptor = FileDescriptorNumber(rawValue: Int32(number))
        try table.set(descriptor, to: file, closeOnExec: false, limit: 1024)
      } catch .badFileDescriptor {
        // Closed in the caller: closed in the guest.
        continue
      } catch {
        throw SandboxError("cannot use descriptor \(stream.rawValue) as standard stream \(number): \(error)")
      }
    }
  }
}

extension StandardStreams {
  /// The first stream's terminal, with the rights of all streams that lead to it.
  private static func terminal(_ streams: [FileDescriptor]) -> Terminal? {
    guard let first = streams.first(where: SavedTerminal.isTerminal), let status = try? Host.status(first) else {
      return nil
    }
    let modes = streams.filter { (try? Host.status($0).specialDevice) == status.specialDevice }
      .compactMap { stream in (try? Host.Stream.statusFlags(of: stream)).map { (stream, $0) } }
    let reads = modes.contains { $0.1.isReadable }
    let writes = modes.contains { $0.1.isWritable }
    let best = modes.first { $0.1.isReadable == reads && $0.1.isWritable == writes }?.0 ?? first
    return Terminal(descriptor: best, access: reads && writes ? .readWrite : writes ? .writeOnly : [])
  }
}

extension SandboxConfiguration {
  /// This process's standard input, output and error; nil for each that is closed.
  ///
  /// A closed one is opened as `/dev/null` first: otherwise the next file that this process opens would get its number,
  /// and be taken for the stream. So a program calls this before it opens anything.
  public static func callerStreams() throws(SandboxError) -> [FileDescriptor?] {
    let streams: [FileDescriptor?] = [.standardInput, .standardOutput, .standardError]
    let open = streams.map { stream in stream.flatMap { Host.isOpen($0) ? $0 : nil } }
    try attempt("cannot open /dev/null in place of a closed standard stream") { () throws(Errno) in
      try Host.fillStandardDescriptors()
    }
    return open
  }
}

/// The modes of the caller's terminal, which a guest may change and leave so.
struct SavedTerminal {
  private let descriptor: FileDescriptor
  private let settings: [UInt8]

  /// Remembers the modes; nil where no stream is a terminal.
  init?(_ streams: [FileDescriptor?]) {
    for stream in streams.compactMap(\.self) {
      if let settings = SavedTerminal.settings(of: stream) {
        descriptor = stream
        self.settings = settings
        return
      }
    }
    return nil
  }

  static func isTerminal(_ descriptor: FileDescriptor) -> Bool { settings(of: descriptor) != nil }

  private static func settings(of descriptor: FileDescriptor) -> [UInt8]? {
    var block = [UInt8](repeating: 0, count: 64)
    guard (try? Host.Stream.ioctl(descriptor, Ioctl.tcGets, &block)) != nil else { return nil }
    return block
  }

  /// Brings the modes back, once output has drained (tcsetattr(3), `TCSADRAIN`).
  func restore() {
    guard let now = SavedTerminal.settings(of: descriptor), now != settings else { return }
    var wanted = settings
    _ = try? Host.Stream.ioctl(descriptor, Ioctl.tcSetsWait, &wanted)
  }
}
