/*
 * poll() and select(): looks which descriptors are ready, and if none is, has them tell of it and
 * sleeps on what they name. These are functions of our own, not system calls of musl's, so that
 * only programs that use them contain them.
 */
#include <errno.h>
#include <ftl/clock.h>
#include <ftl/handle.h>
#include <ftl/object.h>
#include <ftl/poll.h>
#include <ftl/thread.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#include "descriptor.h"
#include "posix.h"

#define NSEC_PER_MSEC 1000000
#define ALWAYS        (POLLERR | POLLHUP | POLLNVAL) /* reported without being asked for */
#define READ_EVENTS   (POLLIN | POLLRDNORM | POLLHUP | POLLERR)
#define WRITE_EVENTS  (POLLOUT | POLLWRNORM | POLLERR)

/* What one wait is about. The descriptions are held: descriptors may be closed meanwhile. */
struct poll_set {
    struct pollfd *fds;
    size_t count;
    struct description **descriptions; /* NULL: no such descriptor, or one that is ignored */
};

/* Fills in `revents`; returns how many are ready. */
static int look(const struct poll_set *set)
{
    int ready = 0;
    for (size_t i = 0; i < set->count; i++) {
        struct description *description = set->descriptions[i];
        struct pollfd *fd = &set->fds[i];
        uint32_t events = fd->fd < 0 ? 0 : POLLNVAL;
        if (description != NULL) {
            events = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
            if (description->operations->ready != NULL) {
                events = description->operations->ready(description);
            }
        }
        fd->revents = (short)(events & ((unsigned)fd->events | ALWAYS));
        ready += fd->revents != 0;
    }
    return ready;
}

static void arm(const struct poll_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct description *description = set->descriptions[i];
        if (description != NULL && description->operations->arm != NULL) {
            description->operations->arm(description, (unsigned)set->fds[i].events);
        }
    }
}

/* What the set waits for; returns how many. */
static size_t list_waits(const struct poll_set *set, struct ftl_wait_item *items)
{
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        struct posix_wait waits[POSIX_WAITS] = { 0 };
        struct description *description = set->descriptions[i];
        if (description == NULL || description->operations->waits == NULL) {
            continue;
        }
        description->operations->waits(description, (unsigned)set->fds[i].events, waits);
        for (size_t j = 0; j < POSIX_WAITS; j++) {
            if (waits[j].handle != FTL_HANDLE_INVALID) {
                items[count++] = (struct ftl_wait_item){ waits[j].handle, waits[j].signals, 0 };
            }
        }
    }
    ftl_handle_t interruption = posix_interruption();
    if (interruption != FTL_HANDLE_INVALID) {
        items[count++] = (struct ftl_wait_item){ interruption, FTL_SIGNAL_READABLE, 0 };
    }
    return count;
}

/* More than one call can wait for. */
static ftl_status_t sleep_on_many(const struct ftl_wait_item *items, size_t count,
                                  ftl_nsec_t deadline)
{
    ftl_handle_t poll;
    struct ftl_poll_event event;
    uint64_t entry;
    size_t ready;
    ftl_status_t status = ftl_poll_create(&poll);
    for (size_t i = 0; i < count && status == FTL_OK; i++) {
        status = ftl_poll_add(poll, items[i].handle, items[i].interest, i, &entry);
    }
    if (status == FTL_OK) {
        status = ftl_poll_wait(poll, &event, 1, deadline, &ready);
    }
    ftl_handle_close(poll);
    return status;
}

static ftl_status_t sleep_on(const struct poll_set *set, struct ftl_wait_item *items,
                             ftl_nsec_t deadline)
{
    size_t ready;
    size_t count = list_waits(set, items);
    if (count == 0) {
        return ftl_thread_sleep(deadline);
    }
    return count <= FTL_WAIT_MAX ? ftl_object_wait(items, count, deadline, &ready)
                                 : sleep_on_many(items, count, deadline);
}

static int wait_for_set(const struct poll_set *set, struct ftl_wait_item *items,
                        ftl_nsec_t deadline)
{
    int ready = look(set);
    ftl_status_t status = FTL_OK;
    while (ready == 0 && deadline != 0 && status == FTL_OK) {
        arm(set);
        status = sleep_on(set, items, deadline);
        ready = look(set);
        if (ready == 0 && posix_take_interruption()) {
            return -EINTR;
        }
    }
    if (ready == 0 && status != FTL_OK && status != FTL_ERR_TIMED_OUT) {
        return (int)posix_error(status);
    }
    return ready;
}

static void drop_set(struct poll_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->descriptions[i] != NULL) {
            description_drop(set->descriptions[i]);
        }
    }
    free(set->descriptions);
}

