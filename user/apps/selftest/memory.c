/* malloc, mmap and their relatives. */
#define _GNU_SOURCE
#include "selftest.h"

#include <errno.h>
#include <ftl/handle.h>
#include <ftl/vmo.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE    ((size_t)4096)
#define BLOCKS  64
#define ROUNDS  2000
#define BIG     ((size_t)8 << 20)
#define TOO_BIG ((size_t)1 << 40)

/* NOLINTBEGIN(clang-analyzer-unix.Malloc): a check that fails may leak, the process ends soon. */

static unsigned int next_random(unsigned int *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* Each block is filled with its index: no two may overlap, whatever order they come and go in. */
static bool blocks_do_not_overlap(void)
{
    unsigned char *blocks[BLOCKS] = { NULL };
    size_t sizes[BLOCKS] = { 0 };
    unsigned int random = 1;

    for (int round = 0; round < ROUNDS; round++) {
        size_t i = next_random(&random) % BLOCKS;
        for (size_t at = 0; at < sizes[i]; at++) {
            EXPECT(blocks[i][at] == i);
        }
        sizes[i] = next_random(&random) % (round % 50 == 0 ? 300000 : 600);
        blocks[i] = realloc(blocks[i], sizes[i] + 1);
        EXPECT(blocks[i] != NULL);
        memset(blocks[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
    return true;
}

static bool calloc_gives_zeroes(void)
{
    for (int round = 0; round < 3; round++) {
        unsigned char *block = calloc(1000, 37);
        EXPECT(block != NULL);
        for (size_t i = 0; i < (size_t)37000; i++) {
            EXPECT(block[i] == 0);
        }
        memset(block, 0xff, 37000);
        free(block);
    }
    return true;
}

static bool big_blocks_keep_their_bytes_when_they_grow(void)
{
    unsigned char *block = malloc(BIG);
    EXPECT(block != NULL);
    block[0] = 1;
    block[BIG - 1] = 2;
    unsigned char *grown = realloc(block, 2 * BIG);
    EXPECT(grown != NULL && grown[0] == 1 && grown[BIG - 1] == 2);
    free(grown);
    return true;
}

static bool too_much_memory_is_refused(void)
{
    /*
     * The compiler must not know it for malloc: it takes that to succeed and to leave errno alone.
     */
    void *(*volatile allocate)(size_t) = malloc;
    errno = 0;
    EXPECT(allocate(TOO_BIG) == NULL && errno == ENOMEM);
    void *still_works = allocate(100);
    EXPECT(still_works != NULL);
    free(still_works);
    return true;
}

static bool aligned_blocks_are_aligned(void)
{
    void *block;
    EXPECT(posix_memalign(&block, PAGE, 100) == 0 && (uintptr_t)block % PAGE == 0);
    free(block);
    block = aligned_alloc(64, 640);
    EXPECT(block != NULL && (uintptr_t)block % 64 == 0);
    free(block);
    return true;
}

static bool mappings_come_and_go(void)
{
    char *area = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(area != MAP_FAILED);
    area[0] = 1;
    area[4 * PAGE - 1] = 4;
    EXPECT(munmap(area + PAGE, PAGE) == 0); /* a hole */
    EXPECT(mmap(area + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                -1, 0) == area + PAGE);
    EXPECT(area[0] == 1 && area[PAGE] == 0 && area[4 * PAGE - 1] == 4);
    EXPECT(mprotect(area, PAGE, PROT_READ) == 0 && area[0] == 1);
    EXPECT(mprotect(area, PAGE, PROT_READ | PROT_WRITE) == 0);
    area[0] = 5;
    EXPECT(munmap(area, 4 * PAGE) == 0);
    return true;
}

static bool mappings_can_be_moved(void)
{
    char *area = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(area != MAP_FAILED);
    area[PAGE] = 7;
    area = mremap(area, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
    EXPECT(area != MAP_FAILED && area[PAGE] == 7 && area[7 * PAGE] == 0);
    EXPECT(mremap(area, 8 * PAGE, 2 * PAGE, 0) == area && area[PAGE] == 7);
    EXPECT(munmap(area, 2 * PAGE) == 0);
    return true;
}

static bool executable_memory_is_refused(void)
{
    EXPECT(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
           MAP_FAILED);
    EXPECT(errno == EACCES);
    return true;
}

#define COPIED 300 /* at most; a bit less than half of it lies before a page's end */

/* From one alignment to another, both across a page's end, the target's not there yet. */
static bool is_copied(ftl_handle_t vmo, const unsigned char *source, size_t shift, size_t size)
{
    unsigned char *area =
        mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(area != MAP_FAILED);
    unsigned char *target = area + PAGE - COPIED / 2 + shift;
    EXPECT(ftl_vmo_write(vmo, 0, source, size) == FTL_OK);
    EXPECT(ftl_vmo_read(vmo, 0, target, size) == FTL_OK);
    EXPECT(memcmp(target, source, size) == 0);
    EXPECT(target[-1] == 0 && target[size] == 0);
    EXPECT(munmap(area, 2 * PAGE) == 0);
    return true;
}

static bool the_kernel_copies_from_and_to_any_address(void)
{
    static const size_t sizes[] = { 1, 7, 8, 15, 16, 17, 31, 33, 64, 127, 128, 131, COPIED };
    static _Alignas(4096) unsigned char bytes[2 * PAGE];
    ftl_handle_t vmo;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(i % 251 + 1);
    }
    EXPECT(ftl_vmo_create(PAGE, &vmo) == FTL_OK);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t shifts = 0; shifts < 64; shifts++) {
            const unsigned char *source = bytes + PAGE - COPIED / 2 + shifts % 8;
            EXPECT(is_copied(vmo, source, shifts / 8, sizes[i]));
        }
    }
    EXPECT(ftl_handle_close(vmo) == FTL_OK);
    return true;
}

/* NOLINTEND(clang-analyzer-unix.Malloc) */

const struct check memory_checks[] = {
    { "blocks do not overlap", blocks_do_not_overlap },
    { "calloc gives zeroes", calloc_gives_zeroes },
    { "big blocks keep their bytes when they grow", big_blocks_keep_their_bytes_when_they_grow },
    { "too much memory is refused", too_much_memory_is_refused },
    { "aligned blocks are aligned", aligned_blocks_are_aligned },
    { "mappings come and go", mappings_come_and_go },
    { "mappings can be moved", mappings_can_be_moved },
    { "executable memory is refused", executable_memory_is_refused },
    { "the kernel copies from and to any address", the_kernel_copies_from_and_to_any_address },
    { 0 },
};
