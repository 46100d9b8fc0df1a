/* Options of sockets: those that the stack keeps, and those of the client's side. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/time.h>

#include "socket.h"

#define NSEC_PER_SEC  INT64_C(1000000000)
#define NSEC_PER_USEC 1000

/* Options that are one number, and that the stack keeps. */
static const struct {
    int level;
    int name;
    enum socket_option option;
} options[] = {
    { SOL_SOCKET, SO_REUSEADDR, SOCKET_OPTION_REUSE_ADDRESS },
    { SOL_SOCKET, SO_KEEPALIVE, SOCKET_OPTION_KEEP_ALIVE },
    { SOL_SOCKET, SO_BROADCAST, SOCKET_OPTION_BROADCAST },
    { SOL_SOCKET, SO_ACCEPTCONN, SOCKET_OPTION_ACCEPTING },
    { IPPROTO_TCP, TCP_NODELAY, SOCKET_OPTION_NO_DELAY },
    { IPPROTO_TCP, TCP_KEEPIDLE, SOCKET_OPTION_KEEP_IDLE },
    { IPPROTO_TCP, TCP_KEEPINTVL, SOCKET_OPTION_KEEP_INTERVAL },
    { IPPROTO_TCP, TCP_KEEPCNT, SOCKET_OPTION_KEEP_COUNT },
    { IPPROTO_IP, IP_TTL, SOCKET_OPTION_TTL },
    { IPPROTO_IPV6, IPV6_UNICAST_HOPS, SOCKET_OPTION_TTL },
    { IPPROTO_IPV6, IPV6_V6ONLY, SOCKET_OPTION_IPV6_ONLY },
};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

/* -ENOPROTOOPT when there is none of this name. */
static long find_option(int level, int name, enum socket_option *option)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        if (options[i].level == level && options[i].name == name) {
            *option = options[i].option;
            return 0;
        }
    }
    return -ENOPROTOOPT;
}

static long option_error(ftl_status_t status)
{
    switch (status) {
    case FTL_ERR_NOT_SUPPORTED: return -ENOPROTOOPT;
    case FTL_ERR_BAD_STATE: return -EINVAL;
    default: return socket_error(status);
    }
}

static long set_stack_option(struct socket *socket, enum socket_option option, int32_t value)
{
    struct socket_buffer buffer;
    struct socket_set_option_request request = {
        .slot = socket->slot->number,
        .option = (uint8_t)option,
        .value = value,
    };
    return option_error(
        socket_set_option(socket->slot->connection->channel, &request, &buffer, FTL_TIME_INFINITE));
}

static long get_stack_option(struct socket *socket, enum socket_option option, int32_t *value)
{
    struct socket_buffer buffer;
    struct socket_get_option_reply reply = { 0 };
    struct socket_get_option_request request = {
        .slot = socket->slot->number,
        .option = (uint8_t)option,
    };
    ftl_status_t status = socket_get_option(socket->slot->connection->channel, &request, &reply,
                                            &buffer, FTL_TIME_INFINITE);
    *value = reply.value;
    return option_error(status);
}

/* ---- Setting ---- */

static long set_timeout(ftl_nsec_t *timeout, const void *value, socklen_t size)
{
    const struct timeval *time = value;
    if (size < sizeof(*time) || time->tv_usec < 0 || time->tv_usec >= 1000000) {
        return -EINVAL;
    }
    bool is_long = time->tv_sec < 0 || time->tv_sec > INT32_MAX;
    *timeout = is_long ? 0 : time->tv_sec * NSEC_PER_SEC + time->tv_usec * NSEC_PER_USEC;
    return 0;
}

static long set_linger(struct socket *socket, const void *value, socklen_t size)
{
    const struct linger *linger = value;
    if (size < sizeof(*linger)) {
        return -EINVAL;
    }
    return set_stack_option(socket, SOCKET_OPTION_LINGER,
                            linger->l_onoff != 0 ? linger->l_linger : -1);
}

