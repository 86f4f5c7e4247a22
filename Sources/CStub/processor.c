#include <cpuid.h>

#include "Stub.h"

uint64_t apus_xcr0(void) {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 27))) return 3;
  __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  return (uint64_t)d << 32 | a;
}

uint32_t apus_xstate_end(uint32_t component) {
  uint32_t a, b, c, d;
  if (!__get_cpuid_count(0xd, component, &a, &b, &c, &d)) return 0;
  return a + b;
}

uint32_t apus_mxcsr_mask(void) {
  uint32_t area[128] __attribute__((aligned(16))) = {0};
  __asm__ volatile("fxsave %0" : "+m"(area));
  return area[7] ? area[7] : 0xffbf;
}

