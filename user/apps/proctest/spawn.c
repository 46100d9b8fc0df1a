/* Children: how they are started, what they get, and what becomes of them. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proctest.h"

#define MANY 20

extern char **environ;

/* Pipes to a child's input and from its output; our ends are not for children. */
struct talk {
    int in[2];
    int out[2];
    posix_spawn_file_actions_t actions;
};

static void open_talk(struct talk *talk)
{
    CHECK_EQUAL(pipe2(talk->in, O_CLOEXEC), 0);
    CHECK_EQUAL(pipe2(talk->out, O_CLOEXEC), 0);
    CHECK_EQUAL(posix_spawn_file_actions_init(&talk->actions), 0);
    CHECK_EQUAL(posix_spawn_file_actions_adddup2(&talk->actions, talk->in[0], STDIN_FILENO), 0);
    CHECK_EQUAL(posix_spawn_file_actions_adddup2(&talk->actions, talk->out[1], STDOUT_FILENO), 0);
}

/* The child has been started: its ends are its own from now on. */
static void begin_talk(struct talk *talk)
{
    CHECK_EQUAL(posix_spawn_file_actions_destroy(&talk->actions), 0);
    CHECK_EQUAL(close(talk->in[0]), 0);
    CHECK_EQUAL(close(talk->out[1]), 0);
}

static void end_talk(struct talk *talk)
{
    CHECK_EQUAL(close(talk->in[1]), 0);
    CHECK_EQUAL(close(talk->out[0]), 0);
}

/* Reads to the end; NUL behind it. */
static size_t read_all(int fd, char *buffer, size_t size)
{
    size_t used = 0;
    ssize_t got;
    while (used + 1 < size && (got = read(fd, buffer + used, size - 1 - used)) > 0) {
        used += (size_t)got;
    }
    buffer[used] = '\0';
    return used;
}

/* What a child that plays this role writes. */
static void output_of(const char *role, const char *argument, char *buffer, size_t size)
{
    struct talk talk;
    open_talk(&talk);
    pid_t pid = start_child(&talk.actions, role, argument, NULL);
    begin_talk(&talk);
    read_all(talk.out[0], buffer, size);
    CHECK_EQUAL(status_of(pid), 0);
    end_talk(&talk);
}

static void test_arguments(void)
{
    char output[100];
    char wanted[100];
    CHECK_EQUAL(setenv("PROCTEST", "a variable", 1), 0);
    output_of("tell", "two words", output, sizeof(output));
    CHECK_EQUAL(unsetenv("PROCTEST"), 0);
    snprintf(wanted, sizeof(wanted), "%d 0 two words a variable\n", (int)getpid());
    CHECK_EQUAL(strcmp(output, wanted), 0);
}

static void test_not_found(void)
{
    char *arguments[] = { "x", NULL };
    char *isolation[] = { "FTL_ISOLATION=neither", NULL };
    pid_t pid = 4711;
    CHECK_EQUAL(posix_spawn(&pid, "no such program", NULL, NULL, arguments, environ), ENOENT);
    CHECK_EQUAL(posix_spawn(&pid, "/etc/hello", NULL, NULL, arguments, environ), ENOENT);
    CHECK_EQUAL(posix_spawn(&pid, "/hello", NULL, NULL, arguments, environ), ENOENT);
    CHECK_EQUAL(posix_spawn(&pid, "/usr/hello", NULL, NULL, arguments, environ), ENOENT);
    CHECK_EQUAL(posix_spawn(&pid, "", NULL, NULL, arguments, environ), ENOENT);
    CHECK_EQUAL(posix_spawn(&pid, "proctest", NULL, NULL, arguments, isolation), EINVAL);
    CHECK_EQUAL(pid, 4711);
    CHECK_ERRNO(waitpid(-1, NULL, 0), ECHILD);

    posix_spawn_file_actions_t actions;
    CHECK_EQUAL(posix_spawn_file_actions_init(&actions), 0);
    CHECK_EQUAL(posix_spawn_file_actions_adddup2(&actions, 77, 0), 0);
    CHECK_EQUAL(posix_spawn(&pid, "proctest", &actions, NULL, arguments, environ), EBADF);
    CHECK_EQUAL(posix_spawn_file_actions_destroy(&actions), 0);
}

