import FileSystem
import LinuxABI

/// Names and connections of UNIX sockets (unix(7)).
extension UnixSocket {
  // MARK: Names

  func bindName(_ address: SocketAddress, _ caller: SocketCaller) throws(Errno) {
    guard case .unix(let wanted) = address else { throw .invalidArgument }
    switch wanted {
    case .unnamed: try nameAutomatically()
    case .abstract(let bytes):
      guard name == .unnamed else { throw .invalidArgument }
      try domain.setName(bytes, of: self)
      name = wanted
    case .path(let bytes):
      let path = FileName.string(bytes)
      guard name == .unnamed else {
        let isTaken = (try? caller.vfs.resolve(path, caller.paths, .noFollow)) != nil
        throw isTaken ? .addressInUse : .invalidArgument
      }
      do throws(Errno) {
        let place = try caller.vfs.makeNode(path, caller.paths, mode: FileMode(.socket, permissions: permissions))
        place.dentry.inode.attachment = self
        self.place = place
      } catch { throw error == .fileExists ? .addressInUse : error }
      name = wanted
    }
  }

  /// Gives it an abstract name, unless it has a name.
  func nameAutomatically() throws(Errno) {
    guard name == .unnamed else { return }
    name = .abstract(try domain.nameAutomatically(self))
  }

  /// Nobody finds it any more. Its file stays.
  func releaseName() {
    if case .abstract(let bytes) = name { domain.removeName(bytes, of: self) }
    if let inode = place?.dentry.inode, inode.attachment === self { inode.attachment = nil }
  }

  /// `SIOCUNIXFILE`: the file that it is bound to. - Throws: `ENOENT`.
  package func boundFile() throws(Errno) -> OpenFile {
    guard let place else { throw .noSuchFileOrDirectory }
    return PathFile(flags: .path, location: place)
  }

  /// What an address names.
  enum Target {
    case socket(UnixSocket)
    /// One of the host, which lies in a volume.
    case host(HostInode, HostSocketConnector)
  }

  /// What an address names. - Throws: `ECONNREFUSED`, `EPROTOTYPE`, `EACCES`, and what a path walk throws.
  func find(_ address: SocketAddress, _ caller: SocketCaller) throws(Errno) -> Target {
    guard case .unix(let name) = address else { throw .invalidArgument }
    let found: UnixSocket?
    switch name {
    case .unnamed: throw .invalidArgument
    case .abstract(let bytes): found = domain.socket(named: bytes, type: type)
    case .path(let bytes):
      let inode = try caller.vfs.resolve(FileName.string(bytes), caller.paths).dentry.inode
      try caller.paths.credentials.check(.write, try inode.permissionAttributes())
      found = inode.kind == .socket ? inode.attachment as? UnixSocket : nil
      if found == nil, inode.kind == .socket, let file = inode as? HostInode {
        if file.mayBeConnectedTo, let connector = domain.connector { return .host(file, connector) }
        domain.noteRefusedHostSocket(FileName.string(bytes))
      }
    }
    guard let found, !found.isDead else { throw .connectionRefused }
    guard found.type == type else { throw .protocolWrongTypeForSocket }
    return .socket(found)
  }

  // MARK: Connections

  func beginListening(_ backlog: Int32) throws(Errno) {
    guard type.isConnectionOriented else { throw .notSupportedOnSocket }
    guard name != .unnamed, state != .established, !isDead else { throw .invalidArgument }
    self.backlog = Int(backlog)
    state = .listening
    peerOwner = domain.caller?() ?? owner
    wakeSenders()
  }

  func takeConnection(_ flags: OpenFlags) throws(Errno) -> UnixSocket {
    guard type.isConnectionOriented else { throw .notSupportedOnSocket }
    guard state == .listening else { throw .invalidArgument }
    if let error = takePendingError() { throw error }
    guard let connection = connections.popFirst() else { throw isReadShut ? .invalidArgument : .wouldBlock }
    if flags.contains(.nonBlocking) { connection.flags.insert(.nonBlocking) }
    if connections.isEmpty { connections = [] }
    connection.isAccepted = true
    wakeSenders()
    return connection
  }

  func connectStream(_ address: SocketAddress, _ caller: SocketCaller) throws(Errno) {
    guard case .unix(let name) = address, name != .unnamed else { throw .invalidArgument }
    if wantsSender { try nameAutomatically() }
    let listener: UnixSocket
    switch try find(address, caller) {
    case .socket(let socket): listener = socket
    case .host(let file, let connector):
      guard state == .closed else { throw state == .established ? .socketIsConnected : .invalidArgument }
      return connect(toStandIn: try connector.connect(self, to: file, name: name))
    }
    guard listener.state == .listening, !listener.isReadShut else { throw .connectionRefused }
    guard !listener.isFull else {
      if !flags.contains(.nonBlocking) { listener.addWaiting(self) }
      throw .wouldBlock
    }
    guard state == .closed else { throw state == .established ? .socketIsConnected : .invalidArgument }
    let connection = try UnixSocket(type, flags: [], owner: listener.owner, domain: domain)
    connection.inheritOptions(of: listener)
    connection.isAccepted = false
    connection.name = listener.name
    connection.place = listener.place
    connection.state = .established
    connection.peer = self
    connection.peerOwner = caller.credentials
    state = .established
    peer = connection
    peerOwner = listener.peerOwner
    listener.connections.append(connection)
    if listener.timesInFlight > 0 { domain.inFlight.mayBeCyclic = true }
    if !queue.isEmpty { queue.wake(.sendable) }
    listener.queue.wakeOne(.readable)
  }

  /// Connects with what stands for a socket of the host.
  private func connect(toStandIn standIn: UnixSocket) {
    state = .established
    peer = standIn
    peerOwner = standIn.owner
    standIn.relay?.pump()
    if !queue.isEmpty { queue.wake([.output, .writeNormal, .writeBand]) }
  }

  func connectDatagrams(_ address: SocketAddress, _ caller: SocketCaller) throws(Errno) {
    var new: UnixSocket?
    if address != .unspecified {
      guard case .unix(let name) = address, name != .unnamed else { throw .invalidArgument }
      if wantsSender { try nameAutomatically() }
      let found: UnixSocket
      switch try find(address, caller) {
      case .socket(let socket): found = socket
      case .host(let file, let connector): found = try connector.connect(self, to: file, name: name)
      }
      guard found.peer == nil || found.peer === self else { throw .notPermitted }
      state = .established
      found.state = .established
      new = found
    }
    let old = peer
    peer = new
    guard let old else { return }
    if new == nil { state = .closed }
    if new !== old { disconnect(from: old) }
    queue.wake(.sendable)
  }

  /// It has lost its peer, and with it the messages that wait: a peer that was connected to it is told.
  func disconnect(from old: UnixSocket) {
    old.relay?.end()
    if !messages.isEmpty {
      PassedFiles.drop(removeFilesOfMessages())
      wakeSenders()
      if !old.isDead, old.peer === self {
        old.pendingError = .connectionReset
        old.queue.wake()
      }
    }
    old.state = .closed
  }
}
