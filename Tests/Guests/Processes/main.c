// Processes: fork, vfork, clone, exec and wait in their variants, orphans, sessions and process groups, exit statuses.

#include "processes.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

static void exit_statuses(void) {
  for (int status = 0; status < 1024; status += 85) printf("exit %d gives %d\n", status, IN_CHILD(_exit(status)));
  static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGUSR1, SIGSEGV, SIGTERM, SIGALRM};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    printf("signal %d gives %d\n", signals[i], IN_CHILD({
             const struct rlimit none = {0, 0};
             setrlimit(RLIMIT_CORE, &none);
             raise(signals[i]);
             pause();
           }));
  printf("abort gives %d\n", IN_CHILD(abort()));
  printf("division by zero gives %d\n", IN_CHILD(__asm__ volatile("idivl %0" ::"r"(0), "a"(1), "d"(0))));
  printf("undefined instruction gives %d\n", IN_CHILD(__asm__ volatile("ud2")));
  printf("breakpoint gives %d\n", IN_CHILD(__asm__ volatile("int3")));
  printf("privileged instruction gives %d\n", IN_CHILD(__asm__ volatile("hlt")));
}

static void waiting(void) {
  int status;
  guest_result("no children", waitpid(-1, &status, 0));
  guest_result("not a child", waitpid(1, &status, 0));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  printf("WNOHANG: %d\n", waitpid(child, &status, WNOHANG));
  CHECK(kill(child, SIGSTOP) == 0);
  CHECK(waitpid(child, &status, WUNTRACED) == child);
  printf("stopped: %d by %d\n", WIFSTOPPED(status), WSTOPSIG(status));
  CHECK(kill(child, SIGCONT) == 0);
  CHECK(waitpid(child, &status, WCONTINUED) == child);
  printf("continued: %d\n", WIFCONTINUED(status));
  CHECK(kill(child, SIGTERM) == 0);
  siginfo_t info = {0};
  CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
  printf("waitid: code %d status %d signal %d, the child %d\n", info.si_code, info.si_status, info.si_signo,
         info.si_pid == child);
  CHECK(waitpid(child, &status, 0) == child);
  printf("signaled: %d by %d\n", WIFSIGNALED(status), WTERMSIG(status));
  guest_result("again", waitpid(child, &status, 0));
  guest_result("bad options", waitpid(-1, &status, 0x4000));
  guest_result("waitid bad type", waitid(77, 0, &info, WEXITED));
  guest_result("waitid no event", waitid(P_ALL, 0, &info, 0));
  // By group.
  fflush(stdout);
  child = fork();
  if (child == 0) {
    setpgid(0, 0);
    _exit(5);
  }
  setpgid(child, child);
  CHECK(waitpid(-child, &status, 0) == child);
  printf("by group: %d\n", WEXITSTATUS(status));
  // Usage of a child arrives.
  struct rusage usage;
  child = fork();
  if (child == 0) {
    for (volatile int i = 0; i < 30000000; i++) {}
    _exit(0);
  }
  CHECK(wait4(child, &status, 0, &usage) == child);
  CHECK(usage.ru_utime.tv_sec > 0 || usage.ru_utime.tv_usec > 0);
  // Ignored SIGCHLD: children vanish, wait fails once all are gone.
  signal(SIGCHLD, SIG_IGN);
  for (int i = 0; i < 3; i++)
    if (fork() == 0) _exit(i);
  guest_result("auto reaped", wait(&status));
  signal(SIGCHLD, SIG_DFL);
  // A child that was not started with SIGCHLD needs __WALL or __WCLONE.
  child = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
  if (child == 0) syscall(SYS_exit, 3);
  guest_result("clone without signal", waitpid(child, &status, 0));
  CHECK(waitpid(child, &status, __WALL) == child);
  printf("with __WALL: %d\n", WEXITSTATUS(status));
  // pidfd.
  child = fork();
  if (child == 0) _exit(9);
  const int fd = (int)syscall(SYS_pidfd_open, child, 0);
  CHECK(fd >= 0);
  CHECK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED) == 0);
  printf("pidfd: %d\n", info.si_status);
}