/* poll() until the deadline, 0 for none at all; a count, or a negative errno. */
static int poll_until(struct pollfd *fds, size_t count, ftl_nsec_t deadline)
{
    struct poll_set set = { .fds = fds, .count = count };
    if (count > POSIX_DESCRIPTORS_MAX) {
        return -EINVAL;
    }
    set.descriptions = calloc(count + 1, sizeof(set.descriptions[0]));
    struct ftl_wait_item *items = calloc(count * POSIX_WAITS + 2, sizeof(items[0]));
    int result = -ENOMEM;
    if (set.descriptions != NULL && items != NULL) {
        for (size_t i = 0; i < count; i++) {
            set.descriptions[i] = descriptor_get(fds[i].fd);
        }
        result = wait_for_set(&set, items, deadline);
        drop_set(&set);
    } else {
        free(set.descriptions);
    }
    free(items);
    return result;
}

static int answer(int result)
{
    if (result < 0) {
        errno = -result;
        return -1;
    }
    return result;
}

/* 0 for an interval of nothing: that is not to wait. */
static ftl_nsec_t deadline_after(const struct timespec *interval)
{
    bool is_zero = interval != NULL && interval->tv_sec == 0 && interval->tv_nsec == 0;
    return is_zero ? 0 : posix_deadline(interval);
}

/* The same with this mask of signals, if it is not NULL. */
static int poll_masked(struct pollfd *fds, size_t count, ftl_nsec_t deadline, const sigset_t *mask)
{
    uint64_t former;
    if (mask == NULL) {
        return poll_until(fds, count, deadline);
    }
    int result = (int)posix_exchange_mask((const uint64_t *)(const void *)mask, &former);
    if (result == 0) {
        result = poll_until(fds, count, deadline);
    }
    sys_sigprocmask(SIG_SETMASK, &former, NULL);
    return result;
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    pthread_testcancel();
    ftl_nsec_t deadline = deadline_after(timeout);
    return answer(deadline < 0 ? -EINVAL : poll_masked(fds, count, deadline, mask));
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    struct timespec interval = {
        .tv_sec = timeout / 1000,
        .tv_nsec = (long)(timeout % 1000) * NSEC_PER_MSEC,
    };
    return ppoll(fds, count, timeout < 0 ? NULL : &interval, NULL);
}

/* ---- select ---- */

static bool is_in(const fd_set *set, int fd)
{
    return set != NULL && FD_ISSET(fd, set);
}

/* The descriptors of the three sets as poll() takes them; returns how many. */
static size_t list_sets(int count, const fd_set *read, const fd_set *write, const fd_set *except,
                        struct pollfd *fds)
{
    size_t listed = 0;
    for (int fd = 0; fd < count; fd++) {
        unsigned events = 0;
        events |= is_in(read, fd) ? POLLIN : 0;
        events |= is_in(write, fd) ? POLLOUT : 0;
        if (events != 0 || is_in(except, fd)) {
            fds[listed++] = (struct pollfd){ .fd = fd, .events = (short)events };
        }
    }
    return listed;
}

/* Keeps of a set what is ready; returns how many there are. */
static int filter(fd_set *set, const struct pollfd *fds, size_t count, unsigned events)
{
    int ready = 0;
    if (set == NULL) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!FD_ISSET(fds[i].fd, set)) {
            continue;
        }
        if (((unsigned)fds[i].revents & events) != 0) {
            ready++;
        } else {
            FD_CLR(fds[i].fd, set);
        }
    }
    return ready;
}

int pselect(int count, fd_set *restrict read, fd_set *restrict write, fd_set *restrict except,
            const struct timespec *restrict timeout, const sigset_t *restrict mask)
{
    struct pollfd fds[FD_SETSIZE];
    ftl_nsec_t deadline = deadline_after(timeout);
    pthread_testcancel();
    if (count < 0 || count > FD_SETSIZE || deadline < 0) {
        return answer(-EINVAL);
    }
    size_t listed = list_sets(count, read, write, except, fds);
    int result = poll_masked(fds, listed, deadline, mask);
    for (size_t i = 0; result >= 0 && i < listed; i++) {
        if (((unsigned)fds[i].revents & POLLNVAL) != 0) {
            result = -EBADF;
        }
    }
    if (result < 0) {
        return answer(result);
    }
    return filter(read, fds, listed, READ_EVENTS) + filter(write, fds, listed, WRITE_EVENTS) +
           filter(except, fds, listed, POLLPRI);
}

int select(int count, fd_set *restrict read, fd_set *restrict write, fd_set *restrict except,
           struct timeval *restrict timeout)
{
    struct timespec interval = { 0 };
    if (timeout != NULL) {
        interval.tv_sec = timeout->tv_sec;
        interval.tv_nsec = timeout->tv_usec * 1000;
    }
    return pselect(count, read, write, except, timeout != NULL ? &interval : NULL, NULL);
}
