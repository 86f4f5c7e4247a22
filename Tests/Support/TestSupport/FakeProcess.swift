import LinuxABI
import Platform

/// What the host shows at a page.
package enum FakePage: Equatable {
  case physical(frame: UInt64, HostProtection)
  case file(number: Int32, offset: UInt64, isShared: Bool, HostProtection)

  package var protection: HostProtection {
    switch self {
    case .physical(_, let protection), .file(_, _, _, let protection): protection
    }
  }

  package func with(_ protection: HostProtection) -> FakePage {
    switch self {
    case .physical(let frame, _): .physical(frame: frame, protection)
    case .file(let number, let offset, let isShared, _):
      .file(number: number, offset: offset, isShared: isShared, protection)
    }
  }

  /// Whether the host would keep this page and the one after it in one mapping.
  package func joins(_ next: FakePage) -> Bool {
    switch (self, next) {
    case (.physical(let a, let p), .physical(let b, let q)): a + 1 == b && p == q
    case (.file(let n, let a, let s, let p), .file(let m, let b, let t, let q)):
      n == m && a + 4096 == b && s == t && p == q
    default: false
    }
  }
}

/// The host process of a guest, as a page table.
package final class FakeProcess: GuestProcess, @unchecked Sendable {
  private let platform: FakePlatform
  package let deathDescriptor: FileDescriptor
  /// What is mapped, by page number.
  package private(set) var table: [UInt64: FakePage] = [:]
  private var queued: [MemoryOperation] = []
  private var issued: UInt64 = 0
  package private(set) var confirmed: UInt64 = 0
  package private(set) var isDead = false
  package private(set) var isRecycled = false
  package private(set) var isKilled = false
  /// The last ticket that emptying the process confirms.
  private var recycledTicket: UInt64 = 0
  package private(set) var problems: [String] = []

  /// `deathDescriptor` stays the caller's.
  package init(platform: FakePlatform, deathDescriptor: FileDescriptor = FileDescriptor(rawValue: -1)) {
    self.platform = platform
    self.deathDescriptor = deathDescriptor
  }

  package var hostPID: Int32 { 1 }
  package func noteDeath() { isDead = true }
  package func queue(_ operation: MemoryOperation) {
    if platform.runsOperationsAtOnce { apply(operation) } else { queued.append(operation) }
  }
  package func releaseTicket() -> UInt64 {
    issued += 1
    if platform.runsOperationsAtOnce { confirmed = issued }
    return issued
  }
  package func makeThread(
    registers: Registers, extendedStateOf parent: (any GuestThread)?
  ) throws(Errno) -> any GuestThread { FakeThread(registers, state: parent?.extendedState()) }
  package func recycle() {
    isRecycled = true
    recycledTicket = issued
    queued = []
    table = [:]
  }
  package func kill() {
    isKilled = true
    isDead = true
  }

  /// Runs the queue, as happens before a thread runs.
  package func flush() {
    for operation in queued { apply(operation) }
    queued = []
    confirmed = isRecycled ? recycledTicket : issued
  }

  private func check(_ condition: Bool, _ operation: MemoryOperation, _ what: String) {
    if !condition { problems.append("\(what): \(operation)") }
  }

  /// The key of the page of an address.
  package static func page(of address: GuestAddress) -> UInt64 { address.rawValue / Layout.pageSize }

  private func apply(_ operation: MemoryOperation) {
    switch operation {
    case .mapPhysical(let address, let length, let offset, let protection, _):
      check(address.isPageAligned && length % 4096 == 0 && length > 0 && offset % 4096 == 0, operation, "bad")
      for page in 0..<length / 4096 {
        table[FakeProcess.page(of: address) + page] = .physical(frame: offset / 4096 + page, protection)
      }
    case .mapFile(let address, let length, let file, let offset, let protection):
      check(!protection.contains(.write), operation, "writable private file mapping")
      mapFile(operation, address, length, file, offset, false, protection)
    case .mapFileShared(let address, let length, let file, let offset, let protection):
      mapFile(operation, address, length, file, offset, true, protection)
    case .unmap(let address, let length):
      check(address.isPageAligned && length % 4096 == 0 && length > 0, operation, "bad")
      if length / 4096 > UInt64(table.count) {
        table = table.filter {
          $0.key < FakeProcess.page(of: address) || $0.key >= FakeProcess.page(of: address &+ length)
        }
      } else {
        for page in 0..<length / 4096 { table[FakeProcess.page(of: address) + page] = nil }
      }
    case .protect(let address, let length, let protection):
      for page in 0..<length / 4096 {
        let old = table[FakeProcess.page(of: address) + page]
        check(old != nil, operation, "unmapped page")
        table[FakeProcess.page(of: address) + page] = old?.with(protection)
      }
    }
  }

  private func mapFile(
    _ operation: MemoryOperation, _ address: GuestAddress, _ length: UInt64, _ file: MappableFile, _ offset: UInt64,
    _ isShared: Bool, _ protection: HostProtection
  ) {
    check(platform.files[file.number] != nil && length > 0 && offset % 4096 == 0, operation, "bad")
    for page in 0..<length / 4096 {
      table[FakeProcess.page(of: address) + page] = .file(
        number: file.number, offset: offset + page * 4096, isShared: isShared, protection)
    }
  }

  /// Mappings that the host has to keep.
  package var mappingCount: Int {
    var count = 0
    var last: (page: UInt64, what: FakePage)?
    for (page, what) in table.sorted(by: { $0.key < $1.key }) {
      if let last, last.page + 1 == page, last.what.joins(what) {} else { count += 1 }
      last = (page, what)
    }
    return count
  }
}
