/*
 * Small kernels of our own, each after one thing that programs do: chase pointers, index arrays,
 * scan text, look up, sort, interpret, call.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "workloads.h"

static uint32_t next_random(uint32_t *random)
{
    *random = *random * 1664525u + 1013904223u;
    return *random >> 8;
}

/* ---- A linked list: built, reversed, sorted by merging, searched ---- */

#define LIST_NODES   400
#define LIST_ROUNDS  4
#define LIST_LOOKUPS 40

struct node {
    struct node *next;
    uint32_t key;
    uint32_t value;
};

static struct node *reverse(struct node *list)
{
    struct node *reversed = NULL;

    while (list != NULL) {
        struct node *next = list->next;
        list->next = reversed;
        reversed = list;
        list = next;
    }
    return reversed;
}

static struct node *merge(struct node *a, struct node *b)
{
    struct node *merged = NULL;
    struct node **end = &merged;

    while (a != NULL && b != NULL) {
        struct node **least = a->key <= b->key ? &a : &b;
        *end = *least;
        end = &(*least)->next;
        *least = (*least)->next;
    }
    *end = a != NULL ? a : b;
    return merged;
}

static struct node *sort_list(struct node *list)
{
    struct node *slow = list;

    if (list == NULL || list->next == NULL) {
        return list;
    }
    for (struct node *fast = list->next; fast != NULL && fast->next != NULL;
         fast = fast->next->next) {
        slow = slow->next;
    }
    struct node *half = slow->next;
    slow->next = NULL;
    return merge(sort_list(list), sort_list(half));
}

static uint32_t find(const struct node *list, uint32_t key)
{
    while (list != NULL && list->key < key) {
        list = list->next;
    }
    return list != NULL ? list->value : 0;
}

uint64_t kernel_list(void)
{
    static struct node nodes[LIST_NODES];
    uint32_t random = 7;
    uint64_t sum = 0;

    for (int round = 0; round < LIST_ROUNDS; round++) {
        struct node *list = NULL;
        for (uint32_t i = 0; i < LIST_NODES; i++) {
            nodes[i] = (struct node){ list, next_random(&random) % (4 * LIST_NODES), i };
            list = &nodes[i];
        }
        list = sort_list(reverse(list));
        for (int i = 0; i < LIST_LOOKUPS; i++) {
            sum = sum * 31 + find(list, next_random(&random) % (4 * LIST_NODES));
        }
    }
    return sum;
}

/* ---- Matrices of 16-bit numbers ---- */

#define MATRIX_SIZE   40
#define MATRIX_ROUNDS 2

static void multiply(int32_t *product, const int16_t *a, const int16_t *b, int size)
{
    for (int row = 0; row < size; row++) {
        for (int column = 0; column < size; column++) {
            int32_t sum = 0;
            for (int i = 0; i < size; i++) {
                sum += a[row * size + i] * b[i * size + column];
            }
            product[row * size + column] = sum;
        }
    }
}

static void fold(int16_t *matrix, const int32_t *product, int size)
{
    for (int i = 0; i < size * size; i++) {
        matrix[i] = (int16_t)(product[i] >> 3 & 0x7ff);
    }
}

uint64_t kernel_matrix(void)
{
    static int16_t a[MATRIX_SIZE * MATRIX_SIZE];
    static int16_t b[MATRIX_SIZE * MATRIX_SIZE];
    static int32_t product[MATRIX_SIZE * MATRIX_SIZE];
    uint32_t random = 3;

    for (int i = 0; i < MATRIX_SIZE * MATRIX_SIZE; i++) {
        a[i] = (int16_t)(next_random(&random) & 0xff);
        b[i] = (int16_t)(next_random(&random) & 0xff);
    }
    for (int round = 0; round < MATRIX_ROUNDS; round++) {
        multiply(product, a, b, MATRIX_SIZE);
        fold(a, product, MATRIX_SIZE);
    }
    return hash_bytes(0, product, sizeof(product));
}

/* ---- A state machine that tells kinds of tokens apart ---- */

#define STATE_TEXT   4096
#define STATE_ROUNDS 8

enum token {
    TOKEN_START,
    TOKEN_INTEGER,
    TOKEN_FRACTION,
    TOKEN_EXPONENT,
    TOKEN_WORD,
    TOKEN_OTHER,
    TOKENS,
};

static enum token next_token(enum token state, char c)
{
    bool digit = c >= '0' && c <= '9';

