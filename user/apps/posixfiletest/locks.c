/* Locks, alone and with another process. */
#include "posixfiletest.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Waits until the other process has made, or removed, a file. */
static void wait_for(const char *path, bool there)
{
    struct stat status;
    const struct timespec pause = { .tv_nsec = MS };
    while ((stat(path, &status) == 0) != there) {
        nanosleep(&pause, NULL);
    }
}

static int lock(int fd, int command, short type, off_t start, off_t length)
{
    struct flock lock = { .l_type = type, .l_start = start, .l_len = length };
    return fcntl(fd, command, &lock);
}

void test_locks(void)
{
    make_file("locks", "0123456789");
    int fd = must_open("locks", O_RDWR, 0);
    int reader = must_open("locks", O_RDONLY, 0);
    CHECK_EQUAL(lock(fd, F_SETLK, F_WRLCK, 0, 5), 0);
    CHECK_EQUAL(lock(fd, F_SETLKW, F_RDLCK, 5, 0), 0);
    struct flock found = { .l_type = F_WRLCK };
    CHECK_EQUAL(fcntl(fd, F_GETLK, &found), 0);
    CHECK_EQUAL(found.l_type, F_UNLCK); /* one's own are not in the way */
    CHECK_FAILS(lock(reader, F_SETLK, F_WRLCK, 0, 0), EBADF);
    CHECK_FAILS(lock(fd, F_SETLK, 77, 0, 0), EINVAL);
    CHECK_FAILS(lock(fd, F_SETLK, F_WRLCK, -1, 0), EINVAL);
    CHECK_EQUAL(lock(fd, F_SETLK, F_UNLCK, 0, 0), 0);
    CHECK_EQUAL(flock(fd, LOCK_EX | LOCK_NB), 0);
    CHECK_EQUAL(flock(fd, LOCK_UN), 0);
    CHECK_FAILS(flock(0, LOCK_EX), EINVAL);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(close(reader), 0);
    CHECK_EQUAL(unlink("locks"), 0);
}

/* Has locks until the other tells that it has seen them. */
void test_hold(void)
{
    make_file("locked", "0123456789");
    int fd = must_open("locked", O_RDWR, 0);
    CHECK_EQUAL(lock(fd, F_SETLK, F_WRLCK, 2, 3), 0);
    CHECK_EQUAL(flock(fd, LOCK_SH), 0);
    make_file("held", "");
    wait_for("seen", true);
    CHECK_EQUAL(pwrite(fd, "X", 1, 2), 1); /* the other waits for this lock */
    CHECK_EQUAL(close(fd), 0);             /* lets go of all */
    wait_for("held", false);
}

void test_meet(void)
{
    char byte = 0;
    wait_for("held", true);
    int fd = must_open("locked", O_RDWR, 0);
    CHECK_FAILS(lock(fd, F_SETLK, F_RDLCK, 4, 1), EAGAIN);
    CHECK_EQUAL(lock(fd, F_SETLK, F_WRLCK, 5, 0), 0); /* behind it */
    struct flock found = { .l_type = F_RDLCK };
    CHECK_EQUAL(fcntl(fd, F_GETLK, &found), 0);
    CHECK_EQUAL(found.l_type, F_WRLCK);
    CHECK_EQUAL(found.l_start, 2);
    CHECK_EQUAL(found.l_len, 3);
    CHECK_EQUAL(flock(fd, LOCK_SH | LOCK_NB), 0);
    CHECK_FAILS(flock(fd, LOCK_EX | LOCK_NB), EAGAIN);
    make_file("seen", "");
    CHECK_EQUAL(lock(fd, F_SETLKW, F_WRLCK, 0, 0), 0);
    CHECK_EQUAL(pread(fd, &byte, 1, 2), 1);
    CHECK_EQUAL(byte, 'X');
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(unlink("locked"), 0);
    CHECK_EQUAL(unlink("seen"), 0);
    CHECK_EQUAL(unlink("held"), 0);
}
