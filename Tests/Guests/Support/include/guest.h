#pragma once

// What the guest test programs share. Each program is a list of cases; it prints what it observes, without process ids,
// addresses and times, so that a run inside Apus can be compared with a native run, and it exits non-zero when a check
// of its own fails.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

struct guest_case {
  const char *name;
  void (*run)(void);
};

/// Runs the cases named in `argv` in this process, or every case in a process of its own when none is named.
/// `cases` ends with an entry without a name.
int guest_main(int argc, char **argv, const struct guest_case *cases);

/// Ends the process unless the condition holds.
#define CHECK(...) ((__VA_ARGS__) ? (void)0 : guest_check_failed(__FILE_NAME__, __LINE__, #__VA_ARGS__))
_Noreturn void guest_check_failed(const char *file, int line, const char *condition);

/// Prints the result of a call that is expected to fail or not: its name and the errno, or `ok`.
void guest_result(const char *what, long result);

/// Makes a fresh directory and enters it. It is removed when the process that made it exits normally.
void guest_scratch(void);

/// Waits for a child and returns its exit status, or 1000 plus the signal that ended it.
int guest_wait(pid_t pid);

/// Monotonic time in nanoseconds.
int64_t guest_now(void);
void guest_sleep_ms(long milliseconds);

/// Runs statements in a child and returns what `guest_wait` returns.
#define IN_CHILD(...)              \
  __extension__({                  \
    fflush(stdout);                \
    const pid_t child_ = fork();   \
    CHECK(child_ >= 0);            \
    if (child_ == 0) {             \
      __VA_ARGS__;                 \
      fflush(stdout);              \
      _exit(0);                    \
    }                              \
    guest_wait(child_);            \
  })