    switch (state) {
    case TOKEN_START:
        if (digit || c == '-') {
            return TOKEN_INTEGER;
        }
        return (c >= 'a' && c <= 'z') ? TOKEN_WORD : TOKEN_OTHER;
    case TOKEN_INTEGER:
        if (c == '.') {
            return TOKEN_FRACTION;
        }
        return digit ? TOKEN_INTEGER : TOKEN_OTHER;
    case TOKEN_FRACTION:
        if (c == 'e') {
            return TOKEN_EXPONENT;
        }
        return digit ? TOKEN_FRACTION : TOKEN_OTHER;
    case TOKEN_EXPONENT: return digit || c == '-' ? TOKEN_EXPONENT : TOKEN_OTHER;
    case TOKEN_WORD: return digit || (c >= 'a' && c <= 'z') ? TOKEN_WORD : TOKEN_OTHER;
    default: return TOKEN_OTHER;
    }
}

static void count_tokens(const char *text, uint32_t counts[TOKENS])
{
    enum token state = TOKEN_START;

    for (; *text != '\0'; text++) {
        if (*text == ' ') {
            counts[state]++;
            state = TOKEN_START;
        } else {
            state = next_token(state, *text);
        }
    }
}

uint64_t kernel_state(void)
{
    static const char *const tokens[] = {
        "12 ", "-3.75 ", "2.5e-3 ", "word ", "x9 ", "7q ", "#! "
    };
    static char text[STATE_TEXT];
    uint32_t counts[TOKENS] = { 0 };
    uint32_t random = 5;

    text[0] = '\0';
    for (size_t length = 0; length < STATE_TEXT - 16; length += strlen(text + length)) {
        strcpy(text + length, tokens[next_random(&random) % (sizeof(tokens) / sizeof(tokens[0]))]);
    }
    for (int round = 0; round < STATE_ROUNDS; round++) {
        count_tokens(text, counts);
    }
    return hash_bytes(0, counts, sizeof(counts));
}

/* ---- CRC-32 with a table, and CRC-16 bit by bit ---- */

#define CRC_SIZE   8192
#define CRC_ROUNDS 3

uint64_t kernel_crc(void)
{
    static uint32_t table[256];
    static unsigned char data[CRC_SIZE];
    uint32_t crc32 = 0;
    uint32_t crc16 = 0;

    for (uint32_t i = 0; i < 256; i++) {
        uint32_t entry = i;
        for (int bit = 0; bit < 8; bit++) {
            entry = (entry & 1) != 0 ? entry >> 1 ^ 0xedb88320u : entry >> 1;
        }
        table[i] = entry;
    }
    for (size_t i = 0; i < CRC_SIZE; i++) {
        data[i] = (unsigned char)(i * 7 + (i >> 5));
    }
    for (int round = 0; round < CRC_ROUNDS; round++) {
        for (size_t i = 0; i < CRC_SIZE; i++) {
            crc32 = crc32 >> 8 ^ table[(crc32 ^ data[i]) & 0xff];
        }
    }
    for (size_t i = 0; i < CRC_SIZE; i++) {
        crc16 ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc16 = (crc16 & 1) != 0 ? crc16 >> 1 ^ 0xa001u : crc16 >> 1;
        }
    }
    return (uint64_t)crc32 << 16 | crc16;
}

/* ---- A hash map with chains ---- */

#define HASH_BUCKETS 256
#define HASH_ENTRIES 2000
#define HASH_ROUNDS  2

struct entry {
    struct entry *next;
    uint64_t key;
    uint64_t value;
};

struct map {
    struct entry *buckets[HASH_BUCKETS];
    struct entry entries[HASH_ENTRIES];
    size_t used;
};

static uint64_t *map_value(struct map *map, uint64_t key)
{
    struct entry **bucket = &map->buckets[(key * 0x9e3779b97f4a7c15u) >> 56];

    for (struct entry *entry = *bucket; entry != NULL; entry = entry->next) {
        if (entry->key == key) {
            return &entry->value;
        }
    }
    struct entry *entry = &map->entries[map->used++];
    *entry = (struct entry){ *bucket, key, 0 };
    *bucket = entry;
    return &entry->value;
}

uint64_t kernel_hash(void)
{
    static struct map map;
    uint32_t random = 11;

    memset(&map, 0, sizeof(map));
    for (int i = 0; i < HASH_ROUNDS * HASH_ENTRIES; i++) {
        *map_value(&map, next_random(&random) % HASH_ENTRIES) += (uint64_t)i;
    }
    uint64_t sum = map.used;
    for (size_t i = 0; i < map.used; i++) {
        sum = sum * 31 + map.entries[i].value;
    }
    return sum;
}

