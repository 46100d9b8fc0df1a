/*
 * Running of other programs: see command.h. Relies on POSIX.
 */
#include "user/toolchain/command.h"

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/toolchain/names.h"

#define FIRST_CAPACITY 32
#define STATUS_NOT_RUN 127
#define STATUS_SIGNAL  128

void arguments_add(struct arguments *arguments, const char *argument)
{
    if (arguments->count + 1 >= arguments->capacity) {
        arguments->capacity = arguments->capacity == 0 ? FIRST_CAPACITY : arguments->capacity * 2;
        arguments->list = xrealloc(arguments->list, arguments->capacity * sizeof(*arguments->list));
    }
    arguments->list[arguments->count++] = argument;
    arguments->list[arguments->count] = NULL;
}

void arguments_add_list(struct arguments *arguments, const char *const *list)
{
    for (; *list != NULL; list++) {
        arguments_add(arguments, *list);
    }
}

void arguments_add_all(struct arguments *arguments, const struct arguments *others)
{
    for (size_t i = 0; i < others->count; i++) {
        arguments_add(arguments, others->list[i]);
    }
}

void arguments_free(struct arguments *arguments)
{
    free(arguments->list);
    *arguments = (struct arguments){ NULL, 0, 0 };
}

const char *text(const char *format, ...)
{
    va_list list;
    int length;
    char *result;

    va_start(list, format);
    length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    result = xrealloc(NULL, (size_t)length + 1);
    va_start(list, format);
    vsnprintf(result, (size_t)length + 1, format, list);
    va_end(list);
    return result;
}

static void show(const struct arguments *arguments)
{
    for (size_t i = 0; i < arguments->count; i++) {
        fprintf(stderr, " \"%s\"", arguments->list[i]);
    }
    fprintf(stderr, "\n");
}

int command_run(const struct arguments *arguments, enum command_mode mode)
{
    char **argv = (char **)(void *)arguments->list;
    pid_t child;
    int status;
    int error;

    if (mode != COMMAND_RUN) {
        show(arguments);
    }
    if (mode == COMMAND_SHOW) {
        return 0;
    }
    error = posix_spawnp(&child, argv[0], NULL, NULL, argv, environ);
    if (error != 0) {
        fprintf(stderr, "ftl-cc: cannot run %s: %s\n", argv[0], strerror(error));
        return STATUS_NOT_RUN;
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return STATUS_NOT_RUN;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_SIGNAL + WTERMSIG(status);
}