long socket_set_option_of(struct description *self, int level, int name, const void *value,
                          socklen_t size)
{
    struct socket *socket = (struct socket *)(void *)self;
    enum socket_option option;
    if (level == SOL_SOCKET) {
        switch (name) {
        case SO_RCVTIMEO: return set_timeout(&socket->receive_timeout, value, size);
        case SO_SNDTIMEO: return set_timeout(&socket->send_timeout, value, size);
        case SO_LINGER: return set_linger(socket, value, size);
        case SO_RCVBUF: /* the rings are as large as they are */
        case SO_SNDBUF: return size < sizeof(int) ? -EINVAL : 0;
        default: break;
        }
    }
    long error = find_option(level, name, &option);
    if (error != 0) {
        return error;
    }
    return size < sizeof(int) ? -EINVAL : set_stack_option(socket, option, *(const int *)value);
}

/* ---- Getting ---- */

static long give(const void *from, socklen_t from_size, void *value, socklen_t *size)
{
    socklen_t count = *size < from_size ? *size : from_size;
    memcpy(value, from, count);
    *size = count;
    return 0;
}

static long get_timeout(ftl_nsec_t timeout, void *value, socklen_t *size)
{
    struct timeval time = {
        .tv_sec = timeout / NSEC_PER_SEC,
        .tv_usec = timeout % NSEC_PER_SEC / NSEC_PER_USEC,
    };
    return give(&time, sizeof(time), value, size);
}

static long get_linger(struct socket *socket, void *value, socklen_t *size)
{
    int32_t seconds;
    long error = get_stack_option(socket, SOCKET_OPTION_LINGER, &seconds);
    struct linger linger = { .l_onoff = seconds >= 0, .l_linger = seconds >= 0 ? seconds : 0 };
    return error != 0 ? error : give(&linger, sizeof(linger), value, size);
}

static int type_of(const struct socket *socket)
{
    return socket->kind == SOCKET_KIND_STREAM ? SOCK_STREAM : SOCK_DGRAM;
}

static int protocol_of(const struct socket *socket)
{
    switch (socket->kind) {
    case SOCKET_KIND_STREAM: return IPPROTO_TCP;
    case SOCKET_KIND_DATAGRAM: return IPPROTO_UDP;
    default: return socket->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    }
}

/* The error that a connection ended with, which is told once. */
static int pending_error(struct socket *socket)
{
    pthread_mutex_lock(&socket->lock);
    uint32_t state = socket_slot_state(socket->slot);
    long error = socket_take_error(socket);
    if ((state & (FTL_SOCKET_CONNECTED | FTL_SOCKET_LOST)) != 0) {
        socket->is_connecting = false;
    }
    pthread_mutex_unlock(&socket->lock);
    return (int)-error;
}

long socket_get_option_of(struct description *self, int level, int name, void *value,
                          socklen_t *size)
{
    struct socket *socket = (struct socket *)(void *)self;
    enum socket_option option;
    int number;
    if (level == SOL_SOCKET) {
        switch (name) {
        case SO_RCVTIMEO: return get_timeout(socket->receive_timeout, value, size);
        case SO_SNDTIMEO: return get_timeout(socket->send_timeout, value, size);
        case SO_LINGER: return get_linger(socket, value, size);
        case SO_RCVBUF:
        case SO_SNDBUF: number = FTL_SOCKET_RING_SIZE; return give(&number, 4, value, size);
        case SO_TYPE: number = type_of(socket); return give(&number, 4, value, size);
        case SO_DOMAIN: return give(&socket->family, 4, value, size);
        case SO_PROTOCOL: number = protocol_of(socket); return give(&number, 4, value, size);
        case SO_ERROR: number = pending_error(socket); return give(&number, 4, value, size);
        default: break;
        }
    }
    long error = find_option(level, name, &option);
    if (error == 0) {
        error = get_stack_option(socket, option, &number);
    }
    return error != 0 ? error : give(&number, sizeof(number), value, size);
}
