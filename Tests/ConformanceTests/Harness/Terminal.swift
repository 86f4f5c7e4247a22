import Foundation

/// A pseudo-terminal, and a program of which it is the controlling terminal.
final class Terminal {
  struct Failure: Error { let call: String }

  private let master: Int32
  /// Kept open so that the modes stay when the program has ended.
  private let slave: Int32
  private let path: String
  private var program: pid_t = 0

  init() throws {
    // pty(7), ioctl_tty(2): unlock it, and ask for its number.
    master = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    var unlocked: Int32 = 0
    var number: Int32 = 0
    guard master >= 0, unsafe ioctl(master, 0x4004_5431, &unlocked) == 0,
      unsafe ioctl(master, 0x8004_5430, &number) == 0
    else { throw Failure(call: "/dev/ptmx") }
    path = "/dev/pts/\(number)"
    slave = unsafe open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
    guard slave >= 0 else { throw Failure(call: "open") }
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
  }

  deinit {
    close(master)
    close(slave)
  }

  /// The terminal's modes (tcgetattr(3)).
  var modes: [UInt8] {
    var modes = termios()
    unsafe tcgetattr(slave, &modes)
    return unsafe withUnsafeBytes(of: &modes) { unsafe Array($0) }
  }

  /// Starts a program in a session of its own.
  func start(_ command: [String]) throws {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    // A session leader without a controlling terminal gets the first that it opens.
    unsafe posix_spawn_file_actions_addopen(&actions, 0, path, O_RDWR, 0)
    for descriptor: Int32 in [1, 2] { unsafe posix_spawn_file_actions_adddup2(&actions, 0, descriptor) }
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | 0x80)  // POSIX_SPAWN_SETSID
    var arguments: [UnsafeMutablePointer<CChar>?] = unsafe command.map { unsafe strdup($0) } + [nil]
    defer { for index in unsafe arguments.indices { unsafe free(arguments[index]) } }
    guard unsafe posix_spawn(&program, command[0], &actions, &attributes, &arguments, environ) == 0 else {
      throw Failure(call: "posix_spawn")
    }
  }

  /// Types on the terminal.
  func type(_ text: String) { _ = unsafe write(master, text, text.utf8.count) }

  func signal(_ number: Int32) { kill(program, number) }

  /// Reads what programs wrote until it contains a text; what there was, if that does not happen in time.
  func read(until text: String) async -> String {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    let deadline = Date().addingTimeInterval(HostProcess.patience)
    while Date() < deadline {
      let count = unsafe Foundation.read(master, &buffer, buffer.count)
      if count > 0 { all += buffer[..<count] }
      if String(decoding: all, as: UTF8.self).contains(text) { break }
      if count <= 0 { try? await Task.sleep(for: .milliseconds(10)) }
    }
    return String(decoding: all, as: UTF8.self)
  }

  /// Waits for the program to end, and kills it after a while; its exit status, 128+n for a signal.
  func wait() async -> Int32 {
    let deadline = Date().addingTimeInterval(HostProcess.patience)
    var status: Int32 = 0
    while unsafe waitpid(program, &status, WNOHANG) != program {
      if Date() > deadline { kill(program, SIGKILL) }
      try? await Task.sleep(for: .milliseconds(10))
    }
    return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
  }
}
