// Policies, priorities and masks of sched(7).

#include "processes.h"
#include <linux/capability.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

static long set_attributes(struct attributes attributes) {
  attributes.size = sizeof attributes;
  return syscall(SYS_sched_setattr, 0, &attributes, 0);
}

static long set_policy(int policy, int priority) {
  const struct sched_param parameters = {priority};
  return syscall(SYS_sched_setscheduler, 0, policy, &parameters);
}

static bool may_schedule(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  return syscall(SYS_capget, &header, data) == 0 && data[0].effective & 1u << CAP_SYS_NICE;
}

static int policy_of_child(void) { return IN_CHILD(_exit(sched_getscheduler(0))); }

/// What only some may do: checked, not shown, as not every caller of the tests may.
static void real_time(void) {
  if (!may_schedule() || set_policy(SCHED_RR, 1) != 0) return;
  struct sched_param parameters;
  struct timespec interval;
  CHECK(set_policy(SCHED_FIFO, 50) == 0 && sched_getscheduler(0) == SCHED_FIFO);
  CHECK(sched_getparam(0, &parameters) == 0 && parameters.sched_priority == 50);
  CHECK(sched_rr_get_interval(0, &interval) == 0 && interval.tv_sec == 0 && interval.tv_nsec == 0);
  CHECK(policy_of_child() == SCHED_FIFO);
  CHECK(set_policy(SCHED_RR | SCHED_RESET_ON_FORK, 3) == 0);
  CHECK(sched_getscheduler(0) == (SCHED_RR | SCHED_RESET_ON_FORK) && policy_of_child() == SCHED_OTHER);
  parameters.sched_priority = 4;
  CHECK(sched_setparam(0, &parameters) == 0 && (sched_getscheduler(0) & SCHED_RR) == SCHED_RR);
  parameters.sched_priority = 0;
  CHECK(sched_setparam(0, &parameters) == -1 && errno == EINVAL);
  CHECK(set_policy(SCHED_RR, 3) == 0);
  // Without the capability, down and no further.
  CHECK(IN_CHILD({
          CHECK(set_policy(SCHED_RR | SCHED_RESET_ON_FORK, 3) == 0);
          CHECK(setresuid(65534, 65534, 65534) == 0);
          const struct sched_param lower = {2}, higher = {5};
          CHECK(sched_setparam(0, &lower) == 0);
          CHECK(sched_setparam(0, &higher) == -1 && errno == EPERM);
          // The flag that resets children may not be taken away.
          CHECK(set_policy(SCHED_OTHER, 0) == -1 && errno == EPERM);
          CHECK(set_policy(SCHED_OTHER | SCHED_RESET_ON_FORK, 0) == 0);
          CHECK(set_policy(SCHED_RR | SCHED_RESET_ON_FORK, 1) == -1 && errno == EPERM);
        }) == 0);
  CHECK(set_policy(SCHED_OTHER, 0) == 0);
  const uint64_t ms = 1000000;
  if (set_attributes((struct attributes){.policy = 6, .runtime = ms, .deadline = 20 * ms, .period = 20 * ms}) != 0) return;
  CHECK(sched_getscheduler(0) == 6);
  struct attributes found = {0};
  CHECK(syscall(SYS_sched_getattr, 0, &found, sizeof found, 0) == 0);
  CHECK(found.policy == 6 && found.runtime == ms && found.deadline == 20 * ms && found.period == 20 * ms);
  CHECK(set_attributes((struct attributes){.policy = 0}) == 0);
}

