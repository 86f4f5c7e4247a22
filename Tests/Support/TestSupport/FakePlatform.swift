import LinuxABI
import Platform

/// A platform without host processes. Its guest processes model what each would map, and its threads run nothing: tests
/// say what they trap with.
package final class FakePlatform: Platform, @unchecked Sendable {
  package var mappingLimit = 65530
  package let threadsAreBoundToCPUThreads: Bool
  /// Memory operations are done when they are queued; without, when a test calls `FakeProcess.flush`.
  let runsOperationsAtOnce: Bool
  package private(set) var files: [Int32: FileDescriptor] = [:]
  package private(set) var processes: [FakeProcess] = []

  package init(runsOperationsAtOnce: Bool = true, threadsAreBoundToCPUThreads: Bool = false) {
    self.runsOperationsAtOnce = runsOperationsAtOnce
    self.threadsAreBoundToCPUThreads = threadsAreBoundToCPUThreads
  }

  package var vdsoImage: VDSOImage? { nil }

  package func makeProcess() throws(Errno) -> any GuestProcess { makeFakeProcess() }

  package func makeFakeProcess() -> FakeProcess {
    let process = FakeProcess(platform: self)
    processes.append(process)
    return process
  }

  package func register(file: FileDescriptor) throws(Errno) -> MappableFile {
    let number = Int32(files.count + 1)
    files[number] = file
    return MappableFile(number: number)
  }
  package func unregister(_ file: MappableFile) { files[file.number] = nil }

  package func confirmedRelease(of process: any GuestProcess) -> UInt64 {
    guard let process = process as? FakeProcess else { return 0 }
    return process.isDead ? .max : process.confirmed
  }

  package var statistics: PlatformStatistics { PlatformStatistics() }
  package func startAuditing() {}
  package func shutdown() {}
}
