import FileSystem
import LinuxABI

// How structures that calls take and hand out are shown.

extension Timespec: GuestValue {
  var traced: String? { "{tv_sec=\(seconds), tv_nsec=\(nanoseconds)}" }
}

extension Timeval: GuestValue {
  var traced: String? { "{tv_sec=\(seconds), tv_usec=\(microseconds)}" }
}

extension TimerSetting: GuestValue {
  var traced: String? { "{it_interval=\(interval.traced ?? ""), it_value=\(value.traced ?? "")}" }
}

extension IntervalSetting: GuestValue {
  var traced: String? { "{it_interval=\(interval.traced ?? ""), it_value=\(value.traced ?? "")}" }
}

extension SignalEvent: GuestValue {}
extension Timex: GuestValue {}

extension Stat: GuestValue {
  var traced: String? {
    let kind = mode.kind
    let size: String
    if kind == .characterDevice || kind == .blockDevice {
      let (major, minor) = (DeviceNumber.major(specialDevice), DeviceNumber.minor(specialDevice))
      size = "st_rdev=makedev(\(hex(UInt64(major))), \(hex(UInt64(minor))))"
    } else {
      size = "st_size=\(self.size)"
    }
    return "{st_mode=\(mode.traced), \(size), ...}"
  }
}

extension Statx: GuestValue {
  var traced: String? {
    "{stx_mask=\(hex(UInt64(mask.rawValue))), stx_mode=\(FileMode(rawValue: UInt32(mode)).traced), stx_size=\(size), ...}"
  }
}

extension FileMode {
  /// The type by its name, and the permissions.
  fileprivate var traced: String {
    "\(ConstantName.one(UInt64(rawValue & FileMode.kindMask), Kind.names))|\(octal(UInt64(permissions)))"
  }
}

extension StatFS: GuestValue {
  var traced: String? {
    "{f_type=\(hex(UInt64(bitPattern: type))), f_bsize=\(blockSize), f_blocks=\(blocks), f_bfree=\(freeBlocks), ...}"
  }
}

extension OpenHow: GuestValue {}

extension RecordLock: GuestValue {
  var traced: String? {
    let type = ConstantName.one(self.type.zeroExtended, Kind.names)
    let whence = ConstantName.one(self.whence.zeroExtended, Whence.names)
    return "{l_type=\(type), l_whence=\(whence), l_start=\(start), l_len=\(length)}"
  }
}

extension DescriptorOwner: GuestValue {
  var traced: String? { "{type=\(ConstantName.one(type.zeroExtended, Kind.names)), pid=\(id)}" }
}

// MARK: Processes

extension CloneArguments: GuestValue {
  var traced: String? {
    var fields = ["flags=\(ConstantName.join(flags, CloneFlags.names))"]
    if childTID != 0 { fields.append("child_tid=\(pointer(childTID))") }
    if parentTID != 0 { fields.append("parent_tid=\(pointer(parentTID))") }
    let signal = Signal(rawValue: Int32(clamping: exitSignal))
    fields.append("exit_signal=\(SignalNames.name(signal))")
    fields.append("stack=\(pointer(stack))")
    fields.append("stack_size=\(hex(stackSize))")
    if tls != 0 { fields.append("tls=\(pointer(tls))") }
    return "{\(fields.joined(separator: ", "))}"
  }
}

extension Rusage: GuestValue {
  var traced: String? { "{ru_utime=\(userTime.traced ?? ""), ru_stime=\(systemTime.traced ?? ""), ...}" }
}

extension WaitStatus: GuestValue {
  var traced: String? {
    if self == .continued { return "[{WIFCONTINUED(s)}]" }
    if let signal { return "[{WIFSIGNALED(s) && WTERMSIG(s) == \(SignalNames.name(signal))}]" }
    if let exitCode { return "[{WIFEXITED(s) && WEXITSTATUS(s) == \(exitCode)}]" }
    return "[{WIFSTOPPED(s) && WSTOPSIG(s) == \(SignalNames.name(stopSignal ?? .null))}]"
  }
}

extension ResourceLimit: GuestValue {
  var traced: String? { "{rlim_cur=\(ResourceLimit.shown(current)), rlim_max=\(ResourceLimit.shown(maximum))}" }

  private static func shown(_ value: UInt64) -> String {
    if value == infinity { return "RLIM64_INFINITY" }
    return value >= 1024 && value % 1024 == 0 ? "\(value / 1024)*1024" : "\(value)"
  }
}

extension SchedulingAttributes: GuestValue {}
extension CapabilityHeader: GuestValue {}

// MARK: The machine

extension SystemName: GuestValue {
  var traced: String? {
    let (system, node) = (SystemName.text(self.system), SystemName.text(self.node))
    return "{sysname=\(CallFormatter.quote(system[...])), nodename=\(CallFormatter.quote(node[...])), ...}"
  }
}

extension SystemInformation: GuestValue {
  var traced: String? { "{uptime=\(uptime), totalram=\(totalMemory), freeram=\(freeMemory), ...}" }
}

// MARK: Descriptors and their events

extension DescriptorPair: GuestValue {
  var traced: String? { "[\(first.rawValue), \(second.rawValue)]" }
}

extension PollDescriptor: GuestValue {
  var traced: String? {
    func names(_ events: UInt16) -> String { ConstantName.join(UInt64(events), PollEvents.names) }
    let found = returned != 0 ? ", revents=\(names(returned))" : ""
    return "{fd=\(descriptor.rawValue), events=\(names(events))\(found)}"
  }
}

extension EpollEvent: GuestValue {
  var traced: String? { "{events=\(ConstantName.join(UInt64(events), EpollFlags.names)), data=\(hex(data))}" }
}

extension SignalMaskReference: GuestValue {
  var traced: String? { "{sigmask=\(pointer(address.rawValue)), sigsetsize=\(size)}" }
}

extension MessageHeader: GuestValue {
  var traced: String? {
    let flags = ConstantName.join(flags.rawValue.zeroExtended, MessageFlags.names)
    return "{msg_name=\(pointer(name.rawValue)), msg_namelen=\(nameLength), msg_iov=\(pointer(vectors.rawValue)), "
      + "msg_iovlen=\(vectorCount), msg_control=\(pointer(control.rawValue)), msg_controllen=\(controlLength), "
      + "msg_flags=\(flags)}"
  }
}

// MARK: Signals

extension SignalSet: GuestValue {
  var traced: String? { SignalNames.describe(self) }
}

extension SignalAction: GuestValue {
  var traced: String? {
    let handler =
      switch self.handler {
      case SignalAction.defaultHandler: "SIG_DFL"
      case SignalAction.ignoreHandler: "SIG_IGN"
      default: pointer(self.handler)
      }
    let field = flags.contains(.information) ? "sa_sigaction" : "sa_handler"
    let names = ConstantName.join(flags.rawValue, SignalActionFlags.names)
    let restorer = flags.contains(.hasRestorer) ? ", sa_restorer=\(pointer(restorer))" : ""
    return "{\(field)=\(handler), sa_mask=\(SignalNames.describe(mask)), sa_flags=\(names)\(restorer)}"
  }
}

extension AlternateStack: GuestValue {
  var traced: String? {
    let names = ConstantName.join(flags.rawValue.zeroExtended, AlternateStackFlags.names)
    return "{ss_sp=\(pointer(address)), ss_flags=\(names), ss_size=\(size)}"
  }
}

extension SignalInformation: GuestValue {}
