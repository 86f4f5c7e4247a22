import Host
import LinuxABI

/// A descriptor of a host file, which is closed when nobody holds it any more.
///
/// Open files of guests keep their positions themselves, so all that read a file that doesn't change share one.
final class HostDescriptor {
  let number: FileDescriptor
  private let quota: HostDescriptorQuota?

  /// - Parameter quota: counts it, where guests decide how many there are.
  init(_ number: FileDescriptor, quota: HostDescriptorQuota? = nil) {
    self.number = number
    self.quota = quota
    quota?.count += 1
  }

  deinit {
    Host.close(number)
    quota?.count -= 1
  }
}

/// How many descriptors of the host the open files of guests hold. Half of what the host allows is left to Apus, so that
/// processes can be made and programs be found whatever guests open.
final class HostDescriptorQuota {
  fileprivate(set) var count = 0
  private lazy var limit = Int(clamping: Host.raiseDescriptorLimit() / 2)

  /// - Throws: `ENFILE` where guests hold as many as they may.
  func checkRoom() throws(Errno) {
    guard count < limit else { throw .tooManyOpenFilesInSystem }
  }
}
