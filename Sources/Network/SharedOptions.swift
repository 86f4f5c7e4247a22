import FileSystem
import LinuxABI

/// The options that sockets of all families share (socket(7), `SOL_SOCKET`).
extension Socket {
  /// The value of a shared option. - Throws: `ENOPROTOOPT`, `EOPNOTSUPP`.
  final func sharedOption(_ option: SocketOption) throws(Errno) -> SocketOptionValue {
    switch option {
    case .type: return SocketOptionValue(type.rawValue)
    case .protocolNumber: return SocketOptionValue(protocolNumber)
    case .domain: return SocketOptionValue(Int32(family.rawValue))
    case .error: return SocketOptionValue(takePendingError()?.rawValue ?? 0)
    case .acceptsConnections: return SocketOptionValue(isListening)
    case .sendBuffer: return SocketOptionValue(Int32(clamping: settings.sendBuffer))
    case .receiveBuffer: return SocketOptionValue(Int32(clamping: settings.receiveBuffer))
    case .receiveTimeout, .receiveTimeout64: return SocketOptionValue(settings.receiveTimeout)
    case .sendTimeout, .sendTimeout64: return SocketOptionValue(settings.sendTimeout)
    case .receiveLowWater: return SocketOptionValue(settings.receiveLowWater)
    case .sendLowWater: return SocketOptionValue(1)
    case .linger: return SocketOptionValue(settings.linger)
    case .timestamp, .timestampNanoseconds, .timestamp64, .timestampNanoseconds64:
      return SocketOptionValue(settings.timestamp == option)
    case .timestamping, .timestamping64:
      return SocketOptionValue(wide: UInt64(UInt32(bitPattern: settings[.timestamping])))
    case .bindToDevice:
      return SocketOptionValue(bytes: settings.device.isEmpty ? [] : Array(settings.device.utf8) + [0])
    case .attachFilter: return SocketOptionValue(bytes: [])
    case .peekOffset:
      guard supportsPeekOffset else { throw .notSupportedOnSocket }
      return SocketOptionValue(settings.peekOffset)
    case .maximumPacingRate: return SocketOptionValue(wide: settings.pacingRate)
    case .bsdCompatible, .incomingQueue, .zeroCopy, .reserveMemory: return SocketOptionValue(0 as Int32)
    case .bpfExtensions: return SocketOptionValue(64 as Int32)
    case .cookie: return SocketOptionValue(wide: cookie)
    case .networkCookie: return SocketOptionValue(wide: 1)
    case .memoryInformation:
      let words = [0, settings.receiveBuffer, 0, settings.sendBuffer, 0, 0, 0, 0, 0]
      return SocketOptionValue(bytes: words.flatMap { UInt32(clamping: $0).littleEndianBytes })
    case .peerCredentials: return SocketOptionValue(peerCredentials ?? .none)
    case .peerName:
      guard let address = try? peerAddress() else { throw .socketNotConnected }
      return SocketOptionValue(bytes: address.bytes)
    case .peerGroups, .peerPidfd: throw .noData
    case .passCredentials, .passPidfd, .passSecurity, .passRights: throw .notSupportedOnSocket
    default:
      guard SocketSettings.kept[option] != nil else { throw .protocolNotAvailable }
      return SocketOptionValue(settings[option])
    }
  }

