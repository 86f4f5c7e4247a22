import FileSystem
import LinuxABI
import Memory
import Platform

/// A program found and checked: what execve(2) will map.
struct Program {
  let image: ELFImage
  let interpreter: ELFImage?
  let location: PathLocation
  let arguments: ProgramStrings
  let attributes: Stat

  /// The owner of a set-user-ID program.
  var setUserID: UInt32? { givesIDs && attributes.mode.hasAny(of: FileMode.setUserID) ? attributes.uid : nil }
  /// The group of a set-group-ID program.
  var setGroupID: UInt32? {
    givesIDs && attributes.mode.hasAll(of: FileMode.setGroupID | FileMode.groupExecute) ? attributes.gid : nil
  }
  private var givesIDs: Bool { !location.mount.flags.contains(.noSetUserID) }
}

/// A program in memory, ready to run.
struct LoadedProgram {
  let memory: AddressSpace
  let registers: Registers
  /// Of the task, once it runs the program.
  let credentials: Credentials
  let argumentRange: Range<GuestAddress>
  let environmentRange: Range<GuestAddress>
  let auxiliaryVector: [UInt64]
}

/// execve(2).
extension Kernel {
  /// Base of position-independent programs, as Linux has it without randomisation.
  private static let programBase: GuestAddress = 0x5555_5555_4000
  /// Most levels of `#!` (execve(2)).
  private static let interpreterLimit = 5

  /// Replaces the program of a task. Parks it while files are not in the page cache, or other threads still end.
  func execute(_ task: Task, _ request: ExecRequest) throws(Errno) -> CallOutcome<Int> {
    let program: Program
    var file: OpenFile?
    do throws(Errno) {
      program = try find(request, for: task, reading: &file)
    } catch {
      // What the page cache does not have yet is waited for, and all is looked for again.
      guard error == .wouldBlock, let file else { throw error }
      return .suspended(try task.wait(for: file, .readable, interrupted: .restartNoIntr))
    }
    if let suspension = endOtherTasks(of: task) { return .suspended(suspension) }
    // The other threads of the process are gone from here on.
    try task.unshareFiles()
    // The first process was made with an empty address space for this.
    let isFirst = task.group === firstGroup && !task.group.hasExecuted
    let memory: AddressSpace
    if isFirst {
      memory = task.memory
    } else {
      memory = AddressSpace(physical: physicalMemory, platform: platform, process: try makeGuestProcess())
    }
    memory.limits = task.memory.limits
    if configuration.rewritesText, let entry = services.platform.callEntry { memory.rewriteText(entry: entry) }
    let credentials = credentials(of: task, executing: program)
    if configuration.randomizesAddresses, credentials.isElevated || task.attributes.personality.randomizesAddresses {
      memory.randomization = AddressRandomization(
        random: services.randomBytes(count: AddressRandomization.randomCount))
    }
    let loaded: LoadedProgram
    do throws(Errno) {
      loaded = try load(program, request, into: memory, for: task, credentials)
      if isFirst {
        task.thread.setRegisters(loaded.registers)
      } else {
        let thread = try memory.process.makeThread(registers: loaded.registers, extendedStateOf: nil)
        leaveMemory(of: task)
        task.thread = thread
        task.memory = memory
      }
    } catch {
      if !isFirst { memory.destroy() }
      throw error
    }
    commit(task, program, request, loaded)
    return .done(0)
  }

  private func commit(_ task: Task, _ program: Program, _ request: ExecRequest, _ loaded: LoadedProgram) {
    let group = task.group
    group.hasExecuted = true
    scheduler.restartPace(of: task)
    group.executable = program.location
    group.argumentRange = loaded.argumentRange
    group.environmentRange = loaded.environmentRange
    group.auxiliaryVector = loaded.auxiliaryVector
    group.isDumpable = !loaded.credentials.isElevated
    if loaded.credentials.isElevated {
      task.attributes.parentDeathSignal = .null
      task.attributes.personality.clearForSetID()
    }
    task.name = Kernel.name(of: program, request)
    task.robustList = .null
    task.files.closeOnExec()
    task.credentials = loaded.credentials
    task.attributes.secureBits.remove(.keepCapabilities)
    task.group.timers?.removePosixTimers()
    _ = task.call.forgetDeadline()
    task.resetSignalsForExec()
    task.call.replacedRegisters = true
  }

  /// The last component of the path that was asked for, or the file's own name where there was none.
  private static func name(of program: Program, _ request: ExecRequest) -> String {
    let path = request.path.isEmpty ? FileName.bytes(program.location.dentry.name) : request.path
    let name = path.split(separator: UInt8(ascii: "/")).last ?? []
    let deleted = Array(" (deleted)".utf8)
    let isMemoryFile =
      request.path.isEmpty && program.location.mount.point == nil
      && name.suffix(deleted.count).elementsEqual(deleted)
    return String(decoding: name.dropLast(isMemoryFile ? deleted.count : 0).prefix(15), as: UTF8.self)
  }

