/* Names, links, attributes, and what goes wrong with them. */
#include "posixfiletest.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

void test_names(void)
{
    char text[8];
    struct stat before;
    struct stat after;
    make_file("old", "old");
    make_file("target", "target");
    CHECK_EQUAL(stat("old", &before), 0);
    int fd = must_open("target", O_RDONLY, 0);
    CHECK_EQUAL(rename("old", "target"), 0); /* over it */
    CHECK_EQUAL(stat("target", &after), 0);
    CHECK_EQUAL(after.st_ino, before.st_ino);
    CHECK_FAILS(stat("old", &after), ENOENT);
    check_file("target", "old");
    CHECK_EQUAL(read(fd, text, sizeof(text)), 6); /* who has it open keeps it */
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(rename("target", "target"), 0);
    CHECK_FAILS(rename("nothing", "target"), ENOENT);

    CHECK_EQUAL(mkdir("one", 0700), 0);
    CHECK_EQUAL(mkdir("two", 0700), 0);
    make_file("two/inside", "");
    CHECK_FAILS(rename("one", "two"), ENOTEMPTY);
    CHECK_EQUAL(unlink("two/inside"), 0);
    CHECK_EQUAL(rename("one", "two"), 0); /* over an empty directory */
    CHECK_FAILS(rename("target", "two"), EISDIR);
    CHECK_FAILS(rename("two", "target"), ENOTDIR);
    CHECK_FAILS(rename("two", "two/inside"), EINVAL);
    CHECK_EQUAL(rename("target", "two/moved"), 0);
    CHECK_EQUAL(renameat(AT_FDCWD, "two/moved", AT_FDCWD, "back"), 0);
    check_file("back", "old");
    CHECK_EQUAL(rmdir("two"), 0);
    CHECK_EQUAL(unlink("back"), 0);
    CHECK_FAILS(unlink("back"), ENOENT);
}

