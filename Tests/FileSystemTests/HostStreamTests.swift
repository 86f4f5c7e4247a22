import Host
import LinuxABI
import Memory
import TestSupport
import Testing

@testable import FileSystem

@Suite struct HostStreamTests {
  let services: TestServices
  init() throws { services = try TestServices() }

  @Test func pipesOfTheCallerNeitherBlockNorBecomeNonBlocking() throws {
    let ends = try FileDescriptor.pipe()
    defer {
      try? ends.readEnd.close()
      try? ends.writeEnd.close()
    }
    let input = try HostStream(ends.readEnd, terminal: nil, services: services)
    let output = try HostStream(ends.writeEnd, terminal: nil, services: services)
    #expect(throws: Errno.wouldBlock) { try input.read(10) }
    #expect(input.readiness() == [])
    input.prepareToWait(for: .readable)
    #expect(services.watched.contains { $0.events.contains(.input) })
    #expect(try output.write([1, 2, 3]) == 3)
    #expect(input.readiness().contains(.input))
    #expect(try input.read(10) == [1, 2, 3])
    // A full pipe takes a part, then nothing.
    #expect(try output.write([UInt8](repeating: 7, count: 100_000)) == 65536)
    #expect(throws: Errno.wouldBlock) { try output.write([1]) }
    #expect(!output.readiness().contains(.output))
    for descriptor in [ends.readEnd, ends.writeEnd] {
      #expect(try !Host.Stream.statusFlags(of: descriptor).contains(.nonBlocking))
    }
    #expect(throws: Errno.badFileDescriptor) { try input.write([1]) }
    #expect(throws: Errno.illegalSeek) { try input.seek(to: 0, whence: .start) }
    input.close()
    output.close()
    #expect(services.watched.isEmpty)
  }

  @Test func endOfFileAndBrokenPipe() throws {
    let ends = try FileDescriptor.pipe()
    let input = try HostStream(ends.readEnd, terminal: nil, ownsDescriptor: true, services: services)
    try ends.writeEnd.close()
    #expect(input.readiness().contains(.hangUp))
    #expect(try input.read(1) == [])
    input.close()
  }

  @Test func devicesThatNeverBlockHaveNoQueue() throws {
    let null = try Host.open(at: nil, Array("/dev/null".utf8), .readWrite)
    let stream = try HostStream(null, terminal: nil, ownsDescriptor: true, services: services)
    #expect(stream.waitQueue == nil)
    #expect(!stream.isPollable)
    #expect(try stream.read(1) == [])
    #expect(try stream.write([1, 2]) == 2)
    stream.close()
  }
}