  /// Sets a shared option. - Throws: `ENOPROTOOPT`, `EOPNOTSUPP`, `EINVAL`, `EDOM`, `ENODEV`.
  final func setSharedOption(_ option: SocketOption, to value: SocketOptionValue) throws(Errno) {
    if option == .bindToDevice { return try bindToDevice(value.text) }
    let number = try value.integer()
    switch option {
    case .sendBuffer, .sendBufferForce:
      settings.setSendBuffer(number, forced: option == .sendBufferForce)
      buffersChanged()
    case .receiveBuffer, .receiveBufferForce:
      settings.setReceiveBuffer(number, forced: option == .receiveBufferForce)
      buffersChanged()
    case .receiveTimeout, .receiveTimeout64: settings.receiveTimeout = try value.timeout()
    case .sendTimeout, .sendTimeout64: settings.sendTimeout = try value.timeout()
    case .receiveLowWater: settings.receiveLowWater = number < 0 ? .max : max(number, 1)
    case .linger:
      let linger = try value.linger()
      settings.linger = Linger(isOn: linger.isOn, seconds: linger.isOn ? linger.seconds : settings.linger.seconds)
    case .timestamp, .timestampNanoseconds, .timestamp64, .timestampNanoseconds64:
      settings.timestamp = number != 0 ? option : nil
    case .timestamping, .timestamping64: settings[.timestamping] = number
    case .peekOffset:
      guard supportsPeekOffset else { throw .notSupportedOnSocket }
      settings.peekOffset = number
    case .bsdCompatible, .connectionAdvice, .busyPollBudget: break
    case .reusePort where number != 0 && family != .inet && family != .inet6: throw .notSupportedOnSocket
    case .maximumPacingRate:
      settings.pacingRate = UInt64(littleEndian: value.bytes, at: 0) ?? UInt64(UInt32(bitPattern: number))
    case .bufferLock:
      guard number & ~SocketSettings.bufferLocks == 0 else { throw .invalidArgument }
      settings[option] = number
    case .busyPoll where number < 0, .bindToInterfaceIndex where number < 0: throw .invalidArgument
    // There is no way to run a filter: a program that wants one has to know.
    case .attachFilter: throw .protocolNotAvailable
    case .detachFilter: throw settings.isSet(.lockFilter) ? .notPermitted : .noSuchFileOrDirectory
    case .lockFilter where number == 0 && settings.isSet(.lockFilter): throw .notPermitted
    case .zeroCopy, .reserveMemory, .passCredentials, .passPidfd, .passSecurity, .passRights:
      throw .notSupportedOnSocket
    default:
      guard let kind = SocketSettings.kept[option]?.kind else { throw .protocolNotAvailable }
      settings[option] = kind == .flag && number != 0 ? 1 : number
    }
  }

  private func bindToDevice(_ name: String) throws(Errno) {
    guard name.isEmpty || hasInterface(name) else { throw .operationNotSupportedByDevice }
    settings.device = name
  }

  /// Whether its caller may set an option to a value. - Throws: `EPERM`, `EACCES`.
  private func checkMaySet(
    _ option: SocketOption, to value: SocketOptionValue, _ caller: Credentials
  ) throws(Errno) {
    let number = (try? value.integer()) ?? 0
    switch option {
    case .sendBufferForce, .receiveBufferForce:
      guard caller.has(.netAdmin) else { throw .notPermitted }
    case .mark, .receiveMark:
      guard caller.has(.netAdmin) || caller.has(.netRaw) else { throw .notPermitted }
    case .priority where !(0...6).contains(number):
      guard caller.has(.netAdmin) || caller.has(.netRaw) else { throw .notPermitted }
    case .debug where number != 0:
      guard caller.has(.netAdmin) else { throw .permissionDenied }
    case .preferBusyPoll where number != 0, .busyPollBudget where number > 0:
      guard caller.has(.netAdmin) else { throw .notPermitted }
    case .bindToDevice where !settings.device.isEmpty, .bindToInterfaceIndex where settings[.bindToInterfaceIndex] != 0:
      guard caller.has(.netRaw) else { throw .notPermitted }
    default: break
    }
  }

  /// Sets an option for a caller, who may need capabilities for it (setsockopt(2)).
  package final func setOption(
    _ option: SocketOption, to value: SocketOptionValue, by caller: Credentials
  ) throws(Errno) {
    try checkMaySet(option, to: value, caller)
    try setOption(option, to: value)
  }
}
