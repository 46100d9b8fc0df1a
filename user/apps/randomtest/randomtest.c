/*
 * randomtest: has random numbers of all sizes from getentropy() and getrandom(), and prints some;
 * what any good source gives fails the checks less than once in 2^64 runs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define SIZE_MAX_OF_CALL 256u
#define ROUNDS           64u
#define SURE             16u /* bytes that are not all the same by chance */

static void require(int holds, const char *what)
{
    if (!holds) {
        printf("randomtest: %s: %s\n", what, strerror(errno));
        exit(EXIT_FAILURE);
    }
}

/* Behind the bytes asked for nothing changes. */
static void fills_exactly(size_t size)
{
    unsigned char first[SIZE_MAX_OF_CALL + 1] = { 0 };
    unsigned char second[SIZE_MAX_OF_CALL + 1] = { 0 };
    require(getentropy(first, size) == 0, "getentropy");
    require(getrandom(second, size, 0) == (ssize_t)size, "getrandom");
    require(first[size] == 0 && second[size] == 0, "the byte behind");
    require(size < SURE || memcmp(first, second, size) != 0, "twice the same");
}

int main(void)
{
    unsigned char bytes[SURE];
    unsigned ones = 0;
    for (size_t size = 1; size <= SIZE_MAX_OF_CALL; size += 17) {
        fills_exactly(size);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        require(getentropy(bytes, sizeof(bytes)) == 0, "getentropy");
        for (size_t j = 0; j < sizeof(bytes); j++) {
            ones += (unsigned)__builtin_popcount(bytes[j]);
        }
    }
    /* 8192 bits: half of them, give or take ten standard deviations of 45. */
    require(ones > 4096 - 450 && ones < 4096 + 450, "balance");
    require(getrandom(bytes, 1, 0x80) == -1 && errno == EINVAL, "flags");
    for (size_t i = 0; i < sizeof(bytes); i++) {
        printf("%02x", bytes[i]);
    }
    printf("\n");
    return EXIT_SUCCESS;
}
