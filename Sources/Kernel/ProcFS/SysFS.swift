import FileSystem
import LinuxABI

/// A small `/sys` (sysfs(5)): the CPUs, the network interfaces, and what memory allocators ask for.
enum SysFS {
  /// Makes the file system and its root, to be mounted on `/sys`.
  static func make(for kernel: Kernel) -> (fileSystem: GeneratedFileSystem, root: Inode) {
    let system = GeneratedFileSystem(
      typeName: "sysfs", magic: .sysfs, deviceNumber: DeviceNumber.make(0, 0x16), fileSize: 4096,
      time: kernel.realTime)
    let count = kernel.configuration.cpus.count
    let range = count == 1 ? "0\n" : "0-\(count - 1)\n"
    func text(_ value: String) -> Inode { system.file { () throws(Errno) in value } }
    var cpus: [(String, Inode)] = [
      ("online", text(range)), ("possible", text(range)), ("present", text(range)), ("kernel_max", text("63\n")),
    ]
    cpus += (0..<count).map { ("cpu\($0)", system.directory([])) }
    // Guest memory is never made of huge pages: physical memory is a memory file that the host maps in small ones.
    let hugePages = system.directory([
      ("defrag", text("always defer defer+madvise madvise [never]\n")), ("enabled", text("always madvise [never]\n")),
      ("hpage_pmd_size", text("2097152\n")),
    ])
    let network = NetworkClass(of: kernel, in: system)
    let root = system.directory([
      ("block", system.directory([])), ("bus", system.directory([])),
      ("class", system.directory([("net", network.links)])),
      (
        "devices",
        system.directory([
          ("system", system.directory([("cpu", system.directory(cpus))])),
          ("virtual", system.directory([("net", network.devices)])),
        ])
      ),
      ("fs", system.directory([("cgroup", system.directory([]))])),
      ("kernel", system.directory([("mm", system.directory([("transparent_hugepage", hugePages)]))])),
    ])
    return (system, root)
  }
}
