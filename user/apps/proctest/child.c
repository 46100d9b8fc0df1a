/* The roles in which this test starts itself, and how it does that. */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proctest.h"

#define ARGUMENTS_MAX 8

extern char **environ;

pid_t start_child(const posix_spawn_file_actions_t *actions, const char *role, ...)
{
    char *arguments[ARGUMENTS_MAX + 4] = { "proctest", "as", (char *)(uintptr_t)role };
    va_list rest;
    size_t count = 3;
    pid_t pid = 0;
    va_start(rest, role);
    while (count < ARGUMENTS_MAX + 3 && (arguments[count] = va_arg(rest, char *)) != NULL) {
        count++;
    }
    va_end(rest);
    int error = posix_spawnp(&pid, "proctest", actions, NULL, arguments, environ);
    if (error != 0) { /* what follows would wait for it */
        CHECK_EQUAL(error, 0);
        exit(EXIT_FAILURE);
    }
    return pid;
}

int status_of(pid_t pid)
{
    int status = -1;
    CHECK_EQUAL(waitpid(pid, &status, 0), pid);
    return status;
}

static int number_of(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

/* Copies its input to its output. */
static int copy(char **argv)
{
    char buffer[1000];
    ssize_t size;
    (void)argv;
    while ((size = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
        if (write(STDOUT_FILENO, buffer, (size_t)size) != size) {
            return EXIT_FAILURE;
        }
    }
    return size == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int exit_with(char **argv)
{
    return number_of(argv[0]);
}

static int raise_signal(char **argv)
{
    raise(number_of(argv[0]));
    return EXIT_SUCCESS;
}

/* Touches what is not there. */
static int crash(char **argv)
{
    (void)argv;
    *(volatile int *)sizeof(int) = 1;
    return EXIT_SUCCESS;
}

/* Ends when its input does. */
static int wait_for_end(char **argv)
{
    char byte;
    (void)argv;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return EXIT_SUCCESS;
}

/* Lists its open descriptors, with their access modes. */
static int list_descriptors(char **argv)
{
    char text[200] = "";
    (void)argv;
    for (int fd = 0; fd < 100; fd++) {
        int flags = fcntl(fd, F_GETFL);
        if (flags >= 0) {
            size_t used = strlen(text);
            snprintf(text + used, sizeof(text) - used, "%d%c ", fd, "rwu"[flags & O_ACCMODE]);
        }
    }
    return write(STDOUT_FILENO, text, strlen(text)) == (ssize_t)strlen(text) ? EXIT_SUCCESS
                                                                             : EXIT_FAILURE;
}

/* Writes `count` lines of `size` bytes of one letter, each by one call. */
static int write_lines(char **argv)
{
    char line[5000];
    size_t size = (size_t)number_of(argv[1]);
    memset(line, argv[0][0], sizeof(line));
    line[size - 1] = '\n';
    for (int i = number_of(argv[2]); i > 0; i--) {
        if (write(STDOUT_FILENO, line, size) != (ssize_t)size) {
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}

/* Its parent, its arguments, and a variable. */
static int tell(char **argv)
{
    const char *variable = getenv("PROCTEST");
    printf("%d %d %s %s\n", (int)getppid(), isatty(STDOUT_FILENO), argv[0],
           variable != NULL ? variable : "-");
    return EXIT_SUCCESS;
}

static volatile sig_atomic_t caught;

static void note(int signal)
{
    caught = signal;
}

static void handle(int signal, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };
    sigemptyset(&action.sa_mask);
    if (sigaction(signal, &action, NULL) != 0) {
        exit(EXIT_FAILURE);
    }
}

static bool say(char byte)
{
    return write(STDOUT_FILENO, &byte, 1) == 1;
}

/* Sleeps until it gets SIGTERM or SIGINT: that is its status. */
static int catch_signal(char **argv)
{
    (void)argv;
    handle(SIGTERM, note);
    handle(SIGINT, note);
    if (!say('.') || sleep(1000) == 0) {
        return EXIT_FAILURE;
    }
    printf("caught %d\n", (int)caught);
    return caught;
}

static void answer(int signal)
{
    (void)signal;
    say('!');
}

/* Goes on whatever signals it gets; answers SIGUSR1. */
static int ignore_signals(char **argv)
{
    (void)argv;
    handle(SIGINT, SIG_IGN);
    handle(SIGUSR1, answer);
    say('.');
    for (;;) {
        pause();
    }
}

/* Ignores Ctrl-C, which its child gets too. */
static int be_parent(char **argv)
{
    (void)argv;
    handle(SIGINT, SIG_IGN);
    int status = WEXITSTATUS(status_of(start_child(NULL, "catch", NULL)));
    printf("the child has ended with %d\n", status);
    return EXIT_SUCCESS;
}

static int sleep_long(char **argv)
{
    (void)argv;
    say('.');
    sleep(1000);
    return EXIT_SUCCESS;
}

/* Has another role played in its place. */
static int become(char **argv)
{
    execlp("proctest", "proctest", "as", argv[0], argv[1], NULL);
    return EXIT_FAILURE;
}

static int tell_directory(char **argv)
{
    char path[100];
    (void)argv;
    if (getcwd(path, sizeof(path)) == NULL) {
        return EXIT_FAILURE;
    }
    return write(STDOUT_FILENO, path, strlen(path)) == (ssize_t)strlen(path) ? EXIT_SUCCESS
                                                                             : EXIT_FAILURE;
}

static int abort_now(char **argv)
{
    (void)argv;
    abort();
}

static const struct {
    const char *name;
    int (*play)(char **argv);
} roles[] = {
    { "copy", copy },          { "exit", exit_with },
    { "raise", raise_signal }, { "crash", crash },
    { "wait", wait_for_end },  { "descriptors", list_descriptors },
    { "lines", write_lines },  { "tell", tell },
    { "catch", catch_signal }, { "ignore", ignore_signals },
    { "parent", be_parent },   { "sleep", sleep_long },
    { "abort", abort_now },    { "where", tell_directory },
    { "become", become },
};

int child_main(int argc, char **argv)
{
    for (size_t i = 0; argc > 2 && i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (strcmp(argv[2], roles[i].name) == 0) {
            return roles[i].play(argv + 3);
        }
    }
    fprintf(stderr, "proctest: no such role\n");
    return EXIT_FAILURE;
}
