/* Mappings of files. */
#include "posixfiletest.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE  INT64_C(4096)
#define PAGES 4

static void map_private(int fd)
{
    char byte;
    char *map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PAGE);
    CHECK(map != MAP_FAILED);
    CHECK_EQUAL(map[0], 'b');
    CHECK_EQUAL(map[2 * PAGE], 'd');
    CHECK_EQUAL(map[3 * PAGE], 0); /* behind the end */
    map[0] = 'x';
    CHECK_EQUAL(munmap(map, PAGES * PAGE), 0);
    CHECK_EQUAL(pread(fd, &byte, 1, PAGE), 1);
    CHECK_EQUAL(byte, 'b');
}

static void map_shared(int fd)
{
    char byte;
    char *map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *same = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    CHECK(map != MAP_FAILED && same != MAP_FAILED && map != same);
    map[PAGE] = 'x';
    CHECK_EQUAL(same[0], 'x');
    CHECK_EQUAL(msync(map, PAGES * PAGE, MS_SYNC), 0);
    CHECK_EQUAL(pread(fd, &byte, 1, PAGE), 1);
    CHECK_EQUAL(byte, 'x');

    CHECK_EQUAL(pwrite(fd, "Y", 1, 3 * PAGE), 1); /* what did not change here stays */
    map[2 * PAGE + 7] = 'z';
    map[0] = 'w';
    CHECK_EQUAL(munmap(map + 2 * PAGE, PAGE), 0); /* a part, with what was written there */
    CHECK_EQUAL(pread(fd, &byte, 1, 2 * PAGE + 7), 1);
    CHECK_EQUAL(byte, 'z');
    CHECK_EQUAL(map[0], 'w');
    CHECK_EQUAL(munmap(map, PAGES * PAGE), 0);
    CHECK_EQUAL(pread(fd, &byte, 1, 0), 1);
    CHECK_EQUAL(byte, 'w');
    CHECK_EQUAL(pread(fd, &byte, 1, 3 * PAGE), 1);
    CHECK_EQUAL(byte, 'Y');
    CHECK_EQUAL(same[0], 'x');
    CHECK_EQUAL(munmap(same, PAGE), 0);
}

void test_maps(void)
{
    char page[PAGE];
    int fd = must_open("maps", O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (int i = 0; i < PAGES; i++) {
        memset(page, 'a' + i, sizeof(page));
        CHECK_EQUAL(write(fd, page, sizeof(page)), sizeof(page));
    }
    map_private(fd);
    map_shared(fd);
    CHECK_EQUAL(size_of("maps"), PAGES * PAGE);

    int reader = must_open("maps", O_RDONLY, 0);
    CHECK(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, reader, 0) == MAP_FAILED && errno == EACCES);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 100) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, 999, 0) == MAP_FAILED && errno == EBADF);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, 0, 0) == MAP_FAILED && errno == ENODEV);
    const char *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 3 * PAGE);
    CHECK(map != MAP_FAILED);
    CHECK_EQUAL(map[0], 'Y');
    CHECK_EQUAL(close(reader), 0); /* the mapping does not need it */
    CHECK_EQUAL(map[1], 'd');
    CHECK_EQUAL(munmap((void *)map, PAGE), 0);

    /* Its end is in the middle of a page. */
    CHECK_EQUAL(ftruncate(fd, PAGE + 10), 0);
    char *end = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK_EQUAL(close(fd), 0);
    end[PAGE + 9] = '!';
    end[PAGE + 10] = '?';
    CHECK_EQUAL(munmap(end, 2 * PAGE), 0);
    CHECK_EQUAL(size_of("maps"), PAGE + 10);
    fd = must_open("maps", O_RDONLY, 0);
    CHECK_EQUAL(pread(fd, page, 10, PAGE + 9), 1);
    CHECK_EQUAL(page[0], '!');
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(unlink("maps"), 0);
}
