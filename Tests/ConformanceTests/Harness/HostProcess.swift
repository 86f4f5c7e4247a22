import Foundation

/// How a program ended and what it wrote.
struct Outcome: Sendable, Equatable {
  var output = Data()
  var errors = Data()
  /// The exit status; 128+n where signal n ended the program.
  var status: Int32 = -1
  /// Killed by the harness.
  var timedOut = false

  var text: String { String(decoding: output, as: UTF8.self) }
  var errorText: String { String(decoding: errors, as: UTF8.self) }
}

/// A program that runs on the host, with its streams connected to the test.
final class HostProcess: @unchecked Sendable {
  /// How long anything may take, in seconds. It only ends what hangs: hosts can be slow, and stall.
  static let patience = 300.0

  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private let errors = Pipe()
  private let readers = DispatchGroup()
  private let lock = NSLock()
  private var outcome = Outcome()

  var id: Int32 { process.processIdentifier }

  /// Starts a program. `input` is written to its stdin, which is then closed.
  init(
    _ command: [String], environment: [String: String] = Programs.environment, directory: String = "/",
    input text: Data = Data(), keepsInputOpen: Bool = false
  ) throws {
    process.executableURL = URL(fileURLWithPath: Programs.path(command[0]) ?? command[0])
    process.arguments = Array(command.dropFirst())
    process.environment = environment
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    process.standardInput = input
    process.standardOutput = output
    process.standardError = errors
    try Self.withoutBlockedSignals { try process.run() }
    collect(output) { $0.output.append($1) }
    collect(errors) { $0.errors.append($1) }
    if !keepsInputOpen { send(text) }
  }

  /// Programs inherit the signal mask, and the threads that tests run on block most signals.
  private static func withoutBlockedSignals(_ body: () throws -> Void) rethrows {
    var none = sigset_t()
    var old = sigset_t()
    unsafe sigemptyset(&none)
    unsafe pthread_sigmask(SIG_SETMASK, &none, &old)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &old, nil) }
    try body()
  }

  private func collect(_ pipe: Pipe, _ store: @escaping @Sendable (inout Outcome, Data) -> Void) {
    readers.enter()
    Thread.detachNewThread { [self] in
      while case let data = pipe.fileHandleForReading.availableData, !data.isEmpty {
        lock.withLock { store(&outcome, data) }
      }
      readers.leave()
    }
  }

  /// Writes to the program's stdin and closes it.
  func send(_ text: Data) {
    Thread.detachNewThread { [input] in
      try? input.fileHandleForWriting.write(contentsOf: text)
      try? input.fileHandleForWriting.close()
    }
  }

  func signal(_ number: Int32) { kill(id, number) }

  /// What the program has written to stdout so far.
  var outputSoFar: String { lock.withLock { outcome.text } }

  /// Waits until stdout contains a text; false if the program ends without it, or hangs.
  func waitForOutput(_ text: String) async -> Bool {
    var deadline = Date().addingTimeInterval(Self.patience)
    while !outputSoFar.contains(text) {
      if Date() > deadline { return false }
      // What it wrote last may not be here yet.
      if !process.isRunning { deadline = min(deadline, Date().addingTimeInterval(5)) }
      try? await Task.sleep(for: .milliseconds(10))
    }
    return true
  }

  /// Waits for the program to end; kills it after a while.
  func wait() async -> Outcome {
    await withCheckedContinuation { (done: CheckedContinuation<Outcome, Never>) in
      Thread.detachNewThread { [self] in
        let deadline = Date().addingTimeInterval(Self.patience)
        var timedOut = false
        while process.isRunning {
          if Date() > deadline {
            timedOut = true
            kill(id, SIGKILL)
            break
          }
          Thread.sleep(forTimeInterval: 0.002)
        }
        process.waitUntilExit()
        // Streams stay open if someone else still holds them.
        _ = readers.wait(timeout: .now() + 30)
        var result = lock.withLock { outcome }
        result.timedOut = timedOut
        result.status = process.terminationStatus + (process.terminationReason == .uncaughtSignal ? 128 : 0)
        done.resume(returning: result)
      }
    }
  }
}
