/*
 * The table of claims: see claims.h.
 */
#include "kernel/sandbox/claims.h"

#include <ftl/sandbox_abi.h>

#define GROUP      64u /* instructions that share a rank */
#define GROUP_BITS 8u  /* bytes of bitmap for them */
#define GROUP_RANK 4u  /* bytes of rank */

static uint32_t load_word(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void store_word(uint8_t *at, uint32_t word)
{
    at[0] = (uint8_t)word;
    at[1] = (uint8_t)(word >> 8);
    at[2] = (uint8_t)(word >> 16);
    at[3] = (uint8_t)(word >> 24);
}

static unsigned int count_bits(unsigned int byte)
{
    byte = byte - (byte >> 1 & 0x55u);
    byte = (byte & 0x33u) + (byte >> 2 & 0x33u);
    return (byte + (byte >> 4)) & 0x0fu;
}

bool sandbox_claims_open(struct sandbox_claims *claims, const uint8_t *table, size_t size,
                         uint64_t address, size_t instructions, uint8_t *bits, uint8_t *ranks)
{
    size_t groups = instructions / GROUP + 1;
    size_t count = size / SANDBOX_CLAIM_SIZE;
    size_t at = 0;

    *claims =
        (struct sandbox_claims){ .table = table, .count = count, .bits = bits, .ranks = ranks };
    if (size % SANDBOX_CLAIM_SIZE != 0 || count > UINT32_MAX) {
        return false;
    }
    for (size_t i = 0; i < groups * GROUP_BITS; i++) {
        bits[i] = 0;
    }
    for (size_t group = 0; group < groups; group++) {
        store_word(ranks + group * GROUP_RANK, (uint32_t)at);
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
            bits[index / 8] |= (uint8_t)(1u << index % 8);
        }
    }
    return at == count;
}

uint32_t sandbox_claim_at(const struct sandbox_claims *claims, size_t index)
{
    size_t byte = index / 8;
    unsigned int mask = 1u << index % 8;
    size_t rank;

    if ((claims->bits[byte] & mask) == 0) {
        return 0;
    }
    rank = load_word(claims->ranks + index / GROUP * GROUP_RANK);
    for (size_t i = index / GROUP * GROUP_BITS; i < byte; i++) {
        rank += count_bits(claims->bits[i]);
    }
    rank += count_bits(claims->bits[byte] & (mask - 1));
    return load_word(claims->table + rank * SANDBOX_CLAIM_SIZE + 4);
}

uint32_t sandbox_state_mask(const struct sandbox_state *state, uint32_t of, uint64_t image_size)
{
    uint32_t mask = 0;

    of &= state->known;
    for (unsigned int i = 0; of != 0; i++, of >>= 1) {
        if ((of & 1) == 0) {
            continue;
        }
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

    for (unsigned int i = 0; mask != 0; i++, mask >>= 1) {
        if ((mask & 1) != 0) {
            sandbox_set(state, i, i == SANDBOX_REG_RA ? pad : near);
        }
    }
}
