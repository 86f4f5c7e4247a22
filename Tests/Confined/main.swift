import CStub
import Host
import LinuxABI
import Synchronization

/// Puts itself under the limits that Apus has while guests run, then tries what they forbid, and does what they allow.
/// Prints each thing that did not go as it should, and `done`.
func open(_ path: String) throws(Errno) -> FileDescriptor { try Host.open(at: nil, Array(path.utf8), [.path]) }

func failure(of body: () throws(Errno) -> FileDescriptor) -> Errno? {
  do throws(Errno) {
    Host.close(try body())
    return nil
  } catch { return error }
}

let platform: ConfinedPlatform = CommandLine.arguments.contains("ptrace") ? .ptrace : .seccomp
let directory = CommandLine.arguments.last ?? "/tmp"
let (host, allowed) = try (open("/"), open(directory))
let hasLandlock = try Confinement.limitFiles([
  .init(open("/proc"), .reading), .init(allowed, .changing),
])
if try !Confinement.filterCalls(platform: platform, preemptSignal: .usr1) { print("no filter") }

for call in ForbiddenCall.all(process: Int(Host.processID)) where platform == .seccomp || call.number != .ptrace {
  let a = call.arguments + [Int](repeating: 0, count: 6 - call.arguments.count)
  let result = apus_syscall(call.number.rawValue, a[0], a[1], a[2], a[3], a[4], a[5])
  if result != -Int(call.errno.rawValue) { print("\(call.name): \(result)") }
}

// Files: only where they were allowed.
if hasLandlock {
  let refused = failure { () throws(Errno) in try Host.open(at: host, Array("etc/passwd".utf8), []) }
  if refused != .permissionDenied { print("/etc/passwd: \(refused.map { "\($0)" } ?? "opened")") }
  let readOnly = failure { () throws(Errno) in
    try Host.open(at: host, Array("proc/self/oom_score_adj".utf8), [.writeOnly])
  }
  if readOnly != .permissionDenied { print("writing to /proc: \(readOnly.map { "\($0)" } ?? "opened")") }
}
let made = try Host.open(at: allowed, Array("made".utf8), [.create, .readWrite], mode: 0o644)
try Host.truncate(made, to: 10)
try Host.changeMode(made, 0o600)
try Host.rename(at: allowed, Array("made".utf8), to: allowed, Array("moved".utf8), flags: 0)
try Host.unlink(at: allowed, Array("moved".utf8), isDirectory: false)
if (try? Host.readSmallFile("/proc/self/stat")) == nil { print("/proc/self/stat: not read") }

// What the runtime needs: threads that start, contend, sleep and end, and memory of all sizes.
let ended = Mutex(0)
for _ in 0..<16 {
  try Host.startThread {
    for size in [10, 5000, 3 << 20] { _ = [UInt8](repeating: 1, count: size).map { Int($0) }.reduce(0, +) }
    for _ in 0..<1000 { ended.withLock { $0 += 1 } }
  }
}
while ended.withLock({ $0 < 16000 }) { Host.sleep(nanoseconds: 1_000_000) }
print("done")
