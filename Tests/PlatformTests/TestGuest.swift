import Dispatch
import Host
import LinuxABI

@testable import Platform

/// The ways a platform can be set up; every test runs with each.
struct Setup: Sendable, CustomStringConvertible {
  var kind: PlatformKind
  var trusted: Bool

  var description: String { kind == .ptrace ? "ptrace" : trusted ? "trusted" : "strict" }
  static let all = [
    Setup(kind: .seccomp, trusted: false), Setup(kind: .seccomp, trusted: true),
    Setup(kind: .ptrace, trusted: false),
  ]
}

/// A platform with some physical memory that a test fills by hand.
///
/// Every process gets a page of code at `code`, a page of data at `data` and a page of stack below `stackTop`.
@safe final class TestGuest: @unchecked Sendable {
  static let code: UInt64 = 0x40_0000
  static let data: UInt64 = 0x50_0000
  static let stackTop: UInt64 = 0x60_1000
  static let codeOffset: UInt64 = 0
  static let dataOffset: UInt64 = 0x1000
  static let stackOffset: UInt64 = 0x2000

  let platform: any Platform
  let memory: SharedMapping
  private let file: FileDescriptor
  private let helpers = DispatchGroup()

  init(_ setup: Setup, gracePeriod: UInt64 = 2_000_000_000, code: [UInt8]) throws {
    file = try Host.makeMemoryFile(name: "test-memory", size: 64 << 20)
    memory = try Host.mapShared(file, length: 64 << 20)
    platform = try makePlatform(
      PlatformConfiguration(
        kind: setup.kind, trusted: setup.trusted, physicalMemory: file, gracePeriod: gracePeriod))
    write(code, at: Int(TestGuest.codeOffset))
  }

  deinit {
    helpers.wait()
    platform.shutdown()
    memory.unmap()
    Host.close(file)
  }

  /// Starts a thread that helps the test. What belongs to the platform stays until it has ended.
  func startThread(_ body: @escaping @Sendable () -> Void) throws {
    helpers.enter()
    do {
      try Host.startThread { [helpers] in
        body()
        helpers.leave()
      }
    } catch {
      helpers.leave()
      throw error
    }
  }

  func write(_ bytes: [UInt8], at offset: Int) {
    for (index, byte) in bytes.enumerated() {
      unsafe memory.base.storeBytes(of: byte, toByteOffset: offset + index, as: UInt8.self)
    }
  }

  func read<T: BitwiseCopyable>(_ offset: Int, as type: T.Type = T.self) -> T {
    unsafe memory.base.loadUnaligned(fromByteOffset: offset, as: type)
  }

  /// A process with the usual mappings.
  func makeProcess() throws -> any GuestProcess {
    let process = try platform.makeProcess()
    map(into: process)
    return process
  }

  func map(into process: any GuestProcess) {
    process.queue(
      .mapPhysical(
        address: GuestAddress(TestGuest.code), length: 4096, offset: TestGuest.codeOffset,
        protection: [.read, .execute],
        populate: false))
    process.queue(
      .mapPhysical(
        address: GuestAddress(TestGuest.data), length: 4096, offset: TestGuest.dataOffset, protection: [.read, .write],
        populate: false))
    process.queue(
      .mapPhysical(
        address: GuestAddress(TestGuest.stackTop - 4096), length: 4096, offset: TestGuest.stackOffset,
        protection: [.read, .write], populate: false))
  }

  /// Registers of a thread that starts at the code's first byte.
  static var start: Registers {
    var registers = Registers()
    registers.rip = code
    registers.rsp = stackTop
    return registers
  }
}

/// Machine code, put together by instruction.
struct Code {
  private(set) var bytes: [UInt8] = []

  mutating func append(_ more: UInt8...) { bytes += more }
  /// `mov r64, imm64`; registers are numbered as in the instruction: rax rcx rdx rbx rsp rbp rsi rdi r8….
  mutating func move(_ register: UInt8, _ value: UInt64) {
    bytes += [0x48 | register >> 3, 0xb8 | register & 7]
    for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift * 8))) }
  }
  mutating func syscall() { append(0x0f, 0x05) }
  /// `jmp` to an offset of the code.
  mutating func jump(to offset: Int) {
    let distance = Int32(offset - bytes.count - 5)
    append(0xe9)
    for shift in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: distance >> Int32(shift * 8))) }
  }
  /// `jmp` to itself.
  mutating func spin() { append(0xeb, 0xfe) }

  static func make(_ build: (inout Code) -> Void) -> [UInt8] {
    var code = Code()
    build(&code)
    return code.bytes
  }
}
