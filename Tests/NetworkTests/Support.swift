import FileSystem
import LinuxABI
import Memory

@testable import Network

extension Socket {
  func receive(_ count: Int, _ flags: MessageFlags = []) throws(Errno) -> (bytes: [UInt8], message: ReceivedMessage) {
    var buffer = IOBuffer(collecting: count)
    let message = try receive(into: &buffer, flags)
    return (buffer.collected, message)
  }

  func send(_ bytes: [UInt8], files: [OpenFile] = [], sender: SocketCredentials? = nil) throws(Errno) -> Int {
    var buffer = IOBuffer(bytes: bytes)
    var message = OutgoingMessage(sender: sender ?? owner)
    message.files = files
    return try send(&buffer, message)
  }
}

let maker = SocketCredentials(process: ProcessID(rawValue: 2), uid: 7, gid: 8)

func makePair(_ type: SocketType, passed: PassedFiles = PassedFiles()) -> (PairSocket, PairSocket) {
  PairSocket.makePair(type, flags: [], owner: maker, passed: passed)
}
