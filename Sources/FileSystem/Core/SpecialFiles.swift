import LinuxABI

/// Opens what isn't a regular file or a directory, for every file system of a sandbox: its own devices and pipes, never
/// the host's.
package final class SpecialFiles {
  /// Opens a device by its number. - Throws: `ENXIO` where there is no such device.
  package var openDevice:
    ((_ kind: FileMode.Kind, _ number: UInt64, _ flags: OpenFlags, _ location: PathLocation) throws(Errno) -> OpenFile)?
  /// Opens a FIFO; its pipe is the inode's `attachment`.
  package var openFIFO:
    ((_ inode: Inode, _ flags: OpenFlags, _ location: PathLocation) throws(Errno) -> OpenFile)?

  package init() {}

  /// Opens an inode that is neither a regular file nor a directory.
  func open(
    _ inode: Inode, device: UInt64, flags: OpenFlags, at location: PathLocation
  ) throws(Errno) -> OpenFile {
    switch inode.kind {
    case .fifo:
      if let openFIFO { return try openFIFO(inode, flags, location) }
    case .characterDevice, .blockDevice:
      if let openDevice { return try openDevice(inode.kind, device, flags, location) }
    default: break
    }
    throw .noSuchAddressOrDevice
  }
}

/// What the file systems of one sandbox share.
package final class FileSystemContext {
  package unowned let services: any KernelServices
  package let special = SpecialFiles()
  private var nextDevice: UInt64 = 0x20

  package init(services: any KernelServices) { self.services = services }

  /// A number for `st_dev` that no other file system of the sandbox has: major 0, as for file systems without a device.
  package func makeDeviceNumber() -> UInt64 {
    defer { nextDevice += 1 }
    return nextDevice & 0xFF | (nextDevice & ~0xFF) << 12
  }

  /// CLOCK_REALTIME now.
  var now: Timespec { Timespec(nanoseconds: Int64(clamping: services.realTime)) }
}
