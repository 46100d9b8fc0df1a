/*
 * Waiting for the programs that this one has started, and signals to them. A kernel's poll watches
 * all of them; its words are their pids.
 */
#include "children.h"

#include <errno.h>
#include <ftl/handle.h>
#include <ftl/object.h>
#include <ftl/poll.h>
#include <ftl/process.h>
#include <ftl/signals.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "posix.h"
#include "signals.h"

#define NSEC_PER_SEC  1000000000
#define NSEC_PER_USEC 1000
#define ANY           (-1)
#define INTERRUPTION  0 /* the poll's word for it: no pid */

struct child {
    struct child *next;
    long pid;
    ftl_handle_t process;
    ftl_handle_t signals;
    uint64_t entry; /* of the poll */
};

/* `lock` guards the list; `starting` is taken before it. */
static struct {
    pthread_mutex_t starting;
    pthread_mutex_t lock;
    struct child *first;
    ftl_handle_t poll; /* made with the first child */
} children;

static long children_wait(long pid, int *status, int options, struct rusage *usage);
static long children_kill(long pid, int signal);
static void children_tell_all(int signal);

static const struct posix_children operations = {
    .wait = children_wait,
    .kill = children_kill,
    .tell_all = children_tell_all,
};

/* Has the wait for all children end for a handler, once each time that one has run. */
static void watch_interruption(void)
{
    uint64_t entry;
    ftl_handle_t interruption = posix_interruption_of_main();
    if (interruption != FTL_HANDLE_INVALID) {
        ftl_poll_add(children.poll, interruption, FTL_SIGNAL_READABLE | FTL_POLL_EDGE, INTERRUPTION,
                     &entry);
    }
}

static ftl_status_t watch(struct child *child)
{
    ftl_status_t status = FTL_OK;
    if (children.poll == FTL_HANDLE_INVALID) {
        status = ftl_poll_create(&children.poll);
        if (status == FTL_OK) {
            watch_interruption();
        }
    }
    if (status == FTL_OK) {
        status = ftl_poll_add(children.poll, child->process, FTL_SIGNAL_EXITED,
                              (uint64_t)child->pid, &child->entry);
    }
    return status;
}

static void free_child(struct child *child)
{
    ftl_handle_close(child->process);
    ftl_handle_close(child->signals);
    free(child);
}

void children_begin_start(void)
{
    pthread_mutex_lock(&children.starting);
    __atomic_store_n(&posix_children, &operations, __ATOMIC_RELEASE);
}

void children_end_start(void)
{
    pthread_mutex_unlock(&children.starting);
}

ftl_status_t children_add(ftl_handle_t process, ftl_handle_t signals, long *pid)
{
    struct ftl_process_info info;
    struct child *child = calloc(1, sizeof(*child));
    if (child == NULL) {
        ftl_process_kill(process, FTL_EXIT_KILLED);
        ftl_handle_close(process);
        ftl_handle_close(signals);
        return FTL_ERR_NO_MEMORY;
    }
    child->process = process;
    child->signals = signals;
    ftl_status_t status = ftl_process_info(process, &info);
    pthread_mutex_lock(&children.lock);
    if (status == FTL_OK) {
        child->pid = (long)info.pid;
        status = watch(child);
    }
    if (status == FTL_OK) {
        *pid = child->pid;
        child->next = children.first;
        children.first = child;
    }
    pthread_mutex_unlock(&children.lock);
    if (status != FTL_OK) {
        ftl_process_kill(process, FTL_EXIT_KILLED);
        free_child(child);
    }
    return status;
}

/* ---- Waiting ---- */

/* Where the list has the child, which may be the end of it. The lock is held. */
static struct child **find(long pid)
{
    struct child **link = &children.first;
    while (*link != NULL && (*link)->pid != pid) {
        link = &(*link)->next;
    }
    return link;
}

static bool has_ended(const struct child *child, struct ftl_process_info *info)
{
    return ftl_process_info(child->process, info) == FTL_OK && info->state == FTL_PROCESS_EXITED;
}

/* One that has ended, taken off the list, of all or of this pid: 0 when none has yet, -ECHILD when
 * there is none at all. */
