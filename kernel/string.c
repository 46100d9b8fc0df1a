/*
 * Memory and string functions. Blocks go by aligned words of 8 bytes, 64 bytes a turn; accesses are
 * never misaligned, since harts may trap on those. Relies on nothing; compiled with -ffreestanding,
 * so that the compiler does not turn a loop here into a call of the function it implements.
 */
#include "kernel/string.h"

#include <stdbool.h>
#include <stdint.h>

/* Words may alias anything: the memory belongs to objects of other types. */
typedef uint64_t __attribute__((may_alias)) word_t;

#define WORD_SIZE  sizeof(word_t)
#define WORD_BITS  (WORD_SIZE * 8)
#define TURN_WORDS 8u  /* words in one turn of an unrolled loop */
#define WORDS_MIN  16u /* below this many bytes, alignment does not pay */

/*
 * A word that holds a byte of interest may also hold others, of somebody else's; AddressSanitizer
 * objects.
 */
#if __STDC_HOSTED__
#define READS_WHOLE_WORDS __attribute__((no_sanitize("address")))
#else
#define READS_WHOLE_WORDS
#endif

static inline bool is_word_aligned(const void *address)
{
    return (uintptr_t)address % WORD_SIZE == 0;
}

/* Copies upwards; right for overlapping memory, too, when `to` is below `from`. */
static inline void copy_words(word_t *to, const word_t *from, size_t words)
{
    for (; words >= TURN_WORDS; words -= TURN_WORDS) {
        word_t a = from[0];
        word_t b = from[1];
        word_t c = from[2];
        word_t d = from[3];
        word_t e = from[4];
        word_t f = from[5];
        word_t g = from[6];
        word_t h = from[7];
        to[0] = a;
        to[1] = b;
        to[2] = c;
        to[3] = d;
        to[4] = e;
        to[5] = f;
        to[6] = g;
        to[7] = h;
        to += TURN_WORDS;
        from += TURN_WORDS;
    }
    while (words-- > 0) {
        *to++ = *from++;
    }
}

/*
 * The same from a misaligned source: reads the aligned words around it and puts each word of the
 * target together out of two (little-endian). Never reads a word without a byte of the source.
 */
READS_WHOLE_WORDS static inline void copy_words_shifted(word_t *to, const unsigned char *from,
                                                        size_t words)
{
    unsigned low_shift = (unsigned)((uintptr_t)from % WORD_SIZE * 8);
    unsigned high_shift = (unsigned)WORD_BITS - low_shift;
    const word_t *source = (const word_t *)(const void *)(from - (uintptr_t)from % WORD_SIZE);
    word_t low = *source++;
    while (words-- > 0) {
        word_t high = *source++;
        *to++ = low >> low_shift | high << high_shift;
        low = high;
    }
}

static inline void copy_up(unsigned char *to, const unsigned char *from, size_t size)
{
    if (size >= WORDS_MIN) {
        for (; !is_word_aligned(to); size--) {
            *to++ = *from++;
        }
        size_t words = size / WORD_SIZE;
        if (is_word_aligned(from)) {
            copy_words((word_t *)(void *)to, (const word_t *)(const void *)from, words);
        } else {
            copy_words_shifted((word_t *)(void *)to, from, words);
        }
        to += words * WORD_SIZE;
        from += words * WORD_SIZE;
        size %= WORD_SIZE;
    }
    while (size-- > 0) {
        *to++ = *from++;
    }
}

/* Copies [from, from + size) from its end on. */
static inline void copy_down(unsigned char *to, const unsigned char *from, size_t size)
{
    to += size;
    from += size;
    if (size >= WORDS_MIN && ((uintptr_t)to - (uintptr_t)from) % WORD_SIZE == 0) {
        for (; !is_word_aligned(to); size--) {
            *--to = *--from;
        }
        for (; size >= WORD_SIZE; size -= WORD_SIZE) {
            to -= WORD_SIZE;
            from -= WORD_SIZE;
            *(word_t *)(void *)to = *(const word_t *)(const void *)from;
        }
    }
    while (size-- > 0) {
        *--to = *--from;
    }
}

/* Names in parentheses: the function, not the macro that may be in front of it. */
void *(memcpy)(void *restrict to, const void *restrict from, size_t size)
{
    copy_up(to, from, size);
    return to;
}

void *(memmove)(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size) {
        copy_up(to, from, size);
    } else {
        copy_down(to, from, size);
    }
    return to;
}

static inline void set_words(word_t *to, word_t value, size_t words)
{
    for (; words >= TURN_WORDS; words -= TURN_WORDS) {
        to[0] = value;
        to[1] = value;
        to[2] = value;
        to[3] = value;
        to[4] = value;
        to[5] = value;
        to[6] = value;
        to[7] = value;
        to += TURN_WORDS;
    }
    while (words-- > 0) {
        *to++ = value;
    }
}

void *(memset)(void *memory, int byte, size_t size)
{
    unsigned char *to = memory;
    unsigned char value = (unsigned char)byte;
    if (size >= WORDS_MIN) {
        for (; !is_word_aligned(to); size--) {
            *to++ = value;
        }
        size_t words = size / WORD_SIZE;
        set_words((word_t *)(void *)to, value * (~(word_t)0 / UINT8_MAX), words);
        to += words * WORD_SIZE;
        size %= WORD_SIZE;
    }
    while (size-- > 0) {
        *to++ = value;
    }
    return memory;
}

int memcmp(const void *left, const void *right, size_t size)
{
    const unsigned char *a = left;
    const unsigned char *b = right;
    if (is_word_aligned(a) && is_word_aligned(b)) {
        while (size >= WORD_SIZE &&
               *(const word_t *)(const void *)a == *(const word_t *)(const void *)b) {
            a += WORD_SIZE;
            b += WORD_SIZE;
            size -= WORD_SIZE;
        }
    }
    for (; size > 0; size--, a++, b++) {
        if (*a != *b) {
            return *a - *b;
        }
    }
    return 0;
}

void *memchr(const void *memory, int byte, size_t size)
{
    for (const unsigned char *at = memory; size > 0; size--, at++) {
        if (*at == (unsigned char)byte) {
            return (void *)(uintptr_t)at;
        }
    }
    return NULL;
}

size_t strlen(const char *text)
{
    const char *end = text;
    while (*end != '\0') {
        end++;
    }
    return (size_t)(end - text);
}

size_t strnlen(const char *text, size_t size)
{
    size_t length = 0;
    while (length < size && text[length] != '\0') {
        length++;
    }
    return length;
}

char *strchr(const char *text, int character)
{
    for (; *text != (char)character; text++) {
        if (*text == '\0') {
            return NULL;
        }
    }
    return (char *)(uintptr_t)text;
}

char *strrchr(const char *text, int character)
{
    const char *found = NULL;
    do {
        if (*text == (char)character) {
            found = text;
        }
    } while (*text++ != '\0');
    return (char *)(uintptr_t)found;
}

int strcmp(const char *left, const char *right)
{
    while (*left != '\0' && *left == *right) {
        left++;
        right++;
    }
    return (unsigned char)*left - (unsigned char)*right;
}

int strncmp(const char *left, const char *right, size_t size)
{
    for (; size > 0; size--, left++, right++) {
        if (*left != *right || *left == '\0') {
            return (unsigned char)*left - (unsigned char)*right;
        }
    }
    return 0;
}
