import LinuxABI
import Memory

/// A user and a group.
struct FileOwner: Equatable {
  var uid: UInt32
  var gid: UInt32
}

/// The ids that guests gave to files of a volume, by making them or with chown(2). The host's stay what they are; guests
/// see these for as long as the sandbox lives.
final class GivenOwners {
  private struct Entry {
    let owner: FileOwner
    /// Tells the file from a later one with the same number; nil where the host does not know.
    let birth: Timespec?
  }
  private var entries: [HostFileKey: Entry] = [:]
  private var charge: MemoryCharge
  private static let price = 128

  init(memory: KernelMemory) { charge = memory.openCharge() }

  /// Makes sure that there is memory for one more. - Throws: `ENOSPC`.
  func reserve() throws(Errno) {
    try charge.resize(toHold: (entries.count + 1) * GivenOwners.price, otherwise: .noSpace)
  }

  /// Notes whose a file is from now on, after `reserve`.
  func set(_ owner: FileOwner, of file: HostFileKey, birth: Timespec?) {
    entries[file] = Entry(owner: owner, birth: birth)
  }

  /// Whose a file is, if guests gave it to anybody.
  func find(_ file: HostFileKey, birth: () -> Timespec?) -> FileOwner? {
    guard !entries.isEmpty, let entry = entries[file] else { return nil }
    if entry.birth == birth() { return entry.owner }
    entries[file] = nil
    return nil
  }

  /// The file's last name is gone.
  func forget(_ file: HostFileKey) { entries[file] = nil }

  var isEmpty: Bool { entries.isEmpty }
}
