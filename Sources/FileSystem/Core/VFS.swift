/// The mounts of a sandbox and the walk of paths through them.
package final class VFS {
  package init() {}
}
