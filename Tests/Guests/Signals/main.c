// Signals: handlers, masks, restarting, queueing, alternate stacks, and what a handler may change.

#include "guest.h"
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <time.h>

static volatile sig_atomic_t count, last;
static volatile int log_length;
static int log_entries[64];

static void note(int signal) {
  count++;
  last = signal;
  if (log_length < 64) log_entries[log_length++] = signal;
}

static void install(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  CHECK(sigaction(signal, &action, NULL) == 0);
}

static void show_log(const char *what) {
  printf("%s:", what);
  for (int i = 0; i < log_length; i++) printf(" %d", log_entries[i]);
  printf("\n");
  log_length = 0;
}

static void handlers(void) {
  install(SIGUSR1, note, 0);
  raise(SIGUSR1);
  printf("raised: %d %d\n", (int)count, (int)last);
  for (int i = 0; i < 1000; i++) kill(getpid(), SIGUSR1);
  printf("thousand: %d\n", (int)count);
  install(SIGUSR1, note, SA_RESETHAND);
  raise(SIGUSR1);
  struct sigaction action;
  CHECK(sigaction(SIGUSR1, NULL, &action) == 0);
  printf("reset: %d\n", action.sa_handler == SIG_DFL);
  action.sa_handler = note;
  guest_result("SIGKILL", sigaction(SIGKILL, &action, NULL));
  guest_result("SIGSTOP", sigaction(SIGSTOP, &action, NULL));
  guest_result("signal 65", syscall(SYS_rt_sigaction, 65, &action, NULL, 8));
  guest_result("bad set size", syscall(SYS_rt_sigaction, SIGUSR1, NULL, &action, 4));
  signal(SIGUSR2, SIG_IGN);
  raise(SIGUSR2);
  printf("ignored\n");
}

static void nested_inner(int signal) {
  note(signal);
}

static void nested_outer(int signal) {
  note(signal);
  raise(SIGUSR2);  // not masked: runs at once
  if (log_length < 4) raise(signal);  // masked while its own handler runs
  note(100);
}

static void masks(void) {
  install(SIGUSR1, nested_outer, 0);
  install(SIGUSR2, nested_inner, 0);
  raise(SIGUSR1);
  show_log("nested");
  install(SIGUSR1, note, 0);
  sigset_t both, old, pending;
  sigemptyset(&both);
  sigaddset(&both, SIGUSR1);
  sigaddset(&both, SIGUSR2);
  CHECK(sigprocmask(SIG_BLOCK, &both, &old) == 0);
  log_length = 0;
  raise(SIGUSR2);
  raise(SIGUSR1);
  raise(SIGUSR1);
  CHECK(sigpending(&pending) == 0);
  printf("pending: %d %d %d\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2),
         sigismember(&pending, SIGTERM));
  printf("child has none pending: %d\n", IN_CHILD({
           sigpending(&pending);
           _exit(sigismember(&pending, SIGUSR1));
         }));
  CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
  printf("delivered %d\n", log_length);
  log_length = 0;
  // sigsuspend swaps the mask and restores it.
  CHECK(sigprocmask(SIG_BLOCK, &both, NULL) == 0);
  raise(SIGUSR1);
  sigset_t open_mask;
  sigemptyset(&open_mask);
  guest_result("sigsuspend", sigsuspend(&open_mask));
  sigset_t now;
  sigprocmask(SIG_SETMASK, NULL, &now);
  printf("mask restored: %d\n", sigismember(&now, SIGUSR1));
  show_log("suspended");
  guest_result("bad how", syscall(SYS_rt_sigprocmask, 77, &both, NULL, 8));
  // SIGKILL cannot be blocked.
  sigset_t all;
  sigfillset(&all);
  CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
  sigprocmask(SIG_SETMASK, NULL, &now);
  printf("SIGKILL blocked: %d\n", sigismember(&now, SIGKILL));
  printf("killed anyway: %d\n", IN_CHILD({
           kill(getpid(), SIGKILL);
           pause();
         }));
}

