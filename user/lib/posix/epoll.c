/*
 * epoll over the kernel's polls, which do the same. An instance has an entry for each descriptor:
 * it watches what that waits for, by up to POSIX_WAITS entries of the kernel's poll. Their word is
 * the entry's place and generation, so that an event of one that has gone meanwhile is known.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftl/handle.h>
#include <ftl/poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "descriptor.h"
#include "posix.h"

#define NSEC_PER_MSEC 1000000
#define ALWAYS        (EPOLLERR | EPOLLHUP)
#define WORD_SHIFT    32

struct epoll;

struct epoll_entry {
    struct epoll *epoll;
    struct description *description; /* not held: closing it removes the entry */
    struct epoll_entry *next;        /* of the description's watchers */
    struct epoll_entry **link;
    uint32_t place;
    int fd;
    uint32_t events;
    epoll_data_t data;
    uint64_t watched[POSIX_WAITS]; /* entries of the kernel's poll, 0: none */
};

/* Of all instances: it guards their entries and the lists of watchers. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct epoll {
    struct description description;
    ftl_handle_t poll;
    uint32_t capacity;
    struct {
        struct epoll_entry *entry; /* NULL: free */
        uint32_t generation;
    } *places;
};

static struct epoll *epoll_of(struct description *description)
{
    return (struct epoll *)(void *)description;
}

/* ---- Entries; all have the lock ---- */

static uint64_t word_of(const struct epoll_entry *entry)
{
    uint64_t generation = entry->epoll->places[entry->place].generation;
    return generation << WORD_SHIFT | entry->place;
}

static struct epoll_entry *entry_of(const struct epoll *epoll, uint64_t word)
{
    uint32_t place = (uint32_t)word;
    bool is_there =
        place < epoll->capacity && epoll->places[place].generation == word >> WORD_SHIFT;
    return is_there ? epoll->places[place].entry : NULL;
}

static void unwatch(struct epoll_entry *entry)
{
    for (size_t i = 0; i < POSIX_WAITS; i++) {
        if (entry->watched[i] != 0) {
            ftl_poll_remove(entry->epoll->poll, entry->watched[i]);
            entry->watched[i] = 0;
        }
    }
}

/* Has the kernel's poll watch what the entry is interested in. */
static ftl_status_t watch(struct epoll_entry *entry)
{
    struct posix_wait waits[POSIX_WAITS] = { 0 };
    struct description *description = entry->description;
    if (entry->events == 0) {
        return FTL_OK; /* one shot, which was had */
    }
    description->operations->waits(description, entry->events, waits);
    for (size_t i = 0; i < POSIX_WAITS; i++) {
        if (waits[i].handle == FTL_HANDLE_INVALID) {
            continue;
        }
        ftl_status_t status = ftl_poll_add(entry->epoll->poll, waits[i].handle, waits[i].signals,
                                           word_of(entry), &entry->watched[i]);
        if (status != FTL_OK) {
            unwatch(entry);
            return status;
        }
    }
    description->operations->arm(description, entry->events);
    return FTL_OK;
}

static struct epoll_entry *find(const struct epoll *epoll, struct description *description, int fd)
{
    struct epoll_entry *entry = *description->operations->watchers(description);
    while (entry != NULL && (entry->epoll != epoll || entry->fd != fd)) {
        entry = entry->next;
    }
    return entry;
}

static void remove_entry(struct epoll_entry *entry)
{
    unwatch(entry);
    *entry->link = entry->next;
    if (entry->next != NULL) {
        entry->next->link = entry->link;
    }
    entry->epoll->places[entry->place].entry = NULL;
    entry->epoll->places[entry->place].generation++;
    free(entry);
}

/* A free place, of which there are made more; false: no memory. */
static bool find_place(struct epoll *epoll, uint32_t *place)
{
    for (*place = 0; *place < epoll->capacity; (*place)++) {
        if (epoll->places[*place].entry == NULL) {
            return true;
        }
    }
    uint32_t capacity = epoll->capacity * 2 + 16;
    void *places = realloc(epoll->places, capacity * sizeof(epoll->places[0]));
    if (places == NULL) {
        return false;
    }
    epoll->places = places;
    for (; epoll->capacity < capacity; epoll->capacity++) {
        epoll->places[epoll->capacity].entry = NULL;
        epoll->places[epoll->capacity].generation = 1;
    }
    return true;
}

static long add(struct epoll *epoll, struct description *description, int fd,
                const struct epoll_event *event)
{
    struct epoll_entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL || !find_place(epoll, &entry->place)) {
        free(entry);
        return -ENOMEM;
    }
    struct epoll_entry **list = description->operations->watchers(description);
    entry->epoll = epoll;
    entry->description = description;
    entry->fd = fd;
    entry->events = event->events | ALWAYS;
    entry->data = event->data;
    entry->next = *list;
    entry->link = list;
    if (entry->next != NULL) {
        entry->next->link = &entry->next;
    }
    *list = entry;
    epoll->places[entry->place].entry = entry;
    ftl_status_t status = watch(entry);
    if (status != FTL_OK) {
        remove_entry(entry);
    }
    return posix_error(status);
}

static long modify(struct epoll_entry *entry, const struct epoll_event *event)
{
    unwatch(entry);
    entry->events = event->events | ALWAYS;
    entry->data = event->data;
    return posix_error(watch(entry));
}