/* Data goes through two children, one behind the other. */
static void test_pipeline(void)
{
    struct talk first;
    struct talk second;
    char output[100];
    open_talk(&first);
    open_talk(&second);
    posix_spawn_file_actions_t actions;
    CHECK_EQUAL(posix_spawn_file_actions_init(&actions), 0);
    CHECK_EQUAL(posix_spawn_file_actions_adddup2(&actions, first.out[0], STDIN_FILENO), 0);
    CHECK_EQUAL(posix_spawn_file_actions_adddup2(&actions, second.out[1], STDOUT_FILENO), 0);
    pid_t front = start_child(&first.actions, "copy", NULL);
    pid_t back = start_child(&actions, "copy", NULL);
    CHECK_EQUAL(posix_spawn_file_actions_destroy(&actions), 0);
    begin_talk(&first);
    begin_talk(&second);
    CHECK_EQUAL(close(first.out[0]), 0);
    CHECK_EQUAL(write(first.in[1], "through both", 12), 12);
    CHECK_EQUAL(close(first.in[1]), 0);
    read_all(second.out[0], output, sizeof(output));
    CHECK_EQUAL(strcmp(output, "through both"), 0);
    CHECK_EQUAL(status_of(front), 0);
    CHECK_EQUAL(status_of(back), 0);
    end_talk(&second);
}

void test_spawn(void)
{
    test_arguments();
    test_not_found();
    test_pipeline();
}

/* ---- What children inherit ---- */

/* Descriptors of the same open file stay that; those to be closed are closed. */
static void test_descriptors(void)
{
    struct talk talk;
    char output[200];
    open_talk(&talk);
    int high = fcntl(talk.in[0], F_DUPFD, 50);
    int closed = fcntl(talk.in[0], F_DUPFD_CLOEXEC, 60);
    CHECK_EQUAL(posix_spawn_file_actions_adddup2(&talk.actions, STDOUT_FILENO, 7), 0);
    CHECK_EQUAL(posix_spawn_file_actions_addclose(&talk.actions, STDERR_FILENO), 0);
    pid_t pid = start_child(&talk.actions, "descriptors", NULL);
    CHECK_EQUAL(close(high), 0);
    CHECK_EQUAL(close(closed), 0);
    begin_talk(&talk);
    read_all(talk.out[0], output, sizeof(output));
    CHECK_EQUAL(strcmp(output, "0r 1w 7w 50r "), 0);
    CHECK_EQUAL(status_of(pid), 0);
    end_talk(&talk);
}

/* The end comes when the last process that has the write end has closed it. */
static void test_last_writer(void)
{
    struct talk talk;
    char output[10];
    open_talk(&talk);
    pid_t pid = start_child(&talk.actions, "wait", NULL);
    begin_talk(&talk);
    struct pollfd item = { .fd = talk.out[0], .events = POLLIN };
    CHECK_EQUAL(poll(&item, 1, 0), 0);
    CHECK_EQUAL(close(talk.in[1]), 0);
    CHECK_EQUAL(poll(&item, 1, -1), 1);
    CHECK_EQUAL(item.revents, POLLHUP);
    CHECK_EQUAL(read(talk.out[0], output, sizeof(output)), 0);
    CHECK_EQUAL(status_of(pid), 0);
    CHECK_EQUAL(close(talk.out[0]), 0);
}

/* Writes of several processes to one pipe, up to PIPE_BUF bytes each, are not torn apart. */
static void test_atomic_writes(void)
{
    enum { SIZE = 4096, COUNT = 50, WRITERS = 3 };
    struct talk talk;
    pid_t pids[WRITERS];
    static char block[SIZE];
    size_t blocks = 0;
    size_t torn = 0;
    open_talk(&talk);
    for (int i = 0; i < WRITERS; i++) {
        const char letter[] = { (char)('a' + i), '\0' };
        pids[i] = start_child(&talk.actions, "lines", letter, "4096", "50", NULL);
    }
    begin_talk(&talk);
    FILE *input = fdopen(talk.out[0], "r");
    CHECK(input != NULL);
    while (input != NULL && fread(block, 1, SIZE, input) == SIZE) {
        blocks++;
        torn += block[SIZE - 1] != '\n';
        for (size_t i = 1; i < SIZE - 1; i++) {
            torn += block[i] != block[0];
        }
    }
    CHECK_EQUAL(blocks, COUNT * WRITERS);
    CHECK_EQUAL(torn, 0);
    for (int i = 0; i < WRITERS; i++) {
        CHECK_EQUAL(status_of(pids[i]), 0);
    }
    CHECK(input != NULL && fclose(input) == 0);
    CHECK_EQUAL(close(talk.in[1]), 0);
}