static void orphans(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  CHECK(IN_CHILD({
          fflush(stdout);
          const pid_t middle = getpid();
          if (fork() == 0) {
            while (getppid() == middle) guest_sleep_ms(1);
            const pid_t parent = getppid();
            CHECK(write(ends[1], &parent, sizeof parent) == sizeof parent);
            _exit(0);
          }
        }) == 0);
  pid_t parent = 0;
  CHECK(read(ends[0], &parent, sizeof parent) == sizeof parent);
  // Natively the adopting process may be a subreaper.
  printf("adopted: %d\n", parent != getpid());
  // A subreaper adopts its grandchildren.
  CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  int flag = 0;
  CHECK(prctl(PR_GET_CHILD_SUBREAPER, &flag) == 0);
  printf("subreaper: %d\n", flag);
  CHECK(IN_CHILD({
          fflush(stdout);
          if (fork() == 0) {
            guest_sleep_ms(20);
            _exit(21);
          }
        }) == 0);
  int status;
  CHECK(wait(&status) > 0);
  printf("reaped grandchild: %d\n", WEXITSTATUS(status));
  // The parent-death signal.
  CHECK(IN_CHILD({
          const pid_t middle = getpid();
          fflush(stdout);
          if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGUSR1);
            if (getppid() != middle) _exit(1);
            CHECK(write(ends[1], &middle, sizeof middle) == sizeof middle);
            guest_sleep_ms(100000);
            _exit(2);
          }
          CHECK(read(ends[0], &parent, sizeof parent) == sizeof parent);
        }) == 0);
  CHECK(wait(&status) > 0);
  printf("parent-death signal: %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
}

static int cloned(void *argument) {
  *(int *)argument = 42;
  return 7;
}

static void cloning(void) {
  static char stack[65536] __attribute__((aligned(16)));
  int value = 0, status;
  pid_t child = clone(cloned, stack + sizeof stack, SIGCHLD, &value);
  CHECK(waitpid(child, &status, 0) == child);
  printf("copy: %d, status %d\n", value, WEXITSTATUS(status));
  child = clone(cloned, stack + sizeof stack, SIGCHLD | CLONE_VM | CLONE_VFORK, &value);
  CHECK(waitpid(child, &status, 0) == child);
  printf("shared memory: %d, status %d\n", value, WEXITSTATUS(status));
  // CLONE_FILES: a descriptor opened in the child is there in the parent.
  child = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_FILES, NULL, NULL, NULL, NULL);
  if (child == 0) {
    CHECK(dup2(0, 77) == 77);
    _exit(0);
  }
  CHECK(guest_wait(child) == 0);
  printf("shared files: %d\n", fcntl(77, F_GETFD));
  // CLONE_FS: so is the working directory.
  child = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_FS, NULL, NULL, NULL, NULL);
  if (child == 0) {
    CHECK(chdir("/usr") == 0);
    _exit(0);
  }
  CHECK(guest_wait(child) == 0);
  char path[64];
  CHECK(getcwd(path, sizeof path) != NULL);
  printf("shared directory: %s\n", path);
  // clone3 with a pidfd and a parent tid.
  int pidfd = -1;
  pid_t tid = 0;
  struct clone_args arguments = {.flags = CLONE_PIDFD | CLONE_PARENT_SETTID, .exit_signal = SIGCHLD};
  arguments.pidfd = (uintptr_t)&pidfd;
  arguments.parent_tid = (uintptr_t)&tid;
  child = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) {
    pause();
    _exit(0);
  }
  CHECK(child > 0 && pidfd >= 0 && tid == child);
  CHECK(syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0);
  printf("killed through pidfd: %d\n", guest_wait(child));
  arguments.flags = CLONE_SIGHAND;
  guest_result("SIGHAND without VM", syscall(SYS_clone3, &arguments, sizeof arguments));
  arguments.flags = CLONE_THREAD;
  guest_result("THREAD without SIGHAND", syscall(SYS_clone3, &arguments, sizeof arguments));
  guest_result("clone3 short", syscall(SYS_clone3, &arguments, 8));
  struct clone_args other = {.flags = 1ull << 34, .exit_signal = SIGCHLD};
  guest_result("unknown flag", syscall(SYS_clone3, &other, sizeof other));
  other.flags = CLONE_PARENT;
  guest_result("PARENT with a signal", syscall(SYS_clone3, &other, sizeof other));
  other.flags = SIGCHLD;
  other.exit_signal = 0;
  guest_result("signal among flags", syscall(SYS_clone3, &other, sizeof other));
  guest_result("FS and NEWNS", syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL));
  // vfork suspends the parent until the child is done.
  volatile int order = 0;
  fflush(stdout);
  child = vfork();
  if (child == 0) {
    order = 1;
    _exit(4);
  }
  CHECK(order == 1);
  CHECK(waitpid(child, &status, 0) == child);
  printf("vfork: %d\n", WEXITSTATUS(status));
}

