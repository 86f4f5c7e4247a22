import LinuxABI
import Memory

/// The devices of a sandbox: what opening a device node gives (null(4), random(4), tty(4)), wherever the node is.
/// Apus answers them itself; a device of the host is never opened.
package final class DeviceTable {
  /// The caller's terminal, for `/dev/tty` and `/dev/console`; nil where the caller has none.
  package var console: Terminal?
  package init() {}

  package static let null = DeviceNumber.make(1, 3)
  package static let zero = DeviceNumber.make(1, 5)
  package static let full = DeviceNumber.make(1, 7)
  package static let random = DeviceNumber.make(1, 8)
  package static let urandom = DeviceNumber.make(1, 9)
  package static let tty = DeviceNumber.make(5, 0)

  /// Opens a device node. - Throws: `ENXIO` for a device that Apus does not have.
  package func open(
    _ device: UInt64, kind: FileMode.Kind, flags: OpenFlags, at location: PathLocation?, services: any KernelServices
  ) throws(Errno) -> OpenFile {
    guard kind == .characterDevice else { throw .noSuchAddressOrDevice }
    switch device {
    case DeviceTable.null: return MemoryDevice(.null, flags: flags, location: location, services: services)
    case DeviceTable.zero: return MemoryDevice(.zero, flags: flags, location: location, services: services)
    case DeviceTable.full: return MemoryDevice(.full, flags: flags, location: location, services: services)
    case DeviceTable.random, DeviceTable.urandom:
      return MemoryDevice(.random, flags: flags, location: location, services: services)
    case DeviceTable.tty, Terminal.device:
      guard let console else { throw .noSuchAddressOrDevice }
      return try HostStream(
        console.descriptor, terminal: console, access: flags, services: services, location: location)
    default: throw .noSuchAddressOrDevice
    }
  }

  /// Makes the nodes of `/dev` in an empty file system, as containers do.
  package func populate(_ directory: Inode) throws(Errno) {
    let root = Credentials(uid: 0, gid: 0)
    let nodes: [(String, UInt64)] = [
      ("null", DeviceTable.null), ("zero", DeviceTable.zero), ("full", DeviceTable.full),
      ("random", DeviceTable.random), ("urandom", DeviceTable.urandom), ("tty", DeviceTable.tty),
    ]
    for (name, device) in nodes {
      let mode = FileMode(.characterDevice, permissions: 0o666)
      _ = try directory.create(name, mode: mode, device: device, owner: root)
    }
    if let console {
      let mode = FileMode(.characterDevice, permissions: 0o620)
      console.node = try directory.create("console", mode: mode, device: Terminal.device, owner: root)
    }
    let links = [
      ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
      ("stderr", "/proc/self/fd/2"),
    ]
    for (name, target) in links { _ = try directory.makeSymbolicLink(name, target: target, owner: root) }
    _ = try directory.makeDirectory("shm", permissions: 0o1777, owner: root)
    _ = try directory.makeDirectory("pts", permissions: 0o755, owner: root)
  }
}

/// `/dev/null`, `/dev/zero`, `/dev/full` and `/dev/random`, which never block.
package final class MemoryDevice: OpenFile {
  package enum Kind: Sendable { case null, zero, full, random }
  private let kind: Kind
  private let services: any KernelServices

  package init(_ kind: Kind, flags: OpenFlags, location: PathLocation?, services: any KernelServices) {
    self.kind = kind
    self.services = services
    super.init(flags: flags, location: location)
  }

  package override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    switch kind {
    case .null: return 0
    case .zero, .full: return buffer.fill(buffer.remaining)
    case .random:
      // No more at once, as the kernel lock is held meanwhile; random(4) allows short reads.
      buffer.truncate(to: 32 << 20)
      var total = 0
      while buffer.remaining > 0 {
        let count = buffer.write(services.randomBytes(count: min(buffer.remaining, 64 << 10)))
        guard count > 0 else { break }
        total += count
      }
      return total
    }
  }

  package override func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    if kind == .full { throw .noSpace }
    let count = buffer.remaining
    buffer.advance(count)
    return count
  }

  package override func seek(to offset: Int64, whence: Whence) throws(Errno) -> UInt64 { 0 }

  package override func control(_ request: UInt32, argument: UInt64, memory: AddressSpace) throws(Errno) -> Int {
    // The host's generator is ready when getrandom(2) answers.
    guard kind == .random, request == Ioctl.entropyCount else { throw .inappropriateIOCTLForDevice }
    try memory.writeValue(GuestAddress(argument), Int32(256))
    return 0
  }

  package override func mappable() throws(Errno) -> any MappableObject {
    guard kind == .zero else { throw .operationNotSupportedByDevice }
    return ZeroMapping(physical: services.physicalMemory, location: location)
  }
}

/// A mapping of `/dev/zero`: fresh zeroed memory for each mmap(2).
private final class ZeroMapping: MappableObject {
  private let store: FrameStore
  private let location: PathLocation?
  init(physical: PhysicalMemory, location: PathLocation?) {
    store = FrameStore(physical: physical)
    store.size = 1 << 46
    self.location = location
  }
  func mappingBacking() throws(Errno) -> MappingBacking { .frames(store) }
  var mappingSize: UInt64 { store.size }
  var mappingName: String { location?.path ?? "/dev/zero" }
  var mappingDevice: UInt64 { (try? location?.dentry.inode.attributes())?.device ?? 0 }
  var mappingInode: UInt64 { (try? location?.dentry.inode.attributes())?.inode ?? 0 }
}
