/// A place in the tree of mounts.
package struct PathLocation {
  package let mount: Mount
  package let dentry: Dentry
  package init(mount: Mount, dentry: Dentry) {
    self.mount = mount
    self.dentry = dentry
  }
  package static func == (a: PathLocation, b: PathLocation) -> Bool { a.mount === b.mount && a.dentry === b.dentry }
  /// The absolute path from the root of the mount tree.
  package var path: String { path(from: nil) ?? "/" }

  /// The absolute path as a task with this root directory sees it; nil where the place is not below it.
  package func path(from root: PathLocation?) -> String? {
    // A file that is in no directory has a name alone.
    if mount.point == nil, dentry === mount.root, !dentry.name.isEmpty { return dentry.name }
    var names: [String] = []
    var location = self
    while true {
      if let root, location == root { break }
      if location.dentry === location.mount.root {
        guard let point = location.mount.point else {
          if root != nil { return nil }
          break
        }
        location = point
        continue
      }
      guard let parent = location.dentry.parent else { break }
      names.append(location.dentry.name)
      location = PathLocation(mount: location.mount, dentry: parent)
    }
    var path = names.isEmpty ? "/" : ""
    for name in names.reversed() {
      path += "/"
      path += name
    }
    if dentry.isDeleted { path += " (deleted)" }
    return path
  }
}
