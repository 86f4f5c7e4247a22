import CStub
import Host
import LinuxABI

/// A mapping that belongs to the host's vDSO (vdso(7)), and where guest processes have it.
struct VDSOMapping {
  var from: UInt64
  var length: UInt64
  var isCode: Bool
  var final: UInt64

  var image: VDSOImage {
    unsafe VDSOImage(
      address: GuestAddress(final),
      bytes: UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(from)), count: Int(length)))
  }

  /// Finds the vDSO's code and data in this process. Their distances stay the same in guest processes, because the
  /// code reaches the data relative to itself. None where the host has no vDSO.
  static func find() throws(PlatformError) -> [VDSOMapping] {
    let maps: [UInt8]
    do throws(Errno) {
      maps = try Host.readSmallFile("/proc/self/maps", limit: 1 << 18)
    } catch {
      throw PlatformError(
        "Cannot read /proc/self/maps", error, remedy: "Apus needs the proc file system mounted at /proc.")
    }
    var found: [VDSOMapping] = []
    for line in maps.split(separator: UInt8(ascii: "\n")) {
      guard line.last == UInt8(ascii: "]"), let bracket = line.lastIndex(of: UInt8(ascii: "[")) else { continue }
      let name = line[bracket...]
      let isCode = name.elementsEqual("[vdso]".utf8)
      guard isCode || name.starts(with: "[vvar".utf8) else { continue }
      guard let (start, rest) = hexadecimal(line), let (end, _) = hexadecimal(rest.dropFirst()), end > start else {
        continue
      }
      found.append(VDSOMapping(from: start, length: end - start, isCode: isCode, final: 0))
    }
    guard let first = found.first, found.count <= 4, let last = found.last, last.from - first.from < 0x50000 else {
      return []
    }
    for index in found.indices { found[index].final = Stub.vdso + (found[index].from - first.from) }
    return found
  }

  private static func hexadecimal(_ text: ArraySlice<UInt8>) -> (UInt64, ArraySlice<UInt8>)? {
    var value: UInt64 = 0
    var rest = text
    while let digit = rest.first {
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
      default: return rest.startIndex == text.startIndex ? nil : (value, rest)
      }
      rest = rest.dropFirst()
    }
    return nil
  }
}
