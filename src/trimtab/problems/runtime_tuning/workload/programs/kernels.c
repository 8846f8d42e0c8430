// SPDX-License-Identifier: Apache-2.0
// Seven small programs of the kinds that compilers are judged by, on inputs made from a seed: a hash, a compressor,
// an interpreter, a sort of records, a grid solver, shortest paths and a string matcher. Prints one checksum each.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint32_t draw(void) {  // xorshift64*
    state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
    return (uint32_t)((state * 0x2545F4914F6CDD1DULL) >> 32);
}

// ---- SHA-256 compression over a buffer (FIPS 180-4, without padding)
static uint32_t K[64];

static uint32_t rotr(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void sha_block(uint32_t h[8], const uint8_t *p) {
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++) w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t b = rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t s = rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25);
        uint32_t t = v[7] + s + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[i] + w[i];
        uint32_t r = rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22);
        uint32_t u = r + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        for (int j = 7; j; j--) v[j] = v[j - 1];
        v[4] += t, v[0] = t + u;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
}

static uint32_t hash(const uint8_t *data, int n) {
    uint32_t h[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (int i = 0; i < 64; i++) K[i] = draw();
    for (int i = 0; i + 64 <= n; i += 64) sha_block(h, data + i);
    return h[0] ^ h[7];
}

// ---- LZ77 with hash chains; the cost of the tokens in bits is the checksum
static int match_length(const uint8_t *a, const uint8_t *b, const uint8_t *end) {
    const uint8_t *from = b;
    while (b < end && *a == *b) a++, b++;
    return (int)(b - from);
}

static uint32_t compress(const uint8_t *data, int n) {
    enum { BITS = 13 };
    static int head[1 << BITS], prev[1 << 20];
    uint32_t cost = 0;
    memset(head, -1, sizeof head);
    for (int i = 0; i + 4 < n;) {
        uint32_t word, best = 0, where = 0;
        memcpy(&word, data + i, 4);
        uint32_t slot = (word * 2654435761u) >> (32 - BITS);
        int tries = 24;
        for (int j = head[slot]; j >= 0 && tries--; j = prev[j]) {
            uint32_t length = (uint32_t)match_length(data + j, data + i, data + n);
            if (length > best) best = length, where = (uint32_t)(i - j);
        }
        prev[i] = head[slot], head[slot] = i;
        if (best >= 4) {
            for (uint32_t d = where; d; d >>= 1) cost += 1;
            cost += 9, i += (int)best;
        } else {
            cost += 9, i++;
        }
    }
    return cost;
}

// ---- an interpreter of a small stack machine
enum { PUSH, ADD, MUL, XOR, SWAP, DUP, ROT, JNZ, LOAD, STORE };

static uint32_t interpret(const uint8_t *code, int length, int steps) {
    uint32_t stack[64] = {1}, memory[16] = {0};
    int pc = 0, sp = 1;
    while (steps--) {
        uint8_t op = code[pc] % 10, arg = code[pc] / 10;
        pc = pc + 1 == length ? 0 : pc + 1;
        switch (op) {
        case PUSH: if (sp < 63) stack[sp++] = arg; break;
        case ADD: if (sp > 1) sp--, stack[sp - 1] += stack[sp]; break;
        case MUL: if (sp > 1) sp--, stack[sp - 1] *= stack[sp] | 1; break;
        case XOR: if (sp > 1) sp--, stack[sp - 1] ^= stack[sp] >> arg; break;
        case SWAP: if (sp > 1) { uint32_t t = stack[sp - 1]; stack[sp - 1] = stack[sp - 2], stack[sp - 2] = t; } break;
        case DUP: if (sp > 0 && sp < 63) stack[sp] = stack[sp - 1], sp++; break;
        case ROT: if (sp > 0) stack[sp - 1] = rotr(stack[sp - 1], arg & 31); break;
        case JNZ: if (sp > 0 && stack[--sp] & 1) pc = (pc + arg) % length; break;
        case LOAD: if (sp < 63) stack[sp++] = memory[arg & 15]; break;
        case STORE: if (sp > 0) memory[arg & 15] = stack[--sp]; break;
        }
    }
    return stack[0] ^ memory[3] ^ (uint32_t)pc;
}

// ---- quicksort of records by a comparison function
typedef struct { uint32_t key, more; double weight; } Record;

static int before(const Record *a, const Record *b) {
    return a->key != b->key ? a->key < b->key : a->weight < b->weight;
}

static void sort(Record *r, int n) {
    while (n > 12) {
        Record pivot = r[n / 2];
        int i = 0, j = n - 1;
        for (;; i++, j--) {
            while (before(&r[i], &pivot)) i++;
            while (before(&pivot, &r[j])) j--;
            if (i >= j) break;
            Record t = r[i];
            r[i] = r[j], r[j] = t;
        }
        sort(r, i);
        r += i, n -= i;
    }
    for (int i = 1; i < n; i++) {
        Record t = r[i];
        int j = i;
        for (; j && before(&t, &r[j - 1]); j--) r[j] = r[j - 1];
        r[j] = t;
    }
}

// ---- five-point relaxation of a grid
enum { SIDE = 192 };

static uint32_t relax(int rounds) {
    static float a[SIDE][SIDE], b[SIDE][SIDE];
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) a[i][j] = (float)(draw() & 1023);
    for (int k = 0; k < rounds; k++) {
        for (int i = 1; i + 1 < SIDE; i++)
            for (int j = 1; j + 1 < SIDE; j++)
                b[i][j] = 0.25f * (a[i - 1][j] + a[i + 1][j] + a[i][j - 1] + a[i][j + 1]);
        for (int i = 1; i + 1 < SIDE; i++)
            for (int j = 1; j + 1 < SIDE; j++) a[i][j] += 0.5f * (b[i][j] - a[i][j]);
    }
    return (uint32_t)a[SIDE / 2][SIDE / 3];
}

