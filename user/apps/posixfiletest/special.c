/* Files that the library is itself, temporary ones, and the end of the server. */
#include "posixfiletest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void test_special(void)
{
    char bytes[32];
    char others[32];
    struct stat status;
    int fd = must_open("/dev/null", O_RDWR, 0);
    CHECK_EQUAL(read(fd, bytes, sizeof(bytes)), 0);
    CHECK_EQUAL(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
    CHECK_EQUAL(fstat(fd, &status), 0);
    CHECK(S_ISCHR(status.st_mode));
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(stat("/dev/null", &status), 0);
    CHECK(S_ISCHR(status.st_mode));
    CHECK_EQUAL(access("/dev/null", R_OK | W_OK), 0);
    fd = must_open("/dev/zero", O_RDONLY, 0);
    memset(bytes, 'x', sizeof(bytes));
    CHECK_EQUAL(read(fd, bytes, 8), 8);
    CHECK(memcmp(bytes, "\0\0\0\0\0\0\0\0x", 9) == 0);
    CHECK_EQUAL(close(fd), 0);
    fd = must_open("/dev/full", O_WRONLY, 0);
    CHECK_FAILS(write(fd, "x", 1), ENOSPC);
    CHECK_EQUAL(close(fd), 0);
    fd = must_open("/dev/urandom", O_RDONLY, 0);
    CHECK(fd >= 0);
    if (read(fd, bytes, sizeof(bytes)) > 0) { /* there is a device */
        CHECK_EQUAL(read(fd, others, sizeof(others)), sizeof(others));
        CHECK(memcmp(bytes, others, sizeof(bytes)) != 0);
    }
    CHECK_EQUAL(close(fd), 0);
    CHECK_FAILS(open("/dev/null", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_FAILS(open("/dev/fd/999", O_RDONLY), EBADF);

    fd = must_open("/dev/tty", O_RDWR, 0);
    CHECK(fd >= 0 && isatty(fd));
    CHECK_EQUAL(close(fd), 0);
    fd = must_open("/dev/stdout", O_WRONLY, 0);
    CHECK(fd >= 0 && isatty(fd));
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(fstat(0, &status), 0);
    CHECK(S_ISCHR(status.st_mode));
}

void test_temporary(void)
{
    char name[] = "temporary-XXXXXX";
    char text[8];
    int fd = mkstemp(name);
    CHECK(fd >= 0);
    CHECK_EQUAL(size_of(name), 0);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(unlink(name), 0);
    char directory[] = "temporary-XXXXXX";
    CHECK(mkdtemp(directory) == directory);
    CHECK_EQUAL(rmdir(directory), 0);
    FILE *file = tmpfile();
    CHECK(file != NULL);
    if (file != NULL) {
        CHECK(fputs("text", file) >= 0);
        CHECK_EQUAL(fseek(file, 0, SEEK_SET), 0);
        CHECK_EQUAL(fread(text, 1, sizeof(text), file), 4);
        CHECK(memcmp(text, "text", 4) == 0);
        CHECK_EQUAL(fclose(file), 0);
    }
}

/* Somebody ends the server when it is told to: what is open is lost, what is opened next is not. */
void test_restart(void)
{
    struct stat status;
    const struct timespec pause = { .tv_nsec = MS };
    int fd = must_open(".", O_RDONLY | O_DIRECTORY, 0);
    CHECK_EQUAL(fstat(fd, &status), 0);
    sync(); /* what others have done lasts */
    puts("end it now");
    while (fstat(fd, &status) == 0) {
        nanosleep(&pause, NULL);
    }
    CHECK_EQUAL(errno, EIO);
    CHECK_FAILS(fstat(fd, &status), EIO);
    CHECK_EQUAL(stat("/", &status), 0);
    CHECK_EQUAL(stat(".", &status), 0);
    make_file("after", "it goes on");
    check_file("after", "it goes on");
    CHECK_EQUAL(unlink("after"), 0);
    CHECK_FAILS(fstat(fd, &status), EIO);
    CHECK_EQUAL(close(fd), 0);
}