void test_links(void)
{
    char target[64];
    char small[3];
    struct stat status;
    make_file("file", "text");
    CHECK_EQUAL(link("file", "hard"), 0);
    CHECK_EQUAL(stat("hard", &status), 0);
    CHECK_EQUAL(status.st_nlink, 2);
    CHECK_FAILS(link("file", "hard"), EEXIST);
    CHECK_EQUAL(unlink("file"), 0);
    check_file("hard", "text");
    CHECK_FAILS(link(".", "self"), EPERM);

    CHECK_EQUAL(symlink("hard", "soft"), 0);
    CHECK_FAILS(symlink("hard", "soft"), EEXIST);
    CHECK_FAILS(symlink("", "empty"), ENOENT);
    check_file("soft", "text");
    CHECK_EQUAL(lstat("soft", &status), 0);
    CHECK(S_ISLNK(status.st_mode));
    CHECK_EQUAL(status.st_size, 4);
    CHECK_EQUAL(stat("soft", &status), 0);
    CHECK(S_ISREG(status.st_mode));
    CHECK_EQUAL(readlink("soft", target, sizeof(target)), 4);
    CHECK(memcmp(target, "hard", 4) == 0);
    CHECK_EQUAL(readlink("soft", small, sizeof(small)), 3);
    CHECK_FAILS(readlink("hard", target, sizeof(target)), EINVAL);
    CHECK_FAILS(readlink("none", target, sizeof(target)), ENOENT);
    CHECK_FAILS(open("soft", O_RDONLY | O_NOFOLLOW), ELOOP);
    int fd = must_open("soft", O_PATH | O_NOFOLLOW, 0);
    CHECK_EQUAL(fstat(fd, &status), 0);
    CHECK(S_ISLNK(status.st_mode));
    CHECK_FAILS(read(fd, small, 1), EBADF);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(unlink("hard"), 0);
    CHECK_FAILS(stat("soft", &status), ENOENT);
    CHECK_FAILS(open("soft", O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
    CHECK_EQUAL(unlink("soft"), 0);

    CHECK_EQUAL(symlink("loop", "loop"), 0);
    CHECK_FAILS(stat("loop", &status), ELOOP);
    CHECK_EQUAL(unlink("loop"), 0);
}

void test_attributes(void)
{
    struct stat status;
    struct timespec times[] = { { .tv_sec = 1000, .tv_nsec = 0 }, { .tv_nsec = UTIME_OMIT } };
    mode_t former = umask(027);
    int fd = must_open("attributes", O_RDWR | O_CREAT | O_EXCL, 0666);
    CHECK_EQUAL(umask(former), 027);
    CHECK_EQUAL(fstat(fd, &status), 0);
    CHECK_EQUAL(status.st_mode, S_IFREG | 0640);
    CHECK_EQUAL(status.st_nlink, 1);
    CHECK_EQUAL(chmod("attributes", 0751), 0);
    CHECK_EQUAL(fstat(fd, &status), 0);
    CHECK_EQUAL(status.st_mode & 07777, 0751);
    CHECK_EQUAL(access("attributes", R_OK | W_OK | X_OK), 0);
    CHECK_EQUAL(fchmod(fd, 0600), 0);
    CHECK_FAILS(access("attributes", X_OK), EACCES);
    CHECK_EQUAL(chown("attributes", 5, (gid_t)-1), 0);
    CHECK_EQUAL(fchown(fd, (uid_t)-1, 6), 0);
    CHECK_EQUAL(fstat(fd, &status), 0);
    CHECK_EQUAL(status.st_uid, 5);
    CHECK_EQUAL(status.st_gid, 6);

    time_t modified = status.st_mtim.tv_sec;
    CHECK_EQUAL(utimensat(AT_FDCWD, "attributes", times, 0), 0);
    CHECK_EQUAL(stat("attributes", &status), 0);
    CHECK_EQUAL(status.st_atim.tv_sec, 1000);
    CHECK_EQUAL(status.st_mtim.tv_sec, modified);
    times[1] = (struct timespec){ .tv_sec = 2000, .tv_nsec = 0 };
    CHECK_EQUAL(futimens(fd, times), 0);
    CHECK_EQUAL(fstat(fd, &status), 0);
    CHECK_EQUAL(status.st_mtim.tv_sec, 2000);
    CHECK_EQUAL(write(fd, "x", 1), 1);
    CHECK_EQUAL(fstat(fd, &status), 0);
    CHECK(status.st_mtim.tv_sec != 2000);
    times[0].tv_nsec = -1;
    CHECK_FAILS(futimens(fd, times), EINVAL);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(unlink("attributes"), 0);
}

void test_errors(void)
{
    struct stat status;
    make_file("file", "");
    CHECK_FAILS(open("nothing", O_RDONLY), ENOENT);
    CHECK_FAILS(open("nothing/below", O_WRONLY | O_CREAT, 0600), ENOENT);
    CHECK_FAILS(open("file/below", O_RDONLY), ENOTDIR);
    CHECK_FAILS(open("", O_RDONLY), ENOENT);
    CHECK_FAILS(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_FAILS(open("file", O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
    CHECK_FAILS(open(".", O_RDWR | O_TMPFILE, 0600), EOPNOTSUPP);
    CHECK_FAILS(open("file/", O_RDONLY), ENOTDIR);
    CHECK_FAILS(stat("", &status), ENOENT);
    CHECK_FAILS(fstat(999, &status), EBADF);
    CHECK_FAILS(mkdir("file/below", 0700), ENOTDIR);
    CHECK_FAILS(rmdir("nothing"), ENOENT);
    CHECK_FAILS(truncate("nothing", 0), ENOENT);
    CHECK_FAILS(chmod("nothing", 0600), ENOENT);
    CHECK_FAILS(access("nothing", F_OK), ENOENT);
    CHECK_FAILS(access("file", 077), EINVAL);
    CHECK_FAILS(openat(0, "file", O_RDONLY), ENOTDIR);
    CHECK_FAILS(openat(999, "file", O_RDONLY), EBADF);
    CHECK_EQUAL(openat(999, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 3);
    CHECK_EQUAL(fcntl(3, F_GETFD), FD_CLOEXEC);
    CHECK_EQUAL(close(3), 0);
    CHECK_FAILS(mknod("fifo", S_IFIFO | 0600, 0), EPERM);
    int fd = must_open("file", O_RDWR, 0);
    CHECK(!isatty(fd));
    CHECK_EQUAL(posix_fallocate(fd, 0, 100), EOPNOTSUPP);
    CHECK_EQUAL(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
    CHECK_FAILS(lseek(0, 0, SEEK_SET), ESPIPE);
    CHECK_FAILS(pread(0, &status, 1, 0), ESPIPE);
    CHECK_FAILS(pread(fd, &status, 1, -1), EINVAL);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(unlink("file"), 0);
}

void test_systems(void)
{
    struct statvfs status;
    CHECK_EQUAL(statvfs(".", &status), 0);
    CHECK(status.f_bsize >= 512 && status.f_blocks != 0 && status.f_bfree <= status.f_blocks);
    CHECK(status.f_namemax >= 255);
    CHECK_EQUAL(status.f_flag & ST_RDONLY, 0);
    int fd = must_open(".", O_RDONLY, 0);
    struct statvfs same;
    CHECK_EQUAL(fstatvfs(fd, &same), 0);
    CHECK_EQUAL(same.f_fsid, status.f_fsid);
    CHECK_EQUAL(close(fd), 0);
}
