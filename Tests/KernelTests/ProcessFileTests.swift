import FileSystem
import LinuxABI
import TestSupport
import Testing

@testable import Kernel

/// The files of `/proc`, from a kernel whose time and host are known.
@Suite struct ProcessFileTests {
  private let machine: TestMachine
  private var task: Task { machine.first }

  init() throws {
    machine = try TestMachine(hostCPUs: [0, 2])
    try machine.kernel.vfs.makeDirectory("/proc", machine.root, mode: 0o755)
    let point = try machine.kernel.vfs.resolve("/proc", machine.root, [])
    try machine.kernel.mountProcesses(at: point, machine.context)
    machine.kernel.servedTask = task
  }

  private func names(_ path: String) throws -> [String] {
    let directory = try machine.kernel.vfs.open(path, machine.root, flags: .directory)
    var names: [String] = []
    try directory.readDirectory { entry in
      names.append(entry.name)
      return true
    }
    return names
  }

  /// The value of a row `Name:\tvalue`.
  private func row(_ name: String, of path: String) throws -> String? {
    try machine.read(path).split(separator: "\n").first { $0.hasPrefix(name + ":\t") }.map {
      String($0.dropFirst(name.count + 2))
    }
  }

  @Test func uptimeCountsFromTheStartOfTheSandbox() throws {
    #expect(try machine.read("/proc/uptime") == "0.00 0.00\n")
    machine.services.elapse(12_345_000_000)
    task.usage.userTime = 3_000_000_000
    // Two CPUs were idle but for what the task used.
    #expect(try machine.read("/proc/uptime") == "12.34 21.69\n")
  }

  @Test func statCountsTicksAndSwitches() throws {
    machine.services.elapse(10_000_000_000)
    (task.usage.userTime, task.usage.systemTime) = (2_000_000_000, 1_000_000_000)
    let lines = try machine.read("/proc/stat").split(separator: "\n")
    #expect(lines[0] == "cpu  200 0 100 1700 0 0 0 0 0 0")
    #expect(lines[1] == "cpu0 100 0 50 850 0 0 0 0 0 0")
    #expect(lines[2] == "cpu1 100 0 50 850 0 0 0 0 0 0")
    #expect(lines[4] == "btime \((machine.services.realTime - 10_000_000_000) / .second)")
    #expect(lines[5] == "procs_running 1")
  }

