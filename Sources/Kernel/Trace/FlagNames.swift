/// Names of flags and constants, as the man pages have them.
enum FlagNames {
  typealias Name = ArgumentKind.FlagName

  static let seek: [Name] = [
    .init("SEEK_SET", 0), .init("SEEK_CUR", 1), .init("SEEK_END", 2), .init("SEEK_DATA", 3), .init("SEEK_HOLE", 4),
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
}
