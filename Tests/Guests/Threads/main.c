// Threads: creation in numbers, synchronisation, thread-local storage, robust mutexes, signals to threads, exits.

#include "guest.h"
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static void *identity(void *argument) { return argument; }

static void create_and_join(void) {
  for (intptr_t i = 0; i < 200; i++) {
    pthread_t thread;
    void *result;
    CHECK(pthread_create(&thread, NULL, identity, (void *)i) == 0);
    CHECK(pthread_join(thread, &result) == 0 && (intptr_t)result == i);
  }
  printf("two hundred in turn\n");
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int arrived, released;

static void *wait_for_release(void *argument) {
  pthread_mutex_lock(&mutex);
  arrived++;
  pthread_cond_broadcast(&condition);
  while (!released) pthread_cond_wait(&condition, &mutex);
  pthread_mutex_unlock(&mutex);
  return argument;
}

static void thousand(void) {
  enum { threads = 1000 };
  static pthread_t thread[threads];
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  for (intptr_t i = 0; i < threads; i++)
    CHECK(pthread_create(&thread[i], &attributes, wait_for_release, (void *)i) == 0);
  pthread_mutex_lock(&mutex);
  while (arrived < threads) pthread_cond_wait(&condition, &mutex);
  printf("%d threads at once\n", arrived);
  released = 1;
  pthread_cond_broadcast(&condition);
  pthread_mutex_unlock(&mutex);
  long sum = 0;
  for (int i = 0; i < threads; i++) {
    void *result;
    CHECK(pthread_join(thread[i], &result) == 0);
    sum += (intptr_t)result;
  }
  printf("sum %ld\n", sum);
}

static long counter;

static void *count_with_mutex(void *argument) {
  for (int i = 0; i < 20000; i++) {
    pthread_mutex_lock(argument);
    counter++;
    pthread_mutex_unlock(argument);
  }
  return NULL;
}

static pthread_barrier_t barrier;
static int phase_sum[10];

static void *phases(void *argument) {
  for (int phase = 0; phase < 10; phase++) {
    __atomic_fetch_add(&phase_sum[phase], (int)(intptr_t)argument, __ATOMIC_SEQ_CST);
    pthread_barrier_wait(&barrier);
    CHECK(__atomic_load_n(&phase_sum[phase], __ATOMIC_SEQ_CST) == 0 + 1 + 2 + 3 + 4 + 5 + 6 + 7);
    pthread_barrier_wait(&barrier);
  }
  return NULL;
}

static void synchronisation(void) {
  pthread_t thread[8];
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&thread[i], NULL, count_with_mutex, &mutex) == 0);
  for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
  printf("counter %ld\n", counter);
  CHECK(pthread_barrier_init(&barrier, NULL, 8) == 0);
  for (intptr_t i = 0; i < 8; i++) CHECK(pthread_create(&thread[i], NULL, phases, (void *)i) == 0);
  for (int i = 0; i < 8; i++) pthread_join(thread[i], NULL);
  printf("ten phases\n");
  struct timespec deadline;
  clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_nsec += 20000000;
  if (deadline.tv_nsec >= 1000000000) deadline.tv_sec++, deadline.tv_nsec -= 1000000000;
  pthread_mutex_lock(&mutex);
  printf("timed wait: %s\n", strerrorname_np(pthread_cond_timedwait(&condition, &mutex, &deadline)));
  pthread_mutex_unlock(&mutex);
  // Between processes, through shared memory.
  struct shared {
    pthread_mutex_t mutex;
    sem_t ready;
    long count;
  } *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED && sem_init(&shared->ready, 1, 0) == 0);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  CHECK(pthread_mutex_init(&shared->mutex, &attributes) == 0);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) sem_wait(&shared->ready);
  else sem_post(&shared->ready);
  for (int i = 0; i < 5000; i++) {
    pthread_mutex_lock(&shared->mutex);
    shared->count++;
    pthread_mutex_unlock(&shared->mutex);
  }
  if (child == 0) _exit(0);
  CHECK(guest_wait(child) == 0);
  printf("shared count %ld\n", shared->count);
}

static __thread int local = 5;
static __thread char local_array[3000];

static void *use_local(void *argument) {
  CHECK(local == 5 && local_array[2999] == 0);
  local = (int)(intptr_t)argument;
  memset(local_array, local, sizeof local_array);
  for (int i = 0; i < 50; i++) {
    sched_yield();
    CHECK(local == (int)(intptr_t)argument && local_array[2999] == (char)local);
  }
  return NULL;
}

static void local_storage(void) {
  pthread_t thread[10];
  for (intptr_t i = 0; i < 10; i++) CHECK(pthread_create(&thread[i], NULL, use_local, (void *)(i + 10)) == 0);
  for (int i = 0; i < 10; i++) pthread_join(thread[i], NULL);
  printf("own values kept, here %d\n", local);
  local = 8;
  CHECK(IN_CHILD(CHECK(local == 8)) == 0);
}

static pthread_mutex_t robust;

static void *die_holding(void *argument) {
  pthread_mutex_lock(&robust);
  return argument;
}