/// Again and again: on a slow host, the first may come before the call that it is to interrupt. 0 ends it.
static void alarm_every(long microseconds) {
  const struct timeval time = {0, microseconds};
  CHECK(setitimer(ITIMER_REAL, &(struct itimerval){time, time}, NULL) == 0);
}

static void restarting(void) {
  int ends[2];
  char byte;
  CHECK(pipe(ends) == 0);
  install(SIGALRM, note, 0);
  alarm_every(20000);
  guest_result("read without SA_RESTART", read(ends[0], &byte, 1));
  alarm_every(0);
  install(SIGALRM, note, SA_RESTART);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    guest_sleep_ms(100);
    CHECK(write(ends[1], "x", 1) == 1);
    _exit(0);
  }
  count = 0;
  alarm_every(20000);
  const ssize_t length = read(ends[0], &byte, 1);
  printf("read with SA_RESTART: %zd, handled %d\n", length, count > 0);
  CHECK(guest_wait(child) == 0);
  struct timespec time = {100, 0}, left = {0, 0};
  guest_result("nanosleep", nanosleep(&time, &left));
  printf("time left: %d\n", left.tv_sec >= 50);
  struct pollfd poller = {.fd = ends[0], .events = POLLIN};
  guest_result("poll", poll(&poller, 1, 100000));
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  guest_result("select", select(ends[0] + 1, &set, NULL, NULL, NULL));
  guest_result("pause", pause());
  const pid_t sleeper = fork();
  if (sleeper == 0) {
    guest_sleep_ms(60);
    _exit(8);
  }
  int status;
  CHECK(waitpid(sleeper, &status, 0) == sleeper);
  printf("wait with SA_RESTART: %d\n", WEXITSTATUS(status));
  install(SIGALRM, note, 0);
  const pid_t another = fork();
  if (another == 0) {
    close(ends[1]);
    _exit(read(ends[0], &byte, 1) == 0 ? 8 : 9);
  }
  guest_result("wait without", waitpid(another, &status, 0));
  alarm_every(0);
  close(ends[1]);
  CHECK(guest_wait(another) == 8);
  // A stop and a continue do not end a sleep early, nor a read.
  fflush(stdout);
  const int64_t start = guest_now();
  const pid_t stopped = fork();
  if (stopped == 0) {
    struct timespec sleep = {1, 0};
    guest_result("sleep across stop", nanosleep(&sleep, NULL));
    fflush(stdout);
    _exit(0);
  }
  guest_sleep_ms(40);
  CHECK(kill(stopped, SIGSTOP) == 0 && waitpid(stopped, &status, WUNTRACED) == stopped && WIFSTOPPED(status));
  CHECK(kill(stopped, SIGCONT) == 0);
  CHECK(guest_wait(stopped) == 0);
  CHECK(guest_now() - start >= 1000000000);
}

static void queueing(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigaddset(&set, SIGRTMIN + 1);
  sigaddset(&set, SIGUSR1);
  CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  for (int i = 0; i < 3; i++) {
    CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i}) == 0);
    CHECK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 20 + i}) == 0);
    CHECK(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 30 + i}) == 0);
  }
  siginfo_t info;
  const struct timespec none = {0, 0}, some = {0, 20000000};
  while (sigtimedwait(&set, &info, &none) > 0)
    printf("signal %s%d value %d code %d from self %d\n", info.si_signo >= SIGRTMIN ? "RTMIN+" : "",
           info.si_signo >= SIGRTMIN ? info.si_signo - SIGRTMIN : info.si_signo, info.si_value.sival_int, info.si_code,
           info.si_pid == getpid());
  guest_result("sigtimedwait", sigtimedwait(&set, &info, &some));
  fflush(stdout);
  const int64_t start = guest_now();
  const pid_t child = fork();
  if (child == 0) {
    guest_sleep_ms(20);
    kill(getppid(), SIGUSR1);
    _exit(0);
  }
  const int got = sigwaitinfo(&set, &info);
  printf("sigwaitinfo: %d code %d\n", got, info.si_code);
  CHECK(info.si_pid == child && guest_now() - start >= 20000000);
  CHECK(guest_wait(child) == 0);
  // signalfd reads the same queue.
  const int fd = signalfd(-1, &set, SFD_NONBLOCK);
  CHECK(fd >= 0);
  struct signalfd_siginfo record;
  guest_result("signalfd empty", read(fd, &record, sizeof record));
  raise(SIGUSR1);
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  printf("signalfd ready: %d\n", poll(&poller, 1, 100000));
  CHECK(read(fd, &record, sizeof record) == sizeof record);
  printf("signalfd: %d code %d\n", record.ssi_signo, record.ssi_code);
}

