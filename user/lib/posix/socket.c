/*
 * Sockets, over the service `socket`. Calls that control one are calls of the service; data goes
 * through the rings of the socket's slot, without a message. A thread that waits sleeps on the
 * slot's notification, and on the connection to the stack, which may end.
 */
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <ftl/clock.h>
#include <ftl/object.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "posix.h"

#define CALL_DEADLINE FTL_TIME_INFINITE /* the stack never waits before it answers */

static const struct description_operations socket_operations;

static struct socket *socket_of(struct description *description)
{
    return (struct socket *)(void *)description;
}

long socket_error(ftl_status_t status)
{
    switch (status) {
    case FTL_ERR_EXISTS: return -EADDRINUSE;
    case FTL_ERR_LIMIT:
    case FTL_ERR_NO_MEMORY: return -ENOBUFS;
    case FTL_ERR_BAD_STATE: return -ENOTCONN;
    case FTL_ERR_NOT_SUPPORTED: return -EOPNOTSUPP;
    case FTL_ERR_MISSING_RIGHT: return -EACCES;
    case FTL_ERR_PEER_CLOSED: return -ENETDOWN; /* the stack has ended */
    default: return posix_error(status);
    }
}

long socket_take_error(struct socket *socket)
{
    if (socket->error_told) {
        return 0;
    }
    socket->error_told = true;
    switch (__atomic_load_n(&socket->slot->memory->error, __ATOMIC_ACQUIRE)) {
    case FTL_OK: break;
    case FTL_ERR_NOT_FOUND: return -ECONNREFUSED;
    case FTL_ERR_PEER_CLOSED: return -ECONNRESET;
    case FTL_ERR_TIMED_OUT: return -ETIMEDOUT;
    case FTL_ERR_NO_MEMORY: return -ENOBUFS;
    default: return -EIO;
    }
    if (socket_connection_is_dead(socket->slot->connection)) {
        return -ENETDOWN;
    }
    socket->error_told = false;
    return 0;
}

/* ---- Addresses ---- */

/* -EINVAL and -EAFNOSUPPORT for what is no address of the socket's family. */
static long decode_address(const struct socket *socket, const struct sockaddr *from, socklen_t size,
                           struct socket_address *to)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    *to = (struct socket_address){ .family = SOCKET_FAMILY_IPV4 };
    if (from == NULL || size < sizeof(from->sa_family)) {
        return -EINVAL;
    }
    if (from->sa_family == AF_INET && socket->family == AF_INET) {
        const struct sockaddr_in *in = (const void *)from;
        if (size < sizeof(*in)) {
            return -EINVAL;
        }
        to->port = ntohs(in->sin_port);
        memcpy(to->bytes, &in->sin_addr, sizeof(in->sin_addr));
        return 0;
    }
    if (from->sa_family != AF_INET6 || socket->family != AF_INET6) {
        return -EAFNOSUPPORT;
    }
    const struct sockaddr_in6 *in = (const void *)from;
    if (size < offsetof(struct sockaddr_in6, sin6_scope_id)) {
        return -EINVAL;
    }
    to->port = ntohs(in->sin6_port);
    if (memcmp(&in->sin6_addr, mapped, sizeof(mapped)) == 0) {
        memcpy(to->bytes, in->sin6_addr.s6_addr + sizeof(mapped), sizeof(struct in_addr));
        return 0;
    }
    memcpy(to->bytes, &in->sin6_addr, sizeof(in->sin6_addr));
    to->scope = size >= sizeof(*in) ? in->sin6_scope_id : 0;
    to->family =
        IN6_IS_ADDR_UNSPECIFIED(&in->sin6_addr) ? SOCKET_FAMILY_UNSPECIFIED : SOCKET_FAMILY_IPV6;
    return 0;
}

