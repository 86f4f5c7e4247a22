import LinuxABI
import Memory

/// How a path is resolved; the last five are `RESOLVE_*` of openat2(2).
public struct ResolveOptions: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// A symbolic link as the last component is the result, not its target.
  public static let noFollow = ResolveOptions(rawValue: 1)
  /// The result must be a directory.
  public static let directory = ResolveOptions(rawValue: 2)
  /// An empty path names the base (`AT_EMPTY_PATH`).
  public static let emptyPath = ResolveOptions(rawValue: 4)
  public static let noCrossing = ResolveOptions(rawValue: 8)
  public static let noMagicLinks = ResolveOptions(rawValue: 16)
  public static let noSymbolicLinks = ResolveOptions(rawValue: 32)
  public static let beneath = ResolveOptions(rawValue: 64)
  public static let inRoot = ResolveOptions(rawValue: 128)
}

/// Where a task's paths start, and who asks.
package struct PathContext {
  /// Its root directory (chroot(2)).
  package var root: PathLocation
  /// What relative paths start at: its working directory, or the directory of a descriptor.
  package var base: PathLocation
  package var credentials: Credentials
  package var umask: UInt32
  package init(root: PathLocation, base: PathLocation, credentials: Credentials, umask: UInt32 = 0o022) {
    self.root = root
    self.base = base
    self.credentials = credentials
    self.umask = umask
  }
}

/// One walk along a path (path_resolution(7)).
struct PathWalk {
  /// The last component of a path, which many calls treat differently.
  enum Last {
    case name(String)
    case dot
    case dotDot
    /// The path was `/`, or a magic link: `location` is the result.
    case none
  }

  let vfs: VFS
  let root: PathLocation
  let credentials: Credentials
  let options: ResolveOptions
  /// Where the walk has come to.
  var location: PathLocation
  /// Symbolic links that may still be followed.
  private var linksLeft = 40

  init(_ vfs: VFS, _ context: consuming PathContext, _ options: ResolveOptions) {
    self.vfs = vfs
    credentials = context.credentials
    self.options = options
    location = context.base
    root = options.isDisjoint(with: [.beneath, .inRoot]) ? context.root : context.base
  }

  private static let slash = UInt8(ascii: "/")
  private static let dot = UInt8(ascii: ".")

  /// Walks all components but the last. The walk is then in the directory that holds (or would hold) the last one, and
  /// which may be searched.
  mutating func walkToLast(_ path: String) throws(Errno) -> (last: Last, mustBeDirectory: Bool) {
    let bytes = path.utf8.span
    var position = 0
    if !bytes.isEmpty, bytes[0] == PathWalk.slash {
      if options.contains(.beneath) { throw .improperLink }
      if options.contains(.noCrossing) && location.mount !== root.mount { throw .improperLink }
      location = root
      position = PathWalk.skipSlashes(bytes, from: 0)
    }
    if position == bytes.count { return (.none, true) }
    while true {
      try checkSearch()
      let begin = position
      while position < bytes.count, bytes[position] != PathWalk.slash { position += 1 }
      let last = PathWalk.component(bytes.extracting(begin..<position))
      let end = position
      position = PathWalk.skipSlashes(bytes, from: end)
      if position == bytes.count { return (last, position > end) }
      try take(last, following: true)
    }
  }

  private static func skipSlashes(_ bytes: Span<UInt8>, from start: Int) -> Int {
    var position = start
    while position < bytes.count, bytes[position] == slash { position += 1 }
    return position
  }

  private static func component(_ bytes: Span<UInt8>) -> Last {
    if bytes[0] == dot {
      if bytes.count == 1 { return .dot }
      if bytes.count == 2, bytes[1] == dot { return .dotDot }
    }
    // What lies between slashes of a string is a string.
    return .name(String(uncheckedPart: bytes))
  }

  /// Walks a whole path.
  mutating func walk(_ path: String, followingLast: Bool, isWhole: Bool = true) throws(Errno) {
    let (last, mustBeDirectory) = try walkToLast(path)
    try take(last, following: followingLast || mustBeDirectory, isLast: isWhole)
    if mustBeDirectory && location.dentry.inode.kind != .directory { throw .notDirectory }
  }

