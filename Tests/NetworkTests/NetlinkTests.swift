import FileSystem
import LinuxABI
import Memory
import TestSupport
import Testing

@testable import Network

@Suite struct NetlinkTests {
  private let services: TestServices
  private let stack: NetworkStack

  init() throws {
    services = try TestServices()
    stack = NetworkStack(
      services: services,
      interfaces: InterfaceTable(
        addresses: [.init(.v4(IPv4Address(rawValue: 0x0a83_6102)), prefix: 24)],
        gateways: [.v4(IPv4Address(rawValue: 0x0a83_6101))]))
  }

  private func open(_ netlink: NetlinkProtocol = .route) throws -> Socket {
    let owner = SocketCredentials(process: ProcessID(rawValue: 7), uid: 0, gid: 0)
    return try stack.makeSocket(
      .netlink, type: SocketType.raw.rawValue, protocolNumber: netlink.rawValue, flags: [], owner: owner)
  }

  /// Sends a request and returns the messages of all answers.
  private func ask(
    _ socket: Socket, _ type: UInt16, _ flags: NetlinkFlags, _ payload: [UInt8], privileged: Bool = true
  ) throws -> [NetlinkRequest] {
    var header = NetlinkHeader(type: type, flags: flags.union(.request), sequence: 5)
    header.length += UInt32(payload.count)
    var buffer = IOBuffer(bytes: header.bytes + payload)
    var message = OutgoingMessage(sender: socket.owner)
    if privileged { message.capabilities = .all }
    _ = try socket.send(&buffer, message)
    var result: [NetlinkRequest] = []
    while socket.readiness().contains(.input) {
      var answer = IOBuffer(collecting: 4096)
      let received = try socket.receive(into: &answer, [])
      #expect(received.source == .netlink(.kernel))
      result += NetlinkRequest.decode(answer.collected)
    }
    return result
  }

  private func error(of answers: [NetlinkRequest]) throws -> Int32? {
    let last = try #require(answers.last)
    return last.header.type == NetlinkHeader.errorType ? Int32(littleEndian: last.payload, at: 0) : nil
  }

  @Test func aDumpHasAllLinksAndItsEnd() throws {
    let socket = try open()
    let answers = try ask(socket, RouteMessage.getLink, .dump, LinkMessage().bytes)
    let names = answers.dropLast().map { $0.attributes(from: LinkMessage.size)[LinkMessage.Attribute.name] }
    #expect(names == [Array("lo\0".utf8), Array("eth0\0".utf8)])
    #expect(answers.last?.header.type == NetlinkHeader.doneType)
    #expect(answers.allSatisfy { $0.header.flags.contains(.multi) && $0.header.sequence == 5 })
  }

