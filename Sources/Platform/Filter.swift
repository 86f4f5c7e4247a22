import CStub
import LinuxABI

/// A classic BPF program for seccomp(2), built with forward labels.
struct FilterProgram {
  /// `struct sock_filter`.
  private struct Instruction {
    var code: UInt16
    var whenTrue: UInt8 = 0
    var whenFalse: UInt8 = 0
    var operand: UInt32
  }

  private var instructions: [Instruction] = []
  private var labels: [(name: String, at: Int)] = []
  private var jumps: [(at: Int, label: String, whenTrue: Bool)] = []

  /// Loads a word of `struct seccomp_data`.
  mutating func load(_ field: Field) { append(.load, field.offset) }
  /// Keeps only these bits of what was loaded.
  mutating func mask(_ bits: UInt32) { append(.and, bits) }
  mutating func jump(ifEqual value: UInt32, to label: String) { jump(.jumpIfEqual, value, label, true) }
  mutating func jump(unlessEqual value: UInt32, to label: String) { jump(.jumpIfEqual, value, label, false) }
  mutating func jump(ifAtLeast value: UInt32, to label: String) { jump(.jumpIfAtLeast, value, label, true) }
  mutating func jump(ifBelow value: UInt32, to label: String) { jump(.jumpIfAtLeast, value, label, false) }
  mutating func jump(ifAnyBitOf value: UInt32, to label: String) { jump(.jumpIfAnyBit, value, label, true) }
  mutating func jump(ifEqual number: SyscallNumber, to label: String) {
    jump(ifEqual: UInt32(number.rawValue), to: label)
  }
  mutating func jump(ifEqual flags: CloneFlags, to label: String) {
    jump(ifEqual: UInt32(truncatingIfNeeded: flags.rawValue), to: label)
  }
  mutating func answer(_ answer: SeccompAnswer) { append(.answer, answer.rawValue) }
  mutating func label(_ name: String) { labels.append((name, instructions.count)) }

  enum Field {
    case number, architecture, instructionLow, instructionHigh
    /// The lower and the upper half of an argument.
    case argument(Int), argumentHigh(Int)
    var offset: UInt32 {
      switch self {
      case .number: 0
      case .architecture: 4
      case .instructionLow: 8
      case .instructionHigh: 12
      case .argument(let index): UInt32(16 + 8 * index)
      case .argumentHigh(let index): UInt32(20 + 8 * index)
      }
    }
  }

  private mutating func append(_ code: FilterInstruction, _ operand: UInt32) {
    instructions.append(Instruction(code: code.rawValue, operand: operand))
  }

  private mutating func jump(_ code: FilterInstruction, _ operand: UInt32, _ label: String, _ whenTrue: Bool) {
    jumps.append((instructions.count, label, whenTrue))
    append(code, operand)
  }

  /// The program as the kernel reads it: 8 bytes for each instruction.
  var encoded: [UInt64] {
    var result = instructions
    for jump in jumps {
      let distance = UInt8(clamping: (labels.first { $0.name == jump.label }?.at ?? 0) - jump.at - 1)
      if jump.whenTrue { result[jump.at].whenTrue = distance } else { result[jump.at].whenFalse = distance }
    }
    return result.map {
      UInt64($0.code) | UInt64($0.whenTrue) << 16 | UInt64($0.whenFalse) << 24 | UInt64($0.operand) << 32
    }
  }
}

extension FilterProgram {
  private static let allMemory: [SyscallNumber] = [.munmap, .mprotect, .madvise, .write, .exit_group]

  /// The filter of guest threads. In strict mode a thread may wait, wake, return from its handler and set its signal
  /// stack (which it can with a return, too), and only from within the stub; everything else traps. A trusted thread may
  /// also run memory operations there.
  static func guest(codeLength: UInt64, hasFSGSBase: Bool, trusted: Bool) -> FilterProgram {
    var program = FilterProgram()
    program.load(.architecture)
    program.jump(unlessEqual: SyscallArchitecture.x86_64, to: "trap")
    program.load(.number)
    program.jump(ifEqual: .futex, to: "futex")
    program.jump(ifEqual: .rt_sigreturn, to: "stub")
    program.jump(ifEqual: .sigaltstack, to: "stub")
    if !hasFSGSBase { program.jump(ifEqual: .arch_prctl, to: "bases") }
    if trusted {
      for number in allMemory { program.jump(ifEqual: number, to: "stub") }
      program.jump(ifEqual: .mmap, to: "mmap")
    }
    program.answer(.trap)
    program.label("futex")
    program.boundFutex(to: "stub")
    if !hasFSGSBase {
      program.label("bases")
      program.load(.argument(0))
      for code in [ArchPrctlCode.setGS, .setFS, .getFS, .getGS] {
        program.jump(ifEqual: UInt32(code.rawValue), to: "stub")
      }
      program.answer(.trap)
    }
    if trusted {
      program.label("mmap")
      program.load(.argument(3))
      program.jump(ifAnyBitOf: MapFlags.fixed.rawValue, to: "stub")
      program.answer(.trap)
    }
    program.label("stub")
    program.allowInStub(codeLength: codeLength)
    return program
  }

