import Host
import LinuxABI

/// A descriptor of a host file, which is closed when nobody holds it any more.
///
/// Open files of guests keep their positions themselves, so all that read a file that doesn't change share one.
final class HostDescriptor {
  let number: FileDescriptor
  init(_ number: FileDescriptor) { self.number = number }
  deinit { Host.close(number) }
}