  @Test func oneLinkIsFoundByItsName() throws {
    let socket = try open()
    let name = Array("eth0\0\0\0\0".utf8)
    let attribute = UInt16(9).littleEndianBytes + LinkMessage.Attribute.name.littleEndianBytes + name
    let answers = try ask(socket, RouteMessage.getLink, [], LinkMessage().bytes + attribute)
    #expect(LinkMessage(try #require(answers.first).payload)?.index == 2)
    var wrong = LinkMessage()
    wrong.index = 9
    #expect(
      try error(of: ask(socket, RouteMessage.getLink, [], wrong.bytes)) == -Errno.operationNotSupportedByDevice.rawValue
    )
  }

  @Test func addressesAreFilteredByFamily() throws {
    let socket = try open()
    var asked = AddressMessage()
    #expect(try ask(socket, RouteMessage.getAddress, .dump, asked.bytes).count == 4)
    asked.family = UInt8(AddressFamily.inet6.rawValue)
    #expect(try ask(socket, RouteMessage.getAddress, .dump, asked.bytes).count == 2)
  }

  @Test func onlyAdministratorsChangeAddressesAndOnlyThoseOfTheLoopback() throws {
    let socket = try open()
    var asked = AddressMessage()
    (asked.family, asked.prefix, asked.index) = (UInt8(AddressFamily.inet.rawValue), 32, 1)
    let address = UInt16(8).littleEndianBytes + AddressMessage.Attribute.local.littleEndianBytes + [10, 9, 8, 7]
    func add(privileged: Bool) throws -> Int32? {
      try error(
        of: ask(
          socket, RouteMessage.newAddress, [.acknowledge, .create, .exclusive], asked.bytes + address,
          privileged: privileged))
    }
    let added = try #require(IPAddress("10.9.8.7"))
    #expect(try add(privileged: false) == -Errno.notPermitted.rawValue)
    #expect(!stack.interfaces.isLocal(added))
    #expect(try add(privileged: true) == 0)
    #expect(stack.interfaces.isLocal(added))
    #expect(try add(privileged: true) == -Errno.fileExists.rawValue)
    asked.index = 2
    #expect(try add(privileged: true) == -Errno.notSupportedOnSocket.rawValue)
  }

  @Test func routesLeadThroughTheGateway() throws {
    #expect(stack.interfaces.source(for: try #require(IPAddress("192.0.2.1"))) == IPAddress("10.131.97.2"))
    #expect(stack.interfaces.source(for: try #require(IPAddress("127.8.0.1"))) == IPAddress("127.8.0.1"))
    #expect(stack.interfaces.source(for: try #require(IPAddress("2001:db8::1"))) == nil)
    #expect(stack.interfaces.isLocal(try #require(IPAddress("::ffff:10.131.97.2"))))
  }

  @Test func namesAreTakenOnce() throws {
    let (first, second) = (try open(), try open())
    _ = try ask(first, RouteMessage.getLink, .dump, LinkMessage().bytes)
    _ = try ask(second, RouteMessage.getLink, .dump, LinkMessage().bytes)
    #expect(try first.localAddress() == .netlink(NetlinkAddress(port: 7)))
    #expect(try first.localAddress() != second.localAddress())
    first.close()
    let third = try open()
    _ = try ask(third, RouteMessage.getLink, .dump, LinkMessage().bytes)
    #expect(try third.localAddress() == .netlink(NetlinkAddress(port: 7)))
  }

  /// Whatever a program sends, every answer is well-formed, and there is a bound to what waits.
  @Test func garbageIsAnsweredAndBounded() throws {
    let socket = try open()
    var random = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      let payload = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      var header = NetlinkHeader(
        type: .random(in: 0...130, using: &random),
        flags: NetlinkFlags(rawValue: .random(in: 0...0x7ff)).union(.request))
      header.length = UInt32.random(in: 0...80, using: &random)
      var buffer = IOBuffer(bytes: header.bytes + payload)
      var message = OutgoingMessage(sender: socket.owner)
      message.capabilities = .all
      _ = try socket.send(&buffer, message)
    }
    var bytes = 0
    while socket.readiness().contains(.input) || socket.readiness().contains(.error) {
      var answer = IOBuffer(collecting: 1 << 18)
      do { bytes += try socket.receive(into: &answer, []).count } catch { #expect(error == .noBufferSpace) }
    }
    #expect(bytes < 1 << 20)
  }

  @Test func packetAndUnknownSocketsAreRefused() throws {
    let owner = SocketCredentials(process: ProcessID(rawValue: 7), uid: 0, gid: 0)
    func make(_ family: AddressFamily, _ type: SocketType, _ number: Int32) throws {
      _ = try stack.makeSocket(family, type: type.rawValue, protocolNumber: number, flags: [], owner: owner)
    }
    #expect(throws: Errno.addressFamilyNotSupported) { try make(.packet, .raw, 3) }
    #expect(throws: Errno.addressFamilyNotSupported) { try make(AddressFamily(rawValue: 40), .stream, 0) }
    #expect(throws: Errno.protocolNotSupported) { try make(.netlink, .raw, 16) }
    #expect(throws: Errno.socketTypeNotSupported) { try make(.netlink, .stream, 0) }
  }
}
