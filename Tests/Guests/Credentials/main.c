// Credentials, resource limits, prctl and the small calls that report about a process and its system.

#include "guest.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/utsname.h>

static void show_ids(const char *what) {
  uid_t uid[3];
  gid_t gid[3];
  CHECK(getresuid(&uid[0], &uid[1], &uid[2]) == 0 && getresgid(&gid[0], &gid[1], &gid[2]) == 0);
  printf("%s: %u %u %u, %u %u %u\n", what, uid[0], uid[1], uid[2], gid[0], gid[1], gid[2]);
  CHECK(getuid() == uid[0] && geteuid() == uid[1] && getgid() == gid[0] && getegid() == gid[1]);
  CHECK(getauxval(AT_SECURE) == 0);
}

static void identities(void) {
  show_ids("start");
  if (getuid() != 0) {
    guest_result("setuid", setuid(0));
    guest_result("setgroups", setgroups(0, NULL));
    return;
  }
  const gid_t groups[] = {5, 6, 7};
  gid_t now[8];
  CHECK(setgroups(3, groups) == 0);
  printf("groups: %d", getgroups(8, now));
  printf(" %u %u %u\n", now[0], now[1], now[2]);
  guest_result("getgroups short", getgroups(1, now));
  CHECK(setresgid(10, 11, 12) == 0 && setresuid(20, 21, 22) == 0);
  show_ids("setres");
  guest_result("setuid to saved", seteuid(22));
  guest_result("setuid to stranger", seteuid(33));
  guest_result("setgroups", setgroups(3, groups));
  guest_result("setreuid", setreuid(22, 20));
  show_ids("setreuid");
  guest_result("chown", chown("/tmp", 1, 1));
  guest_result("kill process 1", kill(1, 0));
  guest_scratch();
  guest_result("block device", mknod("block", S_IFBLK | 0600, 0));
}

static void permissions(void) {
  if (getuid() != 0) return;
  guest_scratch();
  CHECK(chmod(".", 0755) == 0);
  int fd = open("secret", O_CREAT | O_RDWR, 0600);
  CHECK(fd >= 0 && close(fd) == 0);
  fd = open("shown", O_CREAT | O_RDWR, 0644);
  CHECK(fd >= 0 && close(fd) == 0);
  CHECK(mkdir("closed", 0700) == 0 && mkdir("open", 0755) == 0 && chmod("open", 01777) == 0);
  fd = open("open/mine", O_CREAT | O_RDWR, 0666);
  CHECK(fd >= 0 && close(fd) == 0);
  fd = open("given", O_CREAT | O_RDWR, 0600);
  CHECK(fd >= 0 && chown("given", 1234, 1234) == 0);
  CHECK(chmod("given", 06755) == 0);
  struct stat status;
  CHECK(IN_CHILD({
          CHECK(setgroups(0, NULL) == 0 && setgid(1234) == 0 && setuid(1234) == 0);
          guest_result("read secret", open("secret", O_RDONLY));
          guest_result("read shown", open("shown", O_RDONLY));
          guest_result("write shown", open("shown", O_WRONLY));
          guest_result("enter closed", chdir("closed"));
          guest_result("create here", open("new", O_CREAT | O_WRONLY, 0600));
          guest_result("create in open", open("open/new", O_CREAT | O_WRONLY, 0600));
          guest_result("delete another's in sticky", unlink("open/mine"));
          guest_result("delete own in sticky", unlink("open/new"));
          guest_result("delete in parent", unlink("shown"));
          guest_result("chmod another's", chmod("shown", 0777));
          guest_result("chmod own", chmod("given", 04700));
          guest_result("chown away", chown("given", 1, 1));
          guest_result("utimes another's", utimensat(AT_FDCWD, "shown", (struct timespec[2]){{1, 1}, {1, 1}}, 0));
          guest_result("access secret", access("secret", R_OK));
          guest_result("execute data", access("shown", X_OK));
          guest_result("mknod", mknod("open/device", S_IFCHR | 0600, 0x103));
        }) == 0);
  CHECK(stat("given", &status) == 0);
  printf("given: %o %u\n", status.st_mode, status.st_uid);
  guest_result("root reads secret", open("secret", O_RDONLY));
  guest_result("root executes data", access("secret", X_OK));
  CHECK(chown("given", 0, 0) == 0 && stat("given", &status) == 0);
  printf("after chown: %o\n", status.st_mode);
}