// ---- all shortest paths
enum { NODES = 160 };

static uint32_t paths(void) {
    static int d[NODES][NODES];
    uint32_t sum = 0;
    for (int i = 0; i < NODES; i++)
        for (int j = 0; j < NODES; j++) d[i][j] = (int)(1 + draw() % 1000);
    for (int k = 0; k < NODES; k++)
        for (int i = 0; i < NODES; i++)
            for (int j = 0; j < NODES; j++)
                if (d[i][k] + d[k][j] < d[i][j]) d[i][j] = d[i][k] + d[k][j];
    for (int i = 0; i < NODES; i++)
        for (int j = 0; j < NODES; j++) sum += (uint32_t)d[i][j];
    return sum;
}

// ---- glob matching with '*' and '?'
static int glob(const char *p, const char *s) {
    const char *star = 0, *back = s;
    while (*s) {
        if (*p == '?' || *p == *s) p++, s++;
        else if (*p == '*') star = p++, back = s;
        else if (star) p = star + 1, s = ++back;
        else return 0;
    }
    while (*p == '*') p++;
    return !*p;
}

static uint32_t matches(const uint8_t *data, int n) {
    static const char *patterns[] = {"*a?b*c*", "a*b*c*d", "*abc*", "?b*?c*a", "*d*d*d*b"};
    uint32_t found = 0;
    char text[65];
    for (int i = 0; i + 64 < n; i += 48) {
        for (int j = 0; j < 64; j++) text[j] = (char)('a' + data[i + j] % 4);
        text[64] = 0;
        for (int k = 0; k < 5; k++) found += (uint32_t)glob(patterns[k], text) << k;
    }
    return found;
}

int main(int argc, char **argv) {
    enum { N = 1 << 19, RECORDS = 1 << 15 };
    int scale = argc > 2 ? atoi(argv[2]) : 1;
    state = argc > 1 ? strtoull(argv[1], 0, 10) | 1 : 1;
    uint8_t *data = malloc(N), code[509];
    Record *records = malloc(RECORDS * sizeof *records);
    if (!data || !records || scale < 1) return 1;
    for (int k = 0; k < scale; k++) {
        for (int i = 0; i < N; i++) data[i] = (uint8_t)(i > 600 && draw() % 8 ? data[i - 1 - (int)(draw() % 16) * 37] : draw() & 63);
        for (int i = 0; i < 509; i++) code[i] = (uint8_t)draw();
        for (int i = 0; i < RECORDS; i++) records[i] = (Record){draw() % 5000, draw(), draw() / 65536.0};
        printf("%08x", hash(data, N));
        printf(" %08x", compress(data, N / 4));
        printf(" %08x", interpret(code, 509, 2000000));
        sort(records, RECORDS);
        printf(" %08x", records[RECORDS / 3].more);
        printf(" %08x", relax(120));
        printf(" %08x", paths());
        printf(" %08x\n", matches(data, N / 4));
    }
    free(data), free(records);
    return 0;
}