static void executing(void) {
  guest_scratch();
  char *arguments[] = {"sh", "-c", "echo \"$0 $1 $X\"; exit 3", "zero", "one", NULL};
  char *environment[] = {"X=exported", NULL};
  printf("execve: %d\n", IN_CHILD(execve("/bin/sh", arguments, environment)));
  guest_result("missing", execve("/nowhere", arguments, environment));
  guest_result("directory", execve("/tmp", arguments, environment));
  guest_result("through a file", execve("/bin/sh/x", arguments, environment));
  int fd = open("plain", O_CREAT | O_WRONLY, 0644);
  CHECK(write(fd, "#!/bin/sh\necho script $#\n", 25) == 25 && close(fd) == 0);
  char *script[] = {"plain", "a", "b", NULL};
  guest_result("not executable", execve("plain", script, environment));
  CHECK(chmod("plain", 0755) == 0);
  printf("script: %d\n", IN_CHILD(execve("./plain", script, environment)));
  fd = open("nested", O_CREAT | O_WRONLY, 0755);
  CHECK(write(fd, "#!./plain argument\n", 19) == 19 && close(fd) == 0);
  printf("nested script: %d\n", IN_CHILD(execve("./nested", script, environment)));
  fd = open("bad", O_CREAT | O_WRONLY, 0755);
  CHECK(write(fd, "no magic here", 13) == 13 && close(fd) == 0);
  guest_result("no magic", execve("./bad", script, environment));
  static const char corrupt[64] = "\177ELF\2\1\1garbage garbage garbage garbage";
  fd = open("corrupt", O_CREAT | O_WRONLY, 0755);
  CHECK(write(fd, corrupt, 64) == 64 && close(fd) == 0);
  guest_result("corrupt ELF", execve("./corrupt", script, environment));
  fd = open("interpreter", O_CREAT | O_WRONLY, 0755);
  CHECK(write(fd, "#!/nowhere/at/all\n", 18) == 18 && close(fd) == 0);
  guest_result("missing interpreter", execve("./interpreter", script, environment));
  fd = open("empty", O_CREAT | O_WRONLY, 0755);
  CHECK(close(fd) == 0);
  guest_result("empty", execve("./empty", script, environment));
  guest_result("bad address", execve((char *)8, script, environment));
  // What survives: descriptors without close-on-exec, the mask, ignored signals, the process id.
  char program[256], text[32];
  CHECK(readlink("/proc/self/exe", program, sizeof program) > 0);
  CHECK(dup2(0, 50) == 50 && dup3(0, 51, O_CLOEXEC) == 51);
  snprintf(text, sizeof text, "%d", 0);
  printf("survivors: %d\n", IN_CHILD({
           sigset_t mask;
           sigemptyset(&mask);
           sigaddset(&mask, SIGUSR2);
           sigprocmask(SIG_SETMASK, &mask, NULL);
           signal(SIGUSR1, SIG_IGN);
           signal(SIGTERM, exit);
           char own[16];
           snprintf(own, sizeof own, "%d", getpid());
           execl("/proc/self/exe", "renamed", "--inspect", own, (char *)NULL);
         }));
  fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
  char *direct[] = {"sh", "-c", "exit 6", NULL};
  printf("execveat: %d\n", IN_CHILD(syscall(SYS_execveat, fd, "", direct, environment, AT_EMPTY_PATH)));
  // A large argument list arrives whole.
  static char big[100000];
  memset(big, 'x', sizeof big - 1);
  char *many[] = {"sh", "-c", "echo ${#1} ${#2}", "sh", big, big, NULL};
  printf("large arguments: %d\n", IN_CHILD(execve("/bin/sh", many, environment)));
  static char *too_many[40000];
  for (int i = 0; i < 39999; i++) too_many[i] = "sixty-four bytes of argument, times forty thousand, is too long";
  CHECK(IN_CHILD({
          const struct rlimit small = {1 << 20, 1 << 20};
          setrlimit(RLIMIT_STACK, &small);
          guest_result("too large", execve("/bin/sh", too_many, environment));
        }) == 0);
  pid_t child;
  char *true_arguments[] = {"true", NULL};
  CHECK(posix_spawn(&child, "/bin/true", NULL, NULL, true_arguments, environ) == 0);
  printf("posix_spawn: %d\n", guest_wait(child));
  printf("posix_spawn missing: %d\n", posix_spawn(&child, "/nowhere", NULL, NULL, true_arguments, environ) == ENOENT);
}

