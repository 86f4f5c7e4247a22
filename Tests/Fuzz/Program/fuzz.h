#pragma once

#include "guest.h"

// Random calls whose outcome is printed, a line for each step. What a step does depends on the seed, on its number and
// on what the steps before it left, so that steps can be left out and the others still do the same.

struct fuzz_mode {
  const char *name;
  void (*begin)(void);
  /// Makes one call, and says what came of it.
  void (*step)(void);
  /// Says what all steps have led to.
  void (*state)(void);
  void (*end)(void);
};

extern const struct fuzz_mode fuzz_memory, fuzz_files;

/// A number below `limit`, from the step's own stream.
unsigned fuzz_below(unsigned limit);
bool fuzz_chance(unsigned one_in);
/// One of the numbers that are given.
#define FUZZ_CHOICE(...)                                     \
  __extension__({                                            \
    const long choices_[] = {__VA_ARGS__};                   \
    choices_[fuzz_below(sizeof choices_ / sizeof *choices_)]; \
  })
/// A subset of the flags that are given, each with the chance one in `one_in`.
#define FUZZ_FLAGS(one_in, ...)                                                         \
  __extension__({                                                                       \
    const long flags_[] = {__VA_ARGS__};                                                \
    long set_ = 0;                                                                      \
    for (unsigned i_ = 0; i_ < sizeof flags_ / sizeof *flags_; i_++)                    \
      if (fuzz_chance(one_in)) set_ |= flags_[i_];                                      \
    set_;                                                                               \
  })

/// Prints a result: the number, or the errno's name.
void fuzz_result(long result);
/// Adds bytes to a digest.
uint64_t fuzz_digest(uint64_t digest, const void *bytes, size_t count);
/// Makes further steps with a stream of their own, in a child for instance.
void fuzz_steps(const struct fuzz_mode *mode, unsigned count);
