// The checks of `apus doctor` that need a process of their own. What runs in the child calls nothing but
// async-signal-safe functions.
#define _GNU_SOURCE
#include "Probe.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define WRONG 255

static int install(struct sock_filter *code, unsigned short length) {
  struct sock_fprog program = {length, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return errno;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) ? errno : 0;
}

static int probe_filter(void) {
  struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  return install(allow, 1);
}

enum { XMM15 = 160 + 15 * 16, YMM15_HIGH = 576 + 15 * 16, RESERVED = 464 };
static const uint64_t before = 0x1122334455667788, after = 0x99aabbccddeeff00;
static volatile int handler_result = WRONG, has_avx;

static void on_sigsys(int signal, siginfo_t *info, void *context) {
  ucontext_t *frame = context;
  char *state = (char *)frame->uc_mcontext.fpregs;
  uint32_t magic;
  uint64_t features, low, high;
  if (info->si_code != 1 || info->si_syscall != SYS_getppid || !state) return;
  memcpy(&magic, state + RESERVED, 4);
  memcpy(&features, state + RESERVED + 8, 8);
  memcpy(&low, state + XMM15, 8);
  if (magic != 0x46505853 || low != before || (uint64_t)frame->uc_mcontext.gregs[REG_R12] != before) return;
  if (features & 4) {
    has_avx = 1;
    memcpy(&high, state + YMM15_HIGH, 8);
    if (high != before) return;
    memcpy(state + YMM15_HIGH, &after, 8);
  }
  memcpy(state + XMM15, &after, 8);
  frame->uc_mcontext.gregs[REG_R12] = (greg_t)after;
  frame->uc_mcontext.gregs[REG_RAX] = 4711;
  handler_result = 0;
}

static int probe_sigsys(void) {
  static char stack[65536];
  struct sock_filter trap[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  if (sigaltstack(&alternate, 0) || sigaction(SIGSYS, &action, 0)) return errno;
  int error = install(trap, 4);
  if (error) return error;

  int avx = __builtin_cpu_supports("avx");
  uint64_t pattern[4] = {before, before, before, before}, found[4] = {0};
  long result = SYS_getppid;
  register uint64_t r12 __asm__("r12") = before;
  if (avx) {
    __asm__ volatile("vmovdqu (%2), %%ymm15\n\tsyscall\n\tvmovdqu %%ymm15, (%3)\n\tvzeroupper"
                     : "+a"(result), "+r"(r12)
                     : "r"(pattern), "r"(found)
                     : "rcx", "r11", "xmm15", "memory");
  } else {
    __asm__ volatile("movdqu (%2), %%xmm15\n\tsyscall\n\tmovdqu %%xmm15, (%3)"
                     : "+a"(result), "+r"(r12)
                     : "r"(pattern), "r"(found)
                     : "rcx", "r11", "xmm15", "memory");
  }
  if (handler_result || result != 4711 || r12 != after || found[0] != after) return WRONG;
  return avx && (!has_avx || found[2] != after) ? WRONG : 0;
}

static int probe_futex(void) {
  int file = memfd_create("apus-probe", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, 4096)) return errno;
  uint32_t *word = mmap(0, 4096, PROT_READ, MAP_SHARED, file, 0);
  if (word == MAP_FAILED) return errno;
  // The value differs: a futex that can be waited on answers EAGAIN.
  if (syscall(SYS_futex, word, FUTEX_WAIT, 1, 0, 0, 0) == 0) return WRONG;
  return errno == EAGAIN ? 0 : errno;
}

static int probe_memfd(void) {
  int file = memfd_create("apus-probe", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, 4096)) return errno;
  unsigned char code[] = {0xb8, 0x2a, 0, 0, 0, 0xc3};  // mov $42, %eax; ret
  if (pwrite(file, code, sizeof code, 0) != sizeof code) return errno;
  void *page = mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) return errno;
  int (*function)(void) = (int (*)(void))page;
  return function() == 42 ? 0 : WRONG;
}

static int probe_mseal(void) {
  void *page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return errno;
  if (syscall(462, page, 4096, 0)) return errno;
  return munmap(page, 4096) == 0 ? WRONG : 0;
}

static int probe_sysemu(void) {
  pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, 0, 0)) _exit(errno);
    raise(SIGSTOP);
    // Taken by the tracer, which answers with another number.
    _exit(syscall(SYS_getppid) == 4711 ? 0 : WRONG);
  }
  int status, error = WRONG;
  struct user_regs_struct registers;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
    error = WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : WRONG;
  } else if (ptrace(PTRACE_SYSEMU, child, 0, 0) || waitpid(child, &status, 0) != child) {
    error = errno;
  } else if (WIFSTOPPED(status) && ptrace(PTRACE_GETREGS, child, 0, &registers) == 0 &&
             registers.orig_rax == SYS_getppid) {
    registers.rax = 4711;
    if (ptrace(PTRACE_SETREGS, child, 0, &registers) || ptrace(PTRACE_CONT, child, 0, 0)) {
      error = errno;
    } else if (waitpid(child, &status, 0) == child && WIFEXITED(status)) {
      return WEXITSTATUS(status);
    }
  }
  kill(child, SIGKILL);
  waitpid(child, &status, __WALL);
  return error;
}

int apus_probe(apus_probe_kind kind) {
  static int (*const probes[])(void) = {
      [APUS_PROBE_SECCOMP_FILTER] = probe_filter,    [APUS_PROBE_SIGSYS_STATE] = probe_sigsys,
      [APUS_PROBE_READ_ONLY_FUTEX] = probe_futex,    [APUS_PROBE_EXECUTABLE_MEMFD] = probe_memfd,
      [APUS_PROBE_MSEAL] = probe_mseal,              [APUS_PROBE_PTRACE_SYSEMU] = probe_sysemu,
  };
  pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(5);
    _exit(probes[kind]());
  }
  int status;
  while (waitpid(child, &status, 0) != child) {
    if (errno != EINTR) return errno;
  }
  if (!WIFEXITED(status)) return -2;
  return WEXITSTATUS(status) == WRONG ? -1 : WEXITSTATUS(status);
}
