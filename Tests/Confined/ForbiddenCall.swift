import LinuxABI

/// A host call that Apus never makes while guests run, and its arguments.
struct ForbiddenCall {
  let name: String
  let number: SyscallNumber
  let arguments: [Int]
  /// What the host has to answer.
  var errno = Errno.notPermitted

  init(_ number: SyscallNumber, _ arguments: Int..., as name: String? = nil, errno: Errno = .notPermitted) {
    self.name = name ?? "\(number)"
    self.number = number
    self.arguments = arguments
    self.errno = errno
  }

  private static let workingDirectory = -100

  static func all(process: Int) -> [ForbiddenCall] {
    [
      // Other programs and processes.
      .init(.execve), .init(.execveat, workingDirectory), .init(.fork), .init(.vfork),
      .init(.clone, 17, as: "clone of a process"), .init(.clone, 0x100, as: "clone of memory alone"),
      .init(.clone3, errno: .noFunction), .init(.ptrace, 16, 1), .init(.process_vm_readv, process),
      .init(.process_vm_writev, process), .init(.pidfd_getfd), .init(.pidfd_send_signal),
      .init(.kill, process, 15, as: "kill with SIGTERM"),
      .init(.tgkill, 1, 1, 19, as: "tgkill of another with SIGSTOP"),
      .init(.tkill, 1, 9), .init(.rt_sigqueueinfo, process, 9), .init(.kcmp, process, process),
      // Sockets.
      .init(.socket, 2, 1), .init(.socketpair, 1, 1), .init(.connect), .init(.bind), .init(.listen), .init(.accept4),
      .init(.sendto, 0, 0, 0, 0, 4096, 16, as: "sendto with an address"),
      .init(.sendto, 0, 0, 0, 0, 1 << 32, 16, as: "sendto with a high address"),
      // Names.
      .init(.open), .init(.openat, workingDirectory), .init(.openat2, workingDirectory), .init(.stat), .init(.unlink),
      .init(.unlinkat, workingDirectory), .init(.rename), .init(.renameat2, 0, 0, workingDirectory),
      .init(.linkat, 0, 0, workingDirectory), .init(.mkdir), .init(.chmod), .init(.chown), .init(.truncate),
      .init(.mknodat, 0, 0, 0o020666, as: "mknodat of a device"),
      .init(.fchmod, 0, 0o4755, as: "fchmod to set-user-ID"),
      .init(.open_by_handle_at), .init(.name_to_handle_at),
      // Memory.
      .init(.mmap, 0, 4096, 5, 0x22, -1, as: "mmap of executable memory"),
      .init(.mprotect, 0, 4096, 7, as: "mprotect to executable"), .init(.pkey_mprotect), .init(.memfd_create),
      .init(.userfaultfd), .init(.remap_file_pages), .init(.shmget), .init(.shmat),
      // The host itself.
      .init(.mount), .init(.umount2), .init(.fsopen), .init(.move_mount), .init(.pivot_root), .init(.chroot),
      .init(.unshare), .init(.setns), .init(.bpf), .init(.perf_event_open), .init(.io_uring_setup), .init(.keyctl),
      .init(.add_key), .init(.request_key), .init(.init_module), .init(.finit_module), .init(.kexec_load),
      .init(.reboot), .init(.swapon), .init(.sethostname), .init(.settimeofday), .init(.syslog), .init(.iopl),
      // This process's own rights.
      .init(.setuid), .init(.setresuid), .init(.setgroups), .init(.capset), .init(.prctl, 22), .init(.seccomp),
      .init(.personality), .init(.prlimit64, 0, 7, 4096, as: "prlimit64 that sets a limit"),
      .init(.ioctl, 0, 0x5412, as: "ioctl TIOCSTI"), .init(.ioctl, 0, 0x4004_6601, as: "ioctl FS_IOC_SETFLAGS"),
      .init(.fcntl, 0, 8, as: "fcntl F_SETOWN"), .init(.futex, 0, 3, as: "futex REQUEUE"),
    ]
  }
}
