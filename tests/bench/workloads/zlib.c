/* zlib: deflate, inflate and both checksums. Its memory comes from a buffer, the same each time. */
#include <string.h>
#include <zlib.h>

#include "workloads.h"

#define TEXT_SIZE  16384
#define ARENA_SIZE (512 * 1024)

static unsigned char arena[ARENA_SIZE];
static size_t used;

static void *take(void *context, unsigned int count, unsigned int size)
{
    size_t wanted = ((size_t)count * size + 15) / 16 * 16;

    (void)context;
    require(wanted <= ARENA_SIZE - used, "zlib's allocation");
    used += wanted;
    return arena + used - wanted;
}

static void drop(void *context, void *memory)
{
    (void)context;
    (void)memory;
}

static size_t deflate_all(const unsigned char *from, size_t size, unsigned char *to, size_t space)
{
    z_stream stream = { .zalloc = take, .zfree = drop };

    used = 0;
    require(deflateInit(&stream, Z_DEFAULT_COMPRESSION) == Z_OK, "deflateInit");
    stream.next_in = (unsigned char *)(uintptr_t)from;
    stream.avail_in = (unsigned int)size;
    stream.next_out = to;
    stream.avail_out = (unsigned int)space;
    require(deflate(&stream, Z_FINISH) == Z_STREAM_END, "deflate");
    deflateEnd(&stream);
    return stream.total_out;
}

static void inflate_all(const unsigned char *from, size_t size, unsigned char *to, size_t space)
{
    z_stream stream = { .zalloc = take, .zfree = drop };

    used = 0;
    stream.next_in = (unsigned char *)(uintptr_t)from;
    stream.avail_in = (unsigned int)size;
    require(inflateInit(&stream) == Z_OK, "inflateInit");
    stream.next_out = to;
    stream.avail_out = (unsigned int)space;
    require(inflate(&stream, Z_FINISH) == Z_STREAM_END, "inflate");
    inflateEnd(&stream);
}

uint64_t library_zlib(void)
{
    static unsigned char text[TEXT_SIZE], packed[TEXT_SIZE], unpacked[TEXT_SIZE];

    make_text((char *)text, TEXT_SIZE);
    size_t size = deflate_all(text, TEXT_SIZE, packed, TEXT_SIZE);
    inflate_all(packed, size, unpacked, TEXT_SIZE);
    require(memcmp(text, unpacked, TEXT_SIZE) == 0, "zlib's round trip");
    return crc32(0, packed, (unsigned int)size) ^ adler32(1, text, TEXT_SIZE) << 32;
}
