/*
 * Tests of sockets from inside: both ends are in this process, over the loopback interface, so no
 * device is needed. Relies on the service `socket`. Each part is a word of the command line.
 */
#include "sockettest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "user/apps/testing/check.h"

#define BULK_SIZE ((size_t)4 << 20)
#define MANY      100
#define CHECK_ERRNO(call, number)                                                                  \
    do {                                                                                           \
        CHECK_EQUAL(call, -1);                                                                     \
        CHECK_EQUAL(errno, number);                                                                \
    } while (0)

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* Without sockets there is nothing to test. */
static int open_socket(int family, int type)
{
    int fd = socket(family, type, 0);
    if (fd < 0) {
        perror("sockettest: socket");
        exit(EXIT_FAILURE);
    }
    return fd;
}

/* A socket that listens at a port of the stack's choice. */
static int make_listener(struct sockaddr_in *address)
{
    socklen_t size = sizeof(*address);
    int fd = open_socket(AF_INET, SOCK_STREAM);
    *address = loopback(0);
    CHECK_EQUAL(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
    CHECK_EQUAL(listen(fd, MANY), 0);
    CHECK_EQUAL(getsockname(fd, (struct sockaddr *)address, &size), 0);
    CHECK_EQUAL(size, sizeof(*address));
    CHECK(address->sin_port != 0);
    return fd;
}

/* Both ends of a connection. */
static void make_pair(int ends[2])
{
    struct sockaddr_in address;
    int listener = make_listener(&address);
    ends[0] = open_socket(AF_INET, SOCK_STREAM);
    CHECK_EQUAL(connect(ends[0], (struct sockaddr *)&address, sizeof(address)), 0);
    ends[1] = accept(listener, NULL, NULL);
    if (ends[0] < 0 || ends[1] < 0) { /* what follows needs both */
        perror("a pair of sockets");
        exit(EXIT_FAILURE);
    }
    CHECK_EQUAL(close(listener), 0);
}

static void close_pair(const int ends[2])
{
    CHECK_EQUAL(close(ends[0]), 0);
    CHECK_EQUAL(close(ends[1]), 0);
}

static void set_nonblocking(int fd)
{
    CHECK_EQUAL(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* ---- stream ---- */

static void test_stream(void)
{
    char buffer[100];
    int ends[2];
    make_pair(ends);
    CHECK_EQUAL(write(ends[0], "hello", 5), 5);
    CHECK_EQUAL(read(ends[1], buffer, sizeof(buffer)), 5);
    CHECK_EQUAL(memcmp(buffer, "hello", 5), 0);
    CHECK_EQUAL(send(ends[1], "ab", 2, MSG_NOSIGNAL), 2);
    CHECK_EQUAL(send(ends[1], "cd", 2, 0), 2);
    CHECK_EQUAL(recv(ends[0], buffer, 1, MSG_PEEK), 1);
    CHECK_EQUAL(recv(ends[0], buffer, 4, MSG_WAITALL), 4);
    CHECK_EQUAL(memcmp(buffer, "abcd", 4), 0);

    CHECK_ERRNO(recv(ends[0], buffer, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_EQUAL(shutdown(ends[0], SHUT_WR), 0); /* the other direction stays */
    CHECK_EQUAL(read(ends[1], buffer, sizeof(buffer)), 0);
    CHECK_EQUAL(write(ends[1], "still", 5), 5);
    CHECK_EQUAL(read(ends[0], buffer, sizeof(buffer)), 5);
    CHECK_ERRNO(write(ends[0], "x", 1), EPIPE);
    close_pair(ends);
    CHECK_ERRNO(read(ends[0], buffer, 1), EBADF);
}

static void test_stream_refusals(void)
{
    char byte = 0;
    struct sockaddr_in address;
    int listener = make_listener(&address);
    int fd = open_socket(AF_INET, SOCK_STREAM);
    CHECK_ERRNO(send(fd, &byte, 1, 0), ENOTCONN);
    CHECK_ERRNO(recv(fd, &byte, 1, 0), ENOTCONN);
    CHECK_ERRNO(accept(fd, NULL, NULL), EINVAL);
    CHECK_ERRNO(bind(fd, (struct sockaddr *)&address, sizeof(address)), EADDRINUSE);
    CHECK_ERRNO(bind(fd, (struct sockaddr *)&address, 3), EINVAL);
    CHECK_ERRNO(listen(STDOUT_FILENO, 1), ENOTSOCK);
    CHECK_EQUAL(close(listener), 0);
    CHECK_ERRNO(connect(fd, (struct sockaddr *)&address, sizeof(address)), ECONNREFUSED);
    CHECK_EQUAL(close(fd), 0);
    CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT);
    CHECK_ERRNO(socket(AF_INET, SOCK_RAW, IPPROTO_TCP), ESOCKTNOSUPPORT);
}

/* ---- bulk ---- */

static uint8_t pattern(size_t position)
{
    return (uint8_t)(position * 31 + (position >> 8) * 7 + (position >> 16));
}

static void *send_bulk(void *context)
{
    static uint8_t data[50000]; /* no divisor of the ring's size */
    int fd = *(const int *)context;
    for (size_t sent = 0; sent < BULK_SIZE;) {
        size_t size = BULK_SIZE - sent < sizeof(data) ? BULK_SIZE - sent : sizeof(data);
        for (size_t i = 0; i < size; i++) {
            data[i] = pattern(sent + i);
        }
        CHECK_EQUAL(write(fd, data, size), size);
        sent += size;
    }
    CHECK_EQUAL(shutdown(fd, SHUT_WR), 0);
    return NULL;
}

static void test_bulk(void)
{
    static uint8_t data[30011];
    int ends[2];
    pthread_t sender;
    size_t received = 0;
    size_t wrong = 0;
    ssize_t count;
    make_pair(ends);
    CHECK_EQUAL(pthread_create(&sender, NULL, send_bulk, &ends[0]), 0);
    while ((count = read(ends[1], data, sizeof(data))) > 0) {
        for (size_t i = 0; i < (size_t)count; i++) {
            wrong += data[i] != pattern(received + i);
        }
        received += (size_t)count;
    }
    CHECK_EQUAL(count, 0);
    CHECK_EQUAL(received, BULK_SIZE);
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(pthread_join(sender, NULL), 0);
    close_pair(ends);
}

/* A writer whose peer does not read stops, and nothing is lost. */
static void test_back_pressure(void)
{
    static char data[65536];
    int ends[2];
    size_t sent = 0;
    size_t received = 0;
    ssize_t count;
    make_pair(ends);
    set_nonblocking(ends[0]);
    struct pollfd writable = { .fd = ends[0], .events = POLLOUT };
    while (poll(&writable, 1, 200) == 1) { /* until the stack takes no more either */
        count = write(ends[0], data, sizeof(data));
        CHECK(count > 0);
        sent += count > 0 ? (size_t)count : 0;
    }
    CHECK_ERRNO(write(ends[0], data, 1), EAGAIN);
    CHECK(sent >= 65536 && sent <= (size_t)4 * 65536);
    CHECK_EQUAL(shutdown(ends[0], SHUT_WR), 0);
    while ((count = read(ends[1], data, sizeof(data))) > 0) {
        received += (size_t)count;
    }
    CHECK_EQUAL(received, sent);
    close_pair(ends);
}

/* ---- datagram ---- */

static void test_datagram(void)
{
    char buffer[2000];
    static char large[32000];
    static char huge[70000];
    struct sockaddr_in address = loopback(0);
    struct sockaddr_in from;
    socklen_t size = sizeof(address);
    int receiver = open_socket(AF_INET, SOCK_DGRAM);
    int sender = open_socket(AF_INET, SOCK_DGRAM);
    CHECK_EQUAL(bind(receiver, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_EQUAL(getsockname(receiver, (struct sockaddr *)&address, &size), 0);
    CHECK_ERRNO(send(sender, "x", 1, 0), EDESTADDRREQ);
    CHECK_EQUAL(sendto(sender, "one", 3, 0, (struct sockaddr *)&address, sizeof(address)), 3);
    CHECK_EQUAL(sendto(sender, "", 0, 0, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_EQUAL(connect(sender, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_EQUAL(send(sender, "longer", 6, 0), 6);

    size = sizeof(from);
    CHECK_EQUAL(recvfrom(receiver, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &size), 3);
    CHECK_EQUAL(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    CHECK_EQUAL(recv(receiver, buffer, sizeof(buffer), 0), 0);
    CHECK_EQUAL(recv(receiver, buffer, 2, MSG_TRUNC), 6);
    CHECK_EQUAL(sendto(receiver, "back", 4, 0, (struct sockaddr *)&from, size), 4);
    CHECK_EQUAL(recv(sender, buffer, sizeof(buffer), 0), 4);

    CHECK_EQUAL(send(sender, large, sizeof(large), 0), sizeof(large)); /* in fragments */
    CHECK_EQUAL(recv(receiver, large, sizeof(large), 0), sizeof(large));
    CHECK_ERRNO(send(sender, huge, sizeof(huge), 0), EMSGSIZE);
    CHECK_EQUAL(close(sender), 0);
    CHECK_EQUAL(close(receiver), 0);
}

static void test_ipv6(void)
{
    char buffer[10];
    struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
    struct sockaddr_in v4;
    socklen_t size = sizeof(address);
    int listener = open_socket(AF_INET6, SOCK_STREAM);
    CHECK_EQUAL(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_EQUAL(listen(listener, 1), 0);
    CHECK_EQUAL(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    address.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
    int six = open_socket(AF_INET6, SOCK_STREAM);
    CHECK_EQUAL(connect(six, (struct sockaddr *)&address, sizeof(address)), 0);
    int accepted = accept(listener, (struct sockaddr *)&address, &size);
    CHECK(IN6_IS_ADDR_LOOPBACK(&address.sin6_addr));
    CHECK_EQUAL(write(six, "six", 3), 3);
    CHECK_EQUAL(read(accepted, buffer, sizeof(buffer)), 3);
    CHECK_EQUAL(close(accepted), 0);

    /* The same listener takes IPv4. */
    size = sizeof(address);
    CHECK_EQUAL(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    v4 = loopback(ntohs(address.sin6_port));
    int four = open_socket(AF_INET, SOCK_STREAM);
    CHECK_EQUAL(connect(four, (struct sockaddr *)&v4, sizeof(v4)), 0);
    accepted = accept(listener, (struct sockaddr *)&address, &size);
    CHECK(IN6_IS_ADDR_V4MAPPED(&address.sin6_addr));
    CHECK_EQUAL(close(accepted), 0);
    CHECK_EQUAL(close(four), 0);
    CHECK_EQUAL(close(six), 0);
    CHECK_EQUAL(close(listener), 0);
}

/* ---- poll ---- */

static void *write_later(void *context)
{
    struct timespec pause = { .tv_nsec = 20000000 };
    nanosleep(&pause, NULL);
    CHECK_EQUAL(write(*(const int *)context, "x", 1), 1);
    return NULL;
}

static void test_poll(void)
{
    char byte;
    int ends[2];
    pthread_t writer;
    make_pair(ends);
    struct pollfd fds[] = {
        { .fd = ends[1], .events = POLLIN },
        { .fd = -1, .events = POLLIN },
        { .fd = STDOUT_FILENO, .events = 0 },
    };
    CHECK_EQUAL(poll(fds, 3, 0), 0);
    CHECK_EQUAL(poll(fds, 3, 10), 0);
    fds[0].events = POLLIN | POLLOUT;
    CHECK_EQUAL(poll(fds, 1, -1), 1);
    CHECK_EQUAL(fds[0].revents, POLLOUT);
    fds[0].events = POLLIN;
    CHECK_EQUAL(pthread_create(&writer, NULL, write_later, &ends[0]), 0);
    CHECK_EQUAL(poll(fds, 3, -1), 1);
    CHECK_EQUAL(fds[0].revents, POLLIN);
    CHECK_EQUAL(pthread_join(writer, NULL), 0);
    CHECK_EQUAL(poll(fds, 1, -1), 1); /* level-triggered */
    CHECK_EQUAL(read(ends[1], &byte, 1), 1);
    CHECK_EQUAL(poll(fds, 1, 0), 0);
    CHECK_EQUAL(close(ends[0]), 0);
    CHECK_EQUAL(poll(fds, 1, -1), 1);
    CHECK((fds[0].revents & POLLIN) != 0);
    fds[0].fd = ends[0];
    CHECK_EQUAL(poll(fds, 1, -1), 1);
    CHECK_EQUAL(fds[0].revents, POLLNVAL);

    fd_set set;
    struct timeval zero = { 0 };
    FD_ZERO(&set);
    FD_SET(ends[1], &set);
    CHECK_EQUAL(select(ends[1] + 1, &set, NULL, NULL, &zero), 1);
    CHECK(FD_ISSET(ends[1], &set));
    CHECK_EQUAL(close(ends[1]), 0);
}

/* ---- epoll ---- */

static void test_epoll(void)
{
    static int fds[MANY][2];
    struct epoll_event events[MANY];
    struct epoll_event event = { .events = EPOLLIN };
    char byte;
    int epoll = epoll_create1(0);
    CHECK(epoll >= 0);
    for (int i = 0; i < MANY; i++) {
        make_pair(fds[i]);
        event.data.u32 = (uint32_t)i;
        CHECK_EQUAL(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i][1], &event), 0);
    }
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0][1], &event), EEXIST);
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, STDOUT_FILENO, &event), EPERM);
    CHECK_EQUAL(epoll_wait(epoll, events, MANY, 0), 0);
    for (int i = 0; i < MANY; i += 7) {
        CHECK_EQUAL(write(fds[i][0], "x", 1), 1);
        CHECK_EQUAL(epoll_wait(epoll, events, MANY, -1), 1);
        CHECK_EQUAL(events[0].data.u32, i);
        CHECK_EQUAL(epoll_wait(epoll, events, MANY, 0), 1); /* it is still there */
        CHECK_EQUAL(read(fds[i][1], &byte, 1), 1);
        CHECK_EQUAL(epoll_wait(epoll, events, MANY, 0), 0);
    }
    event.events = EPOLLOUT | EPOLLONESHOT;
    CHECK_EQUAL(epoll_ctl(epoll, EPOLL_CTL_MOD, fds[3][1], &event), 0);
    CHECK_EQUAL(epoll_wait(epoll, events, MANY, -1), 1);
    CHECK_EQUAL(events[0].events, EPOLLOUT);
    CHECK_EQUAL(epoll_wait(epoll, events, MANY, 0), 0);
    CHECK_EQUAL(epoll_ctl(epoll, EPOLL_CTL_DEL, fds[5][1], NULL), 0);
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_DEL, fds[5][1], NULL), ENOENT);
    for (int i = 0; i < MANY; i++) {
        CHECK_EQUAL(close(fds[i][0]), 0);
    }
    int count = 0;
    for (int found; (found = epoll_wait(epoll, events, MANY, 100)) > 0; count += found) {
        for (int i = 0; i < found; i++) { /* all but 3 and 5 are told that there is an end */
            CHECK_EQUAL(close(fds[events[i].data.u32][1]), 0);
        }
    }
    CHECK_EQUAL(count, MANY - 2);
    CHECK_EQUAL(close(fds[3][1]), 0);
    CHECK_EQUAL(close(fds[5][1]), 0);
    CHECK_EQUAL(close(epoll), 0);
}

/* ---- nonblocking, names and options ---- */

/* Begins to connect, and waits for what comes of it, which may be known at once. */
static void start_connecting(int fd, const struct sockaddr_in *address, int expected)
{
    int error = 0;
    socklen_t size = sizeof(error);
    struct pollfd writable = { .fd = fd, .events = POLLOUT };
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == -1) {
        error = errno;
    }
    if (error == EINPROGRESS) {
        CHECK_EQUAL(poll(&writable, 1, -1), 1);
        CHECK_EQUAL(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    }
    CHECK_EQUAL(error, expected);
}

static void test_nonblocking(void)
{
    struct sockaddr_in address;
    int listener = make_listener(&address);
    set_nonblocking(listener);
    CHECK_ERRNO(accept(listener, NULL, NULL), EAGAIN);
    int fd = open_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    start_connecting(fd, &address, 0);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(close(listener), 0);

    fd = open_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    start_connecting(fd, &address, ECONNREFUSED);
    CHECK_EQUAL(close(fd), 0);
}

static void expect_option(int fd, int level, int name, int expected)
{
    int value = -1;
    socklen_t size = sizeof(value);
    CHECK_EQUAL(getsockopt(fd, level, name, &value, &size), 0);
    CHECK_EQUAL(value, expected);
}

static void test_options(void)
{
    int one = 1;
    int sixty = 60;
    struct timeval timeout = { .tv_usec = 10000 };
    struct sockaddr_in peer;
    struct sockaddr_in name;
    socklen_t size = sizeof(peer);
    char byte;
    int available = 0;
    int ends[2];
    make_pair(ends);
    CHECK_EQUAL(getpeername(ends[0], (struct sockaddr *)&peer, &size), 0);
    CHECK_EQUAL(getsockname(ends[1], (struct sockaddr *)&name, &size), 0);
    CHECK_EQUAL(peer.sin_port, name.sin_port);
    expect_option(ends[0], IPPROTO_TCP, TCP_NODELAY, 0);
    CHECK_EQUAL(setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
    expect_option(ends[0], IPPROTO_TCP, TCP_NODELAY, 1);
    CHECK_EQUAL(setsockopt(ends[0], SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)), 0);
    CHECK_EQUAL(setsockopt(ends[0], IPPROTO_TCP, TCP_KEEPIDLE, &sixty, sizeof(sixty)), 0);
    expect_option(ends[0], IPPROTO_TCP, TCP_KEEPIDLE, 60);
    expect_option(ends[0], SOL_SOCKET, SO_TYPE, SOCK_STREAM);
    expect_option(ends[0], SOL_SOCKET, SO_ACCEPTCONN, 0);
    CHECK_ERRNO(setsockopt(ends[0], IPPROTO_IP, IP_OPTIONS, &one, sizeof(one)), ENOPROTOOPT);
    CHECK_EQUAL(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
    CHECK_ERRNO(read(ends[0], &byte, 1), EAGAIN);
    CHECK_EQUAL(write(ends[1], "abc", 3), 3);
    CHECK_EQUAL(recv(ends[0], &byte, 1, MSG_PEEK), 1);
    CHECK_EQUAL(ioctl(ends[0], FIONREAD, &available), 0);
    CHECK_EQUAL(available, 3);

    int copy = dup(ends[0]);
    CHECK_EQUAL(close(ends[0]), 0);
    CHECK_EQUAL(read(copy, &byte, 1), 1);
    ends[0] = copy;
    close_pair(ends);
}

/* ---- death ---- */

/* One connection after the other: slots are used again, and nothing runs out. */
static void test_many(void)
{
    struct sockaddr_in address;
    char byte;
    int listener = make_listener(&address);
    for (int i = 0; i < 10 * MANY; i++) {
        int fd = open_socket(AF_INET, SOCK_STREAM);
        CHECK_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        CHECK_EQUAL(write(fd, "x", 1), 1);
        int accepted = accept(listener, NULL, NULL);
        CHECK_EQUAL(read(accepted, &byte, 1), 1);
        CHECK_EQUAL(close(fd), 0);
        CHECK_EQUAL(read(accepted, &byte, 1), 0);
        CHECK_EQUAL(close(accepted), 0);
        if (check_failures() != 0) {
            break;
        }
    }
    CHECK_EQUAL(close(listener), 0);
}

static const struct check_part parts[] = {
    { "stream", test_stream },
    { "refusals", test_stream_refusals },
    { "bulk", test_bulk },
    { "back-pressure", test_back_pressure },
    { "datagram", test_datagram },
    { "ipv6", test_ipv6 },
    { "poll", test_poll },
    { "epoll", test_epoll },
    { "nonblocking", test_nonblocking },
    { "options", test_options },
    { "many", test_many },
    { "hostile", test_hostile },
};

int main(int argc, char **argv)
{
    return check_run(parts, sizeof(parts) / sizeof(parts[0]), argc, argv);
}