  /// The filter of the zygote and the agents, which guest threads inherit below their own.
  static func agent(codeLength: UInt64) -> FilterProgram {
    var program = FilterProgram()
    program.load(.architecture)
    program.jump(unlessEqual: SyscallArchitecture.x86_64, to: "trap")
    program.load(.instructionHigh)
    program.jump(unlessEqual: UInt32(Stub.base >> 32), to: "trap")
    program.load(.instructionLow)
    let low = UInt32(truncatingIfNeeded: Stub.base)
    program.jump(ifBelow: low, to: "trap")
    program.jump(ifAtLeast: low &+ UInt32(truncatingIfNeeded: codeLength), to: "trap")
    program.load(.number)
    let plain: [SyscallNumber] =
      [.futex, .rt_sigreturn] + allMemory + [
        .close_range, .sigaltstack, .seccomp, .gettid, .getppid, .arch_prctl, .recvmsg, .dup3, .close,
      ]
    for number in plain { program.jump(ifEqual: number, to: "allow") }
    program.jump(ifEqual: .mmap, to: "mmap")
    program.jump(ifEqual: .clone, to: "clone")
    program.jump(ifEqual: .prctl, to: "prctl")
    program.answer(.trap)
    program.label("mmap")
    program.load(.argument(3))
    program.jump(ifAnyBitOf: MapFlags.fixed.rawValue, to: "allow")
    program.answer(.trap)
    program.label("clone")
    program.load(.argument(0))
    // A process of a guest, and a thread of one.
    program.jump(ifEqual: [.parent, .files], to: "allow")
    program.jump(ifEqual: [.vm, .fs, .files, .signalHandlers, .thread, .sysVSemaphores], to: "allow")
    program.answer(.trap)
    program.label("prctl")
    program.load(.argument(0))
    program.jump(ifEqual: UInt32(PrctlOption.setParentDeathSignal.rawValue), to: "allow")
    program.label("trap")
    program.answer(.trap)
    program.label("allow")
    program.answer(.allow)
    return program
  }

  /// Goes on at a label for the two futex(2) calls that a guest thread makes, and traps for every other: it sleeps as a
  /// guest on the state word of one of its process's contexts, without a time limit, or wakes one CPU thread that sleeps
  /// there. So it can take no wake-up that is meant for its agent, for Apus or for another process of the host.
  private mutating func boundFutex(to label: String) {
    let end = Stub.contexts + UInt64(Stub.threadLimit * Stub.contextSize)
    load(.argumentHigh(0))
    jump(unlessEqual: UInt32(Stub.contexts >> 32), to: "trap")
    load(.argument(0))
    jump(ifBelow: UInt32(truncatingIfNeeded: Stub.contexts), to: "trap")
    jump(ifAtLeast: UInt32(truncatingIfNeeded: end), to: "trap")
    mask(UInt32(Stub.contextSize - 1))
    jump(unlessEqual: UInt32(Stub.headerOffset) + UInt32(STUB_HEADER_STATE), to: "trap")
    load(.argument(1))
    jump(ifEqual: FutexOperation.waitBitset.rawValue, to: "wait")
    jump(unlessEqual: FutexOperation.wakeBitset.rawValue, to: "trap")
    load(.argument(2))
    jump(unlessEqual: 1, to: "trap")
    load(.argument(5))
    jump(ifEqual: Stub.wakeApus, to: label)
    answer(.trap)
    self.label("wait")
    load(.argument(5))
    jump(unlessEqual: Stub.wakeGuest, to: "trap")
    load(.argument(3))
    jump(unlessEqual: 0, to: "trap")
    load(.argumentHigh(3))
    jump(ifEqual: 0, to: label)
    answer(.trap)
  }

  private mutating func allowInStub(codeLength: UInt64) {
    let low = UInt32(truncatingIfNeeded: Stub.base)
    load(.instructionHigh)
    jump(unlessEqual: UInt32(Stub.base >> 32), to: "trap")
    load(.instructionLow)
    jump(ifBelow: low, to: "trap")
    jump(ifAtLeast: low &+ UInt32(truncatingIfNeeded: codeLength), to: "trap")
    answer(.allow)
    label("trap")
    answer(.trap)
  }
}
