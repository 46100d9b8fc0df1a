/*
 * execve() without exec: the new program is started as a child, gets all signals that this one
 * gets, and is waited for; its status is this one's. So it has another process id, and this process
 * stays, with its memory but without descriptors. Only for programs without threads of their own.
 */
#include <errno.h>
#include <ftl/handle.h>
#include <ftl/process.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descriptor.h"
#include "posix.h"
#include "signals.h"

#define EXIT_SIGNAL_BASE 128
#define OWN_THREADS      2 /* the program's, and the one that waits for signals */

static bool has_threads(void)
{
    struct ftl_process_info info = { .threads = 0 };
    ftl_handle_t self;
    if (ftl_process_self(&self) == FTL_OK) {
        ftl_process_info(self, &info);
        ftl_handle_close(self);
    }
    return info.threads > OWN_THREADS;
}

/* What the program has open, it would keep others from seeing the end of. */
static void close_all(void)
{
    for (int fd = 0; fd < POSIX_DESCRIPTORS_MAX; fd++) {
        sys_close(fd);
    }
}

int execve(const char *path, char *const args[], char *const vars[])
{
    pid_t pid;
    int status = 0;
    if (!posix_watch_signals() || has_threads()) {
        errno = ENOSYS;
        return -1;
    }
    int error = posix_spawn(&pid, path, NULL, NULL, args, vars);
    if (error != 0) {
        errno = error;
        return -1;
    }
    posix_signals_to_children();
    close_all();
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    ftl_process_exit(WIFSIGNALED(status) ? EXIT_SIGNAL_BASE + WTERMSIG(status)
                                         : WEXITSTATUS(status));
}
