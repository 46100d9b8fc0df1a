/*
 * Gets a page by HTTP/1.0 and prints it, or with -q how long it is and how long that took. -n gets
 * it several times, one after the other.
 */
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SCHEME      "http://"
#define HOST_MAX    256
#define HEAD_MAX    8192
#define BUFFER_SIZE 32768

static struct {
    bool is_quiet;
    unsigned long times;
    char host[HOST_MAX];
    char port[8];
    const char *path;
} options = { .times = 1, .port = "80" };

static bool parse_url(const char *url)
{
    if (strncmp(url, SCHEME, strlen(SCHEME)) != 0) {
        return false;
    }
    url += strlen(SCHEME);
    size_t length = strcspn(url, ":/");
    if (length == 0 || length >= sizeof(options.host)) {
        return false;
    }
    memcpy(options.host, url, length);
    url += length;
    if (*url == ':') {
        url++;
        length = strcspn(url, "/");
        if (length == 0 || length >= sizeof(options.port)) {
            return false;
        }
        memcpy(options.port, url, length);
        options.port[length] = '\0';
        url += length;
    }
    options.path = *url != '\0' ? url : "/";
    return true;
}

static int connect_to_host(void)
{
    struct addrinfo *found;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    int error = getaddrinfo(options.host, options.port, &hints, &found);
    if (error != 0) {
        fprintf(stderr, "wget: %s: %s\n", options.host, gai_strerror(error));
        return -1;
    }
    int fd = -1;
    for (const struct addrinfo *each = found; each != NULL && fd < 0; each = each->ai_next) {
        fd = socket(each->ai_family, SOCK_STREAM, 0);
        if (fd >= 0 && connect(fd, each->ai_addr, each->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    if (fd < 0) {
        perror("wget: connect");
    }
    freeaddrinfo(found);
    return fd;
}

/* Reads up to the end of the headers; returns how much of the buffer is filled, 0 after an error.
 * *body is where the rest begins. */
static size_t read_head(int fd, char *buffer, size_t size, size_t *body)
{
    size_t filled = 0;
    while (filled < size - 1) {
        ssize_t count = read(fd, buffer + filled, size - 1 - filled);
        if (count <= 0) {
            return 0;
        }
        filled += (size_t)count;
        buffer[filled] = '\0';
        const char *end = strstr(buffer, "\r\n\r\n");
        if (end != NULL) {
            *body = (size_t)(end - buffer) + 4;
            return filled;
        }
    }
    return 0;
}

static int status_of(const char *head)
{
    const char *blank = strchr(head, ' ');
    return blank != NULL ? (int)strtol(blank, NULL, 10) : 0;
}

/* The rest of the answer; returns how long it is. */
static size_t read_body(int fd, char *buffer, size_t size, size_t filled)
{
    size_t total = 0;
    ssize_t count = (ssize_t)filled;
    do {
        if (!options.is_quiet) {
            fwrite(buffer, 1, (size_t)count, stdout);
        }
        total += (size_t)count;
        count = read(fd, buffer, size);
    } while (count > 0);
    return total;
}

/* Gets it once; the answer's status, 0 after a message. */
static int get(size_t *size)
{
    static char buffer[BUFFER_SIZE];
    char request[HEAD_MAX];
    size_t body;
    int fd = connect_to_host();
    if (fd < 0) {
        return 0;
    }
    int length = snprintf(request, sizeof(request),
                          "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: ftl-wget\r\n\r\n",
                          options.path, options.host);
    if (length >= (int)sizeof(request) || write(fd, request, (size_t)length) != length) {
        perror("wget: write");
        close(fd);
        return 0;
    }
    size_t filled = read_head(fd, buffer, sizeof(buffer), &body);
    if (filled == 0) {
        fprintf(stderr, "wget: no proper answer\n");
        close(fd);
        return 0;
    }
    int status = status_of(buffer);
    memmove(buffer, buffer + body, filled - body);
    *size = read_body(fd, buffer, sizeof(buffer), filled - body);
    close(fd);
    return status;
}

int main(int argc, char **argv)
{
    struct timespec start;
    struct timespec end;
    size_t size = 0;
    int option;
    while ((option = getopt(argc, argv, "qn:")) != -1) {
        switch (option) {
        case 'q': options.is_quiet = true; break;
        case 'n': options.times = strtoul(optarg, NULL, 10); break;
        default: optind = argc; break;
        }
    }
    if (optind + 1 != argc || !parse_url(argv[optind])) {
        fprintf(stderr, "usage: wget [-q] [-n TIMES] http://HOST[:PORT]/PATH\n");
        return EXIT_FAILURE + 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (unsigned long i = 0; i < options.times; i++) {
        int status = get(&size);
        if (status < 200 || status >= 300) {
            fprintf(stderr, "wget: status %d\n", status);
            return EXIT_FAILURE;
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (options.is_quiet) {
        double seconds = (double)(end.tv_sec - start.tv_sec) +
                         (double)(end.tv_nsec - start.tv_nsec) / 1000000000.0;
        printf("%lu times %zu bytes in %.3f s\n", options.times, size, seconds);
    }
    return EXIT_SUCCESS;
}
