import Host
import LinuxABI

/// What Apus finds at a guest address: bytes that follow each other.
@safe private enum Span {
  case memory(UnsafeMutableRawPointer, Int)
  /// Pages of a host file: from an offset, so many bytes.
  case file(FileDescriptor, UInt64, Int)
}

extension FaultOutcome {
  /// What a system call returns where its access to guest memory ended like this.
  fileprivate var errno: Errno { self == .outOfMemory || self == .outOfMappings ? .noMemory : .badAddress }
}

extension GuestAddress {
  /// Whether `count` bytes from here on end at or below `end`.
  @inline(__always) fileprivate func canHold(_ count: Int, below end: GuestAddress) -> Bool {
    guard count >= 0, let past = advanced(by: UInt64(count)) else { return false }
    return past <= end
  }
}

extension AddressSpace {
  /// Resolves up to `count` bytes at an address as far as they follow each other.
  private func span(
    _ address: GuestAddress, _ count: Int, _ access: MemoryAccess, isForced: Bool = false
  ) throws(Errno) -> Span {
    guard address < Layout.stubBase else { return try vdsoSpan(address, count, access) }
    let page = PageNumber(holding: address)
    let inPage = Int(address.offsetInPage)
    if let index = extents.index(of: page) {
      let extent = extents[index]
      // Write permission and ownership, or any permission, in one look.
      if access == .write ? extent.protection.contains(.write) && !extent.isCopyOnWrite : !extent.protection.isEmpty {
        return span(of: extent, page, inPage, count)
      }
    }
    let wanted = (inPage + count).bytesToPagesUp
    if access != .write, let untouched = try untouchedSpan(page, inPage, count) { return untouched }
    let outcome = resolve(page, access, wanted: max(wanted, 1), isForced: isForced)
    guard outcome == .resolved else { throw outcome.errno }
    if let index = extents.index(of: page) { return span(of: extents[index], page, inPage, count) }
    // A resolved page without a frame is one of a host file.
    guard let index = areas.index(of: page), case .hostFile(_, let file)? = areas[index].object?.backing else {
      throw .badAddress
    }
    let end = hole(around: page, index).upperBound
    let size = areas[index].object?.object.mappingSize ?? 0
    let offset = areas[index].index(of: page).offset + UInt64(inPage)
    let pastEnd = size.bytesToPagesUp.pagesToBytes
    let bytes = min((end - page).pagesToBytes - UInt64(inPage), pastEnd > offset ? pastEnd - offset : 0, UInt64(count))
    guard bytes > 0 else { throw .badAddress }
    return .file(file, offset, Int(bytes))
  }

  /// The vDSO lies among the stub's pages; system calls may read from it (its strings, say), and nothing else there.
  private func vdsoSpan(_ address: GuestAddress, _ count: Int, _ access: MemoryAccess) throws(Errno) -> Span {
    guard access != .write, let vdso, address >= vdso.address,
      unsafe address.distance(from: vdso.address) < UInt64(vdso.bytes.count),
      let base = unsafe vdso.bytes.baseAddress
    else { throw .badAddress }
    let offset = Int(address.distance(from: vdso.address))
    // Copies go from there, never to it: `access` is not `.write`.
    return unsafe .memory(
      UnsafeMutableRawPointer(mutating: base) + offset, min(count, vdso.bytes.count - offset))
  }

  @inline(__always)
  private func span(of extent: Extent, _ page: PageNumber, _ inPage: Int, _ count: Int) -> Span {
    let available = Int(extent.end - page).pagesToBytes - inPage
    return unsafe .memory(physical.pointer(to: extent.frame(of: page)) + inPage, min(available, count))
  }

  /// Anonymous memory that was never touched reads as zeros, and stays untouched.
  private func untouchedSpan(_ page: PageNumber, _ inPage: Int, _ count: Int) throws(Errno) -> Span? {
    guard let index = areas.index(of: page), areas[index].object == nil else { return nil }
    guard areas[index].protection.allows(.read) else { throw .badAddress }
    guard extents.index(of: page) == nil else { return nil }
    let available = (hole(around: page, index).upperBound - page).pagesToBytes - UInt64(inPage)
    let bytes = min(Int(clamping: available), count, PhysicalMemory.zeroBytes)
    return unsafe .memory(physical.zeros, bytes)
  }

