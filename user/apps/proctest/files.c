/* Programs that are files, and files that children get. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proctest.h"

#define MANIFEST "/boot/bin/proctest.manifest"

extern char **environ;

static int run_file(const char *path, char *const *variables)
{
    char *arguments[] = { "proctest", "as", "exit", "21", NULL };
    pid_t pid;
    int error = posix_spawn(&pid, path, NULL, NULL, arguments, variables);
    return error == 0 ? status_of(pid) : -error;
}

/* The boot image is there as files, too. */
static void test_programs(void)
{
    CHECK_EQUAL(run_file("/boot/bin/proctest.user", environ), 21 << 8);
    CHECK_EQUAL(run_file("/boot/bin/proctest.sandbox", environ), 21 << 8);
    CHECK_EQUAL(run_file(MANIFEST, environ), -ENOEXEC);
    CHECK_EQUAL(run_file("/boot/bin/proctest.nothing", environ), -ENOENT);
    CHECK_EQUAL(chdir("/boot"), 0);
    CHECK_EQUAL(run_file("./bin/proctest.user", environ), 21 << 8);
    CHECK_EQUAL(chdir("/"), 0);
}

/* A child reads a file on from where this process has read to. */
static void test_input(void)
{
    char text[500] = "";
    char expected[500] = "";
    int ends[2];
    posix_spawn_file_actions_t actions;
    int fd = open(MANIFEST, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    if (fd < 0) {
        return;
    }
    off_t end = lseek(fd, 0, SEEK_END);
    CHECK(end > 20 && end < (off_t)sizeof(expected));
    CHECK_EQUAL(lseek(fd, 7, SEEK_SET), 7);
    CHECK_EQUAL(pread(fd, expected, sizeof(expected), 7), end - 7);
    CHECK_EQUAL(pipe2(ends, O_CLOEXEC), 0);
    CHECK_EQUAL(posix_spawn_file_actions_init(&actions), 0);
    CHECK_EQUAL(posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO), 0);
    CHECK_EQUAL(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO), 0);
    pid_t pid = start_child(&actions, "copy", NULL);
    CHECK_EQUAL(posix_spawn_file_actions_destroy(&actions), 0);
    CHECK_EQUAL(close(ends[1]), 0);
    CHECK_EQUAL(read(ends[0], text, sizeof(text)), end - 7);
    CHECK_EQUAL(strcmp(text, expected), 0);
    CHECK_EQUAL(status_of(pid), 0);
    CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), end);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(close(ends[0]), 0);
}

/* A child begins in the directory that its parent is in. */
static void test_directory(void)
{
    char line[100] = "";
    int ends[2];
    posix_spawn_file_actions_t actions;
    CHECK_EQUAL(chdir("/boot/bin"), 0);
    CHECK_EQUAL(pipe2(ends, O_CLOEXEC), 0);
    CHECK_EQUAL(posix_spawn_file_actions_init(&actions), 0);
    CHECK_EQUAL(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO), 0);
    pid_t pid = start_child(&actions, "where", NULL);
    CHECK_EQUAL(posix_spawn_file_actions_destroy(&actions), 0);
    CHECK_EQUAL(close(ends[1]), 0);
    CHECK(read(ends[0], line, sizeof(line) - 1) > 0);
    CHECK_EQUAL(strcmp(line, "/boot/bin"), 0);
    CHECK_EQUAL(status_of(pid), 0);
    CHECK_EQUAL(close(ends[0]), 0);
    CHECK_EQUAL(chdir("/"), 0);
}

void test_files(void)
{
    test_programs();
    test_input();
    test_directory();
}