/* Writes as much of it as there is room for; *size is what it would take. */
static void encode_address(const struct socket *socket, const struct socket_address *from,
                           struct sockaddr *to, socklen_t *size)
{
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address = { 0 };
    socklen_t full = sizeof(address.in);
    if (to == NULL || size == NULL) {
        return;
    }
    if (socket->family == AF_INET) {
        address.in.sin_family = AF_INET;
        address.in.sin_port = htons(from->port);
        memcpy(&address.in.sin_addr, from->bytes, sizeof(address.in.sin_addr));
    } else {
        full = sizeof(address.in6);
        address.in6.sin6_family = AF_INET6;
        address.in6.sin6_port = htons(from->port);
        address.in6.sin6_scope_id = from->scope;
        if (from->family == SOCKET_FAMILY_IPV4) {
            address.in6.sin6_addr.s6_addr[10] = UCHAR_MAX;
            address.in6.sin6_addr.s6_addr[11] = UCHAR_MAX;
            memcpy(address.in6.sin6_addr.s6_addr + 12, from->bytes, sizeof(struct in_addr));
        } else {
            memcpy(&address.in6.sin6_addr, from->bytes, sizeof(address.in6.sin6_addr));
        }
    }
    memcpy(to, &address, *size < full ? *size : full);
    *size = full;
}

/* ---- Readiness ---- */

static bool is_stream(const struct socket *socket)
{
    return socket->kind == SOCKET_KIND_STREAM;
}

static bool has_error(const struct socket *socket)
{
    return !socket->error_told &&
           __atomic_load_n(&socket->slot->memory->error, __ATOMIC_ACQUIRE) != FTL_OK;
}

static bool is_readable(const struct socket *socket)
{
    uint32_t state = socket_slot_state(socket->slot);
    return socket_slot_available(socket->slot) != 0 || socket->read_shut ||
           (state & (FTL_SOCKET_ENDED | FTL_SOCKET_PENDING | FTL_SOCKET_LOST)) != 0 ||
           has_error(socket);
}

static bool is_writable(const struct socket *socket)
{
    uint32_t state = socket_slot_state(socket->slot);
    if ((state & FTL_SOCKET_LOST) != 0 || has_error(socket) || socket->write_shut) {
        return true;
    }
    if (is_stream(socket)) {
        return (state & FTL_SOCKET_CONNECTED) != 0 && socket_slot_room(socket->slot) != 0;
    }
    return socket_slot_room(socket->slot) >= ftl_socket_record_space(FTL_SOCKET_DATAGRAM_MAX);
}

/* Has the stack, or ourselves, set the bits from now on when the socket is ready for them. */
static void arm_bits(const struct socket *socket, uint32_t bits)
{
    uint32_t now = 0;
    socket_slot_clear(socket->slot, bits);
    if ((bits & FTL_SOCKET_READABLE) != 0 && is_readable(socket)) {
        now |= FTL_SOCKET_READABLE;
    }
    if ((bits & FTL_SOCKET_WRITABLE) != 0 && is_writable(socket)) {
        now |= FTL_SOCKET_WRITABLE;
    }
    if (now != 0) {
        socket_slot_set(socket->slot, now);
    }
}

/*
 * The same, for reading and writing, which look for themselves whether there is anything: while the
 * bit is clear, the stack will set it, and there is nothing to do.
 */
static void arm_unless_armed(const struct socket *socket, uint32_t bit)
{
    if ((__atomic_load_n(&socket->slot->memory->ready, __ATOMIC_SEQ_CST) & bit) != 0) {
        arm_bits(socket, bit);
    }
}

static uint32_t poll_ready(struct description *self)
{
    const struct socket *socket = socket_of(self);
    uint32_t events = 0;
    if (socket_connection_is_dead(socket->slot->connection)) {
        return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLHUP | POLLERR | POLLRDHUP;
    }
    uint32_t state = socket_slot_state(socket->slot);
    events |= is_readable(socket) ? POLLIN | POLLRDNORM : 0;
    events |= is_writable(socket) ? POLLOUT | POLLWRNORM : 0;
    events |= (state & FTL_SOCKET_ENDED) != 0 ? POLLRDHUP : 0;
    events |= (state & FTL_SOCKET_LOST) != 0 ? POLLHUP : 0;
    events |= has_error(socket) ? POLLERR : 0;
    return events;
}

static uint32_t bits_of(uint32_t events)
{
    uint32_t bits = FTL_SOCKET_READABLE; /* an end and errors are always waited for */
    return (events & (POLLOUT | POLLWRNORM)) != 0 ? bits | FTL_SOCKET_WRITABLE : bits;
}

static void poll_arm(struct description *self, uint32_t events)
{
    arm_bits(socket_of(self), bits_of(events));
}

