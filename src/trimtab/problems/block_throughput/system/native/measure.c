/* SPDX-License-Identifier: Apache-2.0
 *
 * In the child: how long a repetition of the block takes.
 *
 * The clock is calibrated against a chain of dependent additions (one core cycle each). A window is the time of the
 * block repeated U times, or 2U times, between two fences, many times over; what is not the block cancels in their
 * difference. Before, between and after the two windows runs a sentinel: eight independent chains of additions,
 * which fill every ALU and so run slow while something else shares the core (the other hardware thread, of which a
 * virtual machine can't be told). Windows beside a slow sentinel don't count. Of those that do, the least of each
 * length is kept: interruptions only add.
 */
#include "harness.h"

#include <unistd.h>
#include <x86intrin.h>

#define SENTINEL_ROUNDS 160u /* of 64 additions */
#define GATE 1.04            /* a sentinel may be this much slower than the best known */
#define SETTLED 1.003        /* a minimum that is seen again within this is believed */
#define DRIFT 1.01           /* between the calibrations before and after */
#define MOST_REPEATS 4096u

static enum clock clock_kind = CLOCK_TSC;
static int clock_descriptor = -1;

void clock_use(enum clock which, int descriptor) {
    clock_kind = which;
    clock_descriptor = descriptor;
}

uint64_t ticks_now(void) {
    if (clock_kind != CLOCK_TSC) {
        uint64_t value = 0;
        if (read(clock_descriptor, &value, sizeof value) != sizeof value) finish();
        return value;
    }
    _mm_lfence();
    uint64_t now = __rdtsc();
    _mm_lfence();
    return now;
}

static void chain(uint32_t adds) {
    uint64_t value = 1, rounds = adds / 64;
    __asm__ volatile(".p2align 6\n1:\n .rept 64\n add %0, %0\n .endr\n dec %1\n jnz 1b"
                     : "+r"(value), "+r"(rounds) : : "cc");
}

static void sentinel(uint32_t rounds) {
    uint64_t left = rounds;
    __asm__ volatile(
        ".p2align 6\n1:\n .rept 8\n add $1, %%rax\n add $1, %%rcx\n add $1, %%rdx\n add $1, %%rsi\n"
        " add $1, %%rdi\n add $1, %%r8\n add $1, %%r9\n add $1, %%r10\n .endr\n dec %0\n jnz 1b"
        : "+r"(left) : : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "cc");
}

uint64_t sentinel_ticks(void) {
    uint64_t start = ticks_now();
    sentinel(SENTINEL_ROUNDS);
    return ticks_now() - start;
}

static uint64_t chain_ticks(uint32_t adds) {
    uint64_t start = ticks_now();
    chain(adds);
    return ticks_now() - start;
}

/* Ticks per core cycle: the least of three chains, less what reading the clock takes. */
double calibrate(uint32_t adds) {
    uint64_t least = ~0ull, empty = ~0ull;
    for (int i = 0; i < 3; i++) {
        uint64_t none = chain_ticks(64), all = chain_ticks(adds + 64);
        if (none < empty) empty = none;
        if (all < least) least = all;
    }
    return (double)(least - empty) / adds;
}

static uint64_t window(kernel run, uint32_t repeats) {
    uint64_t start = ticks_now();
    run(repeats);
    return ticks_now() - start;
}

/* The two least values seen. */
struct least {
    uint64_t first, second;
};

static void note(struct least *least, uint64_t value) {
    if (value < least->first) {
        least->second = least->first;
        least->first = value;
    } else if (value < least->second) {
        least->second = value;
    }
}

static int settled(const struct least *least) {
    return (double)least->second <= SETTLED * (double)least->first;
}

/* Repetitions after which the shorter window is long enough; the calls before are the warm-up. */
static uint32_t choose_repeats(const struct kernels *kernels, const struct settings *settings) {
    uint64_t least = ~0ull;
    kernels->twice(2); /* maps the pages */
    for (int i = 0; i < 4; i++) {
        uint64_t ticks = window(kernels->once, 2);
        if (ticks < least) least = ticks;
    }
    uint64_t repeats = 1 + (uint64_t)settings->window * 2 / (least ? least : 1);
    return (uint32_t)(repeats > MOST_REPEATS ? MOST_REPEATS : repeats);
}

void measure(const struct kernels *kernels, const struct settings *settings, const struct gauge *gauge,
             struct shared *shared) {
    struct result *result = &shared->result;
    uint32_t repeats = choose_repeats(kernels, settings);
    double before = clock_kind == CLOCK_PERF ? 1.0 : calibrate(CHAIN_ADDS);
    uint64_t limit = (uint64_t)(GATE * gauge->sentinel * before) + gauge->granularity;
    struct least once = {~0ull, ~0ull}, twice = {~0ull, ~0ull};
    uint32_t accepted = 0, tried = 0;

    while (tried < settings->tries && accepted < 3 * settings->accept) {
        if (accepted >= settings->accept && settled(&once) && settled(&twice)) break;
        uint32_t faults = shared->faults;
        uint64_t worst = sentinel_ticks();
        uint64_t one = window(kernels->once, repeats);
        uint64_t between = sentinel_ticks();
        uint64_t two = window(kernels->twice, repeats);
        uint64_t after = sentinel_ticks();
        tried++;
        if (between > worst) worst = between;
        if (after > worst) worst = after;
        if (worst > limit || faults != shared->faults) continue;
        accepted++;
        note(&once, one);
        note(&twice, two);
    }

    double behind = clock_kind == CLOCK_PERF ? 1.0 : calibrate(CHAIN_ADDS);
    double ticks = (before + behind) / 2;
    result->accepted = (uint16_t)accepted;
    result->tried = (uint16_t)tried;
    result->repeats = kernels->unroll;
    result->ticks = ticks;
    if (accepted < settings->accept || before > DRIFT * behind || behind > DRIFT * before) {
        result->status = NOISY;
    } else if (twice.first <= once.first) {
        result->status = TOO_FAST;
    } else {
        result->cycles = (double)(twice.first - once.first) / ((double)repeats * kernels->unroll * ticks);
        result->status = OK;
    }
}
