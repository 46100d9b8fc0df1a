/*
 * The table of claims: see claims.h.
 */
#include "kernel/sandbox/claims.h"

#include <ftl/sandbox_abi.h>

#define GROUP 64u /* instructions that share a word of the bitmap, and a rank */

static uint32_t load_word(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

bool sandbox_claims_open(struct sandbox_claims *claims, const uint8_t *table, size_t size,
                         uint64_t address, size_t instructions, uint64_t *bits, uint32_t *ranks)
{
    size_t groups = instructions / GROUP + 1;
    size_t count = size / SANDBOX_CLAIM_SIZE;
    size_t at = 0;

    *claims = (struct sandbox_claims){ .table = table, .bits = bits, .ranks = ranks };
    if (size % SANDBOX_CLAIM_SIZE != 0 || count > UINT32_MAX) {
        return false;
    }
    for (size_t group = 0; group < groups; group++) {
        bits[group] = 0;
        ranks[group] = (uint32_t)at;
        for (; at < count; at++) {
            uint32_t place = load_word(table + at * SANDBOX_CLAIM_SIZE);
            uint64_t index = ((uint64_t)place - address) / 4;

            if (place < address || place % 4 != 0 || index >= instructions ||
                (at > 0 && place <= load_word(table + (at - 1) * SANDBOX_CLAIM_SIZE)) ||
                (load_word(table + at * SANDBOX_CLAIM_SIZE + 4) & ~SANDBOX_CLAIM_ALL) != 0) {
                return false;
            }
            if (index / GROUP > group) {
                break;
            }
            bits[group] |= (uint64_t)1 << index % GROUP;
        }
    }
    return at == count;
}

uint32_t sandbox_claim_at(const struct sandbox_claims *claims, size_t index)
{
    uint64_t group = claims->bits[index / GROUP];
    uint64_t mask = (uint64_t)1 << index % GROUP;
    size_t rank;

    if ((group & mask) == 0) {
        return 0;
    }
    rank = claims->ranks[index / GROUP] + (unsigned int)__builtin_popcountll(group & (mask - 1));
    return load_word(claims->table + rank * SANDBOX_CLAIM_SIZE + 4);
}

uint32_t sandbox_state_mask(const struct sandbox_state *state, uint32_t of)
{
    uint32_t mask = 0;

    for (of &= state->known; of != 0; of &= of - 1) {
        unsigned int i = (unsigned int)__builtin_ctz(of);

        if (i == SANDBOX_REG_RA ? sandbox_is_pad(state, i) : sandbox_is_near(state, i)) {
            mask |= 1u << i;
        }
    }
    return mask;
}

void sandbox_state_add(struct sandbox_state *state, uint32_t mask)
{
    static const struct sandbox_value near = { SANDBOX_VALUE_WINDOW, -SANDBOX_SLACK,
                                               SANDBOX_SLACK };
    static const struct sandbox_value pad = { SANDBOX_VALUE_PAD, 0, 0 };

    for (; mask != 0; mask &= mask - 1) {
        unsigned int i = (unsigned int)__builtin_ctz(mask);

        sandbox_set(state, i, i == SANDBOX_REG_RA ? pad : near);
    }
}