  /// Another process can change the directories or the umask of a task: a set-user-ID program gives nothing then, unless
  /// the caller may change its ids anyway.
  private func sharesDirectories(_ task: Task) -> Bool {
    !task.credentials.has(.setuid)
      && tasks.values.contains { $0.fs === task.fs && $0.group !== task.group && $0.state != .dead }
  }

  /// What a task may do once it runs a program: set-user-ID and set-group-ID programs, and the capabilities of root
  /// (execve(2), capabilities(7)).
  private func credentials(of task: Task, executing program: Program) -> Credentials {
    var credentials = task.credentials
    let setsIDs = program.setUserID != nil || program.setGroupID != nil
    if setsIDs, !credentials.noNewPrivileges, !sharesDirectories(task) {
      if let uid = program.setUserID { credentials.euid = uid }
      if let gid = program.setGroupID { credentials.egid = gid }
    }
    // Who gains by another's id loses these (capabilities(7)).
    if credentials.isElevated { credentials.ambient = [] }
    credentials.suid = credentials.euid
    credentials.fsuid = credentials.euid
    credentials.sgid = credentials.egid
    credentials.fsgid = credentials.egid
    if credentials.euid == 0 || credentials.uid == 0 {
      credentials.permitted = credentials.bounding.union(credentials.inheritable)
      credentials.effective = credentials.euid == 0 ? credentials.permitted : []
    } else {
      credentials.permitted = credentials.ambient
      credentials.effective = credentials.ambient
    }
    return credentials
  }

  /// Ends the other threads of the process and waits for them; then (nil) the caller takes over the leader's identity.
  private func endOtherTasks(of task: Task) -> Suspension? {
    let group = task.group
    guard group.tasks.count > 1 || !task.isLeader else { return nil }
    for other in group.tasks where other !== task && !other.mustExit {
      other.mustExit = true
      if other.state == .stopped {
        scheduler.makeRunnable(other)
      } else {
        kick(other)
      }
    }
    if group.tasks.count > 1 { return task.waitUninterruptibly(on: group.taskQueue) }
    if !task.isLeader {
      processTable.remove(task)
      group.leader?.state = .dead
      group.handChildren(of: task.id, to: group.id)
      task.id = group.id
      group.leader = task
      processTable.add(task)
    }
    return nil
  }

  /// `AT_SECURE` (getauxval(3)): the program's ids are not its caller's, or would not be if it were given them.
  private func isSecure(_ program: Program, for task: Task, _ credentials: Credentials) -> Bool {
    if credentials.isElevated { return true }
    guard !credentials.noNewPrivileges else { return false }
    return program.setUserID ?? task.credentials.euid != task.credentials.euid
      || program.setGroupID ?? task.credentials.egid != task.credentials.egid
  }

  // MARK: Finding

  /// Finds the program and its interpreter. - Throws: `.wouldBlock` where `file`, which it reads, has to be waited for.
  private func find(
    _ request: ExecRequest, for task: Task, reading file: inout OpenFile?
  ) throws(Errno) -> Program {
    let context = PathContext(
      root: task.fs.root, base: request.base ?? task.fs.workingDirectory, credentials: task.credentials)
    var arguments = request.arguments
    var path = FileName.string(request.path)
    var options = request.options
    for _ in 0...Kernel.interpreterLimit {
      let (program, location, attributes) = try open(path, context, options)
      file = program
      let start = try ELFImage.read(program, at: 0, count: 256)
      guard start.starts(with: [UInt8(ascii: "#"), UInt8(ascii: "!")]) else {
        let image = try ELFImage(program, start: start)
        var interpreter: ELFImage?
        if let name = image.interpreter {
          let linker = try open(name, context, []).file
          file = linker
          do throws(Errno) {
            interpreter = try ELFImage(linker, start: try ELFImage.read(linker, at: 0, count: 64))
          } catch { throw error == .execFormatError ? .badSharedLibrary : error }
        }
        return Program(
          image: image, interpreter: interpreter, location: location, arguments: arguments, attributes: attributes)
      }
      let (name, argument) = try Kernel.scriptInterpreter(start)
      if request.isUnreachable { throw .noSuchFileOrDirectory }
      let isFirst = path == FileName.string(request.path)
      let shown = isFirst ? request.reachablePath : FileName.bytes(path)
      arguments = arguments.replacingFirst(with: [FileName.bytes(name)] + (argument.map { [$0] } ?? []) + [shown])
      path = name
      options = []
    }
    throw .tooManySymbolicLinkLevels
  }

