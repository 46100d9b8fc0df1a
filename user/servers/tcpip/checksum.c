/* The checksum of the Internet protocols, in place of lwIP's, which sums 2 bytes at a time. */
#include <lwip/arch.h>
#include <string.h>

/* The sum of a word's 32-bit halves, of which many fit into 64 bits. */
static uint64_t halves(uint64_t word)
{
    return (word >> 32) + (uint32_t)word;
}

static uint64_t load(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/*
 * The checksum of the Internet protocols (RFC 1071), in the machine's order of bytes: the sum of
 * 16-bit words with end-around carry. Words of any alignment are summed in pairs of pairs; a
 * multiple of 8 bytes is looked at first, so that these begin at even places.
 */
uint16_t tcpip_checksum(const void *data, int size)
{
    const char *at = data;
    uint64_t sum = 0;
    uint64_t rest = 0;
    for (; size >= 32; size -= 32, at += 32) {
        sum +=
            halves(load(at)) + halves(load(at + 8)) + halves(load(at + 16)) + halves(load(at + 24));
    }
    for (; size >= 8; size -= 8, at += 8) {
        sum += halves(load(at));
    }
    memcpy(&rest, at, (size_t)size);
    sum = halves(sum + halves(rest));
    sum = (sum >> 16) + (sum & UINT16_MAX);
    sum = (sum >> 16) + (sum & UINT16_MAX);
    sum = (sum >> 16) + (sum & UINT16_MAX);
    return (uint16_t)sum;
}
