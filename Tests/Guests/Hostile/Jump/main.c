// Jumps to every `syscall` instruction in the stub with registers of its own choice: the calls would create a file, kill
// or trace a process of the host, run a program on the host, or map memory that is not the guest's.
//
// Arguments: a path that must not come to exist on the host, the id of a host process that must stay untouched.

#include "hostile.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define MAPPED 0x12340000000ul

struct attack {
  uintptr_t instruction;
  struct hostile_registers registers;
};

/// Looks from a second thread whether memory appeared that Apus does not know of.
static void *observe(void *argument) {
  guest_sleep_ms(15);
  if (hostile_readable(MAPPED)) {
    const int fd = open("/dev/null", O_WRONLY);
    int ends[2];
    CHECK(fd >= 0 && pipe(ends) == 0);
    if (write(ends[1], (void *)MAPPED, 1) == -1 && errno == EFAULT) {
      const struct attack *attack = argument;
      printf("memory appeared: call %lu (%#lx, %#lx, …, %ld) at %#lx\n", (unsigned long)attack->registers.rax,
             (unsigned long)attack->registers.rdi, (unsigned long)attack->registers.rsi, (long)attack->registers.r8,
             (unsigned long)(attack->instruction - STUB_BASE));
      fflush(stdout);
      _exit(hostile_breach);
    }
  }
  _exit(0);
  return argument;
}

static void strike(const void *argument) {
  const struct attack *attack = argument;
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, observe, (void *)attack) == 0);
  hostile_jump(attack->instruction, &attack->registers);
}

static const char *path;
static long victim;
static char scratch[4096];
static int attacks;

static void start(uintptr_t instruction, struct hostile_registers registers) {
  // Registers that the stub's code goes on with point to memory of this program.
  registers.rbx = registers.rbp = registers.r14 = registers.r15 = (uintptr_t)scratch + 1024;
  const struct attack attack = {instruction, registers};
  hostile_start(strike, &attack, sizeof attack, 60);
  attacks++;
}

static void strike_all(uintptr_t instruction) {
  static char *shell[] = {"sh", "-c", NULL, NULL};
  static char command[512];
  snprintf(command, sizeof command, "echo reached > '%s'", path);
  shell[2] = command;
  static struct iovec part = {scratch, 64};
  static struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  const uint64_t p = (uintptr_t)path;
  start(instruction, (struct hostile_registers){SYS_open, p, O_RDWR | O_CREAT, 0666});
  start(instruction, (struct hostile_registers){SYS_openat, (uint64_t)AT_FDCWD, p, O_RDWR | O_CREAT, 0666});
  start(instruction, (struct hostile_registers){SYS_mkdir, p, 0777});
  start(instruction, (struct hostile_registers){SYS_execve, (uintptr_t) "/bin/sh", (uintptr_t)shell, 0});
  start(instruction, (struct hostile_registers){SYS_kill, (uint64_t)victim, 9});
  start(instruction, (struct hostile_registers){SYS_tgkill, (uint64_t)victim, (uint64_t)victim, 9});
  start(instruction, (struct hostile_registers){SYS_ptrace, PTRACE_ATTACH, (uint64_t)victim});
  start(instruction, (struct hostile_registers){SYS_ptrace, PTRACE_SEIZE, (uint64_t)victim});
  start(instruction, (struct hostile_registers){SYS_process_vm_writev, (uint64_t)victim, (uintptr_t)&part, 1, (uintptr_t)&part, 1});
  for (uint64_t fd = 0; fd < 5; fd++)
    start(instruction, (struct hostile_registers){SYS_mmap, MAPPED, 4096, PROT_READ | PROT_WRITE,
                                                 MAP_SHARED | MAP_FIXED, fd, 0});
  start(instruction, (struct hostile_registers){SYS_mmap, MAPPED, 4096, PROT_READ | PROT_WRITE,
                                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, (uint64_t)-1, 0});
  start(instruction, (struct hostile_registers){SYS_mprotect, STUB_CONTROL, 4096, PROT_READ | PROT_WRITE});
  start(instruction, (struct hostile_registers){SYS_mremap, STUB_CONTROL, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, MAPPED});
  start(instruction, (struct hostile_registers){SYS_munmap, STUB_CONTROL, 4096});
  start(instruction, (struct hostile_registers){SYS_munmap, 0, STUB_USER_END});
  start(instruction, (struct hostile_registers){SYS_recvmsg, 4, (uintptr_t)&message, 0});
  start(instruction, (struct hostile_registers){SYS_sendmsg, 4, (uintptr_t)&message, 0});
  start(instruction, (struct hostile_registers){SYS_write, 3, (uintptr_t)scratch, 8});
  start(instruction, (struct hostile_registers){SYS_clone, 17, 0});
  start(instruction, (struct hostile_registers){SYS_clone, CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, (uintptr_t)scratch + 4096});
  start(instruction, (struct hostile_registers){SYS_socket, 2, 1, 0});
  start(instruction, (struct hostile_registers){SYS_getppid});
  start(instruction, (struct hostile_registers){SYS_exit_group, 0});
  start(instruction, (struct hostile_registers){SYS_exit, 0});
  start(instruction, (struct hostile_registers){SYS_futex, STUB_CONTROL, 0, 0});
  start(instruction, (struct hostile_registers){SYS_rt_sigreturn});
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  path = argv[1];
  victim = atol(argv[2]);
  hostile_require_stub();
  const int instructions = hostile_each_syscall(strike_all);
  const int breaches = hostile_finish(hostile_breach);
  CHECK(instructions > 0);
  printf("%d breaches\n", breaches);
  fprintf(stderr, "%d instructions, %d attacks\n", instructions, attacks);
  return breaches ? hostile_breach : 0;
}
