// The target Platform: how guest code is run. This file is the contract with what is above; below it are the zygote,
// the host processes of guests, and the two ways of getting at their traps, seccomp and ptrace.
//
// It uses Host, LinuxABI and CStub. What must hold: the invariants of strict mode (Documentation/architecture.md).
// In short: what guests can write is read once and checked; they can't reach what steers their agent; nothing waits
// for one of them with a lock held; how long one is waited for is counted in its own CPU time.

import Host
import LinuxABI

/// Why a guest thread stopped.
package enum Trap: Sendable, Equatable {
  /// A `syscall` instruction; number and arguments are in the registers.
  case syscall
  /// A call through another entry (`int 0x80`, x32): never executed, to be answered by the kernel.
  case foreignSyscall
  /// A jump to the vsyscall page; `rip` is the address of the entry.
  case vsyscall
  /// A hardware exception.
  case fault(Fault)
  /// The thread was interrupted by `preempt()`.
  case preempted
  /// The host process is gone (killed from outside, or by the platform for breaking its rules).
  case died(reason: DeathReason)

  package enum DeathReason: Sendable, Equatable {
    /// From outside, or by Apus because its guest is over.
    case killed
    /// A thread did not answer a preemption, by the host's account of what it did instead.
    case unresponsive
    /// The host refused a memory operation or a new thread.
    case memoryOperationFailed
    /// A thread claimed what cannot be.
    case protocolViolation
  }
}

/// A hardware exception, as the signal frame describes it (sigaction(2), `siginfo_t` and `mcontext`).
package struct Fault: Sendable, Equatable {
  /// SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGTRAP.
  package var signal: Signal
  /// `si_code`.
  package var code: Int32
  /// `si_addr`; for page faults the faulting address (`cr2`).
  package var address: GuestAddress
  package var trapNumber: ProcessorException
  /// The error code of the exception; a `PageFaultErrorCode` for page faults.
  package var errorCode: UInt64
  package init(signal: Signal, code: Int32, address: GuestAddress, trapNumber: ProcessorException, errorCode: UInt64) {
    self.signal = signal
    self.code = code
    self.address = address
    self.trapNumber = trapNumber
    self.errorCode = errorCode
  }
}

/// Host page protection of a mapping.
public struct HostProtection: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let read = HostProtection(rawValue: 1)
  public static let write = HostProtection(rawValue: 2)
  public static let execute = HostProtection(rawValue: 4)
}

/// A host file the platform's guest processes can map, made by `Platform.register(file:)`.
package struct MappableFile: Hashable, Sendable, BitwiseCopyable {
  /// The descriptor number in the agents' descriptor table.
  package let number: Int32
  package init(number: Int32) { self.number = number }
}

/// One change to the host address space of a guest process. Addresses and lengths are in bytes, page-aligned.
package enum MemoryOperation: Sendable, Equatable {
  /// Maps `length` bytes of physical memory from `offset` (shared mapping of the physical memory file).
  case mapPhysical(address: GuestAddress, length: UInt64, offset: UInt64, protection: HostProtection, populate: Bool)
  /// Maps part of a host file privately.
  case mapFile(address: GuestAddress, length: UInt64, file: MappableFile, offset: UInt64, protection: HostProtection)
  /// Maps part of a host file shared (writes reach the host file, where the descriptor allows).
  case mapFileShared(
    address: GuestAddress, length: UInt64, file: MappableFile, offset: UInt64, protection: HostProtection)
  case unmap(address: GuestAddress, length: UInt64)
  case protect(address: GuestAddress, length: UInt64, protection: HostProtection)
}

/// Runs guest code. One object for each sandbox; the kernel and memory layers see only this protocol.
///
/// Methods are called with the kernel lock held unless they say otherwise.
package protocol Platform: AnyObject, Sendable {
  /// Number of host mappings that one guest process may have.
  var mappingLimit: Int { get }
  /// Where rewritten text goes to make a system call without a signal, with the address of what follows in `rcx`; nil where
  /// there is no such way.
  var callEntry: GuestAddress? { get }
  /// The vDSO's code in every guest process, as Apus has it too; nil where there is none.
  var vdsoImage: VDSOImage? { get }
  /// Takes an empty guest process from the pool, or makes one.
  /// - Throws: `EAGAIN` where the host refuses another process.
  func makeProcess() throws(Errno) -> any GuestProcess
  /// Guest threads must always be run by the same CPU thread (the tracer of a ptrace platform).
  var threadsAreBoundToCPUThreads: Bool { get }
  /// Makes a host file mappable in every guest process of this sandbox. The caller may close its own descriptor.
  func register(file: FileDescriptor) throws(Errno) -> MappableFile
  /// Forgets a registered file. Existing mappings of it stay.
  func unregister(_ file: MappableFile)
  /// Unmapped physical frames may be reused only once this has confirmed: returns the highest release ticket up to
  /// which *all* unmap operations are known to be done (see `GuestProcess.releaseTicket`).
  func confirmedRelease(of process: any GuestProcess) -> UInt64
  /// A snapshot of the platform's counters.
  var statistics: PlatformStatistics { get }
  /// Starts to look for guest threads that run although they have reported a trap. To be called once, soon after guests
  /// first run; needs no lock.
  func startAuditing()
  /// Ends every guest process and the zygote, and waits for them.
  func shutdown()
}

