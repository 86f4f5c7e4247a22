
// Processor properties.

/// XCR0: the state components that the host has enabled; 3 (x87, SSE) where there is no XSAVE.
uint64_t apus_xcr0(void);
/// Where a state component ends in an XSAVE area of standard form.
uint32_t apus_xstate_end(uint32_t component);
/// The bits of MXCSR that may be set.
uint32_t apus_mxcsr_mask(void);
/// An entry of the auxiliary vector (getauxval(3)).
uint64_t apus_auxiliary(uint64_t type);
