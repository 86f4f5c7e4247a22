import LinuxABI
import Testing

@testable import Kernel

/// How `--trace` shows calls: strace(1) is the model.
@Suite struct CallFormatterTests {
  let machine: TestMachine
  let path = TestMachine.data
  let structure = TestMachine.data + 0x100

  init() throws {
    machine = try TestMachine()
    try machine.first.memory.write(GuestAddress(path), Array("/etc/motd\0".utf8))
  }

  func shown(_ number: SyscallNumber, _ arguments: UInt64..., result: Int? = 0) -> String {
    var registers = Registers()
    let words = arguments + [UInt64](repeating: 0, count: 6 - arguments.count)
    (registers.rdi, registers.rsi, registers.rdx) = (words[0], words[1], words[2])
    (registers.r10, registers.r8, registers.r9) = (words[3], words[4], words[5])
    let raw = UInt64(number.rawValue)
    return CallFormatter(
      task: machine.first, entry: Syscalls.entry(raw), number: raw, arguments: SyscallArguments(registers),
      result: result
    ).text
  }

  @Test func modeCountsOnlyWhereAFileMayBeMade() {
    let here = UInt64(bitPattern: -100)
    #expect(shown(.openat, here, path, 0) == #"openat(AT_FDCWD, "/etc/motd", O_RDONLY)"#)
    #expect(shown(.openat, here, path, 0o101, 0o644) == #"openat(AT_FDCWD, "/etc/motd", O_WRONLY|O_CREAT, 0644)"#)
    #expect(shown(.open, path, 0o20200002, 0o600) == #"open("/etc/motd", O_RDWR|O_TMPFILE, 0600)"#)
    #expect(shown(.creat, path, 0o600) == #"creat("/etc/motd", 0600)"#)
  }

  @Test func directoriesAre32BitsWide() {
    #expect(shown(.openat, 0xffff_ff9c, path, 0) == #"openat(AT_FDCWD, "/etc/motd", O_RDONLY)"#)
    #expect(shown(.openat, 3, path, 0) == #"openat(3, "/etc/motd", O_RDONLY)"#)
  }

  @Test func flagsBeforeBitsThatHaveNoName() {
    #expect(shown(.open, path, 0o4010000) == #"open("/etc/motd", O_RDONLY|O_SYNC)"#)
    #expect(shown(.open, path, 0x4000_0000) == #"open("/etc/motd", O_RDONLY|0x40000000)"#)
    #expect(shown(.access, path, 0) == #"access("/etc/motd", F_OK)"#)
    #expect(shown(.access, path, 6) == #"access("/etc/motd", R_OK|W_OK)"#)
    #expect(shown(.access, path, 8) == #"access("/etc/motd", 0x8)"#)
  }

  @Test func whatACallHandsOutIsShownWhereItSucceeds() throws {
    var stat = Stat()
    stat.mode = 0o100644
    stat.size = 12
    try machine.first.memory.writeValue(GuestAddress(structure), stat)
    #expect(shown(.stat, path, structure) == #"stat("/etc/motd", {st_mode=S_IFREG|0644, st_size=12, ...})"#)
    #expect(shown(.stat, path, structure, result: -2) == #"stat("/etc/motd", 0x100100)"#)
    try machine.first.memory.write(GuestAddress(structure), Array("target".utf8))
    #expect(shown(.readlink, path, structure, 64, result: 6) == #"readlink("/etc/motd", "target", 64)"#)
    #expect(shown(.readlink, path, structure, 64, result: -22) == #"readlink("/etc/motd", 0x100100, 64)"#)
  }

  @Test func whatCannotBeReadIsShownAsAddress() {
    #expect(shown(.stat, 0x10, 0, result: -14) == "stat(0x10, NULL)")
    #expect(shown(.stat, 0, 0, result: -14) == "stat(NULL, NULL)")
  }

