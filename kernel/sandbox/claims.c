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

static unsigned int count_bits(uint64_t word)
{
    word = word - (word >> 1 & 0x5555555555555555u);
    word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (unsigned int)(word * 0x0101010101010101u >> 56);
}

/* The number of the lowest bit of a word that is not 0. */
static unsigned int lowest_bit(uint32_t word)
{
    unsigned int number = 0;

    for (; (word & 0xffu) == 0; word >>= 8) {
        number += 8;
    }
    for (; (word & 1) == 0; word >>= 1) {
        number++;
    }
    return number;
}

bool sandbox_claims_open(struct sandbox_claims *claims, const uint8_t *table, size_t size,
                         uint64_t address, size_t instructions, uint64_t *bits, uint32_t *ranks)
{
    size_t groups = instructions / GROUP + 1;
    size_t count = size / SANDBOX_CLAIM_SIZE;
    size_t at = 0;

    *claims =
        (struct sandbox_claims){ .table = table, .count = count, .bits = bits, .ranks = ranks };
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
    rank = claims->ranks[index / GROUP] + count_bits(group & (mask - 1));
    return load_word(claims->table + rank * SANDBOX_CLAIM_SIZE + 4);
}

uint32_t sandbox_state_mask(const struct sandbox_state *state, uint32_t of, uint64_t image_size)
{
    uint32_t mask = 0;

    of &= state->known;
    for (; of != 0; of &= of - 1) {
        unsigned int i = lowest_bit(of);

        if (i == SANDBOX_REG_RA ? sandbox_is_pad(state, i)
                                : sandbox_is_near(state, i, image_size)) {
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
        unsigned int i = lowest_bit(mask);

        sandbox_set(state, i, i == SANDBOX_REG_RA ? pad : near);
    }
}