/// Runs after execve, in the case above.
static int inspect(const char *pid) {
  char name[32] = "";
  prctl(PR_GET_NAME, name);
  sigset_t mask;
  sigprocmask(SIG_SETMASK, NULL, &mask);
  struct sigaction ignored, handled;
  sigaction(SIGUSR1, NULL, &ignored);
  sigaction(SIGTERM, NULL, &handled);
  printf("fd 50: %d, fd 51: %d, mask %d%d, ignored %d, handler reset %d, same pid %d\n", fcntl(50, F_GETFD),
         fcntl(51, F_GETFD), sigismember(&mask, SIGUSR1), sigismember(&mask, SIGUSR2), ignored.sa_handler == SIG_IGN,
         handled.sa_handler == SIG_DFL, atoi(pid) == getpid());
  printf("name starts with e or g: %d\n", name[0] == 'e' || name[0] == 'g');
  return 12;
}

/// Copies `/bin/sleep` into a file that is open already.
static void copy_program(int to) {
  char buffer[4096];
  const int from = open("/bin/sleep", O_RDONLY);
  CHECK(from >= 0);
  for (ssize_t count; (count = read(from, buffer, sizeof buffer)) > 0;) CHECK(write(to, buffer, (size_t)count) == count);
  close(from);
}

static void busy_programs(void) {
  guest_scratch();
  char *arguments[] = {"sleep", "0", NULL};
  int fd = open("program", O_CREAT | O_RDWR, 0700);
  CHECK(fd >= 0);
  copy_program(fd);
  guest_result("execute what is written", execv("./program", arguments));
  CHECK(close(fd) == 0);
  printf("execute what was written: %d\n", IN_CHILD(execv("./program", arguments)));
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  const pid_t child = fork();
  if (child == 0) {
    char *longer[] = {"sleep", "30", NULL};
    execv("./program", longer);
    _exit(1);
  }
  close(ends[1]);
  char byte;
  CHECK(read(ends[0], &byte, 1) == 0);
  guest_result("write what runs", open("program", O_WRONLY));
  guest_result("truncate what runs", truncate("program", 0));
  fd = open("program", O_RDONLY);
  CHECK(fd >= 0 && close(fd) == 0);
  CHECK(kill(child, SIGKILL) == 0 && guest_wait(child) == 1009);
  fd = open("program", O_WRONLY);
  guest_result("write what ended", fd);
  close(fd);
  CHECK(symlink("program", "link") == 0);
  guest_result("link", syscall(SYS_execveat, AT_FDCWD, "link", arguments, environ, AT_SYMLINK_NOFOLLOW));
  const int memory = memfd_create("program", MFD_CLOEXEC);
  copy_program(memory);
  printf("memory file: %d\n", IN_CHILD({
           fexecve(memory, arguments, environ);
           guest_result("fexecve", -1);
         }));
}

