/*
 * What programs that are started by this one get of its files: posixfiletest as ROLE is such one.
 */
#include "posixfiletest.h"

#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT "0123456789"

extern char **environ;

/* Reads from what it was given, writes to that, and finds the working directory. */
static int copy_some(void)
{
    char taken[4] = "";
    char cwd[PATH_MAX];
    struct stat status;
    CHECK_EQUAL(read(0, taken, 3), 3);
    CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
    CHECK_EQUAL(stat("in", &status), 0);
    CHECK_EQUAL(status.st_size, strlen(TEXT));
    CHECK_EQUAL(fstat(1, &status), 0);
    CHECK(S_ISREG(status.st_mode));
    CHECK_EQUAL(fstat(2, &status), 0);
    CHECK(S_ISCHR(status.st_mode));
    CHECK_FAILS(fcntl(3, F_GETFD), EBADF); /* closed on exec */
    printf("%s %s\n", taken, strrchr(cwd, '/'));
    return check_failures() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int child_main(const char *role)
{
    return strcmp(role, "copy") == 0 ? copy_some() : EXIT_FAILURE;
}

static void run_child(const char *isolation, int in)
{
    char *const args[] = { "posixfiletest", "as", "copy", NULL };
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;
    setenv("FTL_ISOLATION", isolation, 1);
    CHECK_EQUAL(posix_spawn_file_actions_init(&actions), 0);
    CHECK_EQUAL(posix_spawn_file_actions_adddup2(&actions, in, 0), 0);
    CHECK_EQUAL(
        posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT | O_APPEND, 0600),
        0);
    CHECK_EQUAL(posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0), 0);
    CHECK_EQUAL(posix_spawn(&pid, "posixfiletest", &actions, NULL, args, environ), 0);
    CHECK_EQUAL(posix_spawn_file_actions_destroy(&actions), 0);
    CHECK_EQUAL(waitpid(pid, &status, 0), pid);
    CHECK_EQUAL(status, 0);
}

/* One that knows nothing of files writes to one. */
static void run_other(void)
{
    char *const args[] = { "hello", NULL };
    char line[64] = "";
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;
    CHECK_EQUAL(posix_spawn_file_actions_init(&actions), 0);
    CHECK_EQUAL(
        posix_spawn_file_actions_addopen(&actions, 1, "said", O_WRONLY | O_CREAT | O_TRUNC, 0600),
        0);
    CHECK_EQUAL(posix_spawn(&pid, "hello", &actions, NULL, args, environ), 0);
    CHECK_EQUAL(posix_spawn_file_actions_destroy(&actions), 0);
    CHECK_EQUAL(waitpid(pid, &status, 0), pid);
    CHECK_EQUAL(status, 0);
    FILE *file = must_fopen("said", "r");
    CHECK(fgets(line, sizeof(line), file) != NULL);
    CHECK_TEXT(line, "Hello from FTL\n");
    CHECK_EQUAL(fclose(file), 0);
    CHECK_EQUAL(unlink("said"), 0);
}

void test_children(void)
{
    CHECK_EQUAL(mkdir("children", 0700), 0);
    CHECK_EQUAL(chdir("children"), 0);
    make_file("in", TEXT);
    int in = must_open("in", O_RDONLY | O_CLOEXEC, 0);
    CHECK_EQUAL(lseek(in, 1, SEEK_SET), 1);
    run_child("user", in);
    CHECK_EQUAL(lseek(in, 0, SEEK_CUR), 4); /* it is one position */
    run_child("sandbox", in);
    CHECK_EQUAL(lseek(in, 0, SEEK_CUR), 7);
    check_file("out", "123 /children\n456 /children\n");
    run_other();
    CHECK_EQUAL(close(in), 0);
    CHECK_EQUAL(unlink("in"), 0);
    CHECK_EQUAL(unlink("out"), 0);
    CHECK_EQUAL(chdir(".."), 0);
    CHECK_EQUAL(rmdir("children"), 0);
}
