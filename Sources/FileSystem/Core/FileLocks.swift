import LinuxABI

/// The advisory locks on one inode: flock(2) and fcntl(2) record locks.
package final class FileLocks {
  /// Woken when a lock is given up.
  package let waitQueue = WaitQueue()
  package init() {}
}
