/*
 * Two files for the C library's resolver: /etc/resolv.conf, the name servers that the network has
 * told the TCP/IP stack of, and /etc/hosts, the names of this machine itself, which no server is
 * asked for (RFC 6761, 6.3). Part of all programs with sockets, and of no others.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "posix.h"
#include "socket.h"

#define TEXT_MAX 512

/* The file, opened. */
struct text {
    struct description description;
    size_t size;
    size_t read;
    char bytes[TEXT_MAX];
};

static long read_text(struct description *self, const struct iovec *parts, int count)
{
    struct text *text = (struct text *)(void *)self;
    long total = 0;
    for (int i = 0; i < count; i++) {
        size_t left = text->size - text->read;
        size_t size = parts[i].iov_len < left ? parts[i].iov_len : left;
        memcpy(parts[i].iov_base, text->bytes + text->read, size);
        text->read += size;
        total += (long)size;
    }
    return total;
}

static void close_text(struct description *self)
{
    free(self);
}

static const struct description_operations text_operations = {
    .read = read_text,
    .close = close_text,
};

/* A line for each server. */
static void write_servers(struct text *text, const struct socket_resolvers_reply *reply)
{
    for (uint32_t i = 0; i < reply->servers_count; i++) {
        char name[INET6_ADDRSTRLEN];
        int family = reply->servers[i].family == SOCKET_FAMILY_IPV6 ? AF_INET6 : AF_INET;
        inet_ntop(family, reply->servers[i].bytes, name, sizeof(name));
        text->size += (size_t)snprintf(text->bytes + text->size, sizeof(text->bytes) - text->size,
                                       "nameserver %s\n", name);
    }
}

static ftl_status_t write_resolvers(struct text *text)
{
    struct socket_buffer buffer;
    struct socket_resolvers_reply reply;
    struct socket_connection *connection;
    ftl_status_t status = socket_connection_get(&connection);
    if (status != FTL_OK) {
        return status;
    }
    status = socket_resolvers(connection->channel, &reply, &buffer, FTL_TIME_INFINITE);
    if (status == FTL_OK) {
        write_servers(text, &reply);
    }
    socket_connection_release(connection);
    return status;
}

static ftl_status_t write_hosts(struct text *text)
{
    text->size =
        (size_t)snprintf(text->bytes, sizeof(text->bytes), "127.0.0.1 localhost\n::1 localhost\n");
    return FTL_OK;
}

static const struct {
    const char *path;
    ftl_status_t (*write)(struct text *text);
} files[] = {
    { "/etc/resolv.conf", write_resolvers },
    { "/etc/hosts", write_hosts },
};

static long open_file(const char *path, int flags)
{
    size_t file = 0;
    while (file < sizeof(files) / sizeof(files[0]) && strcmp(path, files[file].path) != 0) {
        file++;
    }
    if (file == sizeof(files) / sizeof(files[0])) {
        return -ENOENT;
    }
    if ((flags & O_ACCMODE) != O_RDONLY) {
        return -EACCES;
    }
    struct text *text = calloc(1, sizeof(*text));
    if (text == NULL) {
        return -ENOMEM;
    }
    text->description.operations = &text_operations;
    text->description.references = 1;
    long fd = files[file].write(text) == FTL_OK
                  ? descriptor_install(&text->description, (flags & O_CLOEXEC) != 0)
                  : -ENOENT;
    if (fd < 0) {
        description_drop(&text->description);
    }
    return fd;
}

__attribute__((constructor)) static void provide_files(void)
{
    posix_open_file = open_file;
}

void socket_use_resolver(void)
{
}
