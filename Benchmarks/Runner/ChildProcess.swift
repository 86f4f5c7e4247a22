import Glibc

/// A program run to its end, with what it wrote to stdout.
struct ChildProcess {
  struct Failure: Error, CustomStringConvertible { var description: String }

  let output: String
  /// As waitpid(2) gives it.
  let status: Int32
  /// From the start of the program until it was waited for.
  let microseconds: Double

  /// Runs a program with nothing on stdin. What it writes to stderr is dropped.
  /// - Throws: if the program cannot be started.
  static func run(_ command: [String]) throws -> ChildProcess {
    let start = monotonicMicroseconds()
    let (pid, output) = try spawn(command)
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let length = unsafe buffer.withUnsafeMutableBytes { unsafe read(output, $0.baseAddress, $0.count) }
      if length > 0 { text += buffer[..<length] } else if length == 0 || errno != EINTR { break }
    }
    close(output)
    var status: Int32 = 0
    while unsafe waitpid(pid, &status, 0) == -1, errno == EINTR {}
    return ChildProcess(
      output: String(decoding: text, as: UTF8.self), status: status, microseconds: monotonicMicroseconds() - start)
  }

  /// Starts a program; returns its process id and the reading end of its stdout.
  static func spawn(_ command: [String]) throws -> (pid_t, Int32) {
    var ends: [Int32] = [0, 0]
    guard unsafe pipe(&ends) == 0 else { throw Failure(description: "pipe: errno \(errno)") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var arguments: [UnsafeMutablePointer<CChar>?] = unsafe command.map { unsafe strdup($0) } + [nil]
    defer { for index in unsafe arguments.indices { unsafe free(arguments[index]) } }
    var pid: pid_t = 0
    let error = unsafe posix_spawnp(&pid, command[0], &actions, nil, &arguments, environ)
    close(ends[1])
    guard error == 0 else {
      close(ends[0])
      throw Failure(description: "\(command[0]): errno \(error)")
    }
    return (pid, ends[0])
  }
}

/// CLOCK_MONOTONIC in microseconds.
func monotonicMicroseconds() -> Double {
  var time = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
}
