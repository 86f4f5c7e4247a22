import FileSystem
import LinuxABI
import Memory
import Network

/// The requests of netdevice(7), which every socket takes.
extension Syscalls {
  static func interfaceControl(_ task: Task, _ request: InterfaceRequest, _ argument: GuestAddress) throws(Errno) {
    let table = task.kernel.network.interfaces
    if request == .getConfiguration { return try listInterfaces(task, table, argument) }
    let bytes = try task.memory.readArray(argument, count: InterfaceRequestBlock.size, as: UInt8.self)
    var block = InterfaceRequestBlock(bytes)
    if request.isChange, !task.credentials.has(.netAdmin) { throw .notPermitted }
    try table.answer(request, &block)
    try task.memory.write(argument, block.bytes)
  }

  /// `SIOCGIFCONF`: a block for each address of version 4, as many as there is room for (`struct ifconf`).
  private static func listInterfaces(_ task: Task, _ table: InterfaceTable, _ argument: GuestAddress) throws(Errno) {
    let room = try task.memory.readValue(argument, as: Int32.self)
    let address = try task.memory.readValue(argument &+ 8, as: GuestAddress.self)
    var bytes = table.configuration.flatMap(\.bytes)
    if !address.isNull {
      guard room >= 0 else { throw .invalidArgument }
      let fitting = Int(room) / InterfaceRequestBlock.size * InterfaceRequestBlock.size
      bytes = Array(bytes.prefix(fitting))
      try task.memory.write(address, bytes)
    }
    try task.memory.writeValue(argument, Int32(clamping: bytes.count))
  }
}
