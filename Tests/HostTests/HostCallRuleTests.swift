import Foundation
import LinuxABI
import Testing

@testable import Host

/// The table of what Apus may ask of the host.
@Suite struct HostCallRuleTests {
  private static let rules = HostCallRule.whileGuestsRun(process: 1, preemptSignal: .usr1, network: .outward)

  /// The names in `call(.name, …)` and `result(.name, …)` in the sources of `Host`.
  private static func callsInSources() throws -> Set<String> {
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Sources/Host").standardizedFileURL
    let pattern = try NSRegularExpression(
      pattern: #"\b(?:call|result|vectorCall)\(\s*((?:[^()]*\?\s*)?\.\w+(?:\s*:\s*\.\w+)?)"#)
    var names: Set<String> = []
    let files = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
    while let file = files?.nextObject() as? URL {
      guard file.pathExtension == "swift" else { continue }
      let text = try String(contentsOf: file, encoding: .utf8)
      #expect(file.lastPathComponent == "Syscall.swift" || !text.contains("apus_syscall("), "\(file.path)")
      for match in pattern.matches(in: text, range: NSRange(text.startIndex..., in: text)) {
        guard let range = Range(match.range(at: 1), in: text) else { continue }
        for word in text[range].matches(of: /\.(\w+)/) { names.insert(String(word.1)) }
      }
    }
    return names
  }

  /// Each call of `Host` has a line.
  @Test func everyCallHasItsLine() throws {
    let known = Set(Self.rules.map { "\($0.call)" }).union(HostCallRule.beforeGuestsRun.map { "\($0)" })
    let made = try Self.callsInSources()
    #expect(made.count > 50)
    #expect(made.subtracting(known).sorted() == [])
  }

  /// Without a network nothing makes a socket, gives it a name or a peer, or takes a connection; with published ports
  /// alone, connections are taken and nothing else.
  @Test func socketsAreForNetworksAlone() {
    func calls(_ network: ConfinedNetwork) -> Set<SyscallNumber> {
      Set(HostCallRule.whileGuestsRun(process: 1, preemptSignal: .usr1, network: network).map(\.call))
    }
    let outward: Set<SyscallNumber> = [.socket, .connect, .bind, .listen]
    let ofConnections: Set<SyscallNumber> = [.accept, .accept4, .recvmsg, .shutdown, .socketpair, .setsockopt]
    #expect(calls(.none).isDisjoint(with: outward.union(ofConnections)))
    #expect(calls(.published).isDisjoint(with: outward))
    #expect(calls(.published).contains(.accept4))
    #expect(calls(.outward).isSuperset(of: outward))
  }

  /// Where guests connect to sockets of the host in volumes, UNIX sockets are made, and no others.
  @Test func volumesWithSocketsNeedUnixSocketsAlone() {
    let rules = HostCallRule.whileGuestsRun(process: 1, preemptSignal: .usr1, connectsSockets: true)
    let filter = BPFProgram(HostCallFilter(rules).code)
    func isAllowed(_ call: SyscallNumber, _ arguments: UInt64...) -> Bool {
      let all = arguments + [UInt64](repeating: 0, count: 6 - arguments.count)
      return filter.answer(to: UInt32(call.rawValue), all)?.value == 0x7fff_0000
    }
    #expect(isAllowed(.socket, 1, 0x80801))
    for family in [2, 10, 16, 17, 40] as [UInt64] { #expect(!isAllowed(.socket, family, 0x80801), "\(family)") }
    #expect(!isAllowed(.socket, 1, 1))
    for call in [SyscallNumber.bind, .listen, .accept4, .setsockopt, .socketpair, .recvmsg] {
      #expect(!isAllowed(call), "\(call)")
    }
  }

  /// Options whose values are addresses of memory, or descriptors, would mean those of Apus.
  @Test func optionsHoldNoAddresses() {
    // SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF and _EBPF, SO_PEERSEC.
    for number in [26, 27, 31, 50, 51, 52] as [Int32] {
      #expect(!HostSocketOptions.settable.contains(SocketOption(.socket, number)))
    }
    // TCP_MD5SIG, TCP_REPAIR and its relatives, TCP_ULP, TCP_ZEROCOPY_RECEIVE.
    for number in [14, 19, 20, 21, 22, 29, 31, 35] as [Int32] {
      #expect(!HostSocketOptions.settable.contains(SocketOption(.tcp, number)))
    }
    #expect(!HostSocketOptions.settable.contains { $0.level == .ip && (64...96).contains($0.number) })
  }

  /// Jumps of a classic BPF program reach 255 instructions.
  @Test func blocksAreShort() {
    for rule in Self.rules { #expect(HostCallFilter([rule]).code.count < 128, "\(rule.call)") }
    #expect(HostCallFilter(Self.rules).code.count < 4096)
  }

  /// The answer to a call, for all numbers and what the table tells apart of their arguments, is that of the table read
  /// line by line.
  @Test func filterAnswersAsTheTableHasIt() {
    let filter = BPFProgram(HostCallFilter(Self.rules).code)
    let values: [UInt64] = [
      0, 1, 2, 3, 4, 7, 9, 10, 15, 36, 0x80, 0x81, 0x180, 0x1000, 0x10100, 0o4000, 0o2000, 0o010644, 0o060644, 0x5401,
      0x5413, 5, 6, 16, 17, 41, 49, 103, 105, 0x80801, 0x80802, 0xffff_ff9c, 0xffff_ffff_ffff_ff9c, 1 << 32, 1030,
    ]
    var allowed: Set<Int> = []
    for number in Array(0...520) + [1 << 30, 0x4000_0000 | 257, 0xffff_ffff] {
      for value in values {
        for place in 0...6 {
          // One argument of that value, the others one that rules allow, or (6) all of that value.
          let arguments = (0..<6).map { $0 == place || place == 6 ? value : 0 }
          let expected = Self.answer(to: UInt32(number), arguments)
          if expected == 0x7fff_0000 { allowed.insert(number) }
          let answer = filter.answer(to: UInt32(number), arguments)
          #expect(answer?.value == expected, "\(number) \(arguments)")
          #expect((answer?.steps ?? .max) < 48, "\(number)")
        }
      }
    }
    #expect(allowed.count > 60)
    #expect(filter.answer(to: 0, [0, 0, 0, 0, 0, 0], architecture: 0x4000_0003)?.value == 0x0005_0001)
  }

  /// What `SECCOMP_RET_*` a call gets by the rules.
  private static func answer(to number: UInt32, _ arguments: [UInt64]) -> UInt32 {
    if number == 435 { return 0x0005_0000 | 38 }
    func holds(_ condition: HostCallRule.Condition) -> Bool {
      func low(_ argument: Int) -> UInt32 { UInt32(truncatingIfNeeded: arguments[argument]) }
      switch condition {
      case .isOne(let argument, let values, let ignored): return values.contains(low(argument) & ~ignored)
      case .isWithin(let argument, let ranges): return ranges.contains { $0.contains(low(argument)) }
      case .hasNone(let argument, let bits): return low(argument) & bits == 0
      case .hasAll(let argument, let bits): return low(argument) & bits == bits
      case .isNull(let argument): return arguments[argument] == 0
      case .isHeld(let argument): return Int32(bitPattern: low(argument)) != -100
      }
    }
    let isAllowed = rules.contains { UInt32($0.call.rawValue) == number && $0.conditions.allSatisfy(holds) }
    return isAllowed ? 0x7fff_0000 : 0x0005_0001
  }
}

/// Runs a classic BPF program on `struct seccomp_data`, as far as filters use it.
private struct BPFProgram {
  private let code: [UInt64]
  init(_ code: [UInt64]) { self.code = code }

  func answer(
    to number: UInt32, _ arguments: [UInt64], architecture: UInt32 = 0xc000_003e
  ) -> (value: UInt32, steps: Int)? {
    var data: [UInt32] = [number, architecture, 0, 0]
    for argument in arguments { data += [UInt32(truncatingIfNeeded: argument), UInt32(argument >> 32)] }
    var accumulator: UInt32 = 0
    var next = 0
    var steps = 0
    while next < code.count {
      let instruction = code[next]
      let operand = UInt32(instruction >> 32)
      let (whenTrue, whenFalse) = (Int(instruction >> 16 & 0xff), Int(instruction >> 24 & 0xff))
      next += 1
      steps += 1
      switch instruction & 0xffff {
      case 0x20: accumulator = data[Int(operand) / 4]
      case 0x54: accumulator &= operand
      case 0x05: next += Int(operand)
      case 0x15: next += accumulator == operand ? whenTrue : whenFalse
      case 0x35: next += accumulator >= operand ? whenTrue : whenFalse
      case 0x45: next += accumulator & operand != 0 ? whenTrue : whenFalse
      case 0x06: return (operand, steps)
      default: return nil
      }
    }
    return nil
  }
}
