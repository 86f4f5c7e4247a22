extension Syscalls {
  /// Every table of system calls, each declared beside its functions.
  static var allTables: [[SyscallEntry]] {
    [
      processTable,
      execTable,
      identityTable,
      memoryTable,
      processMemoryTable,
      systemTable,
      readWriteTable,
      descriptorTable,
      pipeTable,
      eventfdTable,
      timerfdTable,
      signalfdTable,
      pollTable,
      epollTable,
      spliceTable,
      socketTable,
      messageTable,
      openTable,
      memfdTable,
      statTable,
      directoryTable,
      nameTable,
      attributeTable,
      extendedAttributeTable,
      fileContentTable,
      mountTable,
      signalTable,
      pidfdTable,
      futexTable,
      membarrierTable,
      timeTable,
    ]
  }
}
