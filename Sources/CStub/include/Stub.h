#pragma once
#include <stdint.h>
#include "StubLayout.h"

/// A mapping of the vDSO (or its data) and the address the stub wants it at.
struct apus_vdso_mapping {
  uint64_t from;
  uint64_t length;
  uint64_t final;
};

/// What the zygote needs to start.
struct apus_zygote_parameters {
  /// Descriptors, in the order of STUB_FD_*.
  int32_t descriptors[STUB_FD_COUNT];
  uint32_t vdso_count;
  struct apus_vdso_mapping vdso[4];
};

/// Forks the zygote. Returns its process id or a negated errno. The zygote exits with STUB_EXIT_ZYGOTE plus a step on
/// failure. It dies with the calling thread (PR_SET_PDEATHSIG).
long apus_zygote_start(const struct apus_zygote_parameters *parameters);

/// The stub's code as it is in this program, to look at.
const uint8_t *apus_stub_code(void);

/// Length of the stub's code in bytes (whole pages), and offsets of its labels.
uint64_t apus_stub_length(void);
uint64_t apus_stub_handler_offset(void);
uint64_t apus_stub_restorer_offset(void);
uint64_t apus_stub_park_offset(void);
uint64_t apus_stub_park_site_offset(void);
uint64_t apus_stub_rest_offset(void);
uint64_t apus_stub_call_offset(void);
uint64_t apus_stub_call_stored_offset(void);
uint64_t apus_stub_call_reported_offset(void);
uint64_t apus_stub_call_end_offset(void);

// Atomic operations on words that are shared with guest processes, where Swift's `Atomic` cannot live.

static inline uint32_t apus_atomic_load(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
static inline uint64_t apus_atomic_load64(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
static inline void apus_atomic_store(uint32_t *word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}
static inline uint32_t apus_atomic_exchange(uint32_t *word, uint32_t value) {
  return __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST);
}
static inline uint32_t apus_atomic_or(uint32_t *word, uint32_t value) {
  return __atomic_fetch_or(word, value, __ATOMIC_SEQ_CST);
}
/// Replaces `expected` by `desired`; tells whether it did.
static inline int apus_atomic_replace(uint32_t *word, uint32_t expected, uint32_t desired) {
  return __atomic_compare_exchange_n(word, &expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
static inline void apus_pause(void) { __builtin_ia32_pause(); }

// Processor properties.

/// XCR0: the state components that the host has enabled; 3 (x87, SSE) where there is no XSAVE.
uint64_t apus_xcr0(void);
/// Where a state component ends in an XSAVE area of standard form.
uint32_t apus_xstate_end(uint32_t component);
/// The bits of MXCSR that may be set.
uint32_t apus_mxcsr_mask(void);
