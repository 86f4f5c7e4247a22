import FileSystem
import Host
import LinuxABI

/// The descriptors 0, 1 and 2 of the first process.
struct StandardStreams {
  let table = FileTable()
  /// The caller's terminal, where one of the streams is one.
  let terminal: Terminal?

  init(_ streams: [FileDescriptor?], services: any KernelServices) throws(SandboxError) {
    let descriptor = streams.compactMap(\.self).first(where: SavedTerminal.isTerminal)
    terminal = descriptor.map { Terminal(descriptor: $0) }
    for (number, stream) in streams.enumerated() {
      guard let stream else { continue }
      do throws(Errno) {
        let file = try HostStream(stream, terminal: terminal, services: services)
        try table.set(Int32(number), to: file, closeOnExec: false, limit: 1024)
      } catch .badFileDescriptor {
        // Closed in the caller: closed in the guest.
        continue
      } catch {
        throw SandboxError("cannot use descriptor \(stream.rawValue) as standard stream \(number): \(error)")
      }
    }
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
