import LinuxABI
package struct ResolveOptions: OptionSet, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  package static let noFollow = ResolveOptions(rawValue: 1)
  package static let directory = ResolveOptions(rawValue: 2)
  package static let emptyPath = ResolveOptions(rawValue: 4)
}
package struct PathContext {
  package init(root: PathLocation, base: PathLocation, credentials: Credentials, umask: UInt32 = 0o022) {
    self.root = root
    self.base = base
    self.credentials = credentials
    self.umask = umask
  }
  package var root: PathLocation
  package var base: PathLocation
  package var credentials: Credentials
  package var umask: UInt32
}
package struct AccessMode: OptionSet, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  package static let execute = AccessMode(rawValue: 1)
}
extension VFS {
  package func resolve(_ path: String, _ context: PathContext, _ options: ResolveOptions = []) throws(Errno) -> PathLocation { throw .noFunction }
  package func checkAccess(_ location: PathLocation, _ wanted: AccessMode, _ credentials: Credentials) throws(Errno) {}
}
