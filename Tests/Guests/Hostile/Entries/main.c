// System calls by every entry there is: int 0x80 and sysenter, from 64-bit and from 32-bit code, x32 numbers, the
// vsyscall page. None may reach the host.
//
// Arguments: a path that must not come to exist on the host, the id of a host process that must stay untouched.

#include "hostile.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

/// In the low 4 GiB: the path, machine code, and a stack for 32-bit code.
static struct low {
  char path[512];
  uint8_t code[512];
  uint64_t stack[256];
} *low;
static long victim;

static void call_32(const void *argument) {
  const uint32_t *numbers = argument;
  long result = numbers[0];
  __asm__ volatile("int $0x80" : "+a"(result) : "b"(numbers[1]), "c"(numbers[2]), "d"(numbers[3]) : "memory", "r8", "r9", "r10", "r11");
  // Answered with an error, or not at all.
  _exit((int)result < 0 ? 1 : 2);
}

static void call_x32(const void *argument) {
  const uint64_t *numbers = argument;
  long result = (long)(numbers[0] | 0x40000000);
  __asm__ volatile("syscall" : "+a"(result) : "D"(numbers[1]), "S"(numbers[2]), "d"(numbers[3]) : "memory", "rcx", "r11");
  _exit((int)result < 0 ? 1 : 2);
}

/// Enters 32-bit code at `low->code` by a far return; ebx, ecx, edx hold the arguments.
static void enter_32(const void *argument) {
  const uint32_t *numbers = argument;
  __asm__ volatile("movq %[stack], %%rsp\n pushq $0x23\n pushq %[code]\n lretq"
                   :
                   : "a"(numbers[0]), "b"(numbers[1]), "c"(numbers[2]), "d"(numbers[3]), [stack] "r"(low->stack + 200),
                     [code] "r"((uintptr_t)low->code)
                   : "memory");
}

static void sysenter(const void *argument) {
  const uint32_t *numbers = argument;
  __asm__ volatile("movq %%rsp, %%rbp\n sysenter" ::"a"(numbers[0]), "b"(numbers[1]), "c"(numbers[2]), "d"(numbers[3])
                   : "memory");
}

static void call_vsyscall(const void *argument) {
  const uintptr_t entry = *(const uintptr_t *)argument;
  struct timeval now = {0, 0};
  long (*function)(void *, void *) = (long (*)(void *, void *))entry;
  const long result = function(&now, NULL);
  if (entry == 0xffffffffff600000) CHECK(result == 0 && llabs((long long)now.tv_sec - time(NULL)) < 5);
  _exit(0);
}

static void read_vsyscall(const void *argument) {
  volatile const char *page = (const char *)0xffffffffff600000;
  (void)argument, (void)*page;
  _exit(0);
}

static void write_vsyscall(const void *argument) {
  volatile char *page = (char *)0xffffffffff600000;
  (void)argument;
  *page = 1;
  _exit(2);
}

static void jump_into_vsyscall(const void *argument) {
  ((void (*)(void))(0xffffffffff600000 + *(const uintptr_t *)argument))();
  _exit(0);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  low = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  CHECK(low != MAP_FAILED);
  snprintf(low->path, sizeof low->path, "%s", argv[1]);
  victim = atol(argv[2]);
  const uint32_t path = (uint32_t)(uintptr_t)low->path;
  // 32-bit numbers: open 5, creat 8, mkdir 39, kill 37, tkill 238, ptrace 26, mmap2 192, fork 2, getpid 20, execve 11.
  const uint32_t calls[][4] = {
      {5, path, O_RDWR | O_CREAT, 0666}, {8, path, 0666, 0}, {39, path, 0777, 0}, {37, (uint32_t)victim, 9, 0},
      {238, (uint32_t)victim, 9, 0}, {26, 16, (uint32_t)victim, 0}, {192, 0x30000000, 4096, 7}, {2, 0, 0, 0},
      {20, 0, 0, 0}, {11, path, 0, 0}, {1, 0, 0, 0}, {0xffffffff, 0, 0, 0}, {0x40000014, 0, 0, 0},
  };
  const size_t count = sizeof calls / sizeof *calls;
  for (size_t i = 0; i < count; i++) hostile_start(call_32, calls[i], sizeof calls[i], 500);
  for (size_t i = 0; i < count; i++) hostile_start(sysenter, calls[i], sizeof calls[i], 500);
  // int 0x80 and syscall in 32-bit code, each followed by a jump to itself.
  static const uint8_t interrupt[] = {0xcd, 0x80, 0xeb, 0xfe}, fast[] = {0x0f, 0x05, 0xeb, 0xfe};
  static const uint8_t enter[] = {0x0f, 0x34, 0xeb, 0xfe};
  const uint8_t *const codes[] = {interrupt, fast, enter};
  for (int code = 0; code < 3; code++) {
    memcpy(low->code, codes[code], 4);
    for (size_t i = 0; i < count; i++) hostile_start(enter_32, calls[i], sizeof calls[i], 30);
  }
  const uint64_t wide[][4] = {
      {SYS_open, (uintptr_t)argv[1], O_RDWR | O_CREAT, 0666}, {SYS_mkdir, (uintptr_t)argv[1], 0777, 0},
      {SYS_kill, (uint64_t)victim, 9, 0}, {SYS_mmap, 0x30000000, 4096, 7}, {SYS_fork, 0, 0, 0},
      {SYS_getpid, 0, 0, 0}, {512, 0, 0, 0}, {520, (uintptr_t)argv[1], 0, 0}, {547, 0, 0, 0},
  };
  for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) hostile_start(call_x32, wide[i], sizeof wide[i], 500);
  const int answered = hostile_finish(2);
  printf("foreign calls that succeeded: %d\n", answered);
  for (uintptr_t entry = 0xffffffffff600000; entry <= 0xffffffffff600800; entry += 0x400) {
    const int status = hostile_attempt(call_vsyscall, &entry, 5000);
    printf("vsyscall at %#lx: %s\n", (unsigned long)(entry & 0xfff), status == 0 || status == 1011 ? "answered or refused" : "wrong");
  }
  hostile_attempt(read_vsyscall, NULL, 5000);
  printf("writing to the vsyscall page: %d\n", hostile_attempt(write_vsyscall, NULL, 5000));
  for (uintptr_t offset = 1; offset < 0x1000; offset += 0x155) hostile_start(jump_into_vsyscall, &offset, sizeof offset, 500);
  hostile_finish(0);
  printf("all entries tried\n");
  return answered ? hostile_breach : 0;
}
