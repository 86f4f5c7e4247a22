import FileSystem
import LinuxABI
import Memory

/// `/proc/PID/maps` and `smaps`, some areas at a time.
struct MappingsText {
  private let showsSizes: Bool
  private var part: [UInt8] = []

  private static let areasInPart = 256

  private init(showsSizes: Bool) { self.showsSizes = showsSizes }

  static func file(
    of owner: ProcessDirectory, showsSizes: Bool, flags: OpenFlags, location: PathLocation
  ) throws(Errno) -> PartedFile {
    _ = try owner.inspectable
    return PartedFile(flags: flags, location: location) { (start) throws(Errno) in
      let mappings = try owner.inspectable.memory.mappings(from: GuestAddress(start), limit: areasInPart)
      var text = MappingsText(showsSizes: showsSizes)
      for mapping in mappings { text.append(mapping) }
      return (text.part, mappings.count < areasInPart ? nil : mappings.last?.end.rawValue)
    }
  }

  /// A line of proc_pid_maps(5); and for `smaps` the sizes that Apus knows of, of which the resident one is an upper bound.
  private mutating func append(_ mapping: MappingDescription) {
    let lineStart = part.count
    append(mapping.start.rawValue, radix: 16, width: 8)
    append("-")
    append(mapping.end.rawValue, radix: 16, width: 8)
    append(mapping.protection.contains(.read) ? " r" : " -")
    append(mapping.protection.contains(.write) ? "w" : "-")
    append(mapping.protection.contains(.execute) ? "x" : "-")
    append(mapping.isShared ? "s " : "p ")
    append(mapping.offset, radix: 16, width: 8)
    append(" ")
    append(UInt64(DeviceNumber.major(mapping.device)), radix: 16, width: 2)
    append(":")
    append(UInt64(DeviceNumber.minor(mapping.device)), radix: 16, width: 2)
    append(" ")
    append(mapping.inode, radix: 10, width: 1)
    append(" ")
    if !mapping.name.isEmpty {
      while part.count - lineStart < 73 { append(" ") }
      append(mapping.name)
    }
    append("\n")
    guard showsSizes else { return }
    let size = mapping.end.distance(from: mapping.start) >> 10
    append(size, named: "Size:           ")
    append(4, named: "KernelPageSize: ")
    append(4, named: "MMUPageSize:    ")
    append(mapping.residentBytes >> 10, named: "Rss:            ")
    append(mapping.isLocked ? mapping.residentBytes >> 10 : 0, named: "Locked:         ")
  }

  private mutating func append(_ kibibytes: UInt64, named name: String) {
    append(name)
    append(kibibytes, radix: 10, width: 8, padding: UInt8(ascii: " "))
    append(" kB\n")
  }

  private mutating func append(_ text: String) { part.append(contentsOf: text.utf8) }

  /// Digits, padded on the left to a width.
  private mutating func append(_ value: UInt64, radix: UInt64, width: Int, padding: UInt8 = UInt8(ascii: "0")) {
    let start = part.count
    var rest = value
    repeat {
      let digit = UInt8(truncatingIfNeeded: rest % radix)
      part.append(digit < 10 ? digit + UInt8(ascii: "0") : digit - 10 + UInt8(ascii: "a"))
      rest /= radix
    } while rest > 0
    while part.count - start < width { part.append(padding) }
    part[start...].reverse()
  }
}
