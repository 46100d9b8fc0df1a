/* What the files of this test offer one another. */
#ifndef PROCTEST_H
#define PROCTEST_H

#include <errno.h>
#include <spawn.h>
#include <sys/types.h>

#include "user/apps/testing/check.h"

#define CHECK_ERRNO(call, number)                                                                  \
    do {                                                                                           \
        CHECK_EQUAL(call, -1);                                                                     \
        CHECK_EQUAL(errno, number);                                                                \
    } while (0)

/* child.c: what the program does when it is started as `proctest as ROLE [ARGUMENT...]`. */
int child_main(int argc, char **argv);

/*
 * Starts this program in a role; its pid. The last argument is followed by NULL.
 */
pid_t start_child(const posix_spawn_file_actions_t *actions, const char *role, ...)
    __attribute__((sentinel));

/* Waits for the child: its status as waitpid() gives it, -1 without. */
int status_of(pid_t pid);

/* Parts. */
void test_pipes(void);
void test_polling(void);
void test_spawn(void);
void test_inheritance(void);
void test_waiting(void);
void test_signals(void);
void test_exec(void);
void test_shell(void);
void test_files(void);

#endif