static void groups(void) {
  CHECK(IN_CHILD({
          CHECK(setsid() == getpid());
          printf("session leader: %d %d\n", getsid(0) == getpid(), getpgrp() == getpid());
          guest_result("setsid again", setsid());
          guest_result("leader changes group", setpgid(0, 0));
          fflush(stdout);
          int done[2];
          char byte;
          CHECK(pipe(done) == 0);
          const pid_t child = fork();
          if (child == 0) {
            CHECK(getsid(0) == getppid() && getpgrp() == getppid());
            guest_result("own group", setpgid(0, 0));
            CHECK(getpgrp() == getpid());
            guest_result("group that does not exist", setpgid(0, 12345678));
            fflush(stdout);
            CHECK(write(done[1], "d", 1) == 1);
            pause();
          }
          CHECK(read(done[0], &byte, 1) == 1 && getpgid(child) == child);
          CHECK(kill(-child, SIGTERM) == 0);
          printf("killed by group: %d\n", guest_wait(child));
          guest_result("kill empty group", kill(-child, 0));
          guest_result("getpgid of nobody", getpgid(12345678));
        }) == 0);
  guest_result("kill nobody", kill(12345678, 0));
  guest_result("kill bad signal", kill(getpid(), 99));
  guest_result("kill self with 0", kill(getpid(), 0));
  guest_result("tgkill wrong group", syscall(SYS_tgkill, getpid() + 1, getpid(), 0));
  // kill(0, …) reaches the whole group, the sender too.
  printf("whole group: %d\n", IN_CHILD({
           setpgid(0, 0);
           int ends[2];
           CHECK(pipe(ends) == 0);
           for (int i = 0; i < 3; i++)
             if (fork() == 0) {
               CHECK(write(ends[1], "x", 1) == 1);
               pause();
             }
           char byte;
           for (int i = 0; i < 3; i++) CHECK(read(ends[0], &byte, 1) == 1);
           kill(0, SIGTERM);
         }));
}

static void process_descriptors(void) {
  const int own = (int)syscall(SYS_pidfd_open, getpid(), 0);
  CHECK(own >= 0);
  int ends[2];
  CHECK(pipe(ends) == 0);
  const int copy = (int)syscall(SYS_pidfd_getfd, own, ends[1], 0);
  CHECK(copy >= 0 && (fcntl(copy, F_GETFD) & FD_CLOEXEC) != 0);
  char byte = 0;
  CHECK(write(copy, "x", 1) == 1 && read(ends[0], &byte, 1) == 1);
  printf("through a copied descriptor: %c\n", byte);
  guest_result("getfd closed", syscall(SYS_pidfd_getfd, own, 999, 0));
  guest_result("getfd of a pipe", syscall(SYS_pidfd_getfd, ends[0], 0, 0));
  guest_result("getfd flags", syscall(SYS_pidfd_getfd, own, ends[1], 1));
  // A directory of /proc is a process descriptor, too.
  const int directory = open("/proc/self", O_RDONLY | O_DIRECTORY);
  guest_result("signal through /proc", syscall(SYS_pidfd_send_signal, directory, 0, NULL, 0));
  guest_result("signal through another file", syscall(SYS_pidfd_send_signal, ends[0], 0, NULL, 0));
  // Process 1 can be looked at.
  CHECK(access("/proc/1/status", R_OK) == 0 && access("/proc/1/comm", R_OK) == 0);
  int id = 0;
  FILE *stat = fopen("/proc/1/stat", "r");
  CHECK(stat != NULL && fscanf(stat, "%d (", &id) == 1);
  printf("process %d\n", id);
}

static void inherited_options(void) {
  CHECK(prctl(PR_SET_TIMERSLACK, 70000) == 0);
  printf("slack: %d", prctl(PR_GET_TIMERSLACK));
  fflush(stdout);
  CHECK(IN_CHILD({
          CHECK(prctl(PR_SET_TIMERSLACK, 90000) == 0);
          printf(" %d", prctl(PR_GET_TIMERSLACK));
          CHECK(prctl(PR_SET_TIMERSLACK, 0) == 0);
          printf(" %d\n", prctl(PR_GET_TIMERSLACK));
        }) == 0);
  struct timeval time = {0, 20000};
  CHECK(select(0, NULL, NULL, NULL, &time) == 0);
  printf("time left: %ld\n", (long)time.tv_usec);
  CHECK(personality(STICKY_TIMEOUTS | PER_BSD) == 0);
  printf("personality: %x\n", personality(0xffffffff));
  time.tv_usec = 20000;
  CHECK(select(0, NULL, NULL, NULL, &time) == 0);
  printf("time left: %ld\n", (long)time.tv_usec);
  cpu_set_t set;
  guest_result("affinity of nobody", sched_getaffinity(-1, sizeof set, &set));
}

