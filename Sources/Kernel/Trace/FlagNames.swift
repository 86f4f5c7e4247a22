/// Names of flags and constants, as the man pages have them.
enum FlagNames {
  typealias Name = ArgumentKind.FlagName

  /// pipe2(2), dup3(2), epoll_create1(2); eventfd(2) and others use the same bits.
  static let descriptor: [Name] = [
    .init("O_NONBLOCK", 0o4000), .init("O_CLOEXEC", 0o2000000), .init("O_DIRECT", 0o40000), .init("EFD_SEMAPHORE", 1),
  ]
  static let seek: [Name] = [
    .init("SEEK_SET", 0), .init("SEEK_CUR", 1), .init("SEEK_END", 2), .init("SEEK_DATA", 3), .init("SEEK_HOLE", 4),
  ]
  static let protection: [Name] = [
    .init("PROT_NONE", 0), .init("PROT_READ", 1), .init("PROT_WRITE", 2), .init("PROT_EXEC", 4),
    .init("PROT_GROWSDOWN", 0x0100_0000), .init("PROT_GROWSUP", 0x0200_0000),
  ]
  static let mapBits: [Name] = [
    .init("MAP_FIXED", 0x10), .init("MAP_ANONYMOUS", 0x20), .init("MAP_32BIT", 0x40), .init("MAP_GROWSDOWN", 0x100),
    .init("MAP_DENYWRITE", 0x800), .init("MAP_EXECUTABLE", 0x1000), .init("MAP_LOCKED", 0x2000),
    .init("MAP_NORESERVE", 0x4000), .init("MAP_POPULATE", 0x8000), .init("MAP_NONBLOCK", 0x10000),
    .init("MAP_STACK", 0x20000), .init("MAP_HUGETLB", 0x40000), .init("MAP_SYNC", 0x80000),
    .init("MAP_FIXED_NOREPLACE", 0x100000),
  ]
  static let remap: [Name] = [
    .init("MREMAP_MAYMOVE", 1), .init("MREMAP_FIXED", 2), .init("MREMAP_DONTUNMAP", 4),
  ]
  static let advice: [Name] = [
    .init("MADV_NORMAL", 0), .init("MADV_RANDOM", 1), .init("MADV_SEQUENTIAL", 2), .init("MADV_WILLNEED", 3),
    .init("MADV_DONTNEED", 4), .init("MADV_FREE", 8), .init("MADV_REMOVE", 9), .init("MADV_DONTFORK", 10),
    .init("MADV_DOFORK", 11), .init("MADV_MERGEABLE", 12), .init("MADV_UNMERGEABLE", 13), .init("MADV_HUGEPAGE", 14),
    .init("MADV_NOHUGEPAGE", 15), .init("MADV_DONTDUMP", 16), .init("MADV_DODUMP", 17), .init("MADV_WIPEONFORK", 18),
    .init("MADV_KEEPONFORK", 19), .init("MADV_COLD", 20), .init("MADV_PAGEOUT", 21), .init("MADV_POPULATE_READ", 22),
    .init("MADV_POPULATE_WRITE", 23), .init("MADV_COLLAPSE", 25),
  ]
  static let signalHow: [Name] = [.init("SIG_BLOCK", 0), .init("SIG_UNBLOCK", 1), .init("SIG_SETMASK", 2)]
  static let signalActionFlags: [Name] = [
    .init("SA_RESTORER", 0x0400_0000), .init("SA_ONSTACK", 0x0800_0000), .init("SA_RESTART", 0x1000_0000),
    .init("SA_NODEFER", 0x4000_0000), .init("SA_RESETHAND", 0x8000_0000), .init("SA_SIGINFO", 4),
    .init("SA_NOCLDSTOP", 1), .init("SA_NOCLDWAIT", 2),
  ]
  static let stackFlags: [Name] = [
    .init("0", 0), .init("SS_ONSTACK", 1), .init("SS_DISABLE", 2), .init("SS_AUTODISARM", 0x8000_0000),
  ]
  static let epollOperation: [Name] = [
    .init("EPOLL_CTL_ADD", 1), .init("EPOLL_CTL_DEL", 2), .init("EPOLL_CTL_MOD", 3),
  ]
  static let fcntl: [Name] = [
    .init("F_DUPFD", 0), .init("F_GETFD", 1), .init("F_SETFD", 2), .init("F_GETFL", 3), .init("F_SETFL", 4),
    .init("F_GETLK", 5), .init("F_SETLK", 6), .init("F_SETLKW", 7), .init("F_SETOWN", 8), .init("F_GETOWN", 9),
    .init("F_SETSIG", 10), .init("F_GETSIG", 11), .init("F_SETOWN_EX", 15), .init("F_GETOWN_EX", 16),
    .init("F_OFD_GETLK", 36), .init("F_OFD_SETLK", 37), .init("F_OFD_SETLKW", 38), .init("F_SETLEASE", 1024),
    .init("F_GETLEASE", 1025), .init("F_NOTIFY", 1026), .init("F_DUPFD_CLOEXEC", 1030), .init("F_SETPIPE_SZ", 1031),
    .init("F_GETPIPE_SZ", 1032), .init("F_ADD_SEALS", 1033), .init("F_GET_SEALS", 1034),
  ]
  static let ioctl: [Name] = [
    .init("TCGETS", 0x5401), .init("TCSETS", 0x5402), .init("TCSETSW", 0x5403), .init("TCSETSF", 0x5404),
    .init("TCSBRK", 0x5409), .init("TCXONC", 0x540a), .init("TCFLSH", 0x540b), .init("TIOCEXCL", 0x540c),
    .init("TIOCSCTTY", 0x540e), .init("TIOCGPGRP", 0x540f), .init("TIOCSPGRP", 0x5410), .init("TIOCOUTQ", 0x5411),
    .init("TIOCGWINSZ", 0x5413), .init("TIOCSWINSZ", 0x5414), .init("FIONREAD", 0x541b), .init("TIOCNOTTY", 0x5422),
    .init("FIONBIO", 0x5421), .init("TIOCGSID", 0x5429), .init("TIOCGPTN", 0x8004_5430), .init("FIONCLEX", 0x5450),
    .init("FIOCLEX", 0x5451), .init("FIOASYNC", 0x5452), .init("FICLONE", 0x4004_9409),
    .init("BLKGETSIZE64", 0x8008_1272),
    .init("RNDGETENTCNT", 0x8004_5200),
  ]
  static let family: [Name] = [
    .init("AF_UNSPEC", 0), .init("AF_UNIX", 1), .init("AF_INET", 2), .init("AF_INET6", 10), .init("AF_NETLINK", 16),
    .init("AF_PACKET", 17),
  ]
  static let poll: [Name] = [
    .init("0", 0), .init("POLLIN", 1), .init("POLLPRI", 2), .init("POLLOUT", 4), .init("POLLERR", 8),
    .init("POLLHUP", 0x10), .init("POLLNVAL", 0x20), .init("POLLRDNORM", 0x40), .init("POLLRDBAND", 0x80),
    .init("POLLWRNORM", 0x100), .init("POLLWRBAND", 0x200), .init("POLLRDHUP", 0x2000),
  ]
  static let epoll: [Name] = [
    .init("0", 0), .init("EPOLLIN", 1), .init("EPOLLPRI", 2), .init("EPOLLOUT", 4), .init("EPOLLERR", 8),
    .init("EPOLLHUP", 0x10), .init("EPOLLRDNORM", 0x40), .init("EPOLLRDBAND", 0x80), .init("EPOLLWRNORM", 0x100),
    .init("EPOLLWRBAND", 0x200), .init("EPOLLRDHUP", 0x2000), .init("EPOLLEXCLUSIVE", 0x1000_0000),
    .init("EPOLLWAKEUP", 0x2000_0000), .init("EPOLLONESHOT", 0x4000_0000), .init("EPOLLET", 0x8000_0000),
  ]
}
