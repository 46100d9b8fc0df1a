/*
 * Connects the console, or with -e the peer itself, with a peer: what is typed is sent, and what
 * comes is printed, until both directions have ended.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_SIZE 16384

static struct {
    bool listens;
    bool is_udp;
    bool echoes;
    const char *host;
    const char *port;
} options;

static char buffer[BUFFER_SIZE];

static bool write_all(int fd, const char *data, size_t size)
{
    while (size != 0) {
        ssize_t count = write(fd, data, size);
        if (count < 0) {
            return false;
        }
        data += count;
        size -= (size_t)count;
    }
    return true;
}

/* The first address, as a socket that is connected to it or bound to it; -1 after a message. */
static int open_socket(void)
{
    struct addrinfo *found;
    struct addrinfo hints = {
        .ai_flags = options.listens ? AI_PASSIVE : 0,
        .ai_family = options.listens ? AF_INET6 : AF_UNSPEC,
        .ai_socktype = options.is_udp ? SOCK_DGRAM : SOCK_STREAM,
    };
    int error = getaddrinfo(options.host, options.port, &hints, &found);
    if (error != 0) {
        fprintf(stderr, "nc: %s\n", gai_strerror(error));
        return -1;
    }
    int one = 1;
    int fd = -1;
    for (const struct addrinfo *each = found; each != NULL && fd < 0; each = each->ai_next) {
        fd = socket(each->ai_family, each->ai_socktype, 0);
        if (fd < 0) {
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if ((options.listens ? bind(fd, each->ai_addr, each->ai_addrlen)
                             : connect(fd, each->ai_addr, each->ai_addrlen)) != 0) {
            close(fd);
            fd = -1;
        }
    }
    if (fd < 0) {
        perror("nc");
    }
    freeaddrinfo(found);
    return fd;
}

/* Both directions at once. */
static int talk(int fd)
{
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
                            { .fd = STDIN_FILENO, .events = POLLIN } };
    while (fds[0].fd >= 0) {
        if (poll(fds, 2, -1) < 0) {
            perror("nc: poll");
            return EXIT_FAILURE;
        }
        if (fds[0].revents != 0) {
            ssize_t count = read(fd, buffer, sizeof(buffer));
            if (count < 0) {
                perror("nc");
                return EXIT_FAILURE;
            }
            if (count == 0 && !options.is_udp) {
                fds[0].fd = -1;
            }
            write_all(STDOUT_FILENO, buffer, (size_t)count);
        }
        if (fds[1].revents != 0) {
            ssize_t count = read(STDIN_FILENO, buffer, sizeof(buffer));
            if (count <= 0) {
                shutdown(fd, SHUT_WR);
                fds[1].fd = -1;
            } else if (!write_all(fd, buffer, (size_t)count)) {
                perror("nc: write");
                return EXIT_FAILURE;
            }
        }
    }
    return EXIT_SUCCESS;
}

/* Sends back what a peer sends, until it ends. */
static void echo_stream(int fd)
{
    ssize_t count;
    while ((count = read(fd, buffer, sizeof(buffer))) > 0 && write_all(fd, buffer, (size_t)count)) {
    }
    close(fd);
}

static int echo_datagrams(int fd)
{
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof(peer);
        ssize_t count = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&peer, &size);
        if (count < 0) {
            perror("nc: recvfrom");
            return EXIT_FAILURE;
        }
        sendto(fd, buffer, (size_t)count, 0, (const struct sockaddr *)&peer, size);
    }
}

/* Waits for the first peer of a datagram socket, and connects to it. */
static bool meet(int fd)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    return recvfrom(fd, buffer, 1, MSG_PEEK, (struct sockaddr *)&peer, &size) >= 0 &&
           connect(fd, (const struct sockaddr *)&peer, size) == 0;
}

static int serve_datagrams(int fd)
{
    printf("listening\n");
    fflush(stdout);
    if (options.echoes) {
        return echo_datagrams(fd);
    }
    return meet(fd) ? talk(fd) : EXIT_FAILURE;
}

static int serve_streams(int fd)
{
    if (listen(fd, SOMAXCONN) != 0) {
        perror("nc: listen");
        return EXIT_FAILURE;
    }
    printf("listening\n");
    fflush(stdout);
    for (;;) {
        int peer = accept(fd, NULL, NULL);
        if (peer < 0) {
            perror("nc: accept");
            return EXIT_FAILURE;
        }
        if (!options.echoes) {
            close(fd);
            return talk(peer);
        }
        echo_stream(peer);
    }
}

int main(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "leu")) != -1) {
        options.listens |= option == 'l' || option == 'e';
        options.echoes |= option == 'e';
        options.is_udp |= option == 'u';
        if (option == '?') {
            optind = argc + 1;
            break;
        }
    }
    if (optind + (options.listens ? 1 : 2) != argc) {
        fprintf(stderr, "usage: nc [-u] HOST PORT, nc [-u] -l PORT, nc [-u] -e PORT\n");
        return EXIT_FAILURE + 1;
    }
    options.host = options.listens ? NULL : argv[optind];
    options.port = argv[argc - 1];
    int fd = open_socket();
    if (fd < 0) {
        return EXIT_FAILURE;
    }
    if (!options.listens) {
        return talk(fd);
    }
    return options.is_udp ? serve_datagrams(fd) : serve_streams(fd);
}
