/* Reading and writing. */
#define _GNU_SOURCE
#include "posixfiletest.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define LARGE   300000
#define LINES   200u
#define WRITERS 2u
#define LINE    "a line of one thread\n"

void test_data(void)
{
    char buffer[64];
    int fd = must_open("data", O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK_EQUAL(read(fd, buffer, sizeof(buffer)), 0);
    CHECK_EQUAL(write(fd, "hello", 5), 5);
    CHECK_EQUAL(read(fd, buffer, sizeof(buffer)), 0);
    CHECK_EQUAL(lseek(fd, 1, SEEK_SET), 1);
    CHECK_EQUAL(read(fd, buffer, 2), 2);
    CHECK(memcmp(buffer, "el", 2) == 0);
    CHECK_EQUAL(pread(fd, buffer, 10, 3), 2);
    CHECK(memcmp(buffer, "lo", 2) == 0);
    CHECK_EQUAL(pwrite(fd, "J", 1, 0), 1);
    CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 3);
    CHECK_EQUAL(write(fd, "", 0), 0);
    CHECK_EQUAL(close(fd), 0);
    CHECK_FAILS(close(fd), EBADF);
    check_file("data", "Jello");

    fd = must_open("data", O_WRONLY | O_TRUNC, 0);
    CHECK_FAILS(read(fd, buffer, 1), EBADF);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(size_of("data"), 0);

    make_file("data", "0123456789");
    fd = must_open("data", O_RDONLY, 0);
    CHECK_FAILS(write(fd, "x", 1), EBADF);
    CHECK_FAILS(ftruncate(fd, 3), EINVAL);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(truncate("data", 4), 0);
    check_file("data", "0123");
    fd = must_open("data", O_RDWR, 0);
    CHECK_EQUAL(ftruncate(fd, 6), 0);
    CHECK_EQUAL(pread(fd, buffer, 10, 0), 6);
    CHECK(memcmp(buffer, "0123\0\0", 6) == 0);
    CHECK_FAILS(ftruncate(fd, -1), EINVAL);
    CHECK_EQUAL(fsync(fd), 0);
    CHECK_EQUAL(fdatasync(fd), 0);
    CHECK_EQUAL(close(fd), 0);
    sync();
    CHECK_EQUAL(unlink("data"), 0);

    fd = must_open("data", O_RDWR | O_CREAT | O_DSYNC, 0600);
    CHECK_EQUAL(write(fd, "kept", 4), 4);
    CHECK_EQUAL(unlink("data"), 0);
    CHECK_EQUAL(size_of("data"), -1);
    CHECK_EQUAL(pread(fd, buffer, 10, 0), 4); /* as long as it is open */
    CHECK_EQUAL(close(fd), 0);
}

void test_positions(void)
{
    char byte;
    make_file("positions", "abcdefgh");
    int fd = must_open("positions", O_RDWR, 0);
    int copy = must_open("/dev/fd/3", O_RDWR, 0); /* the same once more */
    CHECK_EQUAL(fd, 3);
    int other = must_open("positions", O_RDONLY, 0);
    CHECK_EQUAL(read(fd, &byte, 1), 1);
    CHECK_EQUAL(read(copy, &byte, 1), 1);
    CHECK_EQUAL(byte, 'b');
    CHECK_EQUAL(lseek(copy, 5, SEEK_SET), 5);
    CHECK_EQUAL(read(fd, &byte, 1), 1);
    CHECK_EQUAL(byte, 'f');
    CHECK_EQUAL(read(other, &byte, 1), 1);
    CHECK_EQUAL(byte, 'a');
    CHECK_EQUAL(lseek(fd, -2, SEEK_CUR), 4);
    CHECK_EQUAL(lseek(fd, -1, SEEK_END), 7);
    CHECK_EQUAL(lseek(fd, 10, SEEK_END), 18);
    CHECK_EQUAL(read(fd, &byte, 1), 0);
    CHECK_FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_FAILS(lseek(fd, 0, 77), EINVAL);
    CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 18);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(lseek(copy, 0, SEEK_CUR), 18);
    CHECK_EQUAL(close(copy), 0);
    CHECK_EQUAL(close(other), 0);
    CHECK_EQUAL(unlink("positions"), 0);
}

/* ---- Appending ---- */

static void *append_lines(void *unused)
{
    int fd = must_open("append", O_WRONLY | O_APPEND, 0);
    (void)unused;
    for (size_t i = 0; i < LINES; i++) {
        CHECK_EQUAL(write(fd, LINE, strlen(LINE)), strlen(LINE));
    }
    CHECK_EQUAL(close(fd), 0);
    return NULL;
}

void test_append(void)
{
    pthread_t threads[WRITERS];
    char line[64];
    make_file("append", "");
    for (size_t i = 0; i < WRITERS; i++) {
        CHECK_EQUAL(pthread_create(&threads[i], NULL, append_lines, NULL), 0);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
    }
    CHECK_EQUAL(size_of("append"), strlen(LINE) * WRITERS * LINES);
    FILE *file = must_fopen("append", "r");
    size_t count = 0;
    while (fgets(line, sizeof(line), file) != NULL && strcmp(line, LINE) == 0) {
        count++;
    }
    CHECK_EQUAL(count, WRITERS * LINES);
    fclose(file);

    int fd = must_open("append", O_RDWR | O_APPEND, 0);
    CHECK((fcntl(fd, F_GETFL) & O_APPEND) != 0);
    CHECK_EQUAL(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQUAL(write(fd, "end", 3), 3);
    CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), strlen(LINE) * WRITERS * LINES + 3);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(unlink("append"), 0);
}

/* ---- Holes, and much data ---- */

