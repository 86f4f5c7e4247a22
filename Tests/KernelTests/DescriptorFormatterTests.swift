import LinuxABI
import Testing

@testable import Kernel

/// How calls about memory, events and sockets are shown.
extension CallFormatterTests {
  @Test func mappingsShowTheirFlags() {
    #expect(
      shown(.mmap, 0, 4096, 0, 0x22, .max, 0, result: 0x1000)
        == "mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)")
    #expect(
      shown(.mmap, 0, 1, 5, 0x8000_0010, 3, 0x2000) == "mmap(NULL, 1, PROT_READ|PROT_EXEC, "
        + "MAP_FILE|MAP_FIXED|0x80000000, 3, 0x2000)")
    #expect(shown(.madvise, 0x1000, 4096, 4) == "madvise(0x1000, 4096, MADV_DONTNEED)")
    #expect(shown(.madvise, 0x1000, 4096, 99) == "madvise(0x1000, 4096, 0x63)")
  }

  @Test func onlyFixedMovesHaveATarget() {
    #expect(shown(.mremap, 0x1000, 1, 2, 1, 0x5000) == "mremap(0x1000, 1, 2, MREMAP_MAYMOVE)")
    #expect(shown(.mremap, 0x1000, 1, 2, 3, 0x5000) == "mremap(0x1000, 1, 2, MREMAP_MAYMOVE|MREMAP_FIXED, 0x5000)")
  }

  @Test func polledDescriptorsAreListed() throws {
    let list = [
      PollDescriptor(descriptor: 3, events: 1, returned: 0), PollDescriptor(descriptor: -1, events: 0, returned: 0x20),
    ]
    try machine.first.memory.writeArray(GuestAddress(structure), list)
    #expect(
      shown(.poll, structure, 2, .max, result: 1)
        == "poll([{fd=3, events=POLLIN}, {fd=-1, events=0, revents=POLLNVAL}], 2, -1)")
    #expect(shown(.poll, 0, 0, 5) == "poll(NULL, 0, 5)")
    #expect(shown(.poll, 0x10, 1, 5, result: -14) == "poll(0x10, 1, 5)")
  }

  @Test func longListsAreCut() throws {
    try machine.first.memory.writeArray(
      GuestAddress(structure), [PollDescriptor](repeating: PollDescriptor(), count: 33))
    #expect(shown(.poll, structure, 33, 0).hasSuffix("{fd=-1, events=0}, ...], 33, 0)"))
    #expect(shown(.poll, structure, .max, 0, result: -22).hasSuffix(", ...], 4294967295, 0)"))
  }

  @Test func setsOfDescriptorsShowTheirMembers() throws {
    try machine.first.memory.writeArray(GuestAddress(structure), [UInt64(1) << 63 | 1, 2])
    #expect(shown(.select, 66, structure, 0, 0, 0) == "select(66, [0 63 65], NULL, NULL, NULL)")
    #expect(shown(.select, 65, structure, 0, 0, 0) == "select(65, [0 63], NULL, NULL, NULL)")
    #expect(shown(.select, .max, structure, 0, 0, 0, result: -22) == "select(-1, [], NULL, NULL, NULL)")
  }

  @Test func eventsAreShownAsManyAsThereAre() throws {
    let events = [EpollEvent(events: 0x8000_0001, data: 7), EpollEvent(events: 4, data: 1 << 32)]
    try machine.first.memory.writeArray(GuestAddress(structure), events)
    #expect(
      shown(.epoll_ctl, 3, 1, 4, structure) == "epoll_ctl(3, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, data=0x7})")
    #expect(
      shown(.epoll_wait, 3, structure, 8, .max, result: 2)
        == "epoll_wait(3, [{events=EPOLLIN|EPOLLET, data=0x7}, {events=EPOLLOUT, data=0x100000000}], 8, -1)")
    #expect(shown(.epoll_wait, 3, structure, 8, 0, result: 0) == "epoll_wait(3, [], 8, 0)")
    #expect(shown(.epoll_wait, 3, structure, 8, 0, result: -4) == "epoll_wait(3, 0x100100, 8, 0)")
  }

  @Test func eachCallHasItsOwnNamesForTheFlagsOfANewDescriptor() throws {
    try machine.first.memory.writeArray(GuestAddress(structure), [Int32(3), 4])
    #expect(shown(.pipe2, structure, 0o2004000) == "pipe2([3, 4], O_NONBLOCK|O_CLOEXEC)")
    #expect(shown(.pipe, structure, result: -24) == "pipe(0x100100)")
    #expect(shown(.eventfd2, 1, 0o2000001) == "eventfd2(1, EFD_SEMAPHORE|EFD_CLOEXEC)")
    #expect(shown(.timerfd_create, 7, 0o4000) == "timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK)")
    #expect(shown(.epoll_create1, 0) == "epoll_create1(0)")
    #expect(shown(.accept4, 3, 0, 0, 0o2000000) == "accept4(3, NULL, NULL, SOCK_CLOEXEC)")
    #expect(
      shown(.socketpair, 1, 0o2000005, 0, structure)
        == "socketpair(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0, [3, 4])")
  }

  @Test func optionsHaveTheNamesOfTheirLevel() {
    #expect(shown(.getsockopt, 3, 1, 17, 0x1000, 0) == "getsockopt(3, SOL_SOCKET, SO_PEERCRED, 0x1000, NULL)")
    #expect(shown(.getsockopt, 3, 6, 99, 0x1000, 0) == "getsockopt(3, SOL_TCP, 99, 0x1000, NULL)")
    #expect(shown(.shutdown, 3, 1) == "shutdown(3, SHUT_WR)")
  }

  @Test func messagesShowWhereTheirPartsAre() throws {
    var header = MessageHeader()
    header.vectorCount = 1
    header.flags = .truncated
    try machine.first.memory.writeValue(GuestAddress(structure), header)
    #expect(
      shown(.recvmsg, 3, structure, 0x40)
        == "recvmsg(3, {msg_name=NULL, msg_namelen=0, msg_iov=NULL, msg_iovlen=1, msg_control=NULL, msg_controllen=0, "
        + "msg_flags=MSG_TRUNC}, MSG_DONTWAIT)")
    try machine.first.memory.write(GuestAddress(structure), Array("hi".utf8))
    #expect(shown(.sendto, 3, structure, 2, 0x4000, 0, 0) == #"sendto(3, "hi", 2, MSG_NOSIGNAL, NULL, 0)"#)
  }
}