static siginfo_t saved;

static void keep(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  saved = *info;
}

static void information(void) {
  struct sigaction action = {.sa_sigaction = keep, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGCHLD, &action, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  kill(getpid(), SIGUSR1);
  printf("kill: code %d\n", saved.si_code);
  CHECK(saved.si_pid == getpid() && saved.si_uid == getuid());
  raise(SIGUSR1);
  printf("raise: code %d\n", saved.si_code);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(33);
  CHECK(guest_wait(child) == 33);
  printf("SIGCHLD: code %d status %d\n", saved.si_code, saved.si_status);
  CHECK(saved.si_pid == child);
  child = fork();
  if (child == 0) {
    kill(getpid(), SIGKILL);
    pause();
  }
  CHECK(guest_wait(child) == 1009);
  printf("SIGCHLD: code %d status %d\n", saved.si_code, saved.si_status);
  alarm_every(1000);
  pause();
  alarm_every(0);
  printf("timer: signal %d code %d\n", saved.si_signo, saved.si_code);
  // What the process caused itself comes from itself.
  CHECK(sigaction(SIGPIPE, &action, NULL) == 0 && sigaction(SIGXFSZ, &action, NULL) == 0);
  int pipe_ends[2];
  CHECK(pipe(pipe_ends) == 0 && close(pipe_ends[0]) == 0);
  guest_result("write to a broken pipe", write(pipe_ends[1], "x", 1));
  printf("SIGPIPE: code %d, own %d\n", saved.si_code, saved.si_pid == getpid());
  const int file = memfd_create("limited", 0);
  CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){100, 100}) == 0);
  guest_result("write past the limit", pwrite(file, "x", 1, 100));
  printf("SIGXFSZ: code %d, own %d\n", saved.si_code, saved.si_pid == getpid());
  guest_result("forged kernel code", syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR2,
                                             &(siginfo_t){.si_code = SI_USER, .si_signo = SIGUSR2}));
}

static volatile uintptr_t handler_stack;
static stack_t during;

static void on_stack(int signal) {
  note(signal);
  handler_stack = (uintptr_t)__builtin_frame_address(0);
  sigaltstack(NULL, &during);
}

static void alternate_stack(void) {
  static char memory[65536];
  stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory}, old;
  CHECK(sigaltstack(&stack, NULL) == 0);
  install(SIGUSR1, on_stack, SA_ONSTACK);
  raise(SIGUSR1);
  printf("on the stack: %d, flags %d\n", handler_stack > (uintptr_t)memory && handler_stack < (uintptr_t)memory + sizeof memory,
         during.ss_flags);
  CHECK(sigaltstack(NULL, &old) == 0);
  printf("afterwards: flags %d, same %d\n", old.ss_flags, old.ss_sp == memory);
  install(SIGUSR1, on_stack, 0);
  raise(SIGUSR1);
  printf("without SA_ONSTACK: %d\n", handler_stack > (uintptr_t)memory && handler_stack < (uintptr_t)memory + sizeof memory);
  stack.ss_size = 100;
  guest_result("too small", sigaltstack(&stack, NULL));
  stack = (stack_t){.ss_flags = SS_DISABLE};
  CHECK(sigaltstack(&stack, NULL) == 0 && sigaltstack(NULL, &old) == 0);
  printf("disabled: %d\n", old.ss_flags);
  // Where the handler's frame cannot be written the process dies.
  printf("no room for a frame: %d\n", IN_CHILD({
           stack = (stack_t){.ss_sp = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), .ss_size = 65536};
           CHECK(sigaltstack(&stack, NULL) == 0);
           install(SIGUSR1, on_stack, SA_ONSTACK);
           raise(SIGUSR1);
         }));
}

