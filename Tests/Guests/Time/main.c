// Time: clocks, sleeps, interval timers, POSIX timers and timerfd.

#include "guest.h"
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <time.h>

static void clocks(void) {
  static const clockid_t ids[] = {CLOCK_REALTIME,         CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
                                  CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
                                  CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME};
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    struct timespec one, two, resolution;
    CHECK(clock_gettime(ids[i], &one) == 0);
    CHECK(syscall(SYS_clock_gettime, ids[i], &two) == 0);  // not through the vDSO
    CHECK(one.tv_sec <= two.tv_sec && (one.tv_sec < two.tv_sec || one.tv_nsec <= two.tv_nsec));
    CHECK(clock_getres(ids[i], &resolution) == 0 && resolution.tv_sec == 0 && resolution.tv_nsec > 0);
    printf("clock %d goes forward\n", (int)ids[i]);
  }
  struct timespec now;
  guest_result("unknown clock", clock_gettime(77, &now));
  struct timeval day;
  CHECK(gettimeofday(&day, NULL) == 0 && clock_gettime(CLOCK_REALTIME, &now) == 0);
  CHECK(now.tv_sec - day.tv_sec <= 1 && llabs((long long)time(NULL) - now.tv_sec) <= 1);
  int64_t before = guest_now();
  for (int i = 0; i < 10000; i++) {
    const int64_t next = guest_now();
    CHECK(next >= before);
    before = next;
  }
  // Processor time grows by computing and not by sleeping.
  struct timespec start, end;
  CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start) == 0);
  guest_sleep_ms(300);
  CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end) == 0);
  CHECK((end.tv_sec - start.tv_sec) * 1000000000 + end.tv_nsec - start.tv_nsec < 200000000);
  // (On a busy machine it grows slowly.)
  before = guest_now();
  do {
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end) == 0);
    CHECK(guest_now() - before < 10000000000);
  } while ((end.tv_sec - start.tv_sec) * 1000000000 + end.tv_nsec - start.tv_nsec < 50000000);
  struct tms ticks;
  CHECK(times(&ticks) != (clock_t)-1);
  printf("cpu time counts work\n");
}

static void sleeps(void) {
  int64_t start = guest_now();
  struct timespec brief = {0, 30000000};
  guest_result("nanosleep", nanosleep(&brief, NULL));
  CHECK(guest_now() - start >= 30000000);
  guest_result("zero", nanosleep(&(struct timespec){0, 0}, NULL));
  guest_result("bad nanoseconds", nanosleep(&(struct timespec){0, 1000000000}, NULL));
  guest_result("negative", nanosleep(&(struct timespec){-1, 0}, NULL));
  start = guest_now();
  struct timespec deadline;
  CHECK(clock_gettime(CLOCK_MONOTONIC, &deadline) == 0);
  deadline.tv_nsec += 30000000;
  if (deadline.tv_nsec >= 1000000000) deadline.tv_sec++, deadline.tv_nsec -= 1000000000;
  printf("absolute: %d\n", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL));
  CHECK(guest_now() - start >= 29000000);
  printf("past: %d\n", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){0, 0}, NULL));
  printf("bad clock: %d\n", clock_nanosleep(77, 0, &brief, NULL) == EINVAL);
  guest_result("own thread's time", syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &brief, NULL));
  // Many sleepers at once wake in order.
  int ends[2];
  CHECK(pipe(ends) == 0);
  // From one beginning, however long it takes to make them.
  const int64_t first = guest_now() + 300000000;
  for (int i = 0; i < 5; i++)
    if (fork() == 0) {
      const int64_t end = first + 150000000 * (4 - i);
      const struct timespec time = {end / 1000000000, end % 1000000000};
      CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == 0);
      const char digit = (char)('0' + i);
      CHECK(write(ends[1], &digit, 1) == 1);
      _exit(0);
    }
  char order[6] = "";
  for (int i = 0; i < 5; i++) CHECK(read(ends[0], order + i, 1) == 1);
  printf("woken: %s\n", order);
}

static volatile sig_atomic_t alarms;
static volatile int alarm_value;

static void on_alarm(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  alarms++;
  alarm_value = info->si_value.sival_int;
}

static void interval_timers(void) {
  struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0 && sigaction(SIGVTALRM, &action, NULL) == 0);
  CHECK(sigaction(SIGPROF, &action, NULL) == 0);
  struct itimerval timer = {{0, 10000}, {0, 10000}}, old;
  CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
  while (alarms < 5) pause();
  CHECK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, &old) == 0);
  printf("real: five, interval %ld\n", (long)old.it_interval.tv_usec);
  CHECK(getitimer(ITIMER_REAL, &old) == 0);
  printf("off: %ld\n", (long)old.it_value.tv_usec);
  printf("alarm: %u", alarm(100));
  const unsigned left = alarm(0);
  printf(" %d\n", left >= 99 && left <= 100);
  alarms = 0;
  timer = (struct itimerval){{0, 0}, {0, 20000}};
  CHECK(setitimer(ITIMER_VIRTUAL, &timer, NULL) == 0);
  while (alarms == 0) {}
  printf("virtual fires while computing\n");
  alarms = 0;
  CHECK(setitimer(ITIMER_PROF, &timer, NULL) == 0);
  while (alarms == 0) {}
  printf("profiling fires while computing\n");
  guest_result("bad timer", setitimer(77, &timer, NULL));
  timer.it_value.tv_usec = 1000000;
  guest_result("bad microseconds", setitimer(ITIMER_REAL, &timer, NULL));
}