static void limits(void) {
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit = (struct rlimit){20, 50};
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  int opened = 0;
  while (dup(0) >= 0) opened++;
  guest_result("dup at the limit", dup(0));
  printf("descriptors until the limit: %d\n", opened > 0 && opened <= 17);
  guest_result("dup2 above", dup2(0, 30));
  guest_result("soft above hard", setrlimit(RLIMIT_NOFILE, &(struct rlimit){60, 50}));
  printf("inherited: %d\n", IN_CHILD({
           CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
           _exit((int)limit.rlim_cur);
         }));
  CHECK(prlimit(0, RLIMIT_CORE, &(struct rlimit){0, 0}, &limit) == 0);
  CHECK(getrlimit(RLIMIT_CORE, &limit) == 0);
  printf("core: %lu %lu\n", (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
  guest_result("unknown", getrlimit(77, &limit));
  for (int i = 3; i < 20; i++) close(i);
  guest_scratch();
  signal(SIGXFSZ, SIG_IGN);
  CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){100, 100}) == 0);
  const int fd = open("f", O_CREAT | O_RDWR, 0600);
  char data[200] = {0};
  printf("write to the limit: %ld\n", (long)write(fd, data, sizeof data));
  guest_result("beyond", write(fd, data, 1));
  printf("SIGXFSZ: %d\n", IN_CHILD({
           signal(SIGXFSZ, SIG_DFL);
           (void)!write(fd, data, 1);
         }));
  CHECK(setrlimit(RLIMIT_AS, &(struct rlimit){1ul << 30, 1ul << 30}) == 0);
  guest_result("beyond RLIMIT_AS", (long)mmap(NULL, 2ul << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void process_control(void) {
  char name[17] = "";
  CHECK(prctl(PR_SET_NAME, "a-name-that-is-too-long") == 0 && prctl(PR_GET_NAME, name) == 0);
  printf("name: %s\n", name);
  char comm[32] = "";
  int fd = open("/proc/self/comm", O_RDONLY);
  CHECK(read(fd, comm, sizeof comm - 1) > 0);
  printf("comm: %s", comm);
  printf("dumpable: %d\n", prctl(PR_GET_DUMPABLE));
  CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
  printf("dumpable: %d\n", prctl(PR_GET_DUMPABLE));
  int signal_number = -1;
  CHECK(prctl(PR_SET_PDEATHSIG, SIGHUP) == 0 && prctl(PR_GET_PDEATHSIG, &signal_number) == 0);
  printf("death signal: %d\n", signal_number);
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  printf("no new privileges: %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  guest_result("unknown", prctl(99999, 0, 0, 0, 0));
  guest_result("bad signal", prctl(PR_SET_PDEATHSIG, 999));
  const mode_t old = umask(0123);
  printf("umask: %o\n", umask(old));
  printf("nice: %d", getpriority(PRIO_PROCESS, 0));
  CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0);
  printf(" %d\n", getpriority(PRIO_PROCESS, 0));
  printf("policy: %d\n", sched_getscheduler(0));
  cpu_set_t set;
  CHECK(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) >= 1);
  guest_result("affinity empty", sched_setaffinity(0, sizeof set, &(cpu_set_t){{0}}));
  CHECK(sched_yield() == 0);
}

static void system_information(void) {
  struct utsname names;
  CHECK(uname(&names) == 0);
  int major = 0, minor = 0;
  CHECK(sscanf(names.release, "%d.%d", &major, &minor) == 2 && major >= 4);
  printf("%s %s\n", names.sysname, names.machine);
  struct sysinfo info;
  CHECK(sysinfo(&info) == 0 && info.totalram > 0 && info.procs > 0 && info.mem_unit > 0);
  CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1 && sysconf(_SC_PAGESIZE) == 4096);
  CHECK(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_RANDOM) != 0 && getauxval(AT_PHDR) != 0);
  printf("clock ticks %ld\n", sysconf(_SC_CLK_TCK));
  unsigned char random[64] = {0};
  CHECK(syscall(SYS_getrandom, random, sizeof random, 0) == sizeof random);
  guest_result("getrandom bad flags", syscall(SYS_getrandom, random, sizeof random, 0x77));
  struct rusage usage;
  guest_result("getrusage", getrusage(RUSAGE_SELF, &usage));
  guest_result("getrusage bad", getrusage(77, &usage));
  unsigned cpu = 99999;
  CHECK(syscall(SYS_getcpu, &cpu, NULL, NULL) == 0 && cpu < 4096);
  guest_result("no such call", syscall(1000));
  guest_result("negative call", syscall(-5));
}

