// SPDX-License-Identifier: Apache-2.0
// Eight more small programs, none of those in kernels.c: matrices, a number-theoretic transform, edit distances, a hash
// table, a tree, a prefix code, queens and a tokenizer. Inputs are made from a seed. Prints one checksum each.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint32_t draw(void) {  // PCG: a congruential generator, its output permuted
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    uint32_t mixed = (uint32_t)(((state >> 18) ^ state) >> 27), turn = (uint32_t)(state >> 59);
    return mixed >> turn | mixed << (-turn & 31);
}

// ---- product of matrices, and elimination without pivots
enum { ORDER = 160 };
static double left[ORDER][ORDER], right[ORDER][ORDER], product[ORDER][ORDER];

static uint32_t matrices(void) {
    for (int i = 0; i < ORDER; i++)
        for (int j = 0; j < ORDER; j++) left[i][j] = draw() % 64, right[i][j] = draw() % 64 + (i == j ? 4096 : 0);
    for (int i = 0; i < ORDER; i++)
        for (int j = 0; j < ORDER; j++) {
            double sum = 0;
            for (int k = 0; k < ORDER; k++) sum += left[i][k] * right[k][j];
            product[i][j] = sum;
        }
    for (int k = 0; k < ORDER; k++)
        for (int i = k + 1; i < ORDER; i++) {
            double factor = right[i][k] / right[k][k];
            for (int j = k; j < ORDER; j++) right[i][j] -= factor * right[k][j];
        }
    return (uint32_t)(product[3][5] + right[ORDER - 1][ORDER - 1]);
}

// ---- a convolution by transforms modulo 998244353
enum { MODULUS = 998244353, LOG = 14, POINTS = 1 << LOG };

static uint32_t times(uint32_t a, uint32_t b) { return (uint32_t)((uint64_t)a * b % MODULUS); }

static uint32_t power(uint32_t base, uint32_t exponent) {
    uint32_t found = 1;
    for (; exponent; exponent >>= 1, base = times(base, base))
        if (exponent & 1) found = times(found, base);
    return found;
}

static void transform(uint32_t *a, uint32_t root) {
    for (int i = 1, j = 0; i < POINTS; i++) {
        int bit = POINTS >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) { uint32_t t = a[i]; a[i] = a[j], a[j] = t; }
    }
    for (int half = 1; half < POINTS; half *= 2) {
        uint32_t step = power(root, (uint32_t)(POINTS / (2 * half)));
        for (int i = 0; i < POINTS; i += 2 * half) {
            uint32_t w = 1;
            for (int j = i; j < i + half; j++, w = times(w, step)) {
                uint32_t u = a[j], v = times(a[j + half], w);
                a[j] = u + v >= MODULUS ? u + v - MODULUS : u + v;
                a[j + half] = u >= v ? u - v : u + MODULUS - v;
            }
        }
    }
}

static uint32_t convolution(void) {
    static uint32_t a[POINTS];
    for (int i = 0; i < POINTS; i++) a[i] = i < POINTS / 2 ? draw() % 1000 : 0;
    uint32_t root = power(3, (MODULUS - 1) / POINTS);
    transform(a, root);
    for (int i = 0; i < POINTS; i++) a[i] = times(a[i], a[i]);
    transform(a, power(root, MODULUS - 2));
    return a[POINTS / 3] ^ a[7];
}

// ---- edit distances of words
enum { WORD = 40, WORDS = 96 };

static int least(int a, int b) { return a < b ? a : b; }

static int distance(const char *a, const char *b) {
    int row[WORD + 1];
    for (int j = 0; j <= WORD; j++) row[j] = j;
    for (int i = 1; i <= WORD; i++) {
        int corner = row[0];
        row[0] = i;
        for (int j = 1; j <= WORD; j++) {
            int above = row[j];
            row[j] = least(least(row[j] + 1, row[j - 1] + 1), corner + (a[i - 1] != b[j - 1]));
            corner = above;
        }
    }
    return row[WORD];
}

static uint32_t distances(void) {
    static char words[WORDS][WORD];
    uint32_t sum = 0;
    for (int i = 0; i < WORDS; i++)
        for (int j = 0; j < WORD; j++) words[i][j] = (char)('a' + draw() % 5);
    for (int i = 0; i < WORDS; i++)
        for (int j = 0; j < i; j++) sum += (uint32_t)distance(words[i], words[j]);
    return sum;
}

// ---- a hash table with linear probing, with deletions
enum { SLOTS = 1 << 15 };
typedef struct { uint32_t key, value; } Slot;

static uint32_t place_of(const Slot *table, uint32_t key) {
    uint32_t at = key * 2654435769u >> 17;
    while (table[at].key && table[at].key != key) at = (at + 1) & (SLOTS - 1);
    return at;
}

static uint32_t table(int steps) {
    static Slot slots[SLOTS];
    memset(slots, 0, sizeof slots);
    uint32_t held = 0, sum = 0;
    while (steps--) {
        uint32_t key = draw() % 30000 + 1, at = place_of(slots, key);
        if (!slots[at].key && held < SLOTS / 2) slots[at] = (Slot){key, 0}, held++;
        if (slots[at].key) sum += ++slots[at].value;
    }
    return sum ^ held;
}

