import CStub
import LinuxABI

extension Host {
  /// A value of Apus's own auxiliary vector (getauxval(3)); 0 where it has none.
  package static func auxiliaryValue(_ key: AuxiliaryKey) -> UInt64 { UInt64(getauxval(UInt(key.rawValue))) }
}