static void poll_waits(struct description *self, uint32_t events,
                       struct posix_wait waits[POSIX_WAITS])
{
    const struct socket_slot *slot = socket_of(self)->slot;
    waits[0] = (struct posix_wait){ slot->readable, FTL_SIGNAL_READABLE };
    waits[1] = (struct posix_wait){ slot->connection->channel, FTL_SIGNAL_PEER_CLOSED };
    if ((bits_of(events) & FTL_SOCKET_WRITABLE) != 0) {
        waits[2] = (struct posix_wait){ slot->writable, FTL_SIGNAL_READABLE };
    }
}

static struct epoll_entry **poll_watchers(struct description *self)
{
    return &socket_of(self)->watchers;
}

/* When a call that waits gives up; 0: it must not wait. */
static ftl_nsec_t deadline_of(const struct socket *socket, ftl_nsec_t timeout, int flags)
{
    ftl_nsec_t now = 0;
    if ((flags & MSG_DONTWAIT) != 0 || description_is_nonblocking(&socket->description)) {
        return 0;
    }
    if (timeout == 0) {
        return FTL_TIME_INFINITE;
    }
    ftl_clock_get(&now);
    return now + timeout;
}

/*
 * Waits for a bit, without the lock that the caller has: it looks again. -EAGAIN after the
 * deadline; one of 0 does not wait, but has the socket tell from now on when it is ready.
 */
static long wait_for(struct socket *socket, uint32_t bit, ftl_nsec_t deadline)
{
    struct ftl_wait_item items[3];
    size_t count;
    if (deadline == 0) {
        arm_unless_armed(socket, bit);
        bool is_ready = bit == FTL_SOCKET_READABLE ? is_readable(socket) : is_writable(socket);
        return is_ready ? 0 : -EAGAIN;
    }
    arm_bits(socket, bit);
    items[0].handle = bit == FTL_SOCKET_READABLE ? socket->slot->readable : socket->slot->writable;
    items[0].interest = FTL_SIGNAL_READABLE;
    items[1].handle = socket->slot->connection->channel;
    items[1].interest = FTL_SIGNAL_PEER_CLOSED;
    items[2].handle = posix_interruption();
    items[2].interest = FTL_SIGNAL_READABLE;
    pthread_mutex_unlock(&socket->lock);
    ftl_status_t status =
        ftl_object_wait(items, items[2].handle != FTL_HANDLE_INVALID ? 3 : 2, deadline, &count);
    if (status == FTL_OK && items[1].signals != 0) {
        socket_connection_is_dead(socket->slot->connection);
    }
    bool is_interrupted = status == FTL_OK && items[0].signals == 0 && items[1].signals == 0 &&
                          posix_take_interruption();
    pthread_mutex_lock(&socket->lock);
    if (is_interrupted) {
        return -EINTR;
    }
    return status == FTL_ERR_TIMED_OUT ? -EAGAIN : posix_error(status);
}

/* Waits after a call that gave -EAGAIN: whether to try again. Otherwise it is the result, unless a
 * handler has run. */
static bool wait_again(struct socket *socket, uint32_t bit, ftl_nsec_t deadline, long *result)
{
    long waited = wait_for(socket, bit, deadline);
    if (waited == -EINTR) {
        *result = -EINTR;
    }
    return waited == 0;
}

/* ---- Receiving ---- */

/* Copies from the ring, `offset` bytes behind its beginning, into the parts; returns how much. */
static size_t scatter(const struct socket *socket, uint32_t offset, size_t size,
                      const struct msghdr *message)
{
    size_t copied = 0;
    for (int i = 0; i < (int)message->msg_iovlen && copied < size; i++) {
        size_t left = size - copied;
        size_t part = message->msg_iov[i].iov_len < left ? message->msg_iov[i].iov_len : left;
        socket_slot_copy(socket->slot, offset + (uint32_t)copied, message->msg_iov[i].iov_base,
                         (uint32_t)part);
        copied += part;
    }
    return copied;
}

