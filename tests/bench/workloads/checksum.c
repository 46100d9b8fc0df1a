/* lwIP's Internet checksum over packets of all sizes and alignments. */
#include <lwip/inet_chksum.h>

#include "workloads.h"

#define PACKET 1514
#define ROUNDS 400

uint64_t library_checksum(void)
{
    static char packet[PACKET + 8];
    uint64_t sum = 0;

    make_text(packet, sizeof(packet));
    for (unsigned int i = 0; i < ROUNDS; i++) {
        unsigned int size = i % 3 == 0 ? PACKET : 40 + i % 500;
        sum = sum * 31 + inet_chksum(packet + i % 8, (u16_t)size);
    }
    return sum;
}
