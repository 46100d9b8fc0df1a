/*
 * A sandbox's window for tests: code in it runs on the hart of machine.h, from any landing pad,
 * with any registers that the sandbox's invariants allow, in memory that says whatever it likes.
 * What the verifier accepted must then stay inside, see docs/sandbox.md, "Invariants".
 */
#ifndef TESTS_SANDBOX_MODEL_WINDOW_H
#define TESTS_SANDBOX_MODEL_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "machine.h"

/* Pseudo-random numbers, xorshift64*. The seed is not 0. */
uint64_t random_next(uint64_t *seed);
uint64_t random_below(uint64_t *seed, uint64_t limit);

struct window {
    const uint32_t *code; /* behind the gate's page; its first word is a landing pad */
    size_t count;         /* words */
    uint64_t image_size;  /* bytes, from the gate's page on */
    uint64_t seed;
    uint64_t steps; /* instructions executed so far */
    /* For the run in progress. */
    uint64_t image; /* address of the gate's page */
    struct machine machine;
    const char *escape; /* what the code did that it must not */
};

/*
 * Runs the code once from a random start, for `limit` instructions at most. Returns NULL, or in a
 * few words how it got out; window->machine is then as it was before that instruction.
 */
const char *window_run(struct window *window, unsigned int limit);

#endif
