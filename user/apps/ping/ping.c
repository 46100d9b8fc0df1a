/* Sends ICMP echo requests to a host and tells of the answers. Ends with 0 if any came. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DATA_MAX     8000
#define HEADER_SIZE  8
#define NSEC_PER_SEC 1000000000LL
#define USEC_PER_SEC 1000000.0

static struct {
    int family;
    unsigned count;
    double interval;
    double timeout;
    unsigned size;
    bool quiet; /* only the summary */
} options = { .family = AF_UNSPEC, .count = 4, .interval = 1, .timeout = 2, .size = 56 };

/* An echo request or reply, of either family. */
struct packet {
    uint8_t type;
    uint8_t code;
    uint16_t checksum; /* the stack's business */
    uint16_t identifier;
    uint16_t sequence;
    uint8_t data[DATA_MAX];
};

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: ping [-4|-6] [-q] [-c COUNT] [-i SECONDS] [-s BYTES] [-W SECONDS] HOST\n");
    return EXIT_FAILURE + 1;
}

static long send_request(int fd, const struct addrinfo *host, uint16_t sequence)
{
    struct packet packet = { .sequence = htons(sequence) };
    packet.type = host->ai_family == AF_INET6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
    for (unsigned i = 0; i < options.size; i++) {
        packet.data[i] = (uint8_t)i;
    }
    return sendto(fd, &packet, HEADER_SIZE + options.size, 0, host->ai_addr, host->ai_addrlen);
}

static double seconds_since(long long start)
{
    return (double)(now() - start) / (double)NSEC_PER_SEC;
}

/* Waits for the answer to a request; its time in seconds, or -1. */
static double wait_reply(int fd, uint16_t sequence, const char *name)
{
    struct packet packet;
    long long start = now();
    for (;;) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        double left = options.timeout - seconds_since(start);
        if (left <= 0 || poll(&ready, 1, (int)(left * 1000) + 1) <= 0) {
            return -1;
        }
        ssize_t size = recv(fd, &packet, sizeof(packet), 0);
        if (size >= HEADER_SIZE && ntohs(packet.sequence) == sequence) {
            double time = seconds_since(start);
            if (options.quiet) {
                return time;
            }
            printf("%zd bytes from %s: seq=%u time=%.3f ms\n", size, name, sequence, time * 1000);
            return time;
        }
    }
}

static int ping(int fd, const struct addrinfo *host, const char *name)
{
    unsigned received = 0;
    double total = 0;
    for (unsigned i = 1; i <= options.count; i++) {
        if (send_request(fd, host, (uint16_t)i) < 0) {
            perror("ping: send");
            return EXIT_FAILURE;
        }
        double time = wait_reply(fd, (uint16_t)i, name);
        received += time >= 0;
        total += time >= 0 ? time : 0;
        if (i != options.count && options.interval > 0) {
            usleep((useconds_t)(options.interval * USEC_PER_SEC));
        }
    }
    printf("%u sent, %u received", options.count, received);
    if (received != 0) {
        printf(", average %.3f ms", total / received * 1000);
    }
    printf("\n");
    return received != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int parse_options(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "46qc:i:s:W:")) != -1) {
        switch (option) {
        case '4': options.family = AF_INET; break;
        case '6': options.family = AF_INET6; break;
        case 'q': options.quiet = true; break;
        case 'c': options.count = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'i': options.interval = strtod(optarg, NULL); break;
        case 's': options.size = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'W': options.timeout = strtod(optarg, NULL); break;
        default: return 0;
        }
    }
    return optind == argc - 1 && options.size <= DATA_MAX && options.count <= UINT16_MAX;
}

int main(int argc, char **argv)
{
    struct addrinfo *host;
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
    char name[INET6_ADDRSTRLEN];
    if (!parse_options(argc, argv)) {
        return usage();
    }
    hints.ai_family = options.family;
    int error = getaddrinfo(argv[optind], NULL, &hints, &host);
    if (error != 0) {
        fprintf(stderr, "ping: %s: %s\n", argv[optind], gai_strerror(error));
        return EXIT_FAILURE;
    }
    int protocol = host->ai_family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
    int fd = socket(host->ai_family, SOCK_DGRAM, protocol);
    if (fd < 0) {
        perror("ping: socket");
        return EXIT_FAILURE;
    }
    getnameinfo(host->ai_addr, host->ai_addrlen, name, sizeof(name), NULL, 0, NI_NUMERICHOST);
    printf("ping %s (%s): %u bytes of data\n", argv[optind], name, options.size);
    int result = ping(fd, host, name);
    freeaddrinfo(host);
    close(fd);
    return result;
}
