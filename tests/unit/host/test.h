/* What every unit test starts with: cmocka, and panics one can expect. */
#ifndef HOST_TEST_H
#define HOST_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "kernel/types.h"

/* Where panic() jumps to instead of ending the program, when not NULL; and what it said. */
extern jmp_buf *host_panic_jump;
extern char host_panic_text[256];

/* Fails the test unless the statement panics. Locks it held then stay held: set them up again. */
#define assert_panics(statement)                                                                   \
    do {                                                                                           \
        jmp_buf assert_panics_jump;                                                                \
        host_panic_jump = &assert_panics_jump;                                                     \
        if (setjmp(assert_panics_jump) == 0) {                                                     \
            statement;                                                                             \
            host_panic_jump = NULL;                                                                \
            fail_msg("no panic in: %s", #statement);                                               \
        }                                                                                          \
        host_panic_jump = NULL;                                                                    \
    } while (0)

/* Pseudo-random numbers for model tests (xorshift64): the same in every run. */
struct host_random {
    uint64_t state; /* not 0 */
};

static inline uint64_t host_random(struct host_random *random)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return random->state;
}

/* In [0, end). */
static inline size_t host_random_below(struct host_random *random, size_t end)
{
    return (size_t)(host_random(random) >> 16) % end;
}

#endif
