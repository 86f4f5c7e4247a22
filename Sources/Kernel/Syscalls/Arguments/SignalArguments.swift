import LinuxABI

extension Signal: SyscallArgument {
  init(register: UInt64) { self.init(rawValue: Int32(truncatingIfNeeded: register)) }
  func describe(in call: CallFormatter) -> String? { SignalNames.name(self) }
}