void test_inheritance(void)
{
    test_descriptors();
    test_last_writer();
    test_atomic_writes();
}

/* ---- Waiting ---- */

static void test_statuses(void)
{
    int status = status_of(start_child(NULL, "exit", "42", NULL));
    CHECK(WIFEXITED(status));
    CHECK_EQUAL(WEXITSTATUS(status), 42);
    status = status_of(start_child(NULL, "exit", "0", NULL));
    CHECK_EQUAL(status, 0);
    status = status_of(start_child(NULL, "raise", "15", NULL));
    CHECK(WIFSIGNALED(status));
    CHECK_EQUAL(WTERMSIG(status), SIGTERM);
    status = status_of(start_child(NULL, "raise", "17", NULL)); /* SIGCHLD: nothing happens */
    CHECK_EQUAL(status, 0);
    status = status_of(start_child(NULL, "crash", NULL));
    CHECK(WIFSIGNALED(status));
    CHECK_EQUAL(WTERMSIG(status), SIGSEGV);
}

static void test_which(void)
{
    struct talk talk;
    struct rusage usage;
    int status;
    open_talk(&talk);
    pid_t waits = start_child(&talk.actions, "wait", NULL);
    begin_talk(&talk);
    CHECK_EQUAL(waitpid(waits, &status, WNOHANG), 0);
    CHECK_EQUAL(waitpid(-1, &status, WNOHANG), 0);
    pid_t ends = start_child(NULL, "exit", "3", NULL);
    CHECK_EQUAL(wait4(-1, &status, 0, &usage), ends);
    CHECK_EQUAL(WEXITSTATUS(status), 3);
    CHECK(usage.ru_utime.tv_sec > 0 || usage.ru_utime.tv_usec > 0);
    CHECK_ERRNO(waitpid(ends, &status, 0), ECHILD);
    CHECK_ERRNO(waitpid(getpid(), &status, 0), ECHILD);
    CHECK_ERRNO(waitpid(waits, &status, -1), EINVAL);
    end_talk(&talk);
    CHECK_EQUAL(wait(&status), waits);
    CHECK_EQUAL(status, 0);
    CHECK_ERRNO(wait(&status), ECHILD);
}

static void test_many(void)
{
    int seen = 0;
    int status;
    for (int i = 0; i < MANY; i++) {
        char code[12];
        snprintf(code, sizeof(code), "%d", i);
        start_child(NULL, "exit", code, NULL);
    }
    while (wait(&status) > 0) {
        CHECK(WIFEXITED(status));
        seen |= 1 << WEXITSTATUS(status);
    }
    CHECK_EQUAL(errno, ECHILD);
    CHECK_EQUAL(seen, (1 << MANY) - 1);
}

static void test_kill(void)
{
    struct talk talk;
    int status;
    open_talk(&talk);
    pid_t pid = start_child(&talk.actions, "wait", NULL);
    begin_talk(&talk);
    CHECK_EQUAL(kill(pid, 0), 0);
    CHECK_EQUAL(kill(pid, SIGCHLD), 0);
    CHECK_ERRNO(kill(pid, 77), EINVAL);
    CHECK_EQUAL(waitpid(pid, &status, WNOHANG), 0);
    CHECK_EQUAL(kill(pid, SIGTERM), 0);
    status = status_of(pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQUAL(WTERMSIG(status), SIGTERM);
    CHECK_ERRNO(kill(pid, SIGTERM), ESRCH);
    end_talk(&talk);
}

void test_waiting(void)
{
    test_statuses();
    test_which();
    test_many();
    test_kill();
}