static void change_registers(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info;
  ucontext_t *user = context;
  user->uc_mcontext.gregs[REG_RAX] = 1111;
  user->uc_mcontext.gregs[REG_R12] = 2222;
  user->uc_mcontext.gregs[REG_RBX] += 1;
}

static void skip_instruction(int signal, siginfo_t *info, void *context) {
  (void)info;
  last = signal;
  ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void set_mask(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info;
  sigaddset(&((ucontext_t *)context)->uc_sigmask, SIGUSR2);
}

static void registers(void) {
  struct sigaction action = {.sa_sigaction = change_registers, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  long rax = SYS_tgkill, rbx = 40, r12 = 0;
  __asm__ volatile("movq $40, %%rbx\n movq $1, %%r12\n syscall\n movq %%rbx, %1\n movq %%r12, %2"
                   : "+a"(rax), "=m"(rbx), "=m"(r12)
                   : "D"((long)getpid()), "S"((long)getpid()), "d"((long)SIGUSR1)
                   : "rbx", "r12", "rcx", "r11", "memory");
  printf("changed: %ld %ld %ld\n", rax, rbx, r12);
  action.sa_sigaction = skip_instruction;
  CHECK(sigaction(SIGILL, &action, NULL) == 0);
  __asm__ volatile("ud2");
  printf("skipped ud2 after signal %d\n", (int)last);
  action.sa_sigaction = set_mask;
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  raise(SIGUSR1);
  sigset_t now;
  sigprocmask(SIG_SETMASK, NULL, &now);
  printf("mask changed: %d\n", sigismember(&now, SIGUSR2));
  // Everything survives a handler: all registers and flags.
  install(SIGUSR1, note, 0);
  static struct { unsigned long in[10], out[10], flags, pid; } block;
  for (int i = 0; i < 10; i++) block.in[i] = 0x1111111111111111ul * (unsigned)(i + 1);
  block.pid = (unsigned long)getpid();
  __asm__ volatile(
      "pushq %%rbp\n"
      "movq 0(%%rdx), %%rbx\n movq 8(%%rdx), %%rbp\n movq 16(%%rdx), %%r8\n movq 24(%%rdx), %%r9\n"
      "movq 32(%%rdx), %%r10\n movq 40(%%rdx), %%r12\n movq 48(%%rdx), %%r13\n movq 56(%%rdx), %%r14\n"
      "movq 64(%%rdx), %%r15\n movq 168(%%rdx), %%rdi\n movl $10, %%esi\n movl $62, %%eax\n"
      "stc\n std\n syscall\n pushfq\n cld\n popq 160(%%rdx)\n"
      "movq %%rbx, 80(%%rdx)\n movq %%rbp, 88(%%rdx)\n movq %%r8, 96(%%rdx)\n movq %%r9, 104(%%rdx)\n"
      "movq %%r10, 112(%%rdx)\n movq %%r12, 120(%%rdx)\n movq %%r13, 128(%%rdx)\n movq %%r14, 136(%%rdx)\n"
      "movq %%r15, 144(%%rdx)\n popq %%rbp\n" ::"d"(&block)
      : "rax", "rbx", "rcx", "rdi", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
  CHECK(memcmp(block.in, block.out, 9 * sizeof *block.in) == 0);
  printf("flags: carry %lu direction %lu\n", block.flags & 1, block.flags >> 10 & 1);
}

static volatile uint32_t found_mxcsr, found_control, found_lanes;

static void look_at_state(int signal) {
  (void)signal;
  uint32_t mxcsr;
  uint16_t control;
  uint64_t lanes;
  __asm__ volatile("stmxcsr %0\n fnstcw %1\n movq %%xmm9, %2" : "=m"(mxcsr), "=m"(control), "=r"(lanes));
  found_mxcsr = mxcsr;
  found_control = control;
  found_lanes = lanes != 0;
}

static void edit_state(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info;
  ucontext_t *user = context;
  user->uc_mcontext.gregs[REG_RIP] += 2;
  user->uc_mcontext.fpregs->_xmm[3].element[0] = 0xabcdef01;
}

/// A handler begins with a processor as a program does; what it interrupted comes back, with what it changed of that.
static void vector_state(void) {
  install(SIGUSR1, look_at_state, 0);
  uint32_t mxcsr = 0x1f80 | 3 << 13, after;
  uint64_t lanes = 0x123456789abcdef, lanes_after;
  uint32_t number = SYS_tgkill;
  uint64_t result = number;
  __asm__ volatile("ldmxcsr %3\n movq %4, %%xmm9\n syscall\n stmxcsr %1\n movq %%xmm9, %2"
                   : "+a"(result), "=m"(after), "=&r"(lanes_after)
                   : "m"(mxcsr), "r"(lanes), "D"((long)getpid()), "S"((long)getpid()), "d"((long)SIGUSR1)
                   : "rcx", "r11", "xmm9", "memory");
  mxcsr = 0x1f80;
  __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
  printf("in the handler: %x %x %u\n", found_mxcsr, found_control, found_lanes);
  printf("afterwards: %x %d\n", after, lanes == lanes_after);
  struct sigaction action = {.sa_sigaction = edit_state, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGILL, &action, NULL) == 0);
  uint32_t lane;
  // As a program begins, and after use.
  __asm__ volatile("xorps %%xmm3, %%xmm3\n ud2\n movd %%xmm3, %0" : "=r"(lane)::"xmm3", "memory");
  printf("edited: %x", lane);
  __asm__ volatile("pcmpeqd %%xmm3, %%xmm3\n ud2\n movd %%xmm3, %0" : "=r"(lane)::"xmm3", "memory");
  printf(" %x\n", lane);
}

static sigjmp_buf escape;

static void jump(int signal) { siglongjmp(escape, signal); }

static void jumping(void) {
  install(SIGUSR1, jump, 0);
  volatile int rounds = 0;
  const int from = sigsetjmp(escape, 1);
  if (from) CHECK(from == SIGUSR1);
  if (++rounds < 5) raise(SIGUSR1);
  printf("rounds %d\n", rounds);
  // Asynchronous: a handler may leave a busy loop.
  install(SIGALRM, jump, 0);
  if (sigsetjmp(escape, 1) == 0) {
    alarm_every(20000);
    for (;;) {}
  }
  alarm_every(0);
  printf("left the loop\n");
}

static void interval(void) {
  install(SIGALRM, note, SA_RESTART);
  count = 0;
  const struct itimerval timer = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
  CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
  unsigned long work = 0;
  while (count < 50) work++;
  CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
  CHECK(work > 0);
  printf("fifty alarms while computing\n");
  // Signals from another process, as fast as they come.
  install(SIGUSR1, note, SA_RESTART);
  count = 0;
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 2000; i++) kill(getppid(), SIGUSR1);
    _exit(0);
  }
  CHECK(guest_wait(child) == 0);
  CHECK(count > 0 && count <= 2000);
  printf("storm survived\n");
}

int main(int argc, char **argv) {
  static const struct guest_case cases[] = {
      {"handlers", handlers},   {"masks", masks},           {"restart", restarting}, {"queue", queueing},
      {"info", information},    {"altstack", alternate_stack}, {"registers", registers}, {"jump", jumping},
      {"interval", interval},   {"vector state", vector_state}, {NULL, NULL},
  };
  return guest_main(argc, argv, cases);
}
