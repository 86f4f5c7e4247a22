/// The number of a device, `dev_t` of makedev(3): a major and a minor number in one.
package enum DeviceNumber {
  package static func make(_ major: UInt32, _ minor: UInt32) -> UInt64 {
    let major = UInt64(major)
    let minor = UInt64(minor)
    return (major & 0xffff_f000) << 32 | (major & 0xfff) << 8 | (minor & 0xffff_ff00) << 12 | minor & 0xff
  }
  package static func major(_ device: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: device >> 32 & 0xffff_f000 | device >> 8 & 0xfff)
  }
  package static func minor(_ device: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: device >> 12 & 0xffff_ff00 | device & 0xff)
  }
}
