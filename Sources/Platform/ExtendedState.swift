import CStub
import LinuxABI

/// The processor's extended state as signal frames hold it (`ExtendedStateArea`): an XSAVE area in standard form.
enum ExtendedState {
  /// State components that the host saves in signal frames. Tile data (18) needs a permission that nobody asks for.
  static let features: UInt64 = apus_xcr0() & ~(1 << 18)
  /// Length of the XSAVE area for these components.
  static let size: Int = {
    var end = 576
    for component in 2..<63 where features & (1 << UInt64(component)) != 0 {
      end = max(end, Int(apus_xstate_end(UInt32(component))))
    }
    return end
  }()
  /// Length of the area with the magic number behind it.
  static let areaSize = size + 4

  private enum Offset {
    static let controlWord = 0
    static let mxcsr = 24
    static let mxcsrMask = 28
    static let description = ExtendedStateArea.description
    static let header = ExtendedStateArea.legacySize
    static let headerEnd = 576
  }

  /// What the x87 and SSE units begin with: all exceptions masked (Intel SDM volume 1, 8.1.5 and 10.2.3).
  private static let initialControlWord: UInt16 = 0x37f
  private static let initialMXCSR: UInt32 = 0x1f80
  /// The components of x87 and SSE, as bits of the header.
  private static let x87AndSSE: UInt64 = 3

  /// The state of a new program (execve(2)).
  static let initial: [UInt8] = {
    var area = [UInt8](repeating: 0, count: areaSize)
    area.store(initialControlWord, at: Offset.controlWord)
    area.store(initialMXCSR, at: Offset.mxcsr)
    describe(&area)
    return area
  }()

  /// Copies the area at an offset of a context out, as far as the description there can be believed.
  static func area(readFrom start: Int, of context: Context) -> [UInt8]? {
    guard start <= Stub.headerOffset - areaSize else { return nil }
    var area = context.bytes(start..<start + areaSize)
    makeRestorable(&area)
    return area
  }

  /// The state in a tracer's view of it (`NT_X86_XSTATE`), which is the same area with another description.
  static func area(fromRegisterSet whole: [UInt8]) -> [UInt8] {
    var area = [UInt8](repeating: 0, count: areaSize)
    let length = min(size, whole.count)
    area.replaceSubrange(0..<length, with: whole[0..<length])
    // As in a frame of the host's: a handler may change x87 and SSE state, also while it is initial.
    area.store(area.load(UInt64.self, at: Offset.header) | x87AndSSE, at: Offset.header)
    makeRestorable(&area)
    return area
  }

  static func store(_ area: [UInt8], inRegisterSet whole: inout [UInt8]) {
    let length = min(size, whole.count, area.count)
    guard length >= Offset.headerEnd else { return }
    whole.replaceSubrange(0..<Offset.description, with: area[0..<Offset.description])
    whole.replaceSubrange(Offset.header..<length, with: area[Offset.header..<length])
  }

  /// Makes an area of a guest's signal frame safe to restore.
  /// - Throws: `EFAULT` where it isn't an XSAVE area of a known layout.
  static func sanitized(_ area: [UInt8]) throws(Errno) -> [UInt8] {
    guard area.count >= 512 else { throw .badAddress }
    var result = [UInt8](repeating: 0, count: areaSize)
    let length = Int(area.load(UInt32.self, at: Offset.description + 16))
    let isExtended =
      area.load(UInt32.self, at: Offset.description) == ExtendedStateArea.magic && length >= Offset.headerEnd
      && length <= size
      && area.count >= length + 4 && area.load(UInt32.self, at: length) == ExtendedStateArea.endMagic
    if isExtended {
      result.replaceSubrange(0..<length, with: area[0..<length])
    } else {
      // An fxsave(7) area alone: x87 and SSE state, everything else initial.
      result.replaceSubrange(0..<512, with: area[0..<512])
      result.store(x87AndSSE, at: Offset.header)
    }
    makeRestorable(&result)
    return result
  }

  private static func makeRestorable(_ area: inout [UInt8]) {
    let components = area.load(UInt64.self, at: Offset.header) & features
    area.replaceSubrange(Offset.header..<Offset.headerEnd, with: repeatElement(0, count: 64))
    area.store(components, at: Offset.header)
    area.store(area.load(UInt32.self, at: Offset.mxcsr) & mxcsrMask, at: Offset.mxcsr)
    describe(&area)
  }

  private static func describe(_ area: inout [UInt8]) {
    area.replaceSubrange(Offset.description..<512, with: repeatElement(0, count: 48))
    area.store(ExtendedStateArea.magic, at: Offset.description)
    area.store(UInt32(areaSize), at: Offset.description + 4)
    area.store(features, at: Offset.description + 8)
    area.store(UInt32(size), at: Offset.description + 16)
    area.store(ExtendedStateArea.endMagic, at: size)
  }

  private static let mxcsrMask = apus_mxcsr_mask()
}

extension [UInt8] {
  /// Reads a value at an offset; zero where the array is too short.
  fileprivate func load<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T {
    guard offset >= 0, offset <= count - MemoryLayout<T>.size else { return 0 }
    var value: T = 0
    for index in (0..<MemoryLayout<T>.size).reversed() {
      value = value << 8 | T(truncatingIfNeeded: self[offset + index])
    }
    return value
  }

  fileprivate mutating func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    guard offset >= 0, offset <= count - MemoryLayout<T>.size else { return }
    for index in 0..<MemoryLayout<T>.size { self[offset + index] = UInt8(truncatingIfNeeded: value >> T(index * 8)) }
  }
}