/* Takes from a stream what there is; -EAGAIN when there is nothing yet. */
static long take_stream(struct socket *socket, struct msghdr *message, int flags)
{
    uint32_t state = socket_slot_state(socket->slot); /* before the data: an end comes after it */
    uint32_t available = socket_slot_available(socket->slot);
    message->msg_namelen = 0;
    if (available == 0 || socket->read_shut) {
        long error = socket_take_error(socket);
        if (error != 0) {
            return error;
        }
        if (socket->read_shut || (state & (FTL_SOCKET_ENDED | FTL_SOCKET_LOST)) != 0) {
            return 0;
        }
        return (state & FTL_SOCKET_CONNECTED) != 0 || socket->is_connecting ? -EAGAIN : -ENOTCONN;
    }
    size_t size = scatter(socket, 0, available, message);
    if ((flags & MSG_PEEK) == 0) {
        socket_slot_take(socket->slot, (uint32_t)size);
        if (size == available && (state & FTL_SOCKET_ENDED) == 0) {
            arm_bits(socket, FTL_SOCKET_READABLE);
        }
    }
    return (long)size;
}

/* Takes the next datagram; what is longer than the room for it is lost. */
static long take_datagram(struct socket *socket, struct msghdr *message, int flags)
{
    struct ftl_socket_record record;
    uint32_t available = socket_slot_available(socket->slot);
    if (available < sizeof(record)) {
        long error = socket_take_error(socket);
        return error != 0 ? error : -EAGAIN;
    }
    socket_slot_copy(socket->slot, 0, &record, sizeof(record));
    if (record.size > available || ftl_socket_record_space(record.size) > available) {
        return -EIO;
    }
    size_t size = scatter(socket, sizeof(record), record.size, message);
    if (message->msg_name != NULL) {
        struct socket_address from = { .family = record.family,
                                       .port = record.port,
                                       .scope = record.scope };
        memcpy(from.bytes, record.address, sizeof(from.bytes));
        encode_address(socket, &from, message->msg_name, &message->msg_namelen);
    }
    message->msg_flags |= size < record.size ? MSG_TRUNC : 0;
    if ((flags & MSG_PEEK) == 0) {
        socket_slot_take(socket->slot, ftl_socket_record_space(record.size));
    }
    return (flags & MSG_TRUNC) != 0 ? (long)record.size : (long)size;
}

static size_t total_size(const struct msghdr *message)
{
    size_t total = 0;
    for (int i = 0; i < (int)message->msg_iovlen; i++) {
        total += message->msg_iov[i].iov_len;
    }
    return total;
}

static long receive_once(struct socket *socket, struct msghdr *message, int flags,
                         ftl_nsec_t deadline)
{
    long result;
    pthread_mutex_lock(&socket->lock);
    do {
        result = is_stream(socket) ? take_stream(socket, message, flags)
                                   : take_datagram(socket, message, flags);
    } while (result == -EAGAIN && wait_again(socket, FTL_SOCKET_READABLE, deadline, &result));
    pthread_mutex_unlock(&socket->lock);
    return result;
}

/* MSG_WAITALL, of one part, as recv() makes it. */
static long receive_all(struct socket *socket, struct msghdr *message, int flags,
                        ftl_nsec_t deadline)
{
    long total = 0;
    struct iovec part = message->msg_iov[0];
    message->msg_iov = &part;
    while (part.iov_len != 0) {
        long result = receive_once(socket, message, flags, deadline);
        if (result <= 0) {
            return total != 0 ? total : result;
        }
        total += result;
        part.iov_base = (char *)part.iov_base + result;
        part.iov_len -= (size_t)result;
    }
    return total;
}

static long receive(struct description *self, struct msghdr *message, int flags)
{
    struct socket *socket = socket_of(self);
    ftl_nsec_t deadline = deadline_of(socket, socket->receive_timeout, flags);
    message->msg_flags = 0;
    message->msg_controllen = 0;
    if (is_stream(socket) && total_size(message) == 0) {
        return 0;
    }
    if (is_stream(socket) && (flags & MSG_WAITALL) != 0 && (flags & MSG_PEEK) == 0 &&
        message->msg_iovlen == 1) {
        return receive_all(socket, message, flags, deadline);
    }
    return receive_once(socket, message, flags, deadline);
}

/* ---- Sending ---- */

/* Copies the parts, without their first `skip` bytes, into the ring behind its first `offset`
 * bytes; returns how many, at most `size`. */
static size_t gather(const struct socket *socket, uint32_t offset, size_t size,
                     const struct msghdr *message, size_t skip)
{
    size_t copied = 0;
    for (int i = 0; i < (int)message->msg_iovlen && copied < size; i++) {
        const char *data = message->msg_iov[i].iov_base;
        size_t length = message->msg_iov[i].iov_len;
        if (length <= skip) {
            skip -= length;
            continue;
        }
        length -= skip;
        length = length < size - copied ? length : size - copied;
        socket_slot_fill(socket->slot, offset + (uint32_t)copied, data + skip, (uint32_t)length);
        copied += length;
        skip = 0;
    }
    return copied;
}