/* ---- Quicksort with a comparison through a pointer ---- */

#define SORT_ITEMS  3000
#define SORT_ROUNDS 1

static int compare_numbers(const int32_t *a, const int32_t *b)
{
    return (*a > *b) - (*a < *b);
}

static void quicksort(int32_t *items, size_t count,
                      int (*compare)(const int32_t *a, const int32_t *b))
{
    while (count > 1) {
        int32_t pivot = items[(count - 1) / 2];
        size_t low = 0;
        size_t high = count - 1;
        for (;;) {
            while (compare(&items[low], &pivot) < 0) {
                low++;
            }
            while (compare(&items[high], &pivot) > 0) {
                high--;
            }
            if (low >= high) {
                break;
            }
            int32_t item = items[low];
            items[low++] = items[high];
            items[high--] = item;
        }
        quicksort(items + high + 1, count - high - 1, compare);
        count = high + 1;
    }
}

uint64_t kernel_sort(void)
{
    static int32_t items[SORT_ITEMS];
    static int (*volatile compare)(const int32_t *a, const int32_t *b) = compare_numbers;
    uint32_t random = 13;
    uint64_t hash = 0;

    for (int round = 0; round < SORT_ROUNDS; round++) {
        for (size_t i = 0; i < SORT_ITEMS; i++) {
            items[i] = (int32_t)next_random(&random);
        }
        quicksort(items, SORT_ITEMS, compare);
        hash = hash_bytes(hash, items, sizeof(items));
    }
    return hash;
}

/* ---- An interpreter: a loop around a switch ---- */

#define INTERPRETER_ROUNDS 8000

enum operation {
    PUSH,
    LOAD,
    STORE,
    ADD,
    MULTIPLY,
    XOR,
    SHIFT,
    LESS,
    JUMP_IF,
    DUPLICATE,
    STOP,
};

static uint64_t interpret(const uint8_t *code, uint64_t rounds)
{
    uint64_t stack[16];
    uint64_t variables[4] = { 0, 1, rounds, 0 };
    uint64_t *top = stack;

    for (;;) {
        switch (*code++) {
        case PUSH: *top++ = *code++; break;
        case LOAD: *top++ = variables[*code++]; break;
        case STORE: variables[*code++] = *--top; break;
        case ADD:
            top--;
            top[-1] += top[0];
            break;
        case MULTIPLY:
            top--;
            top[-1] *= top[0];
            break;
        case XOR:
            top--;
            top[-1] ^= top[0];
            break;
        case SHIFT:
            top--;
            top[-1] >>= top[0] & 63;
            break;
        case LESS:
            top--;
            top[-1] = top[-1] < top[0];
            break;
        case JUMP_IF: code = *--top != 0 ? code - *code : code + 1; break;
        case DUPLICATE:
            *top = top[-1];
            top++;
            break;
        default: return variables[1];
        }
    }
}

uint64_t kernel_interpreter(void)
{
    static const uint8_t program[] = {
        LOAD,  1,     PUSH, 31,    MULTIPLY, LOAD, 0,    ADD,     DUPLICATE, PUSH,
        7,     SHIFT, XOR,  STORE, 1,        LOAD, 0,    PUSH,    1,         ADD,
        STORE, 0,     LOAD, 0,     LOAD,     2,    LESS, JUMP_IF, 28,        STOP,
    };

    return interpret(program, INTERPRETER_ROUNDS);
}

/* ---- Recursion: Ackermann's function, and queens on a board ---- */

#define QUEENS 8

static unsigned ackermann(unsigned m, unsigned n)
{
    if (m == 0) {
        return n + 1;
    }
    return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

static unsigned place_queens(unsigned columns, unsigned left, unsigned right)
{
    unsigned all = (1u << QUEENS) - 1;
    unsigned count = columns == all;

    for (unsigned free = all & ~(columns | left | right); free != 0; free &= free - 1) {
        unsigned queen = free & (0u - free);
        count += place_queens(columns | queen, (left | queen) << 1, (right | queen) >> 1);
    }
    return count;
}

uint64_t kernel_recursion(void)
{
    return (uint64_t)ackermann(2, 100) << 32 | place_queens(0, 0, 0);
}