void posix_forget_watchers(struct epoll_entry **watchers)
{
    pthread_mutex_lock(&lock);
    struct epoll_entry *next;
    for (struct epoll_entry *entry = *watchers; entry != NULL; entry = next) {
        next = entry->next;
        remove_entry(entry);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- Waiting ---- */

/* Fills in what is to be told of the entry; false: nothing, it waits on. */
static bool report(struct epoll_entry *entry, struct epoll_event *event)
{
    struct description *description = entry->description;
    uint32_t ready = description->operations->ready(description) & entry->events;
    if (ready == 0) {
        description->operations->arm(description, entry->events);
        return false;
    }
    event->events = ready;
    event->data = entry->data;
    if ((entry->events & EPOLLONESHOT) != 0) {
        unwatch(entry);
        entry->events = 0;
    }
    return true;
}

/* Takes events of the kernel's poll; returns how many are to be told of. */
static long wait_once(struct epoll *epoll, struct epoll_event *events, size_t capacity,
                      ftl_nsec_t deadline)
{
    struct ftl_poll_event happened[FTL_POLL_EVENTS_MAX];
    const struct epoll_entry *last = NULL; /* one can be there more than once, in a row */
    size_t count = 0;
    long reported = 0;
    capacity = capacity < FTL_POLL_EVENTS_MAX ? capacity : FTL_POLL_EVENTS_MAX;
    ftl_status_t status = ftl_poll_wait(epoll->poll, happened, capacity, deadline, &count);
    if (status != FTL_OK) {
        return posix_error(status);
    }
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        struct epoll_entry *entry = entry_of(epoll, happened[i].word);
        if (entry != NULL && entry != last && entry->events != 0 &&
            report(entry, &events[reported])) {
            reported++;
            last = entry;
        }
    }
    pthread_mutex_unlock(&lock);
    return reported;
}

static long wait_for_events(struct epoll *epoll, struct epoll_event *events, int capacity,
                            int timeout)
{
    struct timespec interval = {
        .tv_sec = timeout / 1000,
        .tv_nsec = (long)(timeout % 1000) * NSEC_PER_MSEC,
    };
    ftl_nsec_t deadline = timeout == 0 ? 0 : posix_deadline(timeout < 0 ? NULL : &interval);
    long result;
    do {
        result = wait_once(epoll, events, (size_t)capacity, deadline);
    } while (result == 0);
    return result == -ETIMEDOUT || result == -EAGAIN ? 0 : result;
}

/* ---- The interface ---- */

static void close_epoll(struct description *self)
{
    struct epoll *epoll = epoll_of(self);
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < epoll->capacity; i++) {
        if (epoll->places[i].entry != NULL) {
            remove_entry(epoll->places[i].entry);
        }
    }
    pthread_mutex_unlock(&lock);
    ftl_handle_close(epoll->poll);
    free(epoll->places);
    free(epoll);
}

static const struct description_operations epoll_operations = { .close = close_epoll };

static int answer(long result)
{
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return (int)result;
}

static long create(int flags)
{
    if ((flags & ~EPOLL_CLOEXEC) != 0) {
        return -EINVAL;
    }
    struct epoll *epoll = calloc(1, sizeof(*epoll));
    if (epoll == NULL) {
        return -ENOMEM;
    }
    ftl_status_t status = ftl_poll_create(&epoll->poll);
    if (status != FTL_OK) {
        free(epoll);
        return posix_error(status);
    }
    epoll->description.operations = &epoll_operations;
    epoll->description.references = 1;
    epoll->description.flags = O_RDWR;
    long fd = descriptor_install(&epoll->description, flags != 0);
    if (fd < 0) {
        description_drop(&epoll->description);
    }
    return fd;
}

int epoll_create1(int flags)
{
    return answer(create(flags));
}

int epoll_create(int size)
{
    return answer(size <= 0 ? -EINVAL : create(0));
}

/* The instance of the descriptor, held; NULL: it is none. */
static struct epoll *get_epoll(int fd)
{
    struct description *description = descriptor_get(fd);
    if (description != NULL && description->operations != &epoll_operations) {
        description_drop(description);
        return NULL;
    }
    return description != NULL ? epoll_of(description) : NULL;
}

static long control(struct epoll *epoll, int operation, int fd, struct description *description,
                    const struct epoll_event *event)
{
    if (description->operations->watchers == NULL) {
        return -EPERM;
    }
    pthread_mutex_lock(&lock);
    struct epoll_entry *entry = find(epoll, description, fd);
    long result = -EINVAL;
    if (operation == EPOLL_CTL_ADD) {
        result = entry != NULL ? -EEXIST : add(epoll, description, fd, event);
    } else if (entry == NULL) {
        result = -ENOENT;
    } else if (operation == EPOLL_CTL_MOD) {
        result = modify(entry, event);
    } else if (operation == EPOLL_CTL_DEL) {
        remove_entry(entry);
        result = 0;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    struct epoll *epoll = get_epoll(epoll_fd);
    struct description *description = descriptor_get(fd);
    long result = descriptor_is_open(epoll_fd) ? -EINVAL : -EBADF;
    if (epoll != NULL && description != NULL) {
        result = control(epoll, operation, fd, description, event);
    } else if (description == NULL) {
        result = -EBADF;
    }
    if (description != NULL) {
        description_drop(description);
    }
    if (epoll != NULL) {
        description_drop(&epoll->description);
    }
    return answer(result);
}

int epoll_pwait(int fd, struct epoll_event *events, int capacity, int timeout, const sigset_t *mask)
{
    (void)mask; /* there are no signals */
    pthread_testcancel();
    struct epoll *epoll = get_epoll(fd);
    if (epoll == NULL) {
        return answer(descriptor_is_open(fd) ? -EINVAL : -EBADF);
    }
    long result = capacity <= 0 ? -EINVAL : wait_for_events(epoll, events, capacity, timeout);
    description_drop(&epoll->description);
    return answer(result);
}

int epoll_wait(int fd, struct epoll_event *events, int capacity, int timeout)
{
    return epoll_pwait(fd, events, capacity, timeout, NULL);
}