/* Puts what there is room for of a stream's data, behind its first `done` bytes. */
static long put_stream(struct socket *socket, const struct msghdr *message, size_t done)
{
    uint32_t state = socket_slot_state(socket->slot);
    if (socket->write_shut || (state & FTL_SOCKET_LOST) != 0) {
        long error = socket_take_error(socket);
        return error != 0 ? error : -EPIPE;
    }
    if ((state & FTL_SOCKET_CONNECTED) == 0) {
        return socket->is_connecting ? -EAGAIN : -ENOTCONN;
    }
    size_t size = gather(socket, 0, socket_slot_room(socket->slot), message, done);
    if (size == 0) {
        return -EAGAIN;
    }
    socket_slot_push(socket->slot, (uint32_t)size);
    return (long)size;
}

static long put_datagram(struct socket *socket, const struct msghdr *message)
{
    struct ftl_socket_record record = { .size = (uint32_t)total_size(message) };
    struct socket_address to = { .family = SOCKET_FAMILY_UNSPECIFIED };
    if (total_size(message) > FTL_SOCKET_DATAGRAM_MAX) {
        return -EMSGSIZE;
    }
    if (message->msg_name != NULL && message->msg_namelen != 0) {
        long error = decode_address(socket, message->msg_name, message->msg_namelen, &to);
        if (error != 0) {
            return error;
        }
    } else if ((socket_slot_state(socket->slot) & FTL_SOCKET_CONNECTED) == 0) {
        return -EDESTADDRREQ;
    }
    long error = socket_take_error(socket);
    if (error != 0) {
        return error;
    }
    if (socket_slot_room(socket->slot) < ftl_socket_record_space(record.size)) {
        return -EAGAIN;
    }
    record.family = to.family;
    record.port = to.port;
    record.scope = to.scope;
    memcpy(record.address, to.bytes, sizeof(record.address));
    socket_slot_fill(socket->slot, 0, &record, sizeof(record));
    gather(socket, sizeof(record), record.size, message, 0);
    socket_slot_push(socket->slot, ftl_socket_record_space(record.size));
    return (long)record.size;
}

static long send_message(struct description *self, const struct msghdr *message, int flags)
{
    struct socket *socket = socket_of(self);
    ftl_nsec_t deadline = deadline_of(socket, socket->send_timeout, flags);
    size_t total = total_size(message);
    size_t done = 0;
    long result = 0;
    pthread_mutex_lock(&socket->lock);
    do {
        if (!is_stream(socket)) {
            result = put_datagram(socket, message);
        } else if (total != 0) {
            result = put_stream(socket, message, done);
            done += result > 0 ? (size_t)result : 0;
        }
        if (result == -EAGAIN && (done == 0 || deadline != 0) &&
            !wait_again(socket, FTL_SOCKET_WRITABLE, deadline, &result)) {
            break;
        }
    } while (result == -EAGAIN ? done == 0 || deadline != 0
                               : result > 0 && is_stream(socket) && done < total);
    pthread_mutex_unlock(&socket->lock);
    return done != 0 ? (long)done : result;
}

static long read_parts(struct description *self, const struct iovec *parts, int count)
{
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count };
    return receive(self, &message, 0);
}

static long write_parts(struct description *self, const struct iovec *parts, int count)
{
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count };
    return send_message(self, &message, 0);
}

/* ---- Opening and closing ---- */

/* A socket without a slot; NULL: no memory. */
static struct socket *new_socket(int family, enum socket_kind kind, int type)
{
    struct socket *socket = calloc(1, sizeof(*socket));
    if (socket != NULL) {
        socket->description.operations = &socket_operations;
        socket->description.references = 1;
        socket->description.flags = O_RDWR | ((type & SOCK_NONBLOCK) != 0 ? O_NONBLOCK : 0);
        socket->family = family;
        socket->kind = kind;
        pthread_mutex_init(&socket->lock, NULL);
    }
    return socket;
}