/// What `--stats` reports of a platform.
package struct PlatformStatistics: Sendable {
  package var processesCreated = 0
  package var processesReused = 0
  package var flushes = 0
  package var memoryOperations = 0
  /// Changes between guest threads, Apus and agents.
  package var contextSwitches = 0
  /// Those among them that page faults took.
  package var pageFaultSwitches = 0
  package var threadsCreated = 0
  package var threadsReused = 0
  package init() {}
}

/// The vDSO's code: the same bytes in guest processes and in Apus.
@safe package struct VDSOImage: @unchecked Sendable {
  /// Address in guest processes.
  package let address: GuestAddress
  /// The bytes in Apus, which are never unmapped.
  package let bytes: UnsafeRawBufferPointer
}

/// A host process that holds the address space of one guest process.
package protocol GuestProcess: AnyObject, Sendable {
  /// Host process id.
  var hostPID: Int32 { get }
  /// Becomes readable when the host process has ended (a pidfd).
  var deathDescriptor: FileDescriptor { get }
  /// True once the host process is known to be dead.
  var isDead: Bool { get }
  /// Why it is dead, once it is.
  var deathReason: Trap.DeathReason { get }
  /// Called by the interrupt thread when `deathDescriptor` is readable; wakes any thread inside `GuestThread.run`.
  /// Needs no lock.
  func noteDeath()
  /// Queues a memory operation. It is executed, in order, before any thread of this process runs again. Adjacent
  /// compatible operations are merged.
  func queue(_ operation: MemoryOperation)
  /// Has the agent (or the next thread to run) tell when all operations queued so far are done; returns the ticket
  /// that `Platform.confirmedRelease` will reach.
  func releaseTicket() -> UInt64
  /// Has the agent execute what is queued without waiting for a thread to run, so that unmapped frames come free
  /// under memory pressure. Does nothing where that would not be safe now.
  func flush()
  /// Makes a thread. It runs from `registers` with the extended state of `parent`, or the initial state.
  /// - Throws: `EAGAIN` where the host refuses another thread.
  func makeThread(registers: Registers, extendedStateOf parent: (any GuestThread)?) throws(Errno) -> any GuestThread
  /// The guest process is over: unmaps everything below the stub and gives the host process back to the pool, or
  /// kills it where it can't be shown to be quiet. No thread of it may be running. A release ticket
  /// taken right before covers the unmapping of everything. The object is used afterwards only to ask for that.
  func recycle()
  /// Kills the host process (SIGKILL), or gives up one that has died. The object is not used afterwards but for `isDead`,
  /// for `noteDeath`, and to ask what it has confirmed.
  func kill()
}

/// Where a guest thread runs, and how it and its CPU thread wait for each other.
package struct Placement: Sendable, Equatable {
  /// The host CPU of the calling CPU thread, which the guest thread shares; nil where CPU threads are not pinned.
  package var cpu: Int?
  /// Another host CPU, for the guest thread alone. Both sides then wait for each other busily for a few microseconds
  /// before they sleep. Platforms whose threads can't do that ignore it.
  package var guestCPU: Int?

  package init(cpu: Int? = nil, guestCPU: Int? = nil) {
    self.cpu = cpu
    self.guestCPU = guestCPU
  }

  package static let anywhere = Placement()
}

extension Platform {
  package var callEntry: GuestAddress? { nil }
}

extension GuestProcess {
  package var deathReason: Trap.DeathReason { .killed }
}

/// A host thread that runs the code of one guest thread.
package protocol GuestThread: AnyObject, Sendable {
  /// The registers: what the last trap found, and what `run` goes on with.
  var registers: Registers { get }
  /// Sets what `run` goes on with.
  func setRegisters(_ registers: Registers)
  /// Sets `rax` alone, where a call's result goes.
  func setResult(_ value: UInt64)
  /// Runs queued memory operations, then guest code until it traps. Called on a CPU thread *without* the kernel lock.
  func run(on placement: Placement) -> Trap
  /// Memory operations that the last run began with were carried out by another host thread.
  var waitedForAgent: Bool { get }
  /// All of its state is at hand. Where it isn't, the last trap was a system call that told the registers alone, and nothing
  /// may ask for the extended state, or set it.
  var isWhole: Bool { get }
  /// Has the next `run` bring the rest, in place of guest code: it returns `.preempted`.
  func completeNext()
  /// Interrupts the thread if it runs guest code: `run` returns `.preempted` soon, or kills the process if the thread
  /// works on without an answer (in its own CPU time). May report a preemption spuriously later. Needs no lock.
  func preempt()
  /// The extended state (x87, SSE, AVX, …) as an XSAVE area in the layout of a signal frame (`struct _fpstate` with
  /// its `sw_reserved` words, `FP_XSTATE_MAGIC2` at the end).
  func extendedState() -> [UInt8]
  /// Replaces the extended state by what a guest's signal frame holds, after making it safe to restore.
  /// - Throws: `EFAULT` where it isn't an XSAVE area of a known layout.
  func setExtendedState(_ area: [UInt8]) throws(Errno)
  /// Resets the extended state to its initial value (execve(2)).
  func resetExtendedState()
  /// The thread is over; its host thread is parked or ended.
  func exit()
}

extension GuestThread {
  package var isWhole: Bool { true }
  package func completeNext() {}

  /// Changes some of the registers.
  package func changeRegisters(_ change: (inout Registers) -> Void) {
    var registers = registers
    change(&registers)
    setRegisters(registers)
  }
}
