import FileSystem
import LinuxABI
import Memory
import Platform

/// New tasks (clone(2)).
extension Kernel {
  /// Makes a child of `parent` as clone(2) describes it, and starts it.
  func clone(_ parent: Task, _ arguments: CloneArguments) throws(Errno) -> Task {
    let flags = CloneFlags(rawValue: arguments.flags)
    try validate(flags, arguments)
    let group = parent.group
    if parent.credentials.uid != 0, !flags.contains(.thread) {
      let mine = processTable.taskCount(ofUser: parent.credentials.uid)
      guard UInt64(mine) < group.limits[.processes].current else { throw .resourceTemporarilyUnavailable }
    }
    let id = try processTable.makeID()

    var registers = parent.thread.registers
    registers.rax = 0
    if arguments.stack != 0 { registers.rsp = arguments.stack &+ arguments.stackSize }
    if flags.contains(.setTLS) {
      guard GuestAddress(arguments.tls).isUserAddress else { throw .notPermitted }
      registers.fsBase = arguments.tls
    }

    let price = Task.price(of: parent.credentials) + (flags.contains(.thread) ? 0 : Task.processPrice)
    let charge = try kernelMemory.charge(price)
    let files = flags.contains(.files) ? parent.files : try parent.files.copy()
    if flags.contains(.files) { files.sharers += 1 }
    let (memory, thread): (AddressSpace, any GuestThread)
    do throws(Errno) {
      (memory, thread) = try makeMemory(for: parent, shared: flags.contains(.vm), registers: registers)
    } catch {
      files.release()
      throw error
    }
    let childGroup = flags.contains(.thread) ? group : makeGroup(id: id, of: parent, flags, arguments)
    let child = Task(
      id: id, kernel: self, group: childGroup, memory: memory, thread: thread, files: files,
      fs: flags.contains(.fs) ? parent.fs : parent.fs.copy(),
      credentials: parent.credentials, name: parent.name, cpu: scheduler.place(childOf: parent),
      charge: charge)
    child.inherit(from: parent, flags)
    childGroup.tasks.append(child)
    if childGroup.leader == nil { childGroup.leader = child }
    processTable.add(child)
    if flags.contains(.childClearTID) { child.clearChildTID = GuestAddress(arguments.childTID) }
    if flags.contains(.childSetTID) { try? memory.writeValue(GuestAddress(arguments.childTID), id) }
    if flags.contains(.parentSetTID) { try? parent.memory.writeValue(GuestAddress(arguments.parentTID), id) }
    if flags.contains(.vfork) {
      child.vforkParent = parent
      child.scheduling.pace = .spawning
    }
    scheduler.makeRunnable(child)
    return child
  }

  private func validate(_ flags: CloneFlags, _ arguments: CloneArguments) throws(Errno) {
    if flags.contains(.signalHandlers), !flags.contains(.vm) { throw .invalidArgument }
    if flags.contains(.thread), !flags.contains(.signalHandlers) { throw .invalidArgument }
    if flags.isSuperset(of: [.fs, .newNamespace]) { throw .invalidArgument }
    if flags.isSuperset(of: [.signalHandlers, .clearSignalHandlers]) { throw .invalidArgument }
    if !flags.isDisjoint(with: .namespaces) { throw .notPermitted }
    if flags.contains(.pidfd), !flags.isDisjoint(with: [.thread, .detached]) { throw .invalidArgument }
    if arguments.exitSignal > UInt64(Signal.maximum.rawValue) { throw .invalidArgument }
    if flags.contains(.intoCgroup) || arguments.setTIDSize != 0 { throw .notSupported }
  }

  /// The child's memory and host thread: shared with the parent, or a copy in a guest process of its own.
  private func makeMemory(
    for parent: Task, shared: Bool, registers: Registers
  ) throws(Errno) -> (AddressSpace, any GuestThread) {
    if shared {
      let thread = try parent.memory.process.makeThread(registers: registers, extendedStateOf: parent.thread)
      parent.memory.sharers += 1
      return (parent.memory, thread)
    }
    let process = try makeGuestProcess()
    let memory: AddressSpace
    do throws(Errno) {
      memory = try parent.memory.fork(into: process)
    } catch {
      process.recycle()
      throw error
    }
    do throws(Errno) {
      return (memory, try process.makeThread(registers: registers, extendedStateOf: parent.thread))
    } catch {
      memory.destroy()
      throw error
    }
  }

  /// Takes a guest process and watches for its death. The watch lasts until it dies, as host processes are used again.
  func makeGuestProcess() throws(Errno) -> any GuestProcess {
    let process = try platform.makeProcess()
    guard services.watchDeath(of: process) else {
      process.kill()
      throw .resourceTemporarilyUnavailable
    }
    return process
  }

  private func makeGroup(id: ProcessID, of parent: Task, _ flags: CloneFlags, _ arguments: CloneArguments)
    -> ThreadGroup
  {
    let source = parent.group
    let owner = flags.contains(.parent) ? source.parent : source
    let group = ThreadGroup(
      id: id, parent: owner, thread: flags.contains(.parent) ? source.parentThread : parent.id,
      processGroup: source.processGroup, signals: GroupSignals(of: source.signals, flags))
    group.inherit(from: source)
    group.exitSignal =
      flags.contains(.parent) ? source.exitSignal : Signal(rawValue: Int32(truncatingIfNeeded: arguments.exitSignal))
    owner?.children.append(group)
    processTable.add(group)
    cpuLimitChanged(of: group)
    return group
  }
}
