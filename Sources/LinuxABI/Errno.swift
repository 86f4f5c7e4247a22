@_exported import SystemPackage

extension Errno {
  /// `ELIBBAD`: a program's interpreter is no program for this processor.
  public static var badSharedLibrary: Errno { Errno(rawValue: 80) }
}
