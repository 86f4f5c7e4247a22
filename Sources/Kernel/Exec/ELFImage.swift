import FileSystem
import LinuxABI
import Memory

/// The headers of an ELF program, checked.
struct ELFImage {
  let file: OpenFile
  let header: ELFHeader
  let segments: [ELFProgramHeader]
  /// Path of the dynamic linker (`PT_INTERP`).
  let interpreter: String?
  /// Address of the program headers in memory, relative to the load bias.
  let programHeadersAddress: GuestAddress
  /// The stack may be executed (`PT_GNU_STACK`).
  let hasExecutableStack: Bool

  /// Address range of all segments, page-aligned.
  let range: Range<GuestAddress>
  var isPositionIndependent: Bool { header.type == ELFHeader.shared }

  /// Reads and checks the headers. - Throws: `ENOEXEC` where it is no x86-64 program, `EINVAL` for a broken interpreter.
  init(_ file: OpenFile, start: [UInt8]) throws(Errno) {
    self.file = file
    guard let header = start.value(as: ELFHeader.self) else { throw .execFormatError }
    self.header = header
    let entrySize = MemoryLayout<ELFProgramHeader>.size
    guard header.magic == ELFHeader.magic, header.fileClass == 2, header.encoding == 1,
      header.type == ELFHeader.executable || header.type == ELFHeader.shared,
      header.machine == ELFHeader.x86_64, Int(header.programHeaderSize) == entrySize,
      (1...1024).contains(header.programHeaderCount)
    else { throw .execFormatError }
    let tableSize = Int(header.programHeaderCount) * entrySize
    let table = try ELFImage.read(file, at: header.programHeaderOffset, count: tableSize)
    guard table.count == tableSize else { throw .execFormatError }
    var segments: [ELFProgramHeader] = []
    var interpreter: String?
    var isStackExecutable = false
    var headersAddress: GuestAddress?
    for index in 0..<Int(header.programHeaderCount) {
      guard let entry = table.value(at: index * entrySize, as: ELFProgramHeader.self) else { throw .execFormatError }
      switch ELFProgramHeader.SegmentType(rawValue: entry.type) {
      case .load: segments.append(entry)
      case .interpreter:
        guard (2...4096).contains(entry.fileSize) else { throw .execFormatError }
        let path = try ELFImage.read(file, at: entry.offset, count: Int(entry.fileSize))
        guard path.count == Int(entry.fileSize), path.last == 0 else { throw .execFormatError }
        interpreter = String(decoding: path.prefix { $0 != 0 }, as: UTF8.self)
      case .gnuStack: isStackExecutable = entry.flags.contains(.execute)
      case .programHeaders: headersAddress = entry.virtualAddress
      case nil: break
      }
    }
    self.interpreter = interpreter
    hasExecutableStack = isStackExecutable
    range = try ELFImage.check(segments)
    self.segments = segments
    programHeadersAddress =
      headersAddress ?? ELFImage.headersAddress(segments, offset: header.programHeaderOffset)
  }

  /// The segments must be inside user space, and those with contents at the place in a page that they have in the file.
  private static func check(_ segments: [ELFProgramHeader]) throws(Errno) -> Range<GuestAddress> {
    guard let first = segments.first else { throw .execFormatError }
    var start = first.virtualAddress
    var end = GuestAddress.null
    for segment in segments {
      let (_, fileOverflow) = segment.offset.addingReportingOverflow(segment.fileSize)
      guard let stop = segment.virtualAddress.advanced(by: segment.memorySize), stop <= Layout.stubBase,
        !fileOverflow, segment.fileSize <= segment.memorySize,
        segment.fileSize == 0 || segment.virtualAddress.offsetInPage == segment.offset & Layout.pageMask
      else { throw .execFormatError }
      start = min(start, segment.virtualAddress)
      end = max(end, stop)
    }
    guard let last = end.pageUp, start.pageDown < last else { throw .execFormatError }
    return start.pageDown..<last
  }

  private static func headersAddress(_ segments: [ELFProgramHeader], offset: UInt64) -> GuestAddress {
    for segment in segments where offset >= segment.offset && offset - segment.offset < segment.fileSize {
      return segment.virtualAddress &+ (offset - segment.offset)
    }
    return .null
  }

  /// Reads up to `count` bytes of a file.
  static func read(_ file: OpenFile, at offset: UInt64, count: Int) throws(Errno) -> [UInt8] {
    var buffer = IOBuffer(collecting: count)
    while buffer.remaining > 0 {
      let got = try file.read(into: &buffer, at: offset &+ UInt64(buffer.transferred))
      if got == 0 { break }
    }
    return buffer.collected
  }

  /// Maps the segments; returns the load bias: how far above the addresses in the file.
  ///
  /// - Parameter preferredBase: where a position-independent program goes; null lets the address space choose.
  func map(into memory: AddressSpace, preferredBase: GuestAddress) throws(Errno) -> UInt64 {
    let size = range.byteCount
    var bias: UInt64 = 0
    if isPositionIndependent {
      // Reserve the whole range at once, so that the segments stay together.
      let flags: MapFlags = preferredBase.isNull ? [.private, .anonymous] : [.private, .anonymous, .fixedNoReplace]
      let base = try memory.map(
        MapRequest(address: preferredBase, length: size, protection: [], flags: flags, source: .anonymous))
      bias = base.distance(from: range.lowerBound)
      try memory.unmap(base, length: size)
    }
    let object = try file.mappable()
    for segment in segments { try map(segment, of: object, into: memory, bias: bias) }
    return bias
  }

  private func map(
    _ segment: ELFProgramHeader, of object: any MappableObject, into memory: AddressSpace, bias: UInt64
  ) throws(Errno) {
    var protection: MemoryProtection = []
    if segment.flags.contains(.read) { protection.insert(.read) }
    if segment.flags.contains(.write) { protection.insert(.write) }
    if segment.flags.contains(.execute) { protection.insert(.execute) }
    let start = (segment.virtualAddress &+ bias).pageDown
    let fileEnd = segment.virtualAddress &+ bias &+ segment.fileSize
    guard let end = (segment.virtualAddress &+ bias &+ segment.memorySize).pageUp else { throw .execFormatError }
    var anonymousStart = start
    if segment.fileSize > 0 {
      guard let mappedEnd = fileEnd.pageUp else { throw .execFormatError }
      _ = try memory.map(
        MapRequest(
          address: start, length: mappedEnd.distance(from: start), protection: protection, flags: [.private, .fixed],
          source: .file(object, offset: segment.offset.pageDown)))
      anonymousStart = mappedEnd
      if segment.memorySize > segment.fileSize, protection.contains(.write), fileEnd < mappedEnd {
        try memory.write(fileEnd, [UInt8](repeating: 0, count: Int(mappedEnd.distance(from: fileEnd))))
      }
    }
    if anonymousStart < end {
      _ = try memory.map(
        MapRequest(
          address: anonymousStart, length: end.distance(from: anonymousStart), protection: protection,
          flags: [.private, .fixed, .anonymous], source: .anonymous))
    }
  }
}