  // MARK: copying

  /// Copies from the guest (copy_from_user).
  private func copyIn(_ address: GuestAddress, _ target: UnsafeMutableRawPointer, _ count: Int) throws(Errno) {
    guard address.canHold(count, below: Layout.userEnd) else { throw .badAddress }
    var done = 0
    while done < count {
      switch try span(address &+ done, count - done, .read) {
      case .memory(let source, let bytes):
        unsafe (target + done).copyMemory(from: source, byteCount: bytes)
        done += bytes
      case .file(let file, let offset, let bytes):
        let got = unsafe try AddressSpace.readFile(file, offset, target + done, bytes)
        done += got
      }
    }
  }

  /// Reads file pages as their mapping shows them: with zeros after the end.
  private static func readFile(
    _ file: FileDescriptor, _ offset: UInt64, _ target: UnsafeMutableRawPointer, _ count: Int
  ) throws(Errno) -> Int {
    let got: Int
    do throws(Errno) {
      got = unsafe try MemoryFile.read(file, at: offset, into: target, count: count)
    } catch {
      throw .badAddress
    }
    if got < count { unsafe (target + got).initializeMemory(as: UInt8.self, repeating: 0, count: count - got) }
    return count
  }

  /// Copies to the guest (copy_to_user).
  private func copyOut(
    _ address: GuestAddress, _ source: UnsafeRawPointer, _ count: Int, isForced: Bool = false
  ) throws(Errno) {
    guard address.canHold(count, below: Layout.stubBase) else { throw .badAddress }
    var done = 0
    while done < count {
      switch try span(address &+ done, count - done, .write, isForced: isForced) {
      case .memory(let target, let bytes):
        unsafe target.copyMemory(from: source + done, byteCount: bytes)
        done += bytes
      case .file(let file, let offset, let bytes):
        do throws(Errno) {
          unsafe try MemoryFile.write(file, at: offset, from: source + done, count: bytes)
        } catch {
          throw .badAddress
        }
        done += bytes
      }
    }
  }

  // MARK: values and arrays

  /// Reads bytes.
  /// - Throws: `EFAULT` where a byte can't be read.
  package func read(_ address: GuestAddress, count: Int) throws(Errno) -> [UInt8] {
    guard count > 0 else { return [] }
    guard canHold(address, count) else { throw .badAddress }
    return unsafe try array(count) { (target: UnsafeMutableRawPointer) throws(Errno) in
      unsafe try copyIn(address, target, count)
    }
  }

  /// Whether areas are there for a range, before memory for a copy of it is taken.
  private func canHold(_ address: GuestAddress, _ count: Int) -> Bool {
    guard address.canHold(count, below: Layout.userEnd) else { return false }
    return count <= 1 << 20
      || areas.covers(PageNumber(holding: address)..<PageNumber(holding: address &+ (count - 1)) + 1)
  }

  private func array<T: BitwiseCopyable>(
    _ count: Int, _ fill: (UnsafeMutableRawPointer) throws(Errno) -> Void
  ) throws(Errno) -> [T] {
    var failure: Errno?
    let result = unsafe [T](unsafeUninitializedCapacity: count) { target, initialized in
      guard let base = target.baseAddress else { return }
      do throws(Errno) {
        unsafe try fill(UnsafeMutableRawPointer(base))
        initialized = count
      } catch { failure = error }
    }
    if let failure { throw failure }
    return result
  }

  /// Reads a value in the guest's layout. (The type is always named: inferred, it could be an optional of it, which has
  /// another layout.)
  package func readValue<T: BitwiseCopyable>(_ address: GuestAddress, as type: T.Type) throws(Errno) -> T {
    let size = MemoryLayout<T>.size
    if case .memory(let source, let bytes) = try span(address, size, .read), bytes == size {
      return unsafe source.loadUnaligned(as: T.self)
    }
    let values: [T] = unsafe try array(1) { (target: UnsafeMutableRawPointer) throws(Errno) in
      unsafe try copyIn(address, target, size)
    }
    guard let value = values.first else { throw .badAddress }
    return value
  }

