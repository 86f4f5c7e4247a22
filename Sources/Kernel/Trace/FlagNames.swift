/// Names of flags and constants, as the man pages have them.
enum FlagNames {
  typealias Name = ArgumentKind.FlagName

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
