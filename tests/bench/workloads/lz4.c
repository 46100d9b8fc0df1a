/* LZ4: compression and decompression of blocks. */
#include <lz4.h>
#include <string.h>

#include "workloads.h"

#define TEXT_SIZE 16384
#define ROUNDS    4

uint64_t library_lz4(void)
{
    static char text[TEXT_SIZE], packed[LZ4_COMPRESSBOUND(TEXT_SIZE)], unpacked[TEXT_SIZE];
    int size = 0;

    make_text(text, TEXT_SIZE);
    for (int round = 0; round < ROUNDS; round++) {
        size = LZ4_compress_default(text, packed, TEXT_SIZE, sizeof(packed));
        require(LZ4_decompress_safe(packed, unpacked, size, TEXT_SIZE) == TEXT_SIZE, "lz4");
    }
    require(memcmp(text, unpacked, TEXT_SIZE) == 0, "lz4's round trip");
    return hash_bytes((uint64_t)size, packed, (size_t)size);
}