  /// Reads an array in the guest's layout.
  package func readArray<T: BitwiseCopyable>(
    _ address: GuestAddress, count: Int, as type: T.Type = T.self
  ) throws(Errno) -> [T] {
    guard count > 0 else { return [] }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<T>.stride)
    guard !overflow, canHold(address, bytes) else { throw .badAddress }
    return unsafe try array(count) { (target: UnsafeMutableRawPointer) throws(Errno) in
      unsafe try copyIn(address, target, bytes)
    }
  }

  /// Writes bytes.
  /// - Throws: `EFAULT` where a byte can't be written; those before it may have been.
  package func write(_ address: GuestAddress, _ bytes: [UInt8]) throws(Errno) { try writeArray(address, bytes) }

  /// Writes bytes also where the guest may only read, if the mapping is private: as a debugger sets breakpoints.
  /// - Throws: `EFAULT` where a byte can't be written; those before it may have been.
  package func forceWrite(_ address: GuestAddress, _ bytes: [UInt8]) throws(Errno) {
    if let last = address.advanced(by: UInt64(max(bytes.count, 1) - 1)) {
      textWillChange(PageNumber(holding: address)..<PageNumber(holding: last) + 1, .movedOrWritten)
    }
    try rewrite(address, bytes)
  }

  /// The same, by Apus itself.
  func rewrite(_ address: GuestAddress, _ bytes: [UInt8]) throws(Errno) {
    try writeArray(address, bytes, isForced: true)
  }

  /// Writes a value in the guest's layout.
  package func writeValue<T: BitwiseCopyable>(_ address: GuestAddress, _ value: T) throws(Errno) {
    let size = MemoryLayout<T>.size
    if case .memory(let target, let bytes) = try span(address, size, .write), bytes == size {
      unsafe target.storeBytes(of: value, as: T.self)
      return
    }
    var failure: Errno?
    unsafe withUnsafeBytes(of: value) { source in
      guard let base = source.baseAddress else { return }
      do throws(Errno) { unsafe try copyOut(address, base, size) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Writes an array in the guest's layout.
  package func writeArray<T: BitwiseCopyable>(_ address: GuestAddress, _ values: [T]) throws(Errno) {
    try writeArray(address, values, isForced: false)
  }

  private func writeArray<T: BitwiseCopyable>(
    _ address: GuestAddress, _ values: [T], isForced: Bool
  ) throws(Errno) {
    var failure: Errno?
    unsafe values.withUnsafeBytes { source in
      guard let base = source.baseAddress, source.count > 0 else { return }
      do throws(Errno) { unsafe try copyOut(address, base, source.count, isForced: isForced) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Reads a C string, without its NUL.
  /// - Throws: `ENAMETOOLONG` when there is no NUL in `limit` bytes.
  package func readCString(_ address: GuestAddress, limit: Int) throws(Errno) -> [UInt8] {
    var result: [UInt8] = []
    try appendCString(address, limit: limit, to: &result)
    return result
  }

  /// Appends the bytes up to a NUL. - Throws: `ENAMETOOLONG` where there is none among the first `limit`.
  package func appendCString(_ address: GuestAddress, limit: Int, to result: inout [UInt8]) throws(Errno) {
    let start = result.count
    var position = address
    while result.count - start < limit {
      // Never over the end of a page: what follows the NUL may not be mapped. Most strings are short.
      let inPage = Int(position.offsetInPage)
      let have = result.count - start
      let count = min(limit - have, Int(Layout.pageSize) - inPage, max(128, have))
      if case .memory(let source, let bytes) = try span(position, count, .read) {
        let all = unsafe UnsafeRawBufferPointer(start: source, count: bytes)
        let end = unsafe all.firstIndex(of: 0)
        unsafe result.append(contentsOf: all[..<(end ?? bytes)])
        if end != nil { return }
        position = position &+ bytes
      } else {
        let chunk = try read(position, count: count)
        let end = chunk.firstIndex(of: 0)
        result.append(contentsOf: chunk[..<(end ?? count)])
        if end != nil { return }
        position = position &+ count
      }
    }
    throw .fileNameTooLong
  }

  // MARK: buffers

  /// Resolves guest memory for I/O; `.write` means that the kernel writes into it. Shortened at the first bad page.
  /// - Throws: `EFAULT` where the first byte is bad, `ENOMEM` where no memory is left for it.
  package func buffer(_ address: GuestAddress, count: Int, for access: MemoryAccess) throws(Errno) -> IOBuffer {
    guard count >= 0 else { throw .invalidArgument }
    var builder = BufferBuilder()
    let failure = append(address, min(count, Layout.maximumTransfer), access, to: &builder)
    if let failure, builder.count == 0 { throw failure }
    return builder.buffer
  }

  /// The same for an iovec (readv(2)).
  package func buffer(
    _ vectors: [(address: GuestAddress, count: UInt64)], for access: MemoryAccess
  ) throws(Errno) -> IOBuffer {
    var builder = BufferBuilder()
    for vector in vectors {
      guard let count = Int(exactly: vector.count) else { throw .invalidArgument }
      let room = Layout.maximumTransfer - builder.count
      guard let failure = append(vector.address, min(count, room), access, to: &builder) else { continue }
      if builder.count == 0 { throw failure }
      break
    }
    return builder.buffer
  }

  /// Bytes of file-backed pages in one buffer: they are copied to memory of Apus, so longer transfers are cut short.
  private static let maximumBounce = 32 << 20

  /// Adds guest memory to a buffer; returns what stopped it early.
  private func append(
    _ address: GuestAddress, _ count: Int, _ access: MemoryAccess, to builder: inout BufferBuilder
  ) -> Errno? {
    var done = 0
    while done < count {
      guard let position = address.advanced(by: UInt64(done)) else { return .badAddress }
      do throws(Errno) {
        switch try span(position, count - done, access) {
        case .memory(let pointer, let bytes):
          unsafe builder.append(UnsafeMutableRawBufferPointer(start: pointer, count: bytes))
          done += bytes
        case .file(let file, let offset, let bytes):
          let bytes = min(bytes, 1 << 20, AddressSpace.maximumBounce - builder.bounced)
          guard bytes > 0 else { return .noMemory }
          let storage =
            access == .write
            ? WriteBackStorage(count: bytes, file: file, offset: offset) : IOBuffer.ByteStorage(count: bytes)
          guard let base = unsafe storage.pointer.baseAddress else { return .badAddress }
          _ = unsafe try AddressSpace.readFile(file, offset, base, bytes)
          unsafe builder.append(UnsafeMutableRawBufferPointer(start: base, count: bytes), storage)
          done += bytes
        }
      } catch { return error }
    }
    return nil
  }
}

/// Collects the parts of an I/O buffer.
@safe private struct BufferBuilder {
  private var first = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var rest: [UnsafeMutableRawBufferPointer] = unsafe []
  private var storage: [IOBuffer.ByteStorage] = []
  private(set) var count = 0
  /// Bytes of `storage`.
  private(set) var bounced = 0

  mutating func append(_ segment: UnsafeMutableRawBufferPointer, _ kept: IOBuffer.ByteStorage? = nil) {
    if count == 0 { unsafe first = segment } else { unsafe rest.append(segment) }
    count += segment.count
    guard let kept else { return }
    storage.append(kept)
    bounced += segment.count
  }

  var buffer: IOBuffer { unsafe IOBuffer(first: first, rest: rest, storage: storage) }
}

/// Bytes that stand in for a shared mapping of a host file, and are written to it when the transfer is over.
@safe private final class WriteBackStorage: IOBuffer.ByteStorage {
  private let file: FileDescriptor
  private let offset: UInt64
  init(count: Int, file: FileDescriptor, offset: UInt64) {
    self.file = file
    self.offset = offset
    super.init(count: count)
  }
  deinit {
    if let base = unsafe pointer.baseAddress {
      // As with a write to the disk that fails later, the guest is not told.
      unsafe try? MemoryFile.write(file, at: offset, from: base, count: pointer.count)
    }
  }
}
