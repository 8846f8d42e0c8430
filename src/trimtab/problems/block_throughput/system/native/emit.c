/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine code around a block.
 *
 *     save callee-saved registers and the stack pointer
 *   outer:
 *     set vector, x87 and general registers
 *     lfence; the block, `unroll` times (or in a loop); lfence
 *     decrement the count of outer repetitions; jump to outer
 *     restore, return
 *
 * The block may change every register, the stack pointer included, so all that must outlive it lies in the page
 * before the code and is reached RIP-relatively.
 */
#include "harness.h"

#include <string.h>

#define UNROLL_MOST 200u
#define UNROLL_LEAST 8u
#define UNROLL_BYTES 8192u /* both kernels stay in a 32 KiB instruction cache */
#define LOOP_COUNT 256u
#define ALIGN 64u

/* Offsets in the data page. */
#define VECTOR 0u   /* 64 bytes: doubles of 1.0 */
#define MXCSR 64u
#define SAVED_RSP 128u
#define COUNT 192u

/* Position-independent pieces, copied. In those that read memory, rax holds the address of the data page. */
#define PIECE(name, text) \
    __asm__(".pushsection .rodata\n" #name "_begin:\n" text "\n" #name "_end:\n.popsection\n"); \
    extern const uint8_t name##_begin[] __asm__(#name "_begin"), name##_end[] __asm__(#name "_end")

PIECE(piece_enter, "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15");
PIECE(piece_leave, "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret");
PIECE(piece_xmm, ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n movaps (%rax), %xmm\\r\n .endr");
PIECE(piece_ymm, ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n vmovaps (%rax), %ymm\\r\n .endr");
PIECE(piece_zmm,
      ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
      " vmovaps (%rax), %zmm\\r\n .endr\n .irp r,0,1,2,3,4,5,6,7\n kxnorw %k\\r, %k\\r, %k\\r\n .endr");
PIECE(piece_vzeroupper, "vzeroupper");
PIECE(piece_x87, "fninit\n fld1\n fld1\n fld1\n fld1");
PIECE(piece_fninit, "fninit");
PIECE(piece_flags, "cld\n xor %eax, %eax");
PIECE(piece_lfence, "lfence");

struct writer {
    uint8_t *base, *at; /* the writable alias of the code */
    uint64_t origin;    /* where `base` will run */
};

static void put(struct writer *to, const void *bytes, size_t size) {
    memcpy(to->at, bytes, size);
    to->at += size;
}

#define PUT(to, name) put(to, name##_begin, (size_t)(name##_end - name##_begin))

static void put_u32(struct writer *to, uint32_t value) { put(to, &value, sizeof value); }

static uint64_t here(const struct writer *to) { return to->origin + (uint64_t)(to->at - to->base); }

/* An instruction whose operand is a word of the data page. */
static void put_data(struct writer *to, const char *opcode, size_t size, uint32_t word) {
    put(to, opcode, size);
    put_u32(to, (uint32_t)((CODE_AT - PAGE + word) - (here(to) + 4)));
}

static void put_move(struct writer *to, unsigned reg, uint32_t value) {
    if (reg > 7) put(to, "\x41", 1);
    uint8_t opcode = (uint8_t)(0xb8 + (reg & 7));
    put(to, &opcode, 1);
    put_u32(to, value);
}

/* One instruction of up to nine bytes at a time: what runs once per outer repetition only has to be constant. */
static void align(struct writer *to) {
    static const uint8_t nop9[] = {0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0};
    while (here(to) % ALIGN) {
        size_t gap = ALIGN - here(to) % ALIGN;
        if (gap >= sizeof nop9) put(to, nop9, sizeof nop9);
        else put(to, "\x90", 1);
    }
}

int vector_level(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")) return 2;
    return __builtin_cpu_supports("avx") ? 1 : 0;
}

static void put_state(struct writer *to, const struct job *job, uint32_t count) {
    uint64_t data = CODE_AT - PAGE;
    int level = vector_level();
    put(to, "\x48\xb8", 2); /* mov rax, imm64 */
    put(to, &data, sizeof data);
    /* Dirty upper halves slow SSE code on some cores, so only code that has them gets them. */
    if (level > 0 && (job->state & NEEDS_XMM)) PUT(to, piece_vzeroupper);
    if ((job->state & NEEDS_ZMM) && level > 1) PUT(to, piece_zmm);
    else if ((job->state & (NEEDS_YMM | NEEDS_ZMM)) && level > 0) PUT(to, piece_ymm);
    else if (job->state & NEEDS_XMM) PUT(to, piece_xmm);
    if (job->state & NEEDS_X87) PUT(to, piece_x87);
    PUT(to, piece_flags);
    for (unsigned reg = 0; reg < 16; reg++) put_move(to, reg, (uint32_t)POINTER);
    if (job->notion == LOOPED) put_move(to, job->counter, count);
}

/* A copy of the block. All copies reach the same static data: a variable has one address. */
static void put_block(struct writer *to, const struct job *job, const uint8_t *block, const struct fixup *fixups) {
    uint64_t start = here(to);
    uint8_t *copy = to->at;
    put(to, block, job->size);
    for (unsigned i = 0; i < job->fixups; i++) {
        uint32_t reach = (uint32_t)(STATIC_AT + fixups[i].target - (start + fixups[i].next));
        memcpy(copy + fixups[i].field, &reach, sizeof reach);
    }
}

static void put_back(struct writer *to, const char *opcode, size_t size, uint64_t target) {
    put(to, opcode, size);
    put_u32(to, (uint32_t)(target - (here(to) + 4)));
}

static void put_loop(struct writer *to, const struct job *job, const uint8_t *block, const struct fixup *fixups) {
    align(to);
    uint64_t top = here(to);
    put_block(to, job, block, fixups);
    uint8_t dec[] = {(uint8_t)(job->counter > 7 ? 0x49 : 0x48), 0xff, (uint8_t)(0xc8 + (job->counter & 7))};
    put(to, dec, sizeof dec);
    put_back(to, "\x0f\x85", 2, top); /* jnz top */
}

static kernel put_kernel(struct writer *to, const struct job *job, const uint8_t *block, const struct fixup *fixups,
                         uint32_t count) {
    align(to);
    kernel entry = (kernel)here(to);
    PUT(to, piece_enter);
    put_data(to, "\x48\x89\x25", 3, SAVED_RSP); /* mov [saved], rsp */
    put_data(to, "\x48\x89\x3d", 3, COUNT);     /* mov [count], rdi */
    align(to);
    uint64_t outer = here(to);
    put_state(to, job, count);
    PUT(to, piece_lfence);
    if (job->notion == LOOPED) {
        put_loop(to, job, block, fixups);
    } else {
        align(to);
        for (uint32_t i = 0; i < count; i++) put_block(to, job, block, fixups);
    }
    PUT(to, piece_lfence);
    put_data(to, "\x48\xff\x0d", 3, COUNT);     /* dec [count] */
    put_back(to, "\x0f\x85", 2, outer);         /* jnz outer */
    put_data(to, "\x48\x8b\x25", 3, SAVED_RSP); /* mov rsp, [saved] */
    PUT(to, piece_flags);
    PUT(to, piece_fninit);
    if (vector_level() > 0) PUT(to, piece_vzeroupper);
    PUT(to, piece_leave);
    return entry;
}

/* `code` is where CODE_AT can be written. */
struct kernels emit(uint8_t *code, const struct job *job, const uint8_t *block, const struct fixup *fixups) {
    uint32_t unroll = LOOP_COUNT;
    if (job->notion == UNROLLED) {
        unroll = UNROLL_BYTES / job->size;
        unroll = unroll > UNROLL_MOST ? UNROLL_MOST : unroll < UNROLL_LEAST ? UNROLL_LEAST : unroll;
    }
    struct writer to = {code, code, CODE_AT};
    kernel once = put_kernel(&to, job, block, fixups, unroll);
    kernel twice = put_kernel(&to, job, block, fixups, 2 * unroll);
    return (struct kernels){once, twice, unroll};
}
