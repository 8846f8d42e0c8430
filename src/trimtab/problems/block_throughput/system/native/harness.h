/* SPDX-License-Identifier: Apache-2.0
 *
 * Throughput of basic blocks on the machine at hand: what the parts of the harness share.
 *
 *   server.c    reads jobs from standard input, forks a child for each, writes results to standard output
 *   emit.c      the machine code around a block: registers, repetition, return
 *   measure.c   in the child: calibration, gated windows, the difference of two repetitions
 *   sandbox.c   what a child may do, and what happens when it does something else
 *
 * The wire is little-endian and packed; trimtab's wire.py has the same layouts.
 */
#ifndef TRIMTAB_HARNESS_H
#define TRIMTAB_HARNESS_H

#include <stddef.h>
#include <stdint.h>

#define PROTOCOL 1u
#define PAGE 4096u
#define MAX_BLOCK 1000u  /* bytes */
#define MAX_FIXUPS 250u
#define MAX_PAGES 2048u  /* distinct frames that a block may touch */

/* Every register and every eight bytes of memory hold this address: below 2^31, so that 32-bit and sign-extended
 * loads keep it, and a multiple of 64, so that aligned accesses are. */
#define POINTER 0x12345600ull

#define CODE_AT 0x510000000000ull /* generated code; the page before it is its data */
#define CODE_SIZE (64u * 1024u)   /* of each of two kernels */
#define STATIC_AT (CODE_AT + (64ull << 20)) /* what RIP-relative operands are pointed at */

enum notion { UNROLLED = 0, LOOPED = 1 };

/* Bits of `struct job.state`: what a block reads, so what is set before each repetition. */
enum state { NEEDS_XMM = 1, NEEDS_YMM = 2, NEEDS_ZMM = 4, NEEDS_X87 = 8 };

enum status {
    OK = 0,
    NOISY = 1,       /* too few windows passed the gate, or the clock changed on the way */
    BAD_ADDRESS = 2, /* an access where nothing can be mapped */
    MANY_PAGES = 3,  /* more than MAX_PAGES */
    SIGNALLED = 4,   /* `signal` says which */
    TIMEOUT = 5,
    LEFT = 6,        /* control left the block */
    SYSTEM_CALL = 7, /* stopped by the filter */
    ENDED = 8,       /* the child ended without a result */
    TOO_FAST = 9,    /* no difference that could be measured */
};

struct job {
    uint32_t magic, id;
    uint16_t size;  /* bytes of the block */
    uint8_t notion, counter; /* of a loop: the register (0 to 15) that counts it */
    uint8_t state, fixups;
    uint16_t unused;
} __attribute__((packed));

/* The four bytes at `field` of the block are a displacement relative to `next`; they shall reach STATIC_AT + target. */
struct fixup {
    uint16_t field, next;
    uint32_t target;
} __attribute__((packed));

struct result {
    uint32_t id;
    uint8_t status, signal;
    uint16_t pages;      /* that the block touched */
    uint16_t accepted, tried; /* windows */
    uint32_t repeats;    /* repetitions of the block in the shorter window */
    double cycles;       /* core cycles per repetition */
    double ticks;        /* of the clock per core cycle */
    uint64_t address;    /* of a fault */
} __attribute__((packed));

struct hello {
    uint32_t magic, protocol;
    uint8_t clock, filter, unprivileged, vectors;
    int32_t perf_errno;  /* why there is no cycle counter; 0: there is */
    uint32_t granularity, uid;
    double ticks, sentinel; /* per core cycle; cycles of the sentinel */
} __attribute__((packed));

enum clock { CLOCK_TSC = 0, CLOCK_PERF = 1, CLOCK_TASK = 2 };

struct settings {
    enum clock clock;
    uint32_t window;     /* ticks of the shorter window */
    uint32_t accept, tries;
    uint32_t milliseconds; /* of a child */
    int cpu;
};

/* Shared by the server and a child. The server trusts none of it. */
struct shared {
    struct result result;
    uint32_t pages, faults;
    uint32_t finished;
};

typedef void (*kernel)(uint64_t repeats);
struct kernels {
    kernel once, twice;
    uint32_t unroll;
};

struct gauge { /* what the server knows of the quiet machine */
    double sentinel; /* cycles */
    uint32_t granularity;
};

/* emit.c */
int vector_level(void); /* 0: SSE, 1: AVX, 2: AVX-512 */
struct kernels emit(uint8_t *code, const struct job *job, const uint8_t *block, const struct fixup *fixups);

/* measure.c */
void clock_use(enum clock which, int descriptor);
uint64_t ticks_now(void);
#define CHAIN_ADDS 81920u /* dependent additions that a calibration times, three times */
double calibrate(uint32_t adds);
uint64_t sentinel_ticks(void);
void measure(const struct kernels *kernels, const struct settings *settings, const struct gauge *gauge,
             struct shared *shared);

/* sandbox.c */
int clock_open(enum clock which); /* a descriptor, or -errno */
int drop_privileges(void);
int filter_works(void);
void confine(const struct settings *settings, struct shared *shared, int clock_descriptor);
void finish(void) __attribute__((noreturn));

#endif