static void posix_timers(void) {
  struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGRTMIN, &action, NULL) == 0);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 77};
  timer_t timer;
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  const struct itimerspec time = {{0, 5000000}, {0, 5000000}};
  CHECK(timer_settime(timer, 0, &time, NULL) == 0);
  while (alarms < 3) pause();
  printf("three with value %d\n", alarm_value);
  struct itimerspec left;
  CHECK(timer_gettime(timer, &left) == 0);
  printf("interval %ld\n", left.it_interval.tv_nsec);
  CHECK(timer_getoverrun(timer) >= 0);
  CHECK(timer_delete(timer) == 0);
  alarms = 0;
  guest_sleep_ms(20);
  printf("after deletion: %d\n", (int)alarms);
  guest_result("settime deleted", syscall(SYS_timer_settime, 1234, 0, &time, NULL));
  guest_result("bad clock", timer_create(77, &event, &timer));
  // Periods that went by before the timer was set are counted.
  CHECK(timer_create(CLOCK_REALTIME, &event, &timer) == 0);
  guest_result("no setting", syscall(SYS_timer_settime, *(int *)&timer, 0, NULL, NULL));
  struct timespec past;
  CHECK(clock_gettime(CLOCK_REALTIME, &past) == 0);
  past.tv_sec -= 100;
  CHECK(timer_settime(timer, TIMER_ABSTIME, &(struct itimerspec){{10, 0}, past}, NULL) == 0);
  while (alarms < 1) pause();
  printf("overruns: %d\n", timer_getoverrun(timer));
  CHECK(timer_delete(timer) == 0);
  event.sigev_notify = SIGEV_NONE;
  CHECK(timer_create(CLOCK_REALTIME, &event, &timer) == 0);
  CHECK(timer_settime(timer, 0, &(struct itimerspec){{0, 0}, {100, 0}}, NULL) == 0);
  CHECK(timer_gettime(timer, &left) == 0);
  printf("silent timer: %d\n", left.it_value.tv_sec >= 99 && left.it_value.tv_sec <= 100);
}

static void timer_descriptors(void) {
  const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  CHECK(fd >= 0);
  uint64_t expirations;
  guest_result("not armed", read(fd, &expirations, sizeof expirations));
  struct itimerspec time = {{0, 10000000}, {0, 300000000}};
  CHECK(timerfd_settime(fd, 0, &time, NULL) == 0);
  guest_result("not yet", read(fd, &expirations, sizeof expirations));
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  printf("poll: %d\n", poll(&poller, 1, 100000));
  CHECK(read(fd, &expirations, sizeof expirations) == sizeof expirations && expirations >= 1);
  guest_sleep_ms(50);
  CHECK(read(fd, &expirations, sizeof expirations) == sizeof expirations && expirations >= 4);
  guest_result("short buffer", read(fd, &expirations, 4));
  CHECK(timerfd_gettime(fd, &time) == 0);
  printf("interval %ld\n", time.it_interval.tv_nsec);
  time = (struct itimerspec){{0, 0}, {0, 0}};
  CHECK(timerfd_settime(fd, 0, &time, NULL) == 0);
  guest_result("disarmed", read(fd, &expirations, sizeof expirations));
  const int blocking = timerfd_create(CLOCK_REALTIME, 0);
  CHECK(clock_gettime(CLOCK_REALTIME, &time.it_value) == 0);
  time.it_value.tv_nsec += 20000000;
  if (time.it_value.tv_nsec >= 1000000000) time.it_value.tv_sec++, time.it_value.tv_nsec -= 1000000000;
  CHECK(timerfd_settime(blocking, TFD_TIMER_ABSTIME, &time, NULL) == 0);
  CHECK(read(blocking, &expirations, sizeof expirations) == sizeof expirations);
  printf("absolute: %lu\n", (unsigned long)expirations);
  guest_result("bad clock", timerfd_create(77, 0));
  guest_result("not a timer", timerfd_settime(0, 0, &time, NULL));
}

int main(int argc, char **argv) {
  static const struct guest_case cases[] = {
      {"clocks", clocks}, {"sleeps", sleeps}, {"itimers", interval_timers}, {"timers", posix_timers},
      {"timerfd", timer_descriptors}, {NULL, NULL},
  };
  return guest_main(argc, argv, cases);
}