static long take_ended(long pid, struct ftl_process_info *info)
{
    long result = -ECHILD;
    pthread_mutex_lock(&children.lock);
    for (struct child **link = pid == ANY ? &children.first : find(pid); *link != NULL;
         link = &(*link)->next) {
        struct child *child = *link;
        result = 0;
        if (has_ended(child, info)) {
            result = child->pid;
            *link = child->next;
            ftl_poll_remove(children.poll, child->entry);
            free_child(child);
            break;
        }
        if (pid != ANY) {
            break;
        }
    }
    pthread_mutex_unlock(&children.lock);
    return result;
}

/* A copy of the child's handle, since another thread may wait for it too and close it. */
static ftl_handle_t process_of(long pid)
{
    ftl_handle_t copy = FTL_HANDLE_INVALID;
    pthread_mutex_lock(&children.lock);
    const struct child *child = *find(pid);
    if (child == NULL || ftl_handle_duplicate(child->process, FTL_RIGHTS_SAME, &copy) != FTL_OK) {
        copy = FTL_HANDLE_INVALID;
    }
    pthread_mutex_unlock(&children.lock);
    return copy;
}

/* Sleeps until one may have ended: 0, -EINTR, or an error. */
static long sleep_until_end(long pid)
{
    if (pid == ANY) {
        struct ftl_poll_event event;
        size_t count;
        if (posix_take_interruption()) { /* by a handler that ran before the wait */
            return -EINTR;
        }
        ftl_status_t status = ftl_poll_wait(children.poll, &event, 1, FTL_TIME_INFINITE, &count);
        return posix_take_interruption() ? -EINTR : posix_error(status);
    }
    ftl_handle_t process = process_of(pid);
    if (process == FTL_HANDLE_INVALID) {
        return 0; /* it has gone: that is seen next */
    }
    long error = posix_wait_for(process, FTL_SIGNAL_EXITED, FTL_TIME_INFINITE);
    ftl_handle_close(process);
    return error;
}

static void fill_usage(struct rusage *usage, const struct ftl_process_info *info)
{
    memset(usage, 0, offsetof(struct rusage, __reserved)); /* what a kernel would fill in */
    usage->ru_utime.tv_sec = info->cpu_time / NSEC_PER_SEC;
    usage->ru_utime.tv_usec = info->cpu_time % NSEC_PER_SEC / NSEC_PER_USEC;
}

static long children_wait(long pid, int *status, int options, struct rusage *usage)
{
    struct ftl_process_info info;
    long ended;
    if ((options & ~(WNOHANG | WUNTRACED | WCONTINUED)) != 0) {
        return -EINVAL;
    }
    if (pid == 0) { /* of the caller's process group, which all are in */
        pid = ANY;
    }
    while ((ended = take_ended(pid, &info)) == 0 && (options & WNOHANG) == 0) {
        long error = sleep_until_end(pid);
        if (error != 0) {
            return error;
        }
    }
    if (ended > 0 && status != NULL) {
        *status = posix_wait_status(info.exit_status);
    }
    if (ended > 0 && usage != NULL) {
        fill_usage(usage, &info);
    }
    return ended;
}

/* ---- Signals ---- */

static long tell(const struct child *child, int signal)
{
    struct ftl_process_info info;
    if (signal == 0 || has_ended(child, &info)) {
        return 0;
    }
    return posix_error(ftl_signals_send(child->process, child->signals, signal));
}

static long children_kill(long pid, int signal)
{
    if (signal < 0 || signal > FTL_SIGNALS_MAX) {
        return -EINVAL;
    }
    long result = -ESRCH;
    pthread_mutex_lock(&children.lock);
    const struct child *child = *find(pid);
    if (child != NULL) {
        result = tell(child, signal);
    }
    pthread_mutex_unlock(&children.lock);
    return result;
}

static void children_tell_all(int signal)
{
    pthread_mutex_lock(&children.starting);
    pthread_mutex_lock(&children.lock);
    for (const struct child *child = children.first; child != NULL; child = child->next) {
        tell(child, signal);
    }
    pthread_mutex_unlock(&children.lock);
    pthread_mutex_unlock(&children.starting);
}
