/*
 * The server's loop: takes connections, and has each do what it can when its socket is ready or its
 * time is up. A listening socket that fails, because the network stack was started again, is opened
 * anew.
 */
#include "server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"

#define BACKLOG     128
#define EVENTS      64
#define TICK        SECONDS(1)
#define TICK_MSEC   1000
#define REFUSED_MAX 32 /* connections over the maximum that are being told so */
#define RETRIES     50 /* to open the listening socket */
#define RETRY_NSEC  100000000

struct client {
    struct connection *connection;
    struct client *next;
    struct client **link;
    enum connection_wants wants;
};

static struct {
    int epoll;
    int listener;
    uint16_t port;
    struct client *clients;
    size_t client_count;
} server;

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return SECONDS(time.tv_sec) + time.tv_nsec;
}

/* ---- Clients ---- */

static void drop(struct client *client)
{
    connection_free(client->connection);
    *client->link = client->next;
    if (client->next != NULL) {
        client->next->link = client->link;
    }
    server.client_count--;
    free(client);
}

/* Has the loop wait for what the connection wants, or ends it. */
static void settle(struct client *client, enum connection_wants wants)
{
    struct epoll_event event = { .data.ptr = client };
    if (wants == CONNECTION_IS_DONE) {
        drop(client);
        return;
    }
    if (wants == client->wants) {
        return;
    }
    event.events = wants == CONNECTION_WANTS_ROOM ? EPOLLOUT : EPOLLIN;
    client->wants = wants;
    if (epoll_ctl(server.epoll, EPOLL_CTL_MOD, connection_fd(client->connection), &event) != 0) {
        drop(client);
    }
}

/* Takes the socket. */
static void add_client(int fd)
{
    int one = 1;
    struct epoll_event event = { .events = EPOLLIN };
    struct client *client = calloc(1, sizeof(*client));
    bool is_refused = server.client_count >= CONNECTIONS_MAX;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (client != NULL && server.client_count < CONNECTIONS_MAX + REFUSED_MAX) {
        client->connection = connection_new(fd, now(), is_refused);
    }
    if (client == NULL || client->connection == NULL) {
        free(client);
        close(fd);
        return;
    }
    client->next = server.clients;
    client->link = &server.clients;
    if (client->next != NULL) {
        client->next->link = &client->next;
    }
    server.clients = client;
    server.client_count++;
    event.data.ptr = client;
    if (epoll_ctl(server.epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        drop(client);
        return;
    }
    settle(client, connection_work(client->connection, now())); /* it may have come already */
}

/* Those whose time is up. */
static void expire_clients(void)
{
    int64_t time = now();
    struct client *next;
    for (struct client *client = server.clients; client != NULL; client = next) {
        next = client->next;
        if (connection_deadline(client->connection) <= time) {
            settle(client, connection_expire(client->connection, time));
        }
    }
}

/* ---- The listening socket ---- */

static int open_listener(void)
{
    int one = 1;
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(server.port) };
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, BACKLOG) != 0 ||
        epoll_ctl(server.epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The same, over and over for a while: a network stack that has ended is there again soon. */
static bool open_listener_again(void)
{
    struct timespec pause = { .tv_nsec = RETRY_NSEC };
    for (int i = 0; i < RETRIES; i++) {
        server.listener = open_listener();
        if (server.listener >= 0) {
            return true;
        }
        nanosleep(&pause, NULL);
    }
    perror("httpd: cannot listen");
    return false;
}

static void accept_clients(void)
{
    int fd;
    while ((fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        add_client(fd);
    }
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED && errno != ENOBUFS &&
        errno != EMFILE && errno != ENOMEM) {
        close(server.listener);
        server.listener = -1;
    }
}

/* ---- The loop ---- */

static void handle(const struct epoll_event *events, int count)
{
    bool has_connections = false;
    for (int i = 0; i < count; i++) {
        struct client *client = events[i].data.ptr;
        if (client != NULL) {
            settle(client, connection_work(client->connection, now()));
        } else {
            has_connections = true;
        }
    }
    if (has_connections) {
        accept_clients(); /* after the others: a new client must not get a place that is in `events`
                           */
    }
}

int server_run(uint16_t port, void (*tick)(void))
{
    struct epoll_event events[EVENTS];
    int64_t next_tick = now();
    server.port = port;
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    server.listener = -1;
    while (server.epoll >= 0) {
        if (server.listener < 0 && !open_listener_again()) {
            break;
        }
        int count = epoll_wait(server.epoll, events, EVENTS, TICK_MSEC);
        if (count < 0 && errno != EINTR) {
            perror("httpd: epoll_wait");
            break;
        }
        handle(events, count);
        if (now() >= next_tick) {
            next_tick = now() + TICK;
            expire_clients();
            tick();
        }
    }
    return EXIT_FAILURE;
}