/// Becomes user 1000, keeping one capability where `keeps` is set.
static void become_user(bool keeps) {
  CHECK(prctl(PR_SET_KEEPCAPS, keeps) == 0 && setgroups(0, NULL) == 0);
  CHECK(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0);
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {{0}};
  if (keeps) data[0].permitted = data[0].effective = 1u << CAP_NET_RAW;
  CHECK(syscall(SYS_capset, &header, data) == 0);
  CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
}

static void try_file(pid_t target, const char *name, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", target, name);
  guest_result(name, open(path, flags) >= 0 ? 0 : -1);
}

/// What a user may do to a process of their own that has a capability more, or none more.
static void reach(bool keeps) {
  int ready[2];
  CHECK(pipe(ready) == 0);
  const pid_t target = fork();
  CHECK(target >= 0);
  if (target == 0) {
    become_user(keeps);
    CHECK(write(ready[1], "r", 1) == 1);
    for (;;) pause();
  }
  char byte;
  CHECK(read(ready[0], &byte, 1) == 1);
  printf("%s\n", keeps ? "one capability more" : "no capability more");
  CHECK(IN_CHILD({
          become_user(false);
          cpu_set_t set;
          CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
          const struct sched_param parameters = {0};
          struct iovec mine = {&byte, 1}, theirs = {&byte, 1};
          void *head;
          size_t length;
          guest_result("kill", kill(target, 0));
          guest_result("setpriority", setpriority(PRIO_PROCESS, (id_t)target, 3));
          guest_result("sched_setaffinity", sched_setaffinity(target, sizeof set, &set));
          guest_result("sched_setscheduler", sched_setscheduler(target, SCHED_BATCH, &parameters));
          guest_result("ioprio_set", syscall(SYS_ioprio_set, 1, target, 3 << 13));
          guest_result("get_robust_list", syscall(SYS_get_robust_list, target, &head, &length));
          guest_result("process_vm_readv", process_vm_readv(target, &mine, 1, &theirs, 1, 0));
          try_file(target, "maps", O_RDONLY);
          try_file(target, "smaps", O_RDONLY);
          try_file(target, "environ", O_RDONLY);
          try_file(target, "mem", O_RDWR);
          try_file(target, "stat", O_RDONLY);
        }) == 0);
  CHECK(kill(target, SIGKILL) == 0 && guest_wait(target) == 1009);
}

/// A set-user-ID program whose working directory another process can change gives no more than its caller has.
static void shared_directory(void) {
  char command[64];
  snprintf(command, sizeof command, "cp /proc/%d/exe program", getpid());
  CHECK(system(command) == 0 && chmod("program", 04755) == 0);
  for (int shared = 0; shared < 2; shared++) {
    fflush(stdout);
    const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD | (shared ? CLONE_FS : 0), NULL, NULL, NULL, NULL);
    CHECK(child >= 0);
    if (child == 0) {
      become_user(false);
      execl("./program", "program", "--ids", NULL);
      _exit(1);
    }
    CHECK(guest_wait(child) == 0);
  }
}

/// Whoever writes a set-user-ID program takes that away, however they write.
static void written_programs(void) {
  CHECK(IN_CHILD({
          become_user(false);
          int ends[2];
          CHECK(pipe(ends) == 0 && write(ends[1], "abc", 3) == 3);
          for (int way = 0; way < 3; way++) {
            const int program = open("program", O_CREAT | O_RDWR, 0700);
            const int source = open("source", O_CREAT | O_RDWR, 0600);
            CHECK(program >= 0 && source >= 0 && write(source, "abc", 3) == 3 && fchmod(program, 06755) == 0);
            off_t offset = 0;
            switch (way) {
            case 0: CHECK(write(program, "x", 1) == 1); break;
            case 1: CHECK(splice(ends[0], NULL, program, NULL, 3, 0) == 3); break;
            case 2: CHECK(sendfile(program, source, &offset, 3) == 3); break;
            }
            struct stat status;
            CHECK(fstat(program, &status) == 0);
            printf("mode after writing: %o\n", status.st_mode);
            CHECK(close(program) == 0 && close(source) == 0 && unlink("program") == 0);
          }
        }) == 0);
}

static void between_users(void) {
  if (getuid() != 0) return;
  guest_scratch();
  CHECK(chmod(".", 0777) == 0);
  written_programs();
  reach(false);
  reach(true);
  shared_directory();
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--ids") == 0) {
    printf("user %u effective %u secure %lu\n", getuid(), geteuid(), getauxval(AT_SECURE));
    return 0;
  }
  static const struct guest_case cases[] = {
      {"identities", identities}, {"permissions", permissions}, {"limits", limits}, {"prctl", process_control},
      {"system", system_information}, {"between users", between_users}, {NULL, NULL},
  };
  return guest_main(argc, argv, cases);
}
