import CStub
import Host
import LinuxABI

/// The context of one guest thread: its signal stack and, at its end, the header that the stub and Apus share.
///
/// Guest code can write all of it at any time. Whatever is read from here is read once, and checked.
@safe struct Context: @unchecked Sendable {
  /// Where Apus has it mapped.
  private let memory: UnsafeMutableRawPointer
  /// Where the guest process has it mapped.
  let address: UInt64
  /// Its number in the contexts file.
  let number: Int

  init(in mapping: SharedMapping, number: Int, index: Int) {
    unsafe memory = mapping.base + number * Stub.contextSize
    address = Stub.contexts + UInt64(index * Stub.contextSize)
    self.number = number
  }

  var fileOffset: UInt64 { UInt64(number * Stub.contextSize) }
  var headerAddress: UInt64 { address + UInt64(Stub.headerOffset) }
  @inline(__always) var state: SharedWord { unsafe SharedWord(memory + Stub.headerOffset) }

  /// The word that a CPU thread waits on while the agent works, where it does not wait for the next trap.
  var flushWord: SharedWord { unsafe SharedWord(memory + Stub.headerOffset + Int(STUB_HEADER_FLUSH)) }

  /// Reads a value at an offset into the context, which the caller has checked.
  @inline(__always) func load<T: BitwiseCopyable>(_ offset: Int, as type: T.Type = T.self) -> T {
    unsafe memory.loadUnaligned(fromByteOffset: offset, as: type)
  }
  @inline(__always) func store<T: BitwiseCopyable>(_ value: T, at offset: Int) {
    unsafe memory.storeBytes(of: value, toByteOffset: offset, as: T.self)
  }
  @inline(__always) func header<T: BitwiseCopyable>(_ offset: Int32, as type: T.Type = T.self) -> T {
    load(Stub.headerOffset + Int(offset), as: type)
  }
  @inline(__always) func setHeader<T: BitwiseCopyable>(_ offset: Int32, to value: T) {
    store(value, at: Stub.headerOffset + Int(offset))
  }

  /// `struct sigcontext` up to `eflags`: the first 18 fields of `Registers`, in its order.
  private typealias RegisterBlock = (
    UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
    UInt64, UInt64, UInt64, UInt64
  )

  /// Reads the registers that are stored at an offset, and the segment bases in the header.
  @inline(__always) func loadRegisters(_ offset: Int, into registers: inout Registers) {
    let block: RegisterBlock = load(offset)
    registers.r8 = block.0
    registers.r9 = block.1
    registers.r10 = block.2
    registers.r11 = block.3
    registers.r12 = block.4
    registers.r13 = block.5
    registers.r14 = block.6
    registers.r15 = block.7
    registers.rdi = block.8
    registers.rsi = block.9
    registers.rbp = block.10
    registers.rbx = block.11
    registers.rdx = block.12
    registers.rax = block.13
    registers.rcx = block.14
    registers.rsp = block.15
    registers.rip = block.16
    registers.rflags = block.17
    registers.fsBase = header(STUB_HEADER_FS_BASE)
    let base: UInt64 = header(STUB_HEADER_GS_BASE)
    registers.gsBase = base == headerAddress ? 0 : base
  }

  /// The inverse, but for the segment bases.
  @inline(__always) func storeRegisters(_ registers: Registers, at offset: Int) {
    let block: RegisterBlock = (
      registers.r8, registers.r9, registers.r10, registers.r11, registers.r12, registers.r13, registers.r14,
      registers.r15, registers.rdi, registers.rsi, registers.rbp, registers.rbx, registers.rdx, registers.rax,
      registers.rcx, registers.rsp, registers.rip, registers.runnableFlags
    )
    store(block, at: offset)
  }

  /// Copies bytes out; the range is cut to the context.
  func bytes(_ range: Range<Int>) -> [UInt8] {
    let range = range.clamped(to: 0..<Stub.contextSize)
    return unsafe [UInt8](UnsafeRawBufferPointer(start: memory + range.lowerBound, count: range.count))
  }

  /// Copies bytes in; nothing happens if they do not fit below the header.
  func write(_ bytes: [UInt8], at offset: Int) {
    guard offset >= 0, offset <= Stub.headerOffset - bytes.count else { return }
    unsafe bytes.withUnsafeBytes { source in
      unsafe UnsafeMutableRawBufferPointer(start: memory + offset, count: source.count).copyMemory(from: source)
    }
  }

  /// Clears the signal stack from an offset up, and the header but for the state word.
  func clear(from offset: Int) {
    let start = min(max(offset, 0), Stub.headerOffset)
    unsafe (memory + start).initializeMemory(as: UInt8.self, repeating: 0, count: Stub.headerOffset - start)
    unsafe (memory + Stub.headerOffset + 4).initializeMemory(
      as: UInt8.self, repeating: 0, count: Int(STUB_CONTEXT_HEADER_SIZE) - 4)
  }

  /// Fills in what a new thread needs before it starts: its signal stack.
  ///
  /// - Parameter isReused: the thread has run another guest, which may have changed its signal stack.
  func prepareHeader(isReused: Bool = false) {
    setHeader(STUB_HEADER_TID, to: UInt32(0))
    setHeader(STUB_HEADER_FRESH, to: UInt32(isReused ? 1 : 0))
    setHeader(STUB_HEADER_SELF, to: headerAddress)
    setHeader(STUB_HEADER_STACK, to: address)
    setHeader(STUB_HEADER_STACK + 8, to: UInt64(0))
    setHeader(STUB_HEADER_STACK + 16, to: UInt64(STUB_CONTEXT_STACK_SIZE))
  }
}
