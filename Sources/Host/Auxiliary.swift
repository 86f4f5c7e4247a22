import CStub
import LinuxABI

extension Host {
  /// A value of Apus's own auxiliary vector (getauxval(3)); 0 where it has none.
  package static func auxiliaryValue(_ key: AuxiliaryKey) -> UInt64 { UInt64(getauxval(UInt(key.rawValue))) }

  /// What the processor can do and the host lets user code do, `AT_HWCAP2`.
  package static var hardwareCapabilities2: HardwareCapabilities2 {
    HardwareCapabilities2(rawValue: auxiliaryValue(.hardwareCapabilities2))
  }
}