/// Where /bin/cat has its program, heap, C library and stack.
static void places(unsigned long found[4]) {
  static const char *const names[] = {"/cat", "[heap]", "libc", "[stack]"};
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(dup2(ends[1], 1) == 1 && close(ends[0]) == 0 && close(ends[1]) == 0);
    execl("/bin/cat", "cat", "/proc/self/maps", NULL);
    _exit(1);
  }
  CHECK(close(ends[1]) == 0);
  FILE *maps = fdopen(ends[0], "r");
  CHECK(maps != NULL);
  char line[512];
  memset(found, 0, 4 * sizeof found[0]);
  while (fgets(line, sizeof line, maps) != NULL)
    for (int i = 0; i < 4; i++)
      if (found[i] == 0 && strstr(line, names[i]) != NULL) found[i] = strtoul(line, NULL, 16);
  fclose(maps);
  CHECK(guest_wait(child) == 0);
}

static void show_places(const char *what) {
  // Two runs may agree by chance in the heap's 13 bits, four don't.
  unsigned long runs[4][4];
  for (int i = 0; i < 4; i++) places(runs[i]);
  printf("%s:", what);
  for (int place = 0; place < 4; place++) {
    bool differs = false;
    for (int i = 1; i < 4; i++) differs |= runs[i][place] != runs[0][place];
    CHECK(runs[0][place] != 0);
    printf(" %s", differs ? "differs" : "same");
  }
  // The program break is above the program, and the stack above all mappings.
  printf(", in order: %d\n", runs[0][0] < runs[0][1] && runs[0][1] < runs[0][2] && runs[0][2] < runs[0][3]);
}

static void random_addresses(void) {
  show_places("random");
  const int old = personality(0xffffffff);
  CHECK(personality(old | ADDR_NO_RANDOMIZE) == old);
  show_places("not random");
  // Whoever is forked has its parent's places.
  int local;
  void *const here = &local;
  CHECK(IN_CHILD({ CHECK(here == &local); }) == 0);
}

static void many(void) {
  for (int round = 0; round < 5; round++) {
    for (int i = 0; i < 40; i++) {
      const pid_t child = fork();
      CHECK(child >= 0);
      if (child == 0) _exit(i);
    }
    int sum = 0, status;
    for (int i = 0; i < 40; i++) {
      CHECK(wait(&status) > 0);
      sum += WEXITSTATUS(status);
    }
    printf("round %d: %d\n", round, sum);
  }
  // A chain of processes, each the parent of the next.
  int depth = 0;
  fflush(stdout);
  while (depth < 30) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child != 0) {
      const int status = guest_wait(child);
      if (depth > 0) _exit(status + 1);
      printf("chain: %d\n", status + 1);
      return;
    }
    depth++;
  }
  _exit(0);
}

/// Whoever waits for stops alone learns when no child is left that could stop.
static void ended_children(void) {
  siginfo_t information;
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    char byte;
    close(ends[1]);
    CHECK(read(ends[0], &byte, 1) == 0);
    _exit(3);
  }
  guest_result("no stop yet", waitid(P_ALL, 0, &information, WSTOPPED | WNOHANG));
  close(ends[1]);
  guest_result("stop of a dying child", waitid(P_ALL, 0, &information, WSTOPPED));
  guest_result("at once", waitid(P_PID, (id_t)child, &information, WSTOPPED | WCONTINUED | WNOHANG));
  guest_result("end", waitid(P_ALL, 0, &information, WEXITED | WSTOPPED));
  printf("status: %d\n", information.si_status);
}

int main(int argc, char **argv) {
  static const struct guest_case cases[] = {
      {"exit", exit_statuses}, {"wait", waiting},  {"orphans", orphans}, {"clone", cloning},
      {"exec", executing},     {"groups", groups}, {"busy", busy_programs}, {"many", many},
      {"descriptors", process_descriptors}, {"ended children", ended_children}, {"options", inherited_options},
      {"random addresses", random_addresses}, {"scheduling", scheduling}, {"process 1", process_one},
      {"waiting threads", waiting_threads}, {"many arguments", many_arguments}, {NULL, NULL},
  };
  if (argc > 3 && strcmp(argv[1], "--count") == 0) {
    printf("%d arguments\n", argc);
    return 0;
  }
  if (argc == 3 && strcmp(argv[1], "--inspect") == 0) return inspect(argv[2]);
  return guest_main(argc, argv, cases);
}
