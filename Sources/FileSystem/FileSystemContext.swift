import LinuxABI

/// What the file systems of one sandbox share.
package final class FileSystemContext {
  package unowned let services: any KernelServices
  /// What device nodes lead to, in every file system of the sandbox.
  package let devices = DeviceTable()
  let hostDescriptors = HostDescriptorQuota()
  private var nextDevice: UInt32 = 0x20

  package init(services: any KernelServices) { self.services = services }

  /// A number for `st_dev` that no other file system of the sandbox has: major 0, as for file systems without a device.
  package func makeDeviceNumber() -> UInt64 {
    defer { nextDevice += 1 }
    return DeviceNumber.make(0, nextDevice)
  }

  /// CLOCK_REALTIME now.
  var now: Timespec { Timespec(services.realTime) }

  /// Opens an inode that is neither a regular file nor a directory: with Apus's own devices and pipes, never the host's.
  /// - Throws: `ENXIO` for sockets and unknown devices.
  func open(
    special inode: Inode, device: UInt64, flags: OpenFlags, at location: PathLocation
  ) throws(Errno) -> OpenFile {
    switch inode.kind {
    case .fifo:
      let fifo = inode.attachment as? FIFO ?? FIFO()
      inode.attachment = fifo
      let attributes = try inode.permissionAttributes()
      let owner = Credentials(uid: attributes.uid, gid: attributes.gid)
      return try fifo.open(flags, at: location, owner: owner, time: services.realTime, memory: services.kernelMemory)
    case .characterDevice, .blockDevice:
      return try devices.open(device, kind: inode.kind, flags: flags, at: location, services: services)
    default: throw .noSuchAddressOrDevice
    }
  }
}
