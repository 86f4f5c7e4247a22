// Makes random calls and prints what came of each, so that a run inside Apus can be compared with a native run.
//
//     fuzz-calls MODE SEED STEPS [SKIPPED…]
//
// MODE is `memory` or `files`; SKIPPED are numbers of steps that are left out, alone or as FIRST-LAST.

#include "fuzz.h"
#include <inttypes.h>
#include <signal.h>

static uint64_t stream;

static uint64_t mixed(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

unsigned fuzz_below(unsigned limit) {
  stream = mixed(stream);
  return stream % limit;
}

bool fuzz_chance(unsigned one_in) { return fuzz_below(one_in) == 0; }

void fuzz_result(long result) {
  if (result >= 0)
    printf(" = %ld", result);
  else
    printf(" = %s", strerrorname_np(errno));
}

uint64_t fuzz_digest(uint64_t digest, const void *bytes, size_t count) {
  for (const unsigned char *byte = bytes; count-- > 0; byte++) digest = (digest ^ *byte) * 0x100000001b3;
  return digest;
}

void fuzz_steps(const struct fuzz_mode *mode, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    printf("  ");
    mode->step();
    printf("\n");
  }
}

static bool is_skipped(unsigned step, char **ranges) {
  for (; *ranges != NULL; ranges++) {
    char *rest;
    const unsigned first = strtoul(*ranges, &rest, 10);
    const unsigned last = *rest == '-' ? strtoul(rest + 1, NULL, 10) : first;
    if (step >= first && step <= last) return true;
  }
  return false;
}

int main(int argc, char **argv) {
  const struct fuzz_mode *modes[] = {&fuzz_memory, &fuzz_files};
  const struct fuzz_mode *mode = NULL;
  for (unsigned i = 0; argc >= 4 && i < sizeof modes / sizeof *modes; i++)
    if (strcmp(argv[1], modes[i]->name) == 0) mode = modes[i];
  if (mode == NULL) {
    fprintf(stderr, "usage: %s memory|files SEED STEPS [SKIPPED...]\n", argv[0]);
    return 2;
  }
  const uint64_t seed = strtoull(argv[2], NULL, 10);
  const unsigned steps = strtoul(argv[3], NULL, 10);
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  mode->begin();
  for (unsigned step = 0; step < steps; step++) {
    if (is_skipped(step, argv + 4)) continue;
    stream = mixed(seed) ^ mixed(~(uint64_t)step);
    printf("%u ", step);
    mode->step();
    printf("\n");
    if (step % 32 == 31) {
      printf("%u state ", step);
      mode->state();
      printf("\n");
    }
  }
  printf("end state ");
  mode->state();
  printf("\n");
  mode->end();
  return 0;
}