  private func open(
    _ path: String, _ context: PathContext, _ options: ResolveOptions
  ) throws(Errno) -> (file: OpenFile, location: PathLocation, attributes: Stat) {
    let location = try vfs.resolve(path, context, options)
    let attributes = try location.dentry.inode.attributes()
    let kind = location.dentry.inode.kind
    guard kind == .regular else { throw kind == .symbolicLink ? .tooManySymbolicLinkLevels : .permissionDenied }
    try vfs.checkAccess(location, .execute, context.credentials)
    guard attributes.mode.hasAny(of: FileMode.anyExecute) else { throw .permissionDenied }
    guard location.dentry.inode.writers == 0 else { throw .textFileBusy }
    let file = try location.dentry.inode.open([], at: location)
    return (file, location, attributes)
  }

  /// The interpreter and its one argument in a `#!` line (execve(2)).
  static func scriptInterpreter(_ start: [UInt8]) throws(Errno) -> (name: String, argument: [UInt8]?) {
    guard let end = start.firstIndex(of: 10) ?? (start.count < 256 ? start.count : nil) ?? start.indices.last else {
      throw .execFormatError
    }
    let isBlank = { (byte: UInt8) in byte == 32 || byte == 9 }
    let line = start[2..<max(2, end)].drop(while: isBlank)
    let name = line.prefix { !isBlank($0) && $0 != 0 }
    guard !name.isEmpty else { throw .execFormatError }
    var rest = line.dropFirst(name.count).drop(while: isBlank)
    while let last = rest.last, isBlank(last) { rest = rest.dropLast() }
    return (FileName.string(Array(name)), rest.isEmpty ? nil : Array(rest))
  }

  // MARK: Loading

  private func load(
    _ program: Program, _ request: ExecRequest, into memory: AddressSpace, for task: Task,
    _ credentials: Credentials
  ) throws(Errno) -> LoadedProgram {
    let image = program.image
    let bias = try image.map(into: memory, preferredBase: Kernel.programBase &+ memory.randomization.program)
    memory.setBreakBase(image.range.upperBound &+ bias)
    var entry = image.header.entry &+ bias
    var interpreterBase = GuestAddress.null
    if let interpreter = program.interpreter {
      let linkerBias = try interpreter.map(into: memory, preferredBase: .null)
      interpreterBase = interpreter.range.lowerBound &+ linkerBias
      entry = interpreter.header.entry &+ linkerBias
    }
    var stack = try StackBuilder(
      memory, isExecutable: image.hasExecutableStack, limit: task.group.limits[.stack].current)
    let auxiliary: [(AuxiliaryKey, UInt64)] = [
      (.vdso, platform.vdsoImage?.address.rawValue ?? 0),
      (.hardwareCapabilities, services.auxiliaryValue(.hardwareCapabilities)),
      (.pageSize, Layout.pageSize),
      (.clockTicks, 100),
      (.programHeaders, (image.programHeadersAddress &+ bias).rawValue),
      (.programHeaderSize, UInt64(MemoryLayout<ELFProgramHeader>.size)),
      (.programHeaderCount, UInt64(image.header.programHeaderCount)),
      (.interpreterBase, interpreterBase.rawValue),
      (.flags, 0),
      (.entry, (image.header.entry &+ bias).rawValue),
      (.uid, UInt64(credentials.uid)),
      (.euid, UInt64(credentials.euid)),
      (.gid, UInt64(credentials.gid)),
      (.egid, UInt64(credentials.egid)),
      (.secure, isSecure(program, for: task, credentials) ? 1 : 0),
      (.hardwareCapabilities2, hardwareCapabilities2(memory)),
      (.minimumSignalStack, minimumSignalStack(of: task.thread)),
    ]
    let block = try stack.build(
      arguments: program.arguments, environment: request.environment, path: request.reachablePath,
      auxiliary: auxiliary.filter { $0.0 != .vdso || $0.1 != 0 },
      randomBytes: services.randomBytes(count: 16))
    var registers = Registers()
    registers.rip = entry.rawValue
    registers.rsp = block.stackPointer.rawValue
    return LoadedProgram(
      memory: memory, registers: registers, credentials: credentials, argumentRange: block.arguments,
      environmentRange: block.environment,
      auxiliaryVector: block.auxiliary)
  }

  /// Programs whose text is rewritten leave the GS base alone unless they have to ask for it.
  private func hardwareCapabilities2(_ memory: AddressSpace) -> UInt64 {
    var capabilities = HardwareCapabilities2(rawValue: services.auxiliaryValue(.hardwareCapabilities2))
    if memory.rewritesText { capabilities.remove(.segmentBaseInstructions) }
    return capabilities.rawValue
  }
}

extension Credentials {
  /// A program runs with other ids than its caller's (`AT_SECURE` of getauxval(3)).
  fileprivate var isElevated: Bool { uid != euid || gid != egid }
}
