import LinuxABI
import Memory

/// Finds children of directories, keeping what was found and what was missing.
///
/// Entries of directories that aren't volatile are kept until a call of Apus changes them. Past `limit` entries, leaves
/// that nothing else refers to are dropped.
final class DentryCache {
  /// Roots of all file systems that were mounted.
  private var roots: [Dentry] = []
  private(set) var count = 0
  /// Charged for the entries.
  private var charge: MemoryCharge
  /// What one takes, with the inode that stands for a host's file.
  private static let price = 768
  private let limit: Int
  /// Entries that were left when there was no memory for more: they are in use, and looking for others has to wait.
  private var unpaid = 0
  /// Past this many entries, unused ones are looked for.
  private var threshold: Int
  /// How often they were looked for.
  private(set) var prunings = 0

  init(limit: Int = 1 << 16, memory: KernelMemory) {
    self.limit = limit
    threshold = limit
    charge = memory.openCharge()
  }

  /// A cache that takes no more than a sixteenth of the memory.
  convenience init(memory: PhysicalMemory) {
    let most = Int(clamping: memory.limit / 16) / DentryCache.price
    self.init(limit: max(1 << 10, min(1 << 16, most)), memory: memory.kernelMemory)
  }

  func addRoot(_ root: Dentry) {
    let top = root.top
    if !roots.contains(where: { $0 === top }) { roots.append(top) }
  }

  /// A file system is mounted nowhere any more: its names are forgotten, and it goes when its last file is closed.
  func removeRoot(_ root: Dentry) {
    roots.removeAll { $0 === root }
    count -= DentryCache.clear([root])
  }

  /// Forgets the children of dentries and of all below them; returns how many there were.
  private static func clear(_ tops: [Dentry]) -> Int {
    var pending = tops
    var cleared = 0
    while let directory = pending.popLast() {
      for case let child? in directory.children.values { pending.append(child) }
      cleared += directory.children.count
      directory.children = [:]
    }
    return cleared
  }

  /// The child of that name; nil where there is none.
  func child(of directory: Dentry, _ name: String) throws(Errno) -> Dentry? {
    let key = NameKey(name)
    if let known = directory.children[key] {
      guard let dentry = known else { return nil }
      if !directory.inode.isVolatile || dentry.mountCount > 0 { return dentry }
      if try directory.inode.revalidate(name, dentry.inode) { return dentry }
      directory.children[key] = nil
      count -= 1
    }
    let inode: Inode
    do throws(Errno) {
      inode = try directory.inode.lookup(name)
    } catch .noSuchFileOrDirectory {
      if !directory.inode.isVolatile { insert(nil, in: directory, key) }
      return nil
    }
    let dentry = Dentry(name: name, parent: directory, inode: inode)
    insert(dentry, in: directory, key)
    return dentry
  }

  /// Notes a name that was just made.
  func add(_ inode: Inode, to directory: Dentry, _ name: String) -> Dentry {
    let dentry = Dentry(name: name, parent: directory, inode: inode)
    insert(dentry, in: directory, NameKey(name))
    return dentry
  }

  /// Notes that a name was just removed.
  func remove(_ dentry: Dentry) {
    dentry.isDeleted = true
    guard let directory = dentry.parent else { return }
    replace(dentry.name, in: directory, by: nil)
  }

  /// Notes that a dentry was moved to another name, over what had that name.
  func move(_ dentry: Dentry, to directory: Dentry, _ name: String) {
    if let old = dentry.parent { replace(dentry.name, in: old, by: nil) }
    if let victim = directory.children[NameKey(name)] ?? nil { victim.isDeleted = true }
    dentry.name = name
    dentry.parent = directory
    insert(dentry, in: directory, NameKey(name))
  }

  /// Notes that two dentries changed places.
  func exchange(_ a: Dentry, _ b: Dentry) {
    guard let parentOfA = a.parent, let parentOfB = b.parent else { return }
    let nameOfA = a.name
    a.name = b.name
    a.parent = parentOfB
    b.name = nameOfA
    b.parent = parentOfA
    insert(a, in: parentOfB, NameKey(a.name))
    insert(b, in: parentOfA, NameKey(b.name))
  }

  private func replace(_ name: String, in directory: Dentry, by dentry: Dentry?) {
    if dentry == nil && directory.inode.isVolatile {
      if directory.children.removeValue(forKey: NameKey(name)) != nil { count -= 1 }
    } else {
      insert(dentry, in: directory, NameKey(name))
    }
  }

  private func insert(_ dentry: Dentry?, in directory: Dentry, _ key: NameKey) {
    if directory.children.updateValue(dentry, forKey: key) == nil { count += 1 }
    // The caller holds `dentry`, so it stays.
    if count > threshold || !isPaid { prune() }
  }

  /// Charges for the entries; false where there is no memory for more of them.
  private var isPaid: Bool {
    do throws(Errno) {
      try charge.resize(toHold: count * DentryCache.price)
    } catch { return count <= unpaid }
    return true
  }

  /// Drops unused leaves, twice: directories whose children went may be leaves then. Where most entries are in use, the
  /// next look has to wait: it costs as much as there are entries.
  private func prune() {
    prunings += 1
    for _ in 0..<2 where count > limit / 2 {
      for root in roots { prune(below: root) }
    }
    threshold = max(limit, count + limit / 2)
    unpaid = count + limit / 8
    _ = isPaid
  }

  private func prune(below root: Dentry) {
    var pending = [root]
    while let directory = pending.popLast() {
      var index = directory.children.startIndex
      var dropped: [NameKey] = []
      while index != directory.children.endIndex {
        if let child = directory.children[index].value, !child.children.isEmpty {
          pending.append(child)
        } else if directory.children[index].value == nil
          || isKnownUniquelyReferenced(&directory.children.values[index])
        {
          dropped.append(directory.children[index].key)
        }
        directory.children.formIndex(after: &index)
      }
      for key in dropped { directory.children[key] = nil }
      count -= dropped.count
    }
  }

  /// Forgets everything, so that nothing keeps the inodes alive.
  func removeAll() {
    _ = DentryCache.clear(roots)
    roots = []
    count = 0
  }
}