/* Makes it a descriptor; if there is none left, it is closed. */
static long install(struct socket *socket, int type)
{
    long fd = descriptor_install(&socket->description, (type & SOCK_CLOEXEC) != 0);
    if (fd < 0) {
        description_drop(&socket->description);
    }
    return fd;
}

static ftl_status_t open_in_slot(struct socket *socket)
{
    struct socket_buffer buffer;
    struct socket_open_request request = {
        .family = socket->family == AF_INET ? SOCKET_FAMILY_IPV4 : SOCKET_FAMILY_IPV6,
        .kind = (uint8_t)socket->kind,
    };
    struct socket_connection *connection;
    ftl_status_t status = socket_connection_get(&connection);
    if (status != FTL_OK) {
        return status;
    }
    status = socket_slot_get(connection, &socket->slot);
    if (status == FTL_OK) {
        request.slot = socket->slot->number;
        status = socket_open(connection->channel, &request, &buffer, CALL_DEADLINE);
        if (status != FTL_OK) {
            socket_slot_spare(socket->slot);
        }
    }
    socket_connection_release(connection);
    return status;
}

static long kind_of(int type, int protocol, int family, enum socket_kind *kind)
{
    int icmp = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    switch (type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) {
    case SOCK_STREAM:
        *kind = SOCKET_KIND_STREAM;
        return protocol == 0 || protocol == IPPROTO_TCP ? 0 : -EPROTONOSUPPORT;
    case SOCK_DGRAM:
        *kind = protocol == icmp ? SOCKET_KIND_ECHO : SOCKET_KIND_DATAGRAM;
        return protocol == 0 || protocol == IPPROTO_UDP || protocol == icmp ? 0 : -EPROTONOSUPPORT;
    default: return -ESOCKTNOSUPPORT;
    }
}

/* Names are looked up through sockets: this makes resolver.c part of all programs with any. */
static long open_socket(int family, int type, int protocol)
{
    enum socket_kind kind;
    socket_use_resolver();
    if (family != AF_INET && family != AF_INET6) {
        return -EAFNOSUPPORT;
    }
    long error = kind_of(type, protocol, family, &kind);
    if (error != 0) {
        return error;
    }
    struct socket *socket = new_socket(family, kind, type);
    if (socket == NULL) {
        return -ENOMEM;
    }
    ftl_status_t status = open_in_slot(socket);
    if (status != FTL_OK) {
        free(socket);
        /* Without the right to it, or without a network, there is no such family here. */
        bool is_missing = status == FTL_ERR_NOT_SUPPORTED || status == FTL_ERR_NOT_FOUND;
        return is_missing ? -EAFNOSUPPORT : socket_error(status);
    }
    return install(socket, type);
}

/* musl's would be a system call. That this is a function of our own keeps all of this out of
 * programs that have no sockets. */
int socket(int family, int type, int protocol)
{
    long result = open_socket(family, type, protocol);
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return (int)result;
}

static void close_socket(struct description *self)
{
    struct socket *socket = socket_of(self);
    struct socket_buffer buffer;
    struct socket_close_request request = { .slot = socket->slot->number };
    posix_forget_watchers(&socket->watchers);
    if (!socket_connection_is_dead(socket->slot->connection)) {
        socket_close(socket->slot->connection->channel, &request, &buffer, CALL_DEADLINE);
    }
    socket_slot_put(socket->slot);
    pthread_mutex_destroy(&socket->lock);
    free(socket);
}

/* ---- Connecting ---- */

static long bind_socket(struct description *self, const struct sockaddr *address, socklen_t size)
{
    struct socket *socket = socket_of(self);
    struct socket_buffer buffer;
    struct socket_bind_request request = { .slot = socket->slot->number };
    long error = decode_address(socket, address, size, &request.address);
    if (error != 0) {
        return error;
    }
    ftl_status_t status =
        socket_bind(socket->slot->connection->channel, &request, &buffer, CALL_DEADLINE);
    switch (status) {
    case FTL_ERR_NOT_FOUND: return -EADDRNOTAVAIL;
    case FTL_ERR_BAD_STATE: return -EINVAL;
    default: return socket_error(status);
    }
}

static long listen_socket(struct description *self, int backlog)
{
    struct socket *socket = socket_of(self);
    struct socket_buffer buffer;
    struct socket_listen_request request = {
        .slot = socket->slot->number,
        .backlog = backlog > 0 ? (uint32_t)backlog : 1,
    };
    ftl_status_t status =
        socket_listen(socket->slot->connection->channel, &request, &buffer, CALL_DEADLINE);
    return status == FTL_ERR_BAD_STATE ? -EINVAL : socket_error(status);
}