  @Test func cpuinfoHasTheHostsEntriesUnderTheGuestsNumbers() throws {
    machine.services.processorInformation = Array(
      (0..<3).map { "processor\t: \($0)\nmodel name\t: CPU \($0)\nsiblings\t: 64\n\n" }.joined().utf8)
    #expect(
      try machine.read("/proc/cpuinfo")
        == "processor\t: 0\nmodel name\t: CPU 0\nsiblings\t: 2\n\nprocessor\t: 1\nmodel name\t: CPU 2\nsiblings\t: 2\n\n"
    )
    // A host that doesn't tell.
    machine.services.processorInformation = []
    #expect(try machine.read("/proc/cpuinfo") == "processor\t: 0\n\nprocessor\t: 1\n\n")
  }

  @Test func randomIdentifiersAreUUIDs() throws {
    let path = "/proc/sys/kernel/random/"
    let first = try machine.read(path + "uuid")
    #expect(first.count == 37)
    let groups = first.dropLast().split(separator: "-")
    #expect(groups.map(\.count) == [8, 4, 4, 4, 12])
    #expect(groups[2].first == "4")
    #expect("89ab".contains(try #require(groups[3].first)))
    #expect(try machine.read(path + "uuid") != first)
    #expect(try machine.read(path + "boot_id") == machine.read(path + "boot_id"))
    // They follow from the seed.
    let other = try TestMachine(seed: 2)
    #expect(other.kernel.bootID != machine.kernel.bootID)
    #expect(try TestMachine(seed: 2).kernel.bootID == other.kernel.bootID)
  }

  @Test func everyProcessHasADirectoryWhileItLives() throws {
    let child = try machine.fork(task)
    machine.kernel.servedTask = task
    let numbers = try names("/proc").filter { Int($0) != nil }
    #expect(numbers == ["1", "\(task.id)", "\(child.id)"])
    _ = try machine.call(child, .exit_group, 3)
    #expect(try row("State", of: "/proc/\(child.id)/status") == "Z (zombie)")
    #expect(try machine.call(task, .wait4, UInt64(child.id), 0, 0, 0) == Int(child.id))
    #expect(throws: Errno.noSuchFileOrDirectory) { try machine.read("/proc/\(child.id)/status") }
    #expect(throws: Errno.noSuchFileOrDirectory) { try machine.read("/proc/0\(task.id)/status") }
  }

  @Test func selfIsTheTaskThatLooks() throws {
    let thread = try machine.thread(of: task)
    machine.kernel.servedTask = thread
    #expect(try row("Pid", of: "/proc/self/status") == "\(task.id)")
    #expect(try row("Pid", of: "/proc/thread-self/status") == "\(thread.id)")
    #expect(try row("Threads", of: "/proc/self/status") == "2")
    #expect(try names("/proc/self/task") == [".", "..", "\(task.id)", "\(thread.id)"])
    machine.kernel.servedTask = nil
    #expect(throws: Errno.noSuchFileOrDirectory) { try machine.read("/proc/self/status") }
  }

  @Test func statusShowsIdentityAndSignals() throws {
    task.name = "a name"
    task.credentials = Credentials(uid: 7, gid: 8)
    try machine.block(task, [SignalSet(Signal.usr1), SignalSet(.realTime2)])
    machine.send(Signal.usr1, to: task)
    let path = "/proc/\(task.id)/status"
    #expect(try row("Name", of: path) == "a name")
    #expect(try row("State", of: path) == "R (running)")
    #expect(try row("Uid", of: path) == "7\t7\t7\t7")
    #expect(try row("Gid", of: path) == "8\t8\t8\t8")
    #expect(try row("SigBlk", of: path) == "0000000200000200")
    #expect(try row("ShdPnd", of: path) == "0000000000000200")
    #expect(try row("Cpus_allowed_list", of: path) == "0-1")
  }

  @Test func statHasFiftyTwoFieldsWhateverTheName() throws {
    task.name = "a) b ("
    machine.services.elapse(2_000_000_000)
    let child = try machine.fork(task)
    child.usage.userTime = 1_230_000_000
    child.group.argumentRange = 0x1000..<0x2000
    child.group.environmentRange = 0x2000..<0x3000
    let text = try machine.read("/proc/\(child.id)/stat")
    #expect(text.hasPrefix("\(child.id) (a) b () R \(task.id) \(task.group.processGroup.id) \(task.group.session.id) "))
    // What follows the name is found behind its last parenthesis.
    let fields = try #require(text.split(separator: ")").last).split { $0 == " " || $0 == "\n" }
    #expect(fields.count == 50)
    #expect(fields[11] == "123")
    // starttime, in ticks from the start of the sandbox.
    #expect(fields[19] == "200")
    // Where arguments and environment are, as decimal numbers.
    #expect(fields[45...48] == ["4096", "8192", "8192", "12288"])
  }

  @Test func mapsShowsMemoryInOrder() throws {
    let (data, stack) = (TestMachine.data, TestMachine.stackPointer)
    let lines = try machine.read("/proc/\(task.id)/maps").split(separator: "\n").map { line in
      String(line.reversed().drop { $0 == " " }.reversed())
    }
    func hex(_ value: UInt64) -> String { Text.hex(value, 8) }
    #expect(
      lines == [
        "\(hex(data))-\(hex(data + 0x1_0000)) rw-p 00000000 00:00 0",
        "\(hex(stack - 0x4_0000))-\(hex(stack)) rw-p 00000000 00:00 0",
      ])
  }

  @Test func descriptorsAreListedAndFollowed() throws {
    machine.kernel.servedTask = task
    try machine.makeFile("/file", Array("text".utf8)).close()
    let path = try machine.place("/file", in: task)
    #expect(try machine.call(task, .open, path, 0) == 0)
    #expect(try machine.call(task, .lseek, 0, 2, 0) == 2)
    #expect(try names("/proc/self/fd") == [".", "..", "0"])
    #expect(try machine.read("/proc/self/fd/0") == "text")
    #expect(try row("pos", of: "/proc/self/fdinfo/0") == "2")
    #expect(throws: Errno.noSuchFileOrDirectory) { try machine.read("/proc/self/fd/1") }
  }

  @Test func settingsTellTheKernelsOwn() throws {
    #expect(try machine.read("/proc/sys/kernel/hostname") == "apus\n")
    #expect(try machine.read("/proc/sys/kernel/pid_max") == "4194304\n")
    #expect(try machine.read("/proc/sys/vm/max_map_count") == "65530\n")
    #expect(try machine.read("/proc/sys/vm/mmap_min_addr") == "65536\n")
    #expect(try machine.read("/proc/version").hasPrefix("Linux version 6.12.0-apus "))
  }

  @Test func meminfoAddsUp() throws {
    let rows = try machine.read("/proc/meminfo").split(separator: "\n")
    func value(_ name: String) -> Int? {
      rows.first { $0.hasPrefix(name + ":") }?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }
    #expect(value("MemTotal") == 256 << 10)
    let free = try #require(value("MemFree"))
    #expect(free > 0 && free < 256 << 10)
    #expect(value("MemAvailable") == free)
  }
}
