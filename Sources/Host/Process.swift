
extension Host {
  /// Tells whether a descriptor is readable now (poll(2)).
  package static func isReadable(_ descriptor: FileDescriptor) -> Bool {
    var entry = UInt64(UInt32(bitPattern: descriptor.rawValue)) | 1 << 32
    return unsafe withUnsafeMutablePointer(to: &entry) { pointer in
      apus_syscall(7, Int(bitPattern: pointer), 1, 0, 0, 0, 0) > 0
    }
  }
}
