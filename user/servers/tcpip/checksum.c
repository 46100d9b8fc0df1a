/* The checksum of the Internet protocols, in place of lwIP's, which sums 2 bytes at a time. */
#include <lwip/arch.h>
#include <stdbool.h>

#define WORD_MASK 7u

/* Of bytes of any type. */
typedef uint64_t __attribute__((may_alias)) word_t;

/* The sum of a word's 32-bit halves, of which many fit into 64 bits. */
static uint64_t halves(uint64_t word)
{
    return (word >> 32) + (uint32_t)word;
}

/* A byte, where it is in the 16-bit word at an even address that contains it. */
static uint64_t byte_at(const uint8_t *at)
{
    return (uint64_t)*at << ((uintptr_t)at & 1) * 8;
}

/*
 * The checksum of RFC 1071: the sum of 16-bit words, in the machine's order of bytes, with
 * end-around carry. Whole words are summed where they are aligned, which makes the bytes of the sum
 * change places when the data begins at an odd address.
 */
uint16_t tcpip_checksum(const void *data, int size)
{
    const uint8_t *at = data;
    const uint8_t *end = at + size;
    bool is_odd = ((uintptr_t)at & 1) != 0;
    uint64_t sum = 0;
    for (; at != end && ((uintptr_t)at & WORD_MASK) != 0; at++) {
        sum += byte_at(at);
    }
    for (; end - at >= 32; at += 32) {
        const word_t *words = (const void *)at;
        sum += halves(words[0]) + halves(words[1]) + halves(words[2]) + halves(words[3]);
    }
    for (; end - at >= 8; at += 8) {
        sum += halves(*(const word_t *)(const void *)at);
    }
    for (; at != end; at++) {
        sum += byte_at(at);
    }
    sum = halves(sum);
    sum = (sum >> 16) + (sum & UINT16_MAX);
    sum = (sum >> 16) + (sum & UINT16_MAX);
    sum = (sum >> 16) + (sum & UINT16_MAX);
    return (uint16_t)(is_odd ? sum >> 8 | sum << 8 : sum);
}
