import LinuxABI
import Memory
import Platform

/// Signal frames: how a handler is entered and left (sigreturn(2), x86-64 psABI 3.2.2).
extension Kernel {
  /// Bytes below the stack pointer that a function may use without saying so.
  private static let redZone: UInt64 = 128
  /// Trap, direction and resume flag are clear in a handler.
  private static let clearedFlags: UInt64 = 0x1_0500
  /// The largest XSAVE area taken from a guest.
  private static let largestState = 16384

  /// Writes a signal frame and has the task go on in the handler.
  /// - Throws: `EFAULT` where the stack has no room.
  func enterHandler(_ action: SignalAction, _ info: SignalInfo, _ task: Task) throws(Errno) {
    guard action.flags.contains(.hasRestorer) else { throw .badAddress }
    var registers = task.thread.registers
    let stack = task.signals.alternateStack
    let wasOnStack = stack.isInUse(at: registers.rsp)
    var pointer = GuestAddress(registers.rsp) &- Kernel.redZone
    var entersStack = false
    if action.flags.contains(.onStack), stack.size != 0, !stack.isInUse(at: pointer.rawValue) {
      pointer = GuestAddress(stack.address) &+ stack.size
      entersStack = true
    }
    let state = task.thread.extendedState()
    let stateAddress = (pointer &- UInt64(state.count)).roundedDown(to: 64)
    let address = (stateAddress &- SignalFrame.size).roundedDown(to: 16) &- 8
    if wasOnStack || entersStack, !stack.holds(address.rawValue) { throw .badAddress }

    var frame = SignalFrame()
    frame.restorer = action.restorer
    frame.context.flags =
      UserContext.extendedState | UserContext.savesStackSegment | UserContext.restoresStackSegment
    frame.context.stack = stack
    frame.context.machine = MachineContext(registers)
    let mask = task.signals.maskToRestore ?? task.signals.mask
    frame.context.machine.errorCode = task.signals.fault.errorCode
    frame.context.machine.trapNumber = task.signals.fault.trapNumber.rawValue
    frame.context.machine.faultAddress = task.signals.fault.address
    frame.context.machine.oldMask = mask.rawValue
    frame.context.machine.extendedState = stateAddress.rawValue
    frame.context.mask = mask
    frame.information = SignalInformation(info)
    try task.memory.write(stateAddress, state)
    try task.memory.writeValue(address, frame)

    registers.rsp = address.rawValue
    registers.rip = action.handler
    registers.rdi = UInt64(info.signal.rawValue)
    registers.rsi = (address &+ SignalFrame.informationOffset).rawValue
    registers.rdx = (address &+ SignalFrame.contextOffset).rawValue
    registers.rax = 0
    registers.rflags &= ~Kernel.clearedFlags
    task.thread.setRegisters(registers)
    task.thread.resetExtendedState()

    task.signals.maskToRestore = nil
    var blocked = task.signals.mask.union(action.mask)
    if !action.flags.contains(.noDefer) { blocked.formUnion(SignalSet(info.signal)) }
    task.setSignalMask(blocked)
    if stack.flags.contains(.autoDisarm) { task.signals.alternateStack = AlternateStack() }
  }

  /// rt_sigreturn(2): goes on where the handler's frame says.
  func leaveHandler(_ task: Task) {
    task.call.replacedRegisters = true
    let registers = task.thread.registers
    // The handler's return has taken the restorer's address off the stack.
    let address = GuestAddress(registers.rsp) &- 8
    do throws(Errno) {
      let frame = try task.memory.readValue(address, as: SignalFrame.self)
      let machine = frame.context.machine
      task.setSignalMask(frame.context.mask)
      if machine.extendedState == 0 {
        task.thread.resetExtendedState()
      } else {
        try task.thread.setExtendedState(readState(at: GuestAddress(machine.extendedState), task.memory))
      }
      let restored = machine.restored(into: registers)
      task.thread.setRegisters(restored)
      try? task.setAlternateStack(frame.context.stack, at: restored.rsp)
    } catch {
      forceSignal(SignalInfo(signal: Signal.segv, code: SignalInfo.siKernel), on: task)
    }
  }

  /// Reads an XSAVE area from a frame: its legacy part tells its size.
  private func readState(at address: GuestAddress, _ memory: AddressSpace) throws(Errno) -> [UInt8] {
    let legacySize = ExtendedStateArea.legacySize
    let legacy = try memory.read(address, count: legacySize)
    guard legacy.value(at: ExtendedStateArea.description, as: UInt32.self) == ExtendedStateArea.magic,
      let size = legacy.value(at: ExtendedStateArea.extendedSize, as: UInt32.self),
      (legacySize...Kernel.largestState).contains(Int(size))
    else { return legacy }
    return try memory.read(address, count: Int(size))
  }

  /// The stack that a signal frame needs at most, for `AT_MINSIGSTKSZ` (getauxval(3)).
  func minimumSignalStack(of thread: any GuestThread) -> UInt64 {
    let size = SignalFrame.size + UInt64(thread.extendedState().count)
    return (size + 63 + 15 + 15) & ~15
  }
}

extension Task {
  /// sigaltstack(2).
  /// - Throws: `EPERM` while the stack is in use, `EINVAL` for bad flags, `ENOMEM` for a stack that is too small.
  func setAlternateStack(_ new: AlternateStack, at stackPointer: UInt64) throws(Errno) {
    if signals.alternateStack.isInUse(at: stackPointer) { throw .notPermitted }
    let mode = new.flags.subtracting(.autoDisarm)
    guard [[], .onStack, .disabled].contains(mode) else { throw .invalidArgument }
    var stack = new
    if mode == .disabled {
      stack.address = 0
      stack.size = 0
    } else if new.size < AlternateStack.minimumSize {
      throw .noMemory
    }
    signals.alternateStack = stack
  }
}
