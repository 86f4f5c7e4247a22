// How work adds up: the same work done by 1, 2, 4 and 8 threads or processes at once. Prints the time that one piece of
// work takes all of them together: with every CPU in use, it never grows with their number.

#include "program.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum work { computing, computing_with_calls, pipes, work_count };
static const char *const names[work_count] = {"computing", "with calls", "through pipes"};

enum { most = 8 };

struct shared {
  _Alignas(64) volatile int stop;
  struct {
    _Alignas(64) volatile unsigned long done;
  } workers[most];
};

static struct shared *shared;
static enum work work;
static int ends[most][2];

static void compute(void) {
  for (volatile int i = 0; i < 2000; i++) {
  }
}

static void *work_on(void *argument) {
  const long index = (long)argument;
  char byte = 0;
  while (!shared->stop) {
    if (work == pipes) {
      // Through a pipe of its own and back: no worker waits for another that has stopped.
      require(write(ends[index][1], &byte, 1) == 1 && read(ends[index][0], &byte, 1) == 1, "pipe");
    }
    compute();
    if (work == computing_with_calls) syscall(SYS_getppid);
    shared->workers[index].done++;
  }
  return NULL;
}

static void measure(int count, int as_processes, double scale) {
  shared->stop = 0;
  pthread_t threads[most];
  pid_t processes[most];
  for (long i = 0; i < count; i++) {
    shared->workers[i].done = 0;
    if (as_processes) {
      processes[i] = fork();
      require(processes[i] >= 0, "fork");
      if (processes[i] == 0) {
        work_on((void *)i);
        _exit(0);
      }
    } else {
      require(pthread_create(&threads[i], NULL, work_on, (void *)i) == 0, "pthread_create");
    }
  }
  const double start = now();
  usleep((useconds_t)(400000 * scale));
  shared->stop = 1;
  const double time = now() - start;
  unsigned long done = 0;
  for (int i = 0; i < count; i++) done += shared->workers[i].done;
  for (int i = 0; i < count; i++)
    if (as_processes) wait_for(processes[i]);
    else pthread_join(threads[i], NULL);
  printf("%s, %d %s%s\t%.4f\n", names[work], count, as_processes ? "process" : "thread",
         count == 1 ? "" : as_processes ? "es" : "s", time / (double)(done ? done : 1));
  fflush(stdout);
}

void curve(double scale) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(shared != MAP_FAILED, "mmap");
  for (int i = 0; i < most; i++) require(pipe(ends[i]) == 0, "pipe");
  for (work = computing; work < work_count; work++)
    for (int as_processes = 0; as_processes < 2; as_processes++)
      for (int count = 1; count <= most; count *= 2) measure(count, as_processes, scale);
}
