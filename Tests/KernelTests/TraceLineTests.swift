import LinuxABI
import Testing

@testable import Kernel

/// What `--trace` shows, in whole lines.
@Suite struct TraceLineTests {
  private let machine: TestMachine
  private var task: Task { machine.first }
  private final class Lines { var all: [String] = [] }
  private let lines = Lines()

  init() throws {
    machine = try TestMachine()
    machine.kernel.tracer = TraceWriter { [lines] in lines.all.append($0) }
    try machine.makeFile("/x", Array("hello, world\n".utf8)).close()
  }

  /// The line of a call, its columns taken together.
  private func line(_ number: SyscallNumber, _ arguments: UInt64...) throws -> String {
    lines.all = []
    let words = arguments + [UInt64](repeating: 0, count: 6 - arguments.count)
    _ = try machine.call(task, number, words[0], words[1], words[2], words[3], words[4], words[5])
    try #require(lines.all.count == 1)
    return lines.all[0].split(whereSeparator: { $0 == " " || $0 == "\n" }).joined(separator: " ")
  }

  private let workingDirectory = UInt64(bitPattern: -100)

  @Test func opensShowPathsAndFlags() throws {
    let path = try machine.place("/x", in: task)
    #expect(try line(.openat, workingDirectory, path, 0) == #"openat(AT_FDCWD, "/x", O_RDONLY) = 0"#)
    #expect(
      try line(.openat, workingDirectory, path, 0o2000002) == #"openat(AT_FDCWD, "/x", O_RDWR|O_CLOEXEC) = 1"#)
    #expect(
      try line(.openat, workingDirectory, path, 0o301, 0o644)
        == #"openat(AT_FDCWD, "/x", O_WRONLY|O_CREAT|O_EXCL, 0644) = -1 EEXIST (File exists)"#)
    let missing = try machine.place("/no\n", in: task)
    #expect(
      try line(.openat, 5, missing, 0)
        == #"openat(5, "/no\n", O_RDONLY) = -1 ENOENT (No such file or directory)"#)
    #expect(
      try line(.openat, workingDirectory, 0x7000_0000, 0)
        == "openat(AT_FDCWD, 0x70000000, O_RDONLY) = -1 EFAULT (Bad address)")
  }

  @Test func readsShowWhatWasRead() throws {
    let path = try machine.place("/x", in: task)
    #expect(try machine.call(task, .open, path, 0) == 0)
    let buffer = TestMachine.data
    #expect(try line(.read, 0, buffer, 5) == #"read(0, "hello", 5) = 5"#)
    #expect(try line(.read, 0, buffer, 100) == #"read(0, ", world\n", 100) = 8"#)
    #expect(try line(.read, 0, buffer, 100) == #"read(0, "", 100) = 0"#)
    #expect(try line(.read, 9, buffer, 100) == "read(9, 0x100000, 100) = -1 EBADF (Bad file descriptor)")
    #expect(try line(.lseek, 0, 7, 0) == "lseek(0, 7, SEEK_SET) = 7")
    #expect(try line(.close, 0) == "close(0) = 0")
  }

  @Test func memoryCallsShowProtectionAndAddresses() throws {
    let address = "0x30000000"
    #expect(
      try line(.mmap, 0x3000_0000, 8192, 3, 0x32, .max, 0)
        == "mmap(\(address), 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS, -1, 0) = \(address)")
    #expect(try line(.mprotect, 0x3000_0000, 4096, 0) == "mprotect(\(address), 4096, PROT_NONE) = 0")
    #expect(try line(.munmap, 0x3000_0000, 8192) == "munmap(\(address), 8192) = 0")
  }

  @Test func signalsShowTheirNames() throws {
    #expect(try line(.kill, UInt64(task.id), 0) == "kill(\(task.id), 0) = 0")
    #expect(
      try line(.kill, 999_999, UInt64(Signal.usr1)) == "kill(999999, SIGUSR1) = -1 ESRCH (No such process)")
  }

  @Test func callsThatLinuxDoesNotHaveShowTheirNumber() throws {
    lines.all = []
    task.thread.setResult(9999)
    machine.trap(task, .syscall)
    let line = try #require(lines.all.first)
    #expect(line.hasPrefix("syscall_9999("))
    #expect(line.hasSuffix("= -1 ENOSYS (Function not implemented)\n"))
  }

  @Test func resultsStandInAColumn() throws {
    lines.all = []
    _ = try machine.call(task, .getpid)
    #expect(lines.all == ["getpid()" + String(repeating: " ", count: 32) + "= \(task.id)\n"])
  }
}
