/*
 * Pipes are channels. A write is a message for each PIPE_BUF bytes, so that writes of up to that
 * are not torn apart; a read takes messages, and keeps in the description what is left of the last
 * one. Processes that have the same end have handles to the same end of the channel: the other side
 * sees it closed with the last of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/inherit.h>
#include <ftl/object.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "descriptor.h"
#include "posix.h"

#define READ_END_SIGNALS  (FTL_SIGNAL_READABLE | FTL_SIGNAL_PEER_CLOSED)
#define WRITE_END_SIGNALS (FTL_SIGNAL_WRITABLE | FTL_SIGNAL_PEER_CLOSED)

/* The programs that have epoll have this. */
#pragma weak posix_forget_watchers

struct pipe_end {
    struct description description;
    ftl_handle_t channel;
    struct epoll_entry *watchers;
};

/* An end to read from. `lock` guards the rest; `rest_size` is looked at without it. */
struct pipe_reader {
    struct pipe_end end;
    pthread_mutex_t lock;
    size_t rest_at;
    size_t rest_size;
    char rest[PIPE_BUF];
};

static struct pipe_end *pipe_of(struct description *description)
{
    return (struct pipe_end *)(void *)description;
}

static struct pipe_reader *reader_of(struct description *description)
{
    return (struct pipe_reader *)(void *)description;
}

/* ---- Reading ---- */

/* Takes the next message if there is one, or waits for it where that cannot be interrupted. */
static ftl_status_t receive(const struct pipe_reader *reader, void *buffer, bool waits,
                            size_t *size)
{
    struct ftl_message message = { .data = buffer, .capacity = PIPE_BUF };
    bool blocks = waits && posix_interruption() == FTL_HANDLE_INVALID;
    ftl_status_t status =
        ftl_channel_recv(reader->end.channel, &message, blocks ? FTL_TIME_INFINITE : 0);
    *size = message.size;
    return status;
}

/* Takes the next message; its size, 0 at the end. */
static long take_message(struct pipe_reader *reader, void *buffer, bool waits)
{
    size_t size;
    for (;;) {
        ftl_status_t status = receive(reader, buffer, waits, &size);
        if (status == FTL_ERR_PEER_CLOSED) {
            return 0;
        }
        if (status == FTL_ERR_WOULD_BLOCK && waits) {
            long error = posix_wait_for(reader->end.channel, READ_END_SIGNALS, FTL_TIME_INFINITE);
            if (error != 0) {
                return error;
            }
        } else if (status != FTL_OK || size != 0) { /* empty ones: nobody of ours writes such */
            return status == FTL_OK ? (long)size : posix_error(status);
        }
    }
}

static long take_rest(struct pipe_reader *reader, void *buffer, size_t size)
{
    size_t count = reader->rest_size < size ? reader->rest_size : size;
    memcpy(buffer, reader->rest + reader->rest_at, count);
    reader->rest_at += count;
    __atomic_store_n(&reader->rest_size, reader->rest_size - count, __ATOMIC_RELAXED);
    return (long)count;
}

/* At least one byte, unless it is the end. */
static long read_some(struct pipe_reader *reader, void *buffer, size_t size, bool waits)
{
    if (reader->rest_size == 0) {
        if (size >= PIPE_BUF) {
            return take_message(reader, buffer, waits);
        }
        long taken = take_message(reader, reader->rest, waits);
        if (taken <= 0) {
            return taken;
        }
        reader->rest_at = 0;
        __atomic_store_n(&reader->rest_size, (size_t)taken, __ATOMIC_RELAXED);
    }
    return take_rest(reader, buffer, size);
}

/* Waits for the first byte, and takes what more there is already. */
static long read_parts(struct description *self, const struct iovec *parts, int count)
{
    struct pipe_reader *reader = reader_of(self);
    bool waits = !description_is_nonblocking(self);
    long total = 0;
    long taken = 1;
    pthread_mutex_lock(&reader->lock);
    for (int i = 0; i < count && taken > 0; i++) {
        size_t at = 0;
        while (at < parts[i].iov_len && taken > 0) {
            taken = read_some(reader, (char *)parts[i].iov_base + at, parts[i].iov_len - at,
                              waits && total == 0);
            if (taken > 0) {
                at += (size_t)taken;
                total += taken;
            }
        }
    }
    pthread_mutex_unlock(&reader->lock);
    return total == 0 && taken < 0 ? taken : total;
}

/* ---- Writing ---- */

static long send_message(const struct pipe_end *end, const void *data, size_t size, bool waits)
{
    struct ftl_message message = { .data = (void *)(uintptr_t)data, .size = size };
    ftl_status_t status = ftl_channel_send(end->channel, &message, 0);
    while (status == FTL_ERR_WOULD_BLOCK && waits) {
        long error = posix_wait_for(end->channel, WRITE_END_SIGNALS, FTL_TIME_INFINITE);
        if (error != 0) {
            return error;
        }
        status = ftl_channel_send(end->channel, &message, 0);
    }
    return posix_error(status);
}

/* Copies up to `capacity` bytes of the parts, from byte `at` on; returns how many. */
static size_t gather(const struct iovec *parts, int count, size_t at, char *buffer, size_t capacity)
{
    size_t used = 0;
    for (int i = 0; i < count && used < capacity; i++) {
        if (at >= parts[i].iov_len) {
            at -= parts[i].iov_len;
            continue;
        }
        size_t room = capacity - used;
        size_t size = parts[i].iov_len - at < room ? parts[i].iov_len - at : room;
        memcpy(buffer + used, (const char *)parts[i].iov_base + at, size);
        used += size;
        at = 0;
    }
    return used;
}

