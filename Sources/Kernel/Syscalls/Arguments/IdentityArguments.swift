/// A user or group id that a call sets, or -1 to leave it as it is (chown(2)).
struct IDChange: SyscallArgument {
  /// Nil for -1.
  let value: UInt32?
  init(register: UInt64) {
    let id = UInt32(truncatingIfNeeded: register)
    value = id == .max ? nil : id
  }
  func describe(in call: CallFormatter) -> String? { value.map { "\($0)" } ?? "-1" }
}
