/*
 * The guest's side of scripts/bench net and http, and of the test of throughput. "busy" prints how
 * long the harts have worked until now; under QEMU's -icount that is instructions of everything,
 * the kernel too. "serve PORT" sends datagrams back, and takes streams one after the other: what a
 * client asks for is its first line, "sink", which is answered with how many bytes came behind it,
 * or "source BYTES".
 */
#include <ftl/clock.h>
#include <ftl/environ.h>
#include <ftl/system.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MAX_SIZE 32
#define BACKLOG       8

static char buffer[65536];

/* ---- How much was done ---- */

static int print_busy(void)
{
    ftl_nsec_t busy = 0;
    struct ftl_hart_info info = { .index = 0 };
    ftl_handle_t system = ftl_environ_find(ftl_environ(), "statistics");
    while (ftl_system_hart_info(system, &info) == FTL_OK) {
        ftl_nsec_t now;
        ftl_clock_get(&now);
        busy += info.online != 0 ? now - info.idle_time : 0;
        info.index++;
    }
    printf("busy %" PRId64 "\n", busy);
    return EXIT_SUCCESS;
}

/* ---- Streams ---- */

/* Reads the first line; what has come behind it already is counted in `behind`. False: none. */
static bool read_line(int fd, char line[LINE_MAX_SIZE], size_t *behind)
{
    size_t size = 0;
    while (size < LINE_MAX_SIZE - 1) {
        ssize_t count = read(fd, line + size, LINE_MAX_SIZE - 1 - size);
        if (count <= 0) {
            return false;
        }
        size += (size_t)count;
        line[size] = '\0';
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *behind = size - (size_t)(end + 1 - line);
            *end = '\0';
            return true;
        }
    }
    return false;
}

static void sink(int fd, size_t total)
{
    ssize_t count;
    while ((count = read(fd, buffer, sizeof(buffer))) > 0) {
        total += (size_t)count;
    }
    int size = snprintf(buffer, sizeof(buffer), "%zu\n", total);
    write(fd, buffer, (size_t)size);
}

static void source(int fd, size_t left)
{
    while (left != 0) {
        ssize_t count = write(fd, buffer, left < sizeof(buffer) ? left : sizeof(buffer));
        if (count <= 0) {
            return;
        }
        left -= (size_t)count;
    }
}

static void serve_stream(int fd)
{
    char line[LINE_MAX_SIZE];
    size_t behind;
    static const char source_word[] = "source ";
    if (!read_line(fd, line, &behind)) {
        return;
    }
    if (strcmp(line, "sink") == 0) {
        sink(fd, behind);
    } else if (strncmp(line, source_word, strlen(source_word)) == 0) {
        source(fd, strtoul(line + strlen(source_word), NULL, 10));
    }
}

/* ---- Sockets ---- */

static void echo_datagram(int fd)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    ssize_t count = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&peer, &size);
    if (count >= 0) {
        sendto(fd, buffer, (size_t)count, 0, (const struct sockaddr *)&peer, size);
    }
}

/* A socket bound to the port, with all addresses; -1 after a message. */
static int open_socket(int type, uint16_t port)
{
    int one = 1;
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    int fd = socket(AF_INET6, type, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) != 0)) {
        perror("netbench: socket");
        return -1;
    }
    return fd;
}

static int serve(uint16_t port)
{
    struct pollfd fds[] = {
        { .fd = open_socket(SOCK_DGRAM, port), .events = POLLIN },
        { .fd = open_socket(SOCK_STREAM, port), .events = POLLIN },
    };
    if (fds[0].fd < 0 || fds[1].fd < 0) {
        return EXIT_FAILURE;
    }
    printf("serving\n");
    fflush(stdout);
    while (poll(fds, 2, -1) > 0) {
        if (fds[0].revents != 0) {
            echo_datagram(fds[0].fd);
        }
        if (fds[1].revents != 0) {
            int peer = accept(fds[1].fd, NULL, NULL);
            if (peer >= 0) {
                serve_stream(peer);
                close(peer);
            }
        }
    }
    perror("netbench: poll");
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "busy") == 0) {
        return print_busy();
    }
    if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        return serve((uint16_t)strtoul(argv[2], NULL, 10));
    }
    fprintf(stderr, "usage: netbench busy, netbench serve PORT\n");
    return EXIT_FAILURE + 1;
}