// ---- a search tree kept in balance by random priorities
typedef struct Node { struct Node *child[2]; uint32_t key, priority; } Node;

static Node *insert(Node *tree, Node *fresh) {
    if (!tree) return fresh;
    if (fresh->key == tree->key) return tree;
    int side = fresh->key > tree->key;
    tree->child[side] = insert(tree->child[side], fresh);
    Node *up = tree->child[side];
    if (up->priority <= tree->priority) return tree;
    tree->child[side] = up->child[!side], up->child[!side] = tree;
    return up;
}

static uint32_t depths(const Node *tree, uint32_t depth) {
    return tree ? depth + depths(tree->child[0], depth + 1) + depths(tree->child[1], depth + 1) : 0;
}

static uint32_t tree(int count, Node *nodes) {
    Node *root = 0;
    for (int i = 0; i < count; i++) {
        nodes[i] = (Node){{0, 0}, draw() % 100000, draw()};
        root = insert(root, &nodes[i]);
    }
    return depths(root, 1);
}

// ---- a prefix code (two bits to nine a symbol), written and read back bit by bit
static uint32_t prefix_code(int symbols, uint8_t *buffer) {
    uint32_t held = 0, bits = 0, sum = 0;
    uint8_t *out = buffer;
    for (int i = 0; i < symbols; i++) {
        uint32_t r = draw(), size = r & 1 ? 1 : r & 2 ? 2 : r & 4 ? 4 : 8;
        uint32_t code = (r >> 8 & ((1u << size) - 1)) << 1, unary = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 3 : 7;
        uint32_t mark = size == 1 ? 1 : size == 2 ? 2 : 3;
        held |= (unary | (code >> 1) << mark) << bits, bits += mark + size;
        for (; bits >= 8; bits -= 8, held >>= 8) *out++ = (uint8_t)held;
    }
    *out = (uint8_t)held;
    const uint8_t *in = buffer;
    held = bits = 0;
    for (int i = 0; i < symbols; i++) {
        for (; bits <= 16; bits += 8) held |= (uint32_t)*in++ << bits;
        uint32_t mark = 0, size = 1;
        while (mark < 3 && held >> mark & 1) mark++, size *= 2;
        mark += mark < 3;
        sum = sum * 31 + (held >> mark & ((1u << size) - 1));
        held >>= mark + size, bits -= mark + size;
    }
    return sum;
}

// ---- queens on a board
static uint32_t queens(uint32_t columns, uint32_t rising, uint32_t falling, uint32_t all) {
    if (columns == all) return 1;
    uint32_t found = 0;
    for (uint32_t open = all & ~(columns | rising | falling); open; open &= open - 1) {
        uint32_t one = open & -open;
        found += queens(columns | one, (rising | one) << 1, (falling | one) >> 1, all);
    }
    return found;
}

// ---- words, numbers and marks of a text, with the value of its sums
static uint32_t tokens(const char *text) {
    uint32_t words = 0, longest = 0, total = 0, marks = 0, sign = 0;
    while (*text) {
        char c = *text;
        if (c >= 'a' && c <= 'z') {
            uint32_t length = 0;
            while ((*text >= 'a' && *text <= 'z') || *text == '_') length++, text++;
            words++;
            if (length > longest) longest = length;
        } else if (c >= '0' && c <= '9') {
            uint32_t value = 0;
            while (*text >= '0' && *text <= '9') value = value * 10 + (uint32_t)(*text++ - '0');
            total = sign ? total - value : total + value;
        } else {
            switch (c) {
            case '-': sign = 1; break;
            case '+': case ';': sign = 0; break;
            case '(': case ')': marks += 3; break;
            case ' ': case '\n': break;
            default: marks++;
            }
            text++;
        }
    }
    return words ^ longest << 24 ^ total ^ marks << 8;
}

int main(int argc, char **argv) {
    enum { NODES = 16000, SYMBOLS = 180000, TEXT = 1 << 18 };
    static const char signs[] = "abcdefghijklmnopqrstuvwxyz_0123456789-+;() \n.,aeiou 1 ";
    int scale = argc > 2 ? atoi(argv[2]) : 1;
    state = argc > 1 ? strtoull(argv[1], 0, 10) : 1;
    Node *nodes = malloc(NODES * sizeof *nodes);
    uint8_t *buffer = calloc(2 * SYMBOLS + 8, 1);
    char *text = malloc(TEXT + 1);
    if (!nodes || !buffer || !text || scale < 1) return 1;
    for (int k = 0; k < scale; k++) {
        for (int i = 0; i < TEXT; i++) text[i] = signs[draw() % (sizeof signs - 1)];
        text[TEXT] = 0;
        printf("%08x", matrices());
        printf(" %08x", convolution());
        printf(" %08x", distances());
        printf(" %08x", table(400000));
        printf(" %08x", tree(NODES, nodes));
        printf(" %08x", prefix_code(SYMBOLS, buffer));
        printf(" %08x", queens(0, 0, 0, 1023));
        printf(" %08x\n", tokens(text));
    }
    free(nodes), free(buffer), free(text);
    return 0;
}