  /// Takes one component of the current directory.
  mutating func take(_ component: Last, following: Bool, isLast: Bool = false) throws(Errno) {
    switch component {
    case .none: break
    case .dot: break
    case .dotDot: try goUp()
    case .name(let name):
      guard let child = try child(name) else { throw .noSuchFileOrDirectory }
      if following && child.dentry.inode.kind == .symbolicLink {
        try follow(child, isLast: isLast)
      } else {
        location = child
      }
    }
  }

  /// What a name in the current directory leads to, with what is mounted there; nil where it doesn't exist.
  func child(_ name: String) throws(Errno) -> PathLocation? {
    // A name that fits as a string fits as bytes too: escapes only make it longer.
    if name.utf8.count > FileName.maximumLength && FileName.length(name) > FileName.maximumLength {
      throw .fileNameTooLong
    }
    guard let dentry = try vfs.cache.child(of: location.dentry, name) else { return nil }
    let child = PathLocation(mount: location.mount, dentry: dentry)
    if dentry.mountCount == 0 { return child }
    let top = vfs.topmost(child)
    if options.contains(.noCrossing) && top.mount !== location.mount { throw .improperLink }
    return top
  }

  /// Goes where a symbolic link in the current directory leads.
  private mutating func follow(_ link: PathLocation, isLast: Bool) throws(Errno) {
    if let target = try beginFollowing(link, isLast: isLast) {
      try walk(target, followingLast: true, isWhole: isLast)
    }
  }

  /// Counts a link. Returns its target, or goes where a magic link leads and returns nil.
  mutating func beginFollowing(_ link: PathLocation, isLast: Bool = true) throws(Errno) -> String? {
    if linksLeft == 0 || options.contains(.noSymbolicLinks) || link.mount.flags.contains(.noSymbolicLinks) {
      throw .tooManySymbolicLinkLevels
    }
    link.dentry.inode.touchAccessTime(link.mount.accessTimeRule(.symbolicLink))
    linksLeft -= 1
    if isLast, vfs.protectsSymbolicLinks { try checkMayFollow(link) }
    if let target = try link.dentry.inode.magicTarget() {
      if options.contains(.noMagicLinks) { throw .tooManySymbolicLinkLevels }
      if !options.isDisjoint(with: [.beneath, .inRoot]) { throw .improperLink }
      if options.contains(.noCrossing) && target.mount !== location.mount { throw .improperLink }
      location = target
      return nil
    }
    let target = try link.dentry.inode.readLink()
    if target.isEmpty { throw .noSuchFileOrDirectory }
    return target
  }

  /// `fs.protected_symlinks` of proc_sys_fs(5): in a sticky directory that all may write, only links of the follower's own
  /// and of the directory's owner are followed. - Throws: `EACCES`.
  private func checkMayFollow(_ link: PathLocation) throws(Errno) {
    guard let parent = link.dentry.parent?.inode, !(parent is GeneratedInode) else { return }
    let directory = try parent.permissionAttributes()
    guard directory.mode.hasAll(of: FileMode.sticky | FileMode.othersWrite) else { return }
    let owner = try link.dentry.inode.permissionAttributes().uid
    guard owner == credentials.fsuid || owner == directory.uid else { throw .permissionDenied }
  }

  /// The current place must be a directory that may be searched.
  private func checkSearch() throws(Errno) {
    let inode = location.dentry.inode
    guard inode.kind == .directory else { throw .notDirectory }
    if !credentials.searchesEverything { try credentials.check(.execute, try inode.permissionAttributes()) }
  }

  /// `..`, which never leaves the root directory.
  private mutating func goUp() throws(Errno) {
    while true {
      if location == root {
        if options.contains(.beneath) { throw .improperLink }
        return
      }
      if location.dentry !== location.mount.root { break }
      guard let point = location.mount.point else { return }
      if options.contains(.noCrossing) { throw .improperLink }
      location = point
    }
    if let parent = location.dentry.parent { location = PathLocation(mount: location.mount, dentry: parent) }
  }
}
