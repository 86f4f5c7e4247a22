#pragma once

// What the stub's assembly and Apus's Swift code agree on: addresses, offsets and numbers.
// Only plain integer macros, so that both languages can read this file.

// Addresses in every guest process. Everything from STUB_BASE up belongs to the stub.
#define STUB_BASE 0x7fffc0000000
#define STUB_USER_END 0x7ffffffff000
#define STUB_CONSTANTS 0x7fffc0080000
#define STUB_CONTROL 0x7fffc0100000
#define STUB_VDSO 0x7fffc0200000
#define STUB_ZYGOTE 0x7fffc0400000
#define STUB_ZYGOTE_STACK 0x7fffc0401000
#define STUB_ZYGOTE_SIZE 0x2000
#define STUB_CONTEXTS 0x7fffc1000000

// Where the stub lives while the zygote clears its inherited address space.
#define STUB_TEMPORARY_SIZE 0x80000
#define STUB_TEMPORARY_PARAMETERS 0x10000
#define STUB_TEMPORARY_VDSO 0x20000

// Descriptors of the zygote and of all agents (one shared table).
#define STUB_FD_PHYSICAL 0
#define STUB_FD_CONTROL 1
#define STUB_FD_CONTEXTS 2
#define STUB_FD_CONFIRM 3
#define STUB_FD_COMMAND 4
#define STUB_FD_COUNT 5
// First number for registered files. Lower numbers stay free for the kernel's choice.
#define STUB_FD_FIRST_FILE 16

// The constants page: written by Apus before the zygote starts, read-only everywhere else.
#define STUB_CONSTANTS_FLAGS 0
#define STUB_CONSTANTS_GUEST_PROGRAM 8
#define STUB_CONSTANTS_SIGACTION 32
#define STUB_CONSTANTS_ZYGOTE_PROGRAM 64
#define STUB_CONSTANTS_GUEST_FILTER 128
#define STUB_CONSTANTS_ZYGOTE_FILTER 1024
#define STUB_FLAG_FSGSBASE 1
#define STUB_FLAG_SHARE_FILES 2
#define STUB_FLAG_TRACED 4

// The zygote's page: shared between the zygote and Apus only.
#define STUB_ZYGOTE_ACKS 0
#define STUB_ZYGOTE_PARENT 8
#define STUB_ZYGOTE_REPLIES 64
#define STUB_ZYGOTE_REPLY_COUNT 64
#define STUB_COMMAND_FORK 1
#define STUB_COMMAND_RECEIVE 2
#define STUB_COMMAND_CLOSE 3

// The control memory: slot 0 holds the zygote's page and the constants page, slot n the control area of process n.
#define STUB_CONTROL_STRIDE 0x10000
#define STUB_CONTROL_SIZE 0x6000
#define STUB_CONTROL_TAIL 0
#define STUB_CONTROL_BATCH_COUNT 4
#define STUB_CONTROL_RING 64
#define STUB_RING_COUNT 256
#define STUB_CONTROL_BATCH 0x5000
#define STUB_BATCH_COUNT 64

// A ring entry: 64 bytes.
#define STUB_ENTRY_SIZE 64
#define STUB_ENTRY_NUMBER 0
#define STUB_ENTRY_KIND 4
#define STUB_ENTRY_ARGUMENTS 8
#define STUB_ENTRY_PAYLOAD 56
#define STUB_KIND_CALL 0
#define STUB_KIND_RESUME 1
#define STUB_KIND_CLONE 2

// A context: the signal stack of a guest thread, and this header at its end.
#define STUB_CONTEXT_SIZE 0x8000
#define STUB_CONTEXT_HEADER_SIZE 512
#define STUB_CONTEXT_STACK_SIZE 0x7e00
#define STUB_HEADER_STATE 0
#define STUB_HEADER_SIGNAL 4
#define STUB_HEADER_FRAME 8
#define STUB_HEADER_FS_BASE 16
#define STUB_HEADER_GS_BASE 24
#define STUB_HEADER_TID 32
#define STUB_HEADER_SPIN 36   // how often the thread looks at its state before it sleeps
#define STUB_HEADER_STACK 40
#define STUB_HEADER_FLUSH 64  // the state word that a CPU thread waits on while the agent works
#define STUB_HEADER_FRESH 68  // the thread has run another guest, which may have changed its signal stack

// A call without a signal: the thread's GS base is the header, and the registers are stored in it, in the order of
// `struct sigcontext`.
#define STUB_HEADER_SELF 112  // the header's address
#define STUB_HEADER_CALLS 120 // how many such calls there have been
#define STUB_HEADER_CALL 128
#define STUB_CALL_R8 128
#define STUB_CALL_R9 136
#define STUB_CALL_R10 144
#define STUB_CALL_R11 152
#define STUB_CALL_R12 160
#define STUB_CALL_R13 168
#define STUB_CALL_R14 176
#define STUB_CALL_R15 184
#define STUB_CALL_RDI 192
#define STUB_CALL_RSI 200
#define STUB_CALL_RBP 208
#define STUB_CALL_RBX 216
#define STUB_CALL_RDX 224
#define STUB_CALL_RAX 232
#define STUB_CALL_RCX 240
#define STUB_CALL_RSP 248
#define STUB_CALL_RIP 256
#define STUB_CALL_FLAGS 264

// Bits of a context's state word.
#define STUB_STATE_HELD 1     // the agent still has work to do before the thread may run
#define STUB_STATE_TRAPPED 2  // the thread reported a trap
#define STUB_STATE_SLEEPS 4   // the guest thread sleeps on the word
#define STUB_STATE_WAITS 8    // the CPU thread sleeps on the word
#define STUB_STATE_DEAD 16    // set by Apus once the process is gone
#define STUB_STATE_NOTICE 32  // the CPU thread has something to look at; never cleared by the stub but with a trap
#define STUB_STATE_CALLS 64   // with TRAPPED: a call without a signal; the registers are in the header, not in a frame
#define STUB_SLEEPS_BIT 2
#define STUB_WAKE_GUEST 1
#define STUB_WAKE_APUS 2

// Exit statuses of guest processes and of the zygote.
#define STUB_EXIT_OPERATION 113
#define STUB_EXIT_CLONE 114
#define STUB_EXIT_SETUP 115
#define STUB_EXIT_ORPHAN 116
#define STUB_EXIT_ZYGOTE 64  // plus the step that failed