static void robust_mutexes(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  CHECK(pthread_mutex_init(&robust, &attributes) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, die_holding, NULL) == 0);
  pthread_join(thread, NULL);
  int error = pthread_mutex_lock(&robust);
  printf("owner died: %d\n", error == EOWNERDEAD);
  CHECK(pthread_mutex_consistent(&robust) == 0 && pthread_mutex_unlock(&robust) == 0);
  printf("usable again: %d\n", pthread_mutex_lock(&robust));
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED && pthread_mutex_init(shared, &attributes) == 0);
  CHECK(IN_CHILD({
          pthread_mutex_lock(shared);
          kill(getpid(), SIGKILL);
        }) == 1009);
  error = pthread_mutex_lock(shared);
  printf("owning process died: %d\n", error == EOWNERDEAD);
}

static volatile pid_t handled_by;

static void note_thread(int signal) {
  (void)signal;
  handled_by = (pid_t)syscall(SYS_gettid);
}

static volatile pid_t worker_tid;
static volatile int is_awake;

static void *sleeping_worker(void *argument) {
  worker_tid = (pid_t)syscall(SYS_gettid);
  struct timespec forever = {1000, 0};
  const int result = nanosleep(&forever, NULL);
  is_awake = 1;
  return result == -1 && errno == EINTR ? argument : NULL;
}

static void *unmasked_worker(void *argument) {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, NULL);
  worker_tid = (pid_t)syscall(SYS_gettid);
  while (handled_by == 0) sched_yield();
  return argument;
}

static void signals(void) {
  struct sigaction action = {.sa_handler = note_thread};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  pthread_t thread;
  void *result;
  CHECK(pthread_create(&thread, NULL, sleeping_worker, "interrupted") == 0);
  while (worker_tid == 0) sched_yield();
  // The first may come before it sleeps.
  while (!is_awake) {
    guest_sleep_ms(20);
    CHECK(pthread_kill(thread, SIGUSR1) == 0);
  }
  CHECK(pthread_join(thread, &result) == 0);
  CHECK(handled_by == worker_tid);
  printf("directed: %s\n", result ? (char *)result : "not interrupted");
  // A signal for the process goes to the thread that does not block it.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  handled_by = worker_tid = 0;
  CHECK(pthread_create(&thread, NULL, unmasked_worker, NULL) == 0);
  while (worker_tid == 0) sched_yield();
  CHECK(kill(getpid(), SIGUSR1) == 0);
  pthread_join(thread, NULL);
  CHECK(handled_by == worker_tid);
  printf("process-wide: taken by the open thread\n");
  // Cancellation uses a signal of its own.
  pthread_sigmask(SIG_UNBLOCK, &all, NULL);
  worker_tid = 0;
  CHECK(pthread_create(&thread, NULL, sleeping_worker, NULL) == 0);
  while (worker_tid == 0) sched_yield();
  CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0);
  printf("cancelled: %d\n", result == PTHREAD_CANCELED);
}

static void *spin(void *argument) {
  for (;;) {}
  return argument;
}

static void *exit_process(void *argument) {
  guest_sleep_ms(20);
  exit((int)(intptr_t)argument);
}

static void *exec_program(void *argument) {
  guest_sleep_ms(20);
  execl("/bin/sh", "sh", "-c", "exit 17", (char *)NULL);
  return argument;
}

static void *outlive(void *argument) {
  guest_sleep_ms(30);
  _exit((int)(intptr_t)argument);
}

static void endings(void) {
  pthread_t thread;
  printf("exit in a thread: %d\n", IN_CHILD({
           for (int i = 0; i < 3; i++) pthread_create(&thread, NULL, spin, NULL);
           pthread_create(&thread, NULL, exit_process, (void *)23);
           for (;;) pause();
         }));
  printf("exec in a thread: %d\n", IN_CHILD({
           const pid_t pid = getpid();
           (void)pid;
           for (int i = 0; i < 3; i++) pthread_create(&thread, NULL, spin, NULL);
           pthread_create(&thread, NULL, exec_program, NULL);
           for (;;) pause();
         }));
  printf("first thread ends first: %d\n", IN_CHILD({
           pthread_create(&thread, NULL, outlive, (void *)31);
           syscall(SYS_exit, 0);
         }));
  printf("killed with spinning threads: %d\n", IN_CHILD({
           for (int i = 0; i < 3; i++) pthread_create(&thread, NULL, spin, NULL);
           guest_sleep_ms(20);
           kill(getpid(), SIGTERM);
           for (;;) pause();
         }));
  printf("fork in a threaded process: %d\n", IN_CHILD({
           for (int i = 0; i < 3; i++) pthread_create(&thread, NULL, spin, NULL);
           _exit(IN_CHILD(_exit(11)));
         }));
}

