import Host
import LinuxABI
import Memory
import Platform

/// A host file that guests map: registered with the platform while any mapping, or the cache, refers to it.
final class HostMapping: MappableObject {
  private let file: HostDescriptor
  private let platform: any Platform
  private var registered: MappableFile?
  /// The size, where the file doesn't change.
  private let fixedSize: UInt64?
  let mappingName: String
  let mappingDevice: UInt64
  let mappingInode: UInt64
  fileprivate var lastUse: UInt64 = 0
  /// What the host was seen to allow: bit 0 shared, 1 private, 2 shared and executable, 3 private and executable.
  private var allowed: UInt8 = 0

  fileprivate init(
    _ file: HostDescriptor, platform: any Platform, fixedSize: UInt64?, name: String, device: UInt64,
    inode: UInt64
  ) {
    self.file = file
    self.platform = platform
    self.fixedSize = fixedSize
    mappingName = name
    mappingDevice = device
    mappingInode = inode
  }

  deinit {
    if let registered { platform.unregister(registered) }
  }

  func mappingBacking() throws(Errno) -> MappingBacking {
    if let registered { return .hostFile(file: registered, descriptor: file.number) }
    let mappable = try platform.register(file: file.number)
    registered = mappable
    return .hostFile(file: mappable, descriptor: file.number)
  }

  func checkHostMapping(_ descriptor: FileDescriptor, isShared: Bool, isExecutable: Bool) throws(Errno) {
    let bit: UInt8 = 1 << ((isShared ? 0 : 1) + (isExecutable ? 2 : 0))
    if allowed & bit != 0 { return }
    try MemoryFile.checkMapping(descriptor, isShared: isShared, isExecutable: isExecutable)
    allowed |= bit
  }

  var mappingIsStable: Bool { fixedSize != nil }

  var mappingSize: UInt64 {
    if let fixedSize { return fixedSize }
    return UInt64(clamping: (try? Host.status(file.number).size) ?? 0)
  }
}

/// The mapped files of one host file system. Each is registered once; those used last stay registered when they are
/// not mapped any more, because programs and libraries come again.
final class HostFileCache {
  private struct Key: Hashable {
    let file: HostFileKey
    let isWritable: Bool
  }
  private struct Entry {
    weak var mapping: HostMapping?
    var kept: HostMapping?
  }
  private var entries: [Key: Entry] = [:]
  private var keptCount = 0
  private let limit = 256
  private var clock: UInt64 = 0

  /// What mmap(2) of an open host file maps.
  func mapping(
    of inode: HostInode, _ file: HostDescriptor?, isWritable: Bool, name: @autoclosure () -> String, device: UInt64
  ) throws(Errno) -> HostMapping {
    guard let file else { throw .badFileDescriptor }
    let key = Key(file: inode.key, isWritable: isWritable)
    clock &+= 1
    if let mapping = entries[key]?.mapping {
      mapping.lastUse = clock
      if entries[key]?.kept == nil {
        entries[key]?.kept = mapping
        keptCount += 1
      }
      return mapping
    }
    if keptCount >= limit { evict() }
    let fileSystem = inode.fileSystem
    let stat = try inode.attributes()
    let mapping = HostMapping(
      file, platform: fileSystem.context.services.platform,
      fixedSize: fileSystem.isVolatile ? nil : UInt64(clamping: stat.size), name: name(), device: device,
      inode: stat.inode)
    mapping.lastUse = clock
    if entries[key]?.kept == nil { keptCount += 1 }
    entries[key] = Entry(mapping: mapping, kept: mapping)
    return mapping
  }

  /// What is mapped of a file that is opened for reading, where anything is.
  func existing(of inode: HostInode) -> HostMapping? {
    entries[Key(file: inode.key, isWritable: false)]?.mapping
  }

  /// Lets go of the less recently used half; what is still mapped stays registered.
  private func evict() {
    let uses = entries.values.compactMap { $0.kept?.lastUse }.sorted()
    let oldest = uses[uses.count / 2]
    for key in entries.keys where (entries[key]?.kept?.lastUse ?? .max) < oldest { entries[key]?.kept = nil }
    entries = entries.filter { $0.value.mapping != nil }
    keptCount = entries.values.count { $0.kept != nil }
  }
}