void test_sparse(void)
{
    const off_t far = (off_t)1 << 30;
    char buffer[16];
    struct stat status;
    int fd = must_open("sparse", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK_EQUAL(pwrite(fd, "end", 3, far), 3);
    CHECK_EQUAL(fstat(fd, &status), 0);
    CHECK_EQUAL(status.st_size, far + 3);
    CHECK(status.st_blocks < 4096); /* hardly anything of it is there */
    memset(buffer, 'x', sizeof(buffer));
    CHECK_EQUAL(pread(fd, buffer, sizeof(buffer), far - 8), 11);
    CHECK(memcmp(buffer, "\0\0\0\0\0\0\0\0end", 11) == 0);
    CHECK_EQUAL(lseek(fd, 0, SEEK_HOLE), 0);
    off_t data = lseek(fd, 0, SEEK_DATA);
    CHECK(data > 0 && data <= far);
    CHECK_EQUAL(lseek(fd, far, SEEK_HOLE), far + 3);
    CHECK_FAILS(lseek(fd, far + 3, SEEK_DATA), ENXIO);
    CHECK_EQUAL(ftruncate(fd, 0), 0);
    CHECK_EQUAL(fstat(fd, &status), 0);
    CHECK_EQUAL(status.st_blocks, 0);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(unlink("sparse"), 0);
}

static void fill(char *data, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1103515245 + 12345;
        data[i] = (char)(seed >> 16);
    }
}

/* More than one call can carry. */
void test_large(void)
{
    char *data = malloc(LARGE);
    char *back = malloc(LARGE + 1);
    fill(data, LARGE, 1);
    int fd = must_open("large", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK_EQUAL(write(fd, data, LARGE), LARGE);
    CHECK_EQUAL(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQUAL(read(fd, back, LARGE + 1), LARGE);
    CHECK(memcmp(data, back, LARGE) == 0);
    fill(data + 1000, 100000, 2);
    CHECK_EQUAL(pwrite(fd, data + 1000, 100000, 1000), 100000);
    CHECK_EQUAL(pread(fd, back, LARGE + 1, 0), LARGE);
    CHECK(memcmp(data, back, LARGE) == 0);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(unlink("large"), 0);
    free(data);
    free(back);
}

void test_vectors(void)
{
    char first[3];
    char second[5];
    char none[1];
    struct iovec out[] = { { "one", 3 }, { "", 0 }, { "three", 5 } };
    struct iovec in[] = { { first, 3 }, { none, 0 }, { second, 5 } };
    int fd = must_open("vectors", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK_EQUAL(writev(fd, out, 3), 8);
    CHECK_EQUAL(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQUAL(readv(fd, in, 3), 8);
    CHECK(memcmp(first, "one", 3) == 0 && memcmp(second, "three", 5) == 0);
    CHECK_EQUAL(pwritev(fd, out, 3, 4), 8);
    CHECK_EQUAL(preadv(fd, in, 3, 4), 8);
    CHECK(memcmp(first, "one", 3) == 0 && memcmp(second, "three", 5) == 0);
    CHECK_EQUAL(preadv(fd, in, 3, 10), 2);
    CHECK_FAILS(readv(fd, in, -1), EINVAL);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(unlink("vectors"), 0);
}

void test_stdio(void)
{
    char line[32];
    FILE *file = must_fopen("stdio", "w+x");
    CHECK(fopen("stdio", "wx") == NULL && errno == EEXIST);
    for (int i = 0; i < 1000; i++) {
        CHECK(fprintf(file, "line %d\n", i) > 0);
    }
    CHECK_EQUAL(fseek(file, 0, SEEK_SET), 0);
    int read_lines = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        CHECK_EQUAL(strtol(line + 5, NULL, 10), read_lines);
        read_lines++;
    }
    CHECK_EQUAL(read_lines, 1000);
    CHECK_EQUAL(ftell(file), size_of("stdio"));
    CHECK_EQUAL(fclose(file), 0);
    file = must_fopen("stdio", "a");
    CHECK(fputs("more\n", file) >= 0);
    CHECK_EQUAL(fclose(file), 0);
    file = must_fopen("stdio", "r");
    CHECK_EQUAL(fseek(file, -5, SEEK_END), 0);
    CHECK(fgets(line, sizeof(line), file) != NULL);
    CHECK_TEXT(line, "more\n");
    CHECK(fgets(line, sizeof(line), file) == NULL && feof(file));
    CHECK_EQUAL(fclose(file), 0);
    CHECK_EQUAL(remove("stdio"), 0);
    CHECK(fopen("stdio", "r") == NULL && errno == ENOENT);
}

void test_copy(void)
{
    off_t offset = 2;
    off_t from = 1;
    make_file("copy", "0123456789");
    int in = must_open("copy", O_RDONLY, 0);
    int out = must_open("copied", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK_EQUAL(sendfile(out, in, &offset, 3), 3);
    CHECK_EQUAL(offset, 5);
    CHECK_EQUAL(lseek(in, 0, SEEK_CUR), 0);
    CHECK_EQUAL(sendfile(out, in, NULL, 100), 10);
    CHECK_EQUAL(lseek(in, 0, SEEK_CUR), 10);
    CHECK_EQUAL(copy_file_range(in, &from, out, NULL, 4, 0), 4);
    CHECK_EQUAL(from, 5);
    check_file("copied", "23401234567891234");
    CHECK_FAILS(copy_file_range(in, NULL, 1, NULL, 4, 0), EINVAL);
    CHECK_EQUAL(close(in), 0);
    CHECK_EQUAL(close(out), 0);
    CHECK_EQUAL(unlink("copy"), 0);
    CHECK_EQUAL(unlink("copied"), 0);
}