  @Test func argumentOfFcntlDependsOnTheCommand() throws {
    #expect(shown(.fcntl, 3, 1, 0xffff) == "fcntl(3, F_GETFD)")
    #expect(shown(.fcntl, 3, 2, 1) == "fcntl(3, F_SETFD, FD_CLOEXEC)")
    #expect(shown(.fcntl, 3, 2, 0) == "fcntl(3, F_SETFD, 0)")
    #expect(shown(.fcntl, 3, 4, 0o4001) == "fcntl(3, F_SETFL, O_WRONLY|O_NONBLOCK)")
    #expect(shown(.fcntl, 3, 0, 0xffff_ffff) == "fcntl(3, F_DUPFD, -1)")
    #expect(shown(.fcntl, 3, 1033, 3) == "fcntl(3, F_ADD_SEALS, F_SEAL_SEAL|F_SEAL_SHRINK)")
    #expect(shown(.fcntl, 3, 77, 16) == "fcntl(3, 0x4d, 0x10)")
    let record: [Int16] = [1, 2, 0, 0]
    try machine.first.memory.writeArray(GuestAddress(structure), record)
    try machine.first.memory.writeArray(GuestAddress(structure + 8), [5 as Int64, -1, 0])
    #expect(
      shown(.fcntl, 3, 6, structure)
        == "fcntl(3, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_END, l_start=5, l_len=-1})")
    try machine.first.memory.writeArray(GuestAddress(structure), [2 as Int32, 40])
    #expect(shown(.fcntl, 3, 15, structure) == "fcntl(3, F_SETOWN_EX, {type=F_OWNER_PGRP, pid=40})")
    #expect(shown(.fcntl, 3, 16, structure, result: -9) == "fcntl(3, F_GETOWN_EX, 0x100100)")
  }

  @Test func buffersShowWhatTheyHold() throws {
    try machine.first.memory.write(GuestAddress(structure), Array("bytes and more".utf8))
    #expect(shown(.read, 3, structure, 64, result: 5) == #"read(3, "bytes", 64)"#)
    #expect(shown(.read, 3, structure, 64, result: -9) == "read(3, 0x100100, 64)")
    #expect(shown(.write, 3, structure, 5, result: -9) == #"write(3, "bytes", 5)"#)
    // The size of an attribute that was asked for, and not the attribute.
    #expect(
      shown(.getxattr, path, structure, structure, 0, result: 5)
        == #"getxattr("/etc/motd", "bytes and more", "", 0)"#)
    try machine.first.memory.write(GuestAddress(structure), Array("/usr/lib\0".utf8))
    #expect(shown(.getcwd, structure, 64, result: 9) == #"getcwd("/usr/lib", 64)"#)
    #expect(shown(.getcwd, structure, 64, result: -34) == "getcwd(0x100100, 64)")
  }

  @Test func timesOfFiles() throws {
    let here = UInt64(bitPattern: -100)
    try machine.first.memory.writeArray(GuestAddress(structure), [7 as Int64, 8, 0, 0x3fff_ffff])
    #expect(
      shown(.utimensat, here, path, structure, 0x100)
        == #"utimensat(AT_FDCWD, "/etc/motd", [{tv_sec=7, tv_nsec=8}, UTIME_NOW], AT_SYMLINK_NOFOLLOW)"#)
    #expect(shown(.utimes, path, 0) == #"utimes("/etc/motd", NULL)"#)
    #expect(shown(.chown, path, 0xffff_ffff, 5) == #"chown("/etc/motd", -1, 5)"#)
  }

  @Test func refusedCallsShowTheirArguments() {
    #expect(
      shown(.name_to_handle_at, 3, path, 0, 16, 0x1000, result: -95)
        == #"name_to_handle_at(3, "/etc/motd", NULL, 0x10, AT_EMPTY_PATH)"#)
  }

  @Test func futexOperationsHaveTheArgumentsThatTheyUse() {
    #expect(shown(.futex, 0x1000, 128, 7, 0) == "futex(0x1000, FUTEX_WAIT_PRIVATE, 7, NULL)")
    #expect(shown(.futex, 0x1000, 1, 1) == "futex(0x1000, FUTEX_WAKE, 1)")
    #expect(
      shown(.futex, 0x1000, 0x189, 7, 0, 0, 0xffff_ffff)
        == "futex(0x1000, FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME, 7, NULL, NULL, 0xffffffff)")
    #expect(shown(.futex, 0x1000, 99, 1) == "futex(0x1000, 0x63, 1, NULL, NULL, 0)")
  }

  @Test func cloneShowsWhatItsFlagsAskFor() {
    #expect(shown(.clone, 17, 0, result: 5) == "clone(child_stack=NULL, flags=SIGCHLD)")
    #expect(
      shown(.clone, 0x120_0011, 0, 0, 0x2000, 0x3000, result: 5)
        == "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x2000)")
    #expect(
      shown(.clone, 0x18_0000, 0x9000, 0x1000, 0x2000, 0x3000, result: 5)
        == "clone(child_stack=0x9000, flags=CLONE_SETTLS|CLONE_PARENT_SETTID, parent_tid=[5], tls=0x3000)")
  }

  @Test func statusesAreShownWhereAChildWasFound() throws {
    try machine.first.memory.writeValue(GuestAddress(structure), Int32(0x100))
    #expect(
      shown(.wait4, .max, structure, 1, 0, result: 7)
        == "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 1}], WNOHANG, NULL)")
    #expect(shown(.wait4, .max, structure, 1, 0, result: 0) == "wait4(-1, 0x100100, WNOHANG, NULL)")
  }

  @Test func namesOfOneValueAndNumbersThatHaveNone() {
    #expect(shown(.clock_gettime, 1, 0, result: -14) == "clock_gettime(CLOCK_MONOTONIC, NULL)")
    #expect(shown(.clock_gettime, 77, 0, result: -22) == "clock_gettime(0x4d, NULL)")
    #expect(shown(.getpriority, 1, 0) == "getpriority(PRIO_PGRP, 0)")
    #expect(shown(.getrusage, .max, 0, result: -14) == "getrusage(RUSAGE_CHILDREN, NULL)")
  }
}