void scheduling(void) {
  guest_result("no such policy", set_policy(77, 0));
  guest_result("a negative policy", set_policy(-1, 0));
  guest_result("a priority without real time", set_policy(SCHED_BATCH, 1));
  guest_result("real time without a priority", set_policy(SCHED_FIFO, 0));
  guest_result("too high a priority", set_policy(SCHED_RR, 100));
  guest_result("a deadline without times", set_attributes((struct attributes){.policy = 6}));
  guest_result("more than the period", set_attributes((struct attributes){
                                           .policy = 6, .runtime = 30000000, .deadline = 20000000, .period = 20000000}));
  guest_result("too short a period", set_attributes((struct attributes){
                                         .policy = 6, .runtime = 2000, .deadline = 20000, .period = 20000}));
  guest_result("a flag that is none", set_attributes((struct attributes){.flags = 1ull << 40}));
  guest_result("no such task", sched_getscheduler(0x3ffff0));
  guest_result("a negative task", sched_getscheduler(-1));
  printf("batch in a child: %d\n", IN_CHILD({
           guest_result("batch", set_policy(SCHED_BATCH, 0));
           printf("of its child: %d\n", policy_of_child());
           guest_result("nice", setpriority(PRIO_PROCESS, 0, 5));
           struct attributes found = {0};
           guest_result("attributes", syscall(SYS_sched_getattr, 0, &found, 48, 0));
           printf("policy %u nice %d priority %u\n", found.policy, found.nice, found.priority);
           guest_result("idle", set_policy(SCHED_IDLE, 0));
           printf("policy %d nice %d\n", sched_getscheduler(0), getpriority(PRIO_PROCESS, 0));
         }));
  printf("I/O priorities: %ld", syscall(SYS_ioprio_set, 1, 0, 1));
  printf(" %ld", syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 5));
  printf(" %ld\n", syscall(SYS_ioprio_get, 1, 0));
  CHECK(IN_CHILD(real_time()) == 0);

  // Where a mask allows one CPU, that is the one.
  cpu_set_t all, one;
  CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &all)) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    unsigned where = 0;
    CHECK(syscall(SYS_getcpu, &where, NULL, NULL) == 0);
    CHECK(where == (unsigned)cpu);
  }
  CHECK(sched_setaffinity(0, sizeof all, &all) == 0);
  CPU_ZERO(&one);
  guest_result("no CPU", sched_setaffinity(0, sizeof one, &one));
}

/// Process 1, which is an init natively and Apus inside.
void process_one(void) {
  struct rlimit limit;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 1};
  struct __user_cap_data_struct data[2];
  void *list;
  size_t length;
  cpu_set_t cpus;
  clockid_t clock;
  printf("policy: %d\n", sched_getscheduler(1));
  printf("nice: %d\n", getpriority(PRIO_PROCESS, 1));
  guest_result("affinity", sched_getaffinity(1, sizeof cpus, &cpus));
  guest_result("limits", prlimit(1, RLIMIT_NOFILE, NULL, &limit));
  guest_result("capabilities", syscall(SYS_capget, &header, data));
  printf("I/O priority is there: %d\n", syscall(SYS_ioprio_get, 1, 1) >= 0);
  printf("clock: %d\n", clock_getcpuclockid(1, &clock));
  const int descriptor = (int)syscall(SYS_pidfd_open, 1, 0);
  CHECK(descriptor >= 0);
  guest_result("null signal", syscall(SYS_pidfd_send_signal, descriptor, 0, NULL, 0));
  close(descriptor);
  static const char *const files[] = {"exe", "fd", "maps", "task", "limits", "mountinfo", "net", "comm", "status",
                                      "task/1", "task/1/comm", "oom_score_adj", "nothing"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/1/%s", files[i]);
    struct stat status;
    guest_result(files[i], lstat(path, &status));
  }
  printf("without privilege: %d\n", IN_CHILD({
           CHECK(setresuid(65534, 65534, 65534) == 0);
           guest_result("nice", setpriority(PRIO_PROCESS, 1, 0));
           guest_result("robust list", syscall(SYS_get_robust_list, 1, &list, &length));
           guest_result("limits", prlimit(1, RLIMIT_NOFILE, NULL, &limit));
           guest_result("signal", kill(1, 0));
           char target[64];
           guest_result("exe", readlink("/proc/1/exe", target, sizeof target) > 0 ? 0 : -1);
           guest_result("maps", open("/proc/1/maps", O_RDONLY));
         }));
}