static long write_parts(struct description *self, const struct iovec *parts, int count)
{
    const struct pipe_end *end = pipe_of(self);
    bool waits = !description_is_nonblocking(self);
    char message[PIPE_BUF];
    size_t written = 0;
    size_t size;
    long error = 0;
    while (error == 0 && (size = gather(parts, count, written, message, sizeof(message))) != 0) {
        error = send_message(end, message, size, waits);
        written += error == 0 ? size : 0;
    }
    if (error == -EPIPE) {
        sys_signal_self(SIGPIPE);
    }
    return written != 0 ? (long)written : error;
}

/* ---- Waiting ---- */

static uint32_t signals_of(const struct pipe_end *end, uint32_t interest)
{
    struct ftl_wait_item item = { .handle = end->channel, .interest = interest };
    size_t ready;
    ftl_status_t status = ftl_object_wait(&item, 1, 0, &ready);
    return status == FTL_OK ? item.signals : 0;
}

static uint32_t reader_ready(struct description *self)
{
    const struct pipe_reader *reader = reader_of(self);
    uint32_t signals = signals_of(&reader->end, READ_END_SIGNALS);
    bool has_rest = __atomic_load_n(&reader->rest_size, __ATOMIC_RELAXED) != 0;
    uint32_t events = (signals & FTL_SIGNAL_PEER_CLOSED) != 0 ? POLLHUP : 0;
    if (has_rest || (signals & FTL_SIGNAL_READABLE) != 0) {
        events |= POLLIN | POLLRDNORM;
    }
    return events;
}

static uint32_t writer_ready(struct description *self)
{
    uint32_t signals = signals_of(pipe_of(self), WRITE_END_SIGNALS);
    uint32_t events = (signals & FTL_SIGNAL_PEER_CLOSED) != 0 ? POLLERR : 0;
    return signals != 0 ? events | POLLOUT | POLLWRNORM : 0;
}

static void arm(struct description *self, uint32_t events)
{
    (void)self; /* the channel tells of itself */
    (void)events;
}

static void reader_waits(struct description *self, uint32_t events,
                         struct posix_wait waits[POSIX_WAITS])
{
    (void)events;
    waits[0] = (struct posix_wait){ pipe_of(self)->channel, READ_END_SIGNALS };
}

static void writer_waits(struct description *self, uint32_t events,
                         struct posix_wait waits[POSIX_WAITS])
{
    bool is_asked = (events & (POLLOUT | POLLWRNORM)) != 0;
    waits[0] = (struct posix_wait){ pipe_of(self)->channel,
                                    is_asked ? WRITE_END_SIGNALS : FTL_SIGNAL_PEER_CLOSED };
}

static struct epoll_entry **watchers(struct description *self)
{
    return &pipe_of(self)->watchers;
}

/* ---- Ends ---- */

static void close_end(struct description *self)
{
    struct pipe_end *end = pipe_of(self);
    if (end->watchers != NULL) {
        posix_forget_watchers(&end->watchers);
    }
    ftl_handle_close(end->channel);
    free(end);
}

static ftl_status_t pass_on(struct description *self, ftl_handle_t *handle)
{
    return ftl_handle_duplicate(pipe_of(self)->channel, FTL_RIGHTS_SAME, handle);
}

static const struct description_operations reader_operations = {
    .type = S_IFIFO,
    .read = read_parts,
    .close = close_end,
    .ready = reader_ready,
    .arm = arm,
    .waits = reader_waits,
    .watchers = watchers,
    .pass_on = pass_on,
    .kind = "pipe",
};

static const struct description_operations writer_operations = {
    .type = S_IFIFO,
    .write = write_parts,
    .close = close_end,
    .ready = writer_ready,
    .arm = arm,
    .waits = writer_waits,
    .watchers = watchers,
    .pass_on = pass_on,
    .kind = "pipe",
};

/* Makes a description of the channel's end, which it takes. */
static struct description *make_end(ftl_handle_t channel, int flags)
{
    bool reads = (flags & O_ACCMODE) == O_RDONLY;
    struct pipe_end *end = calloc(1, reads ? sizeof(struct pipe_reader) : sizeof(*end));
    if (end == NULL) {
        ftl_handle_close(channel);
        return NULL;
    }
    end->description.operations = reads ? &reader_operations : &writer_operations;
    end->description.flags = flags & (O_ACCMODE | O_NONBLOCK);
    end->channel = channel; /* PTHREAD_MUTEX_INITIALIZER is 0 */
    return &end->description;
}

struct description *pipe_receive(ftl_handle_t handle, const struct ftl_inherit *inherit)
{
    return handle != FTL_HANDLE_INVALID ? make_end(handle, (int)inherit->flags) : NULL;
}

/* Makes a description of the end, and a descriptor for it. */
static long install(ftl_handle_t channel, int flags)
{
    struct description *description = make_end(channel, flags);
    if (description == NULL) {
        return -ENOMEM;
    }
    description->references = 1;
    long fd = descriptor_install(description, (flags & O_CLOEXEC) != 0);
    if (fd < 0) {
        description_drop(description);
    }
    return fd;
}

long sys_pipe2(int fds[2], int flags)
{
    ftl_handle_t read_end;
    ftl_handle_t write_end;
    if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0) {
        return -EINVAL;
    }
    ftl_status_t status = ftl_channel_create(&write_end, &read_end);
    if (status != FTL_OK) {
        return posix_error(status);
    }
    long reader = install(read_end, flags | O_RDONLY);
    if (reader < 0) {
        ftl_handle_close(write_end);
        return reader;
    }
    long writer = install(write_end, flags | O_WRONLY);
    if (writer < 0) {
        sys_close((int)reader);
        return writer;
    }
    fds[0] = (int)reader;
    fds[1] = (int)writer;
    return 0;
}