static void futexes(void) {
  static uint32_t word = 7;
  const struct timespec brief = {0, 10000000};
  guest_result("value differs", syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 8, NULL, NULL, 0));
  guest_result("time-out", syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, &brief, NULL, 0));
  printf("nobody to wake: %ld\n", syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
  guest_result("unaligned", syscall(SYS_futex, (char *)&word + 1, FUTEX_WAIT_PRIVATE, 7, NULL, NULL, 0));
  guest_result("not mapped", syscall(SYS_futex, (void *)4096, FUTEX_WAIT_PRIVATE, 7, NULL, NULL, 0));
  guest_result("unknown operation", syscall(SYS_futex, &word, 99, 7, NULL, NULL, 0));
  guest_result("bad time-out", syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, &(struct timespec){0, 2000000000}, NULL, 0));
  static uint32_t other;
  guest_result("cmp_requeue differs", syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &other, 8));
  void *closed = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  guest_result("requeue to nowhere", syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE, 1, (void *)1, closed, 7));
  printf("requeue nobody: %ld\n", syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &other, 7));
  struct timespec absolute;
  clock_gettime(CLOCK_MONOTONIC, &absolute);
  guest_result("past deadline", syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 7, &absolute, NULL, ~0u));
  guest_result("empty bitset", syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 7, &absolute, NULL, 0));
}

static uint32_t private_word, *file_word;

static void *wait_privately(void *argument) {
  const struct timespec brief = {0, 200000000};
  (void)argument;
  return (void *)(syscall(SYS_futex, &private_word, FUTEX_WAIT_PRIVATE, 0, &brief, NULL, 0) == 0 ? 0L : (long)errno);
}

/// Who waits privately is not woken by others; a word in a file is one only as far as the file goes.
static void futex_keys(void) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, wait_privately, NULL) == 0);
  guest_sleep_ms(50);
  printf("woken: %ld\n", syscall(SYS_futex, &private_word, FUTEX_WAKE, 1, NULL, NULL, 0));
  void *result;
  CHECK(pthread_join(thread, &result) == 0);
  printf("the waiter: %s\n", strerrorname_np((int)(long)result));
  const int file = memfd_create("words", 0);
  CHECK(file >= 0 && ftruncate(file, 4096) == 0);
  file_word = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  CHECK(file_word != MAP_FAILED);
  guest_result("in the file", syscall(SYS_futex, file_word, FUTEX_WAKE, 1, NULL, NULL, 0));
  guest_result("behind it", syscall(SYS_futex, file_word + 1024, FUTEX_WAKE, 1, NULL, NULL, 0));
  guest_result("behind it, privately", syscall(SYS_futex, file_word + 1024, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
  CHECK(ftruncate(file, 0) == 0);
  guest_result("of an empty file", syscall(SYS_futex, file_word, FUTEX_WAKE, 1, NULL, NULL, 0));
}

enum { rounds = 2000 };
/// Each in a cache line of its own, so that a processor can hold a write back while it reads another.
static volatile int round_begun __attribute__((aligned(128))), round_ended __attribute__((aligned(128)));
static volatile int fast_word __attribute__((aligned(128))), slow_word __attribute__((aligned(128))), fast_saw;

/// The side without a barrier: only the compiler keeps its write before its read.
static void *fast_side(void *argument) {
  for (int round = 1; round <= rounds; round++) {
    for (int spin = 0; round_begun != round; spin++)
      if (spin > 10000) sched_yield();
    fast_word = round;
    __asm__ volatile("" ::: "memory");
    fast_saw = slow_word;
    round_ended = round;
  }
  return argument;
}

static long membarrier(int command, unsigned flags) { return syscall(SYS_membarrier, command, flags, 0); }

static void barriers(void) {
  const int known = MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
  printf("known: %d\n", (int)membarrier(MEMBARRIER_CMD_QUERY, 0) & known);
  guest_result("global", membarrier(MEMBARRIER_CMD_GLOBAL, 0));
  guest_result("not registered", membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
  guest_result("unknown flag", membarrier(MEMBARRIER_CMD_QUERY, 1));
  guest_result("unknown command", membarrier(1 << 20, 0));
  guest_result("two commands", membarrier(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
  guest_result("registration", membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0));
  guest_result("nobody else", membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
  printf("in a child: %d\n", IN_CHILD({
           guest_result("registered by its parent", membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
           CHECK(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) == 0);
         }));
  // Of two that write and then read what the other writes, one sees the other's write.
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, fast_side, NULL) == 0);
  int missed = 0;
  for (int round = 1; round <= rounds; round++) {
    round_begun = round;
    for (volatile int delay = round % 50; delay > 0; delay--) {}
    slow_word = round;
    CHECK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0);
    const int saw = fast_word;
    while (round_ended != round) sched_yield();
    missed += saw != round && fast_saw != round;
  }
  pthread_join(thread, NULL);
  printf("missed: %d\n", missed);
}

int main(int argc, char **argv) {
  static const struct guest_case cases[] = {
      {"create", create_and_join},  {"thousand", thousand}, {"synchronisation", synchronisation},
      {"local", local_storage},     {"robust", robust_mutexes}, {"signals", signals},
      {"endings", endings},         {"futexes", futexes},   {"barriers", barriers},
      {"futex keys", futex_keys},
      {NULL, NULL},
  };
  return guest_main(argc, argv, cases);
}