/* Has the stack put the connection that waits into the slot of a new socket. */
static ftl_status_t take_connection(const struct socket *listener, struct socket *socket,
                                    struct socket_address *peer)
{
    struct socket_buffer buffer;
    struct socket_accept_reply reply;
    struct socket_accept_request request = { .slot = listener->slot->number };
    struct socket_connection *connection = listener->slot->connection;
    ftl_status_t status = socket_slot_get(connection, &socket->slot);
    if (status != FTL_OK) {
        return status;
    }
    request.into = socket->slot->number;
    status = socket_accept(connection->channel, &request, &reply, &buffer, CALL_DEADLINE);
    if (status != FTL_OK) {
        socket_slot_spare(socket->slot);
        return status;
    }
    *peer = reply.peer;
    return FTL_OK;
}

/* The next connection, as a socket of its own; -EAGAIN: there is none. */
static long accept_once(struct socket *listener, int type, struct socket **accepted,
                        struct socket_address *peer)
{
    long error = socket_take_error(listener);
    if (error != 0 || (socket_slot_state(listener->slot) & FTL_SOCKET_PENDING) == 0) {
        return error != 0 ? error : -EAGAIN;
    }
    struct socket *socket = new_socket(listener->family, SOCKET_KIND_STREAM, type);
    if (socket == NULL) {
        return -ENOMEM;
    }
    ftl_status_t status = take_connection(listener, socket, peer);
    if (status != FTL_OK) {
        free(socket);
        return socket_error(status);
    }
    *accepted = socket;
    return 0;
}

static long is_listening(const struct socket *socket)
{
    struct socket_buffer buffer;
    struct socket_get_option_reply reply = { 0 };
    struct socket_get_option_request request = {
        .slot = socket->slot->number,
        .option = SOCKET_OPTION_ACCEPTING,
    };
    ftl_status_t status = socket_get_option(socket->slot->connection->channel, &request, &reply,
                                            &buffer, CALL_DEADLINE);
    return status == FTL_OK ? reply.value : socket_error(status);
}

