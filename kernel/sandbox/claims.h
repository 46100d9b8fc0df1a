/*
 * Claims: what the producer of code says to hold at branch targets, so that the verifier need not
 * search for it. Format: 8 bytes each, two little-endian 32-bit words: image-relative address, and
 * a mask of registers. Bit 1 (ra): the register is the address of a landing pad. Bits 5 to 31: the
 * register is within SANDBOX_SLACK of the mappable part. Other bits are not allowed. Ascending by
 * address. The verifier checks each on every way there; a wrong claim is a refusal, never a risk.
 * Freestanding.
 */
#ifndef KERNEL_SANDBOX_CLAIMS_H
#define KERNEL_SANDBOX_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/sandbox/facts.h"

#define SANDBOX_CLAIM_SIZE 8
#define SANDBOX_CLAIM_RA   (1u << SANDBOX_REG_RA)
/* sp, gp and tp are always good; s8 and s11 are no addresses. */
#define SANDBOX_CLAIM_NEAR (0xffffffe0u & ~SANDBOX_RESERVED)
#define SANDBOX_CLAIM_ALL  (SANDBOX_CLAIM_RA | SANDBOX_CLAIM_NEAR)

/* A bitmap over the instructions of some code that can count, in constant time, the bits before
 * one. */
struct sandbox_claims {
    const uint8_t *table;
    const uint64_t *bits;  /* one an instruction: it has a claim */
    const uint32_t *ranks; /* for each 64 instructions: claims before them */
};

/*
 * Indexes a table of size bytes for code of `instructions` instructions at `address`. bits and
 * ranks are memory for it, one entry for each 64 instructions begun. False if the table is
 * malformed.
 */
bool sandbox_claims_open(struct sandbox_claims *claims, const uint8_t *table, size_t size,
                         uint64_t address, size_t instructions, uint64_t *bits, uint32_t *ranks);

/* The mask claimed at instruction index; 0 if none is. */
uint32_t sandbox_claim_at(const struct sandbox_claims *claims, size_t index);

/* Which of the claims in mask `of` hold in state. */
uint32_t sandbox_state_mask(const struct sandbox_state *state, uint32_t of);

/* Adds what mask says to *state. */
void sandbox_state_add(struct sandbox_state *state, uint32_t mask);

#endif