static long accept_socket(struct description *self, struct sockaddr *address, socklen_t *size,
                          int flags)
{
    struct socket *listener = socket_of(self);
    struct socket *accepted = NULL;
    struct socket_address peer;
    ftl_nsec_t deadline = deadline_of(listener, listener->receive_timeout, 0);
    long result;
    if ((flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != 0) {
        return -EINVAL;
    }
    pthread_mutex_lock(&listener->lock);
    result = accept_once(listener, flags, &accepted, &peer);
    if (result == -EAGAIN) {
        long listening = is_listening(listener); /* rather than wait for ever */
        result = listening == 0 ? -EINVAL : listening < 0 ? listening : -EAGAIN;
    }
    while (result == -EAGAIN && wait_again(listener, FTL_SOCKET_READABLE, deadline, &result)) {
        result = accept_once(listener, flags, &accepted, &peer);
    }
    pthread_mutex_unlock(&listener->lock);
    if (accepted == NULL) {
        return result;
    }
    encode_address(accepted, &peer, address, size);
    return install(accepted, flags);
}

/* Waits until the connection is made, or has failed. */
static long finish_connecting(struct socket *socket)
{
    ftl_nsec_t deadline = deadline_of(socket, socket->send_timeout, 0);
    while ((socket_slot_state(socket->slot) & (FTL_SOCKET_CONNECTED | FTL_SOCKET_LOST)) == 0) {
        long waited = wait_for(socket, FTL_SOCKET_WRITABLE, deadline);
        if (waited != 0) {
            return waited == -EINTR ? -EINTR : -EINPROGRESS;
        }
    }
    socket->is_connecting = false;
    return socket_take_error(socket);
}

static long connect_socket(struct description *self, const struct sockaddr *address, socklen_t size)
{
    struct socket *socket = socket_of(self);
    struct socket_buffer buffer;
    struct socket_connect_request request = { .slot = socket->slot->number };
    if (address != NULL && size >= sizeof(address->sa_family) && address->sa_family == AF_UNSPEC) {
        request.address.family = SOCKET_FAMILY_UNSPECIFIED;
    } else {
        long error = decode_address(socket, address, size, &request.address);
        if (error != 0) {
            return error;
        }
        if (request.address.family == SOCKET_FAMILY_UNSPECIFIED) { /* `::`: this machine */
            request.address.family = SOCKET_FAMILY_IPV6;
            request.address.bytes[15] = 1;
        }
    }
    pthread_mutex_lock(&socket->lock);
    long result = 0;
    if (socket->is_connecting &&
        (socket_slot_state(socket->slot) & (FTL_SOCKET_CONNECTED | FTL_SOCKET_LOST)) == 0) {
        result = -EALREADY;
    } else {
        ftl_status_t status =
            socket_connect(socket->slot->connection->channel, &request, &buffer, CALL_DEADLINE);
        result = status == FTL_ERR_BAD_STATE   ? -EISCONN
                 : status == FTL_ERR_NOT_FOUND ? -ENETUNREACH
                                               : socket_error(status);
        if (result == 0 && is_stream(socket)) {
            socket->is_connecting = true;
            result = finish_connecting(socket);
        }
    }
    pthread_mutex_unlock(&socket->lock);
    return result;
}

static long shut_down(struct description *self, int how)
{
    struct socket *socket = socket_of(self);
    struct socket_buffer buffer;
    struct socket_shutdown_request request = { .slot = socket->slot->number };
    switch (how) {
    case SHUT_RD: request.how = SOCKET_HOW_READ; break;
    case SHUT_WR: request.how = SOCKET_HOW_WRITE; break;
    case SHUT_RDWR: request.how = SOCKET_HOW_BOTH; break;
    default: return -EINVAL;
    }
    ftl_status_t status =
        socket_shutdown(socket->slot->connection->channel, &request, &buffer, CALL_DEADLINE);
    if (status != FTL_OK) {
        return socket_error(status);
    }
    pthread_mutex_lock(&socket->lock);
    socket->read_shut |= how != SHUT_WR;
    socket->write_shut |= how != SHUT_RD;
    socket_slot_set(socket->slot, FTL_SOCKET_READABLE | FTL_SOCKET_WRITABLE);
    pthread_mutex_unlock(&socket->lock);
    return 0;
}

static long get_name(struct description *self, struct sockaddr *address, socklen_t *size, bool peer)
{
    struct socket *socket = socket_of(self);
    struct socket_buffer buffer;
    struct socket_name_reply reply;
    struct socket_name_request request = {
        .slot = socket->slot->number,
        .end = peer ? SOCKET_END_PEER : SOCKET_END_LOCAL,
    };
    ftl_status_t status =
        socket_name(socket->slot->connection->channel, &request, &reply, &buffer, CALL_DEADLINE);
    if (status != FTL_OK) {
        return socket_error(status);
    }
    encode_address(socket, &reply.address, address, size);
    return 0;
}

static long socket_ioctl(struct description *self, unsigned long request, void *argument)
{
    struct socket *socket = socket_of(self);
    switch (request) {
    case FIONREAD: {
        struct ftl_socket_record record = { 0 };
        uint32_t available = socket_slot_available(socket->slot);
        if (!is_stream(socket) && available >= sizeof(record)) {
            socket_slot_copy(socket->slot, 0, &record, sizeof(record));
            available = record.size;
        }
        *(int *)argument = (int)available;
        return 0;
    }
    case FIONBIO:
        if (*(const int *)argument != 0) {
            __atomic_fetch_or(&self->flags, O_NONBLOCK, __ATOMIC_RELAXED);
        } else {
            __atomic_fetch_and(&self->flags, ~O_NONBLOCK, __ATOMIC_RELAXED);
        }
        return 0;
    default: return -ENOTTY;
    }
}

static const struct description_operations socket_operations = {
    .type = S_IFSOCK,
    .read = read_parts,
    .write = write_parts,
    .ioctl = socket_ioctl,
    .close = close_socket,
    .ready = poll_ready,
    .arm = poll_arm,
    .waits = poll_waits,
    .watchers = poll_watchers,
    .bind = bind_socket,
    .listen = listen_socket,
    .accept = accept_socket,
    .connect = connect_socket,
    .name = get_name,
    .send = send_message,
    .receive = receive,
    .shutdown = shut_down,
    .set_option = socket_set_option_of,
    .get_option = socket_get_option_of,
};
