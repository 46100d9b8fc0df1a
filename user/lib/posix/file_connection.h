/*
 * Connections to the file server, and the memory through which data passes (<ftl/file_memory.h>).
 * A program has one that it makes when it needs it first; descriptors that its starter gave it come
 * with another. When the server has ended, a connection is dead, and all that is open in it gives
 * EIO; what is opened next makes a new one.
 */
#ifndef POSIX_FILE_CONNECTION_H
#define POSIX_FILE_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <ftl/file_memory.h>
#include <ftl/protocols/file.h>

/* Parts of the memory, so that threads do not wait for each other: some large, many small ones. */
#define FILE_PART_LARGE 65536u /* bytes: the most that one call reads or writes */
#define FILE_PART_SMALL 4096u

/* Members are this module's own, but for `channel`. */
struct file_connection {
    ftl_handle_t channel;
    char *memory;
    uint32_t references;
    uint32_t parts;   /* a bit for each that is in use */
    uint32_t waiters; /* threads that wait for one */
    bool is_dead;
};

/* A part of a connection's memory, for one call. */
struct file_part {
    struct file_connection *connection;
    char *data;
    uint32_t place; /* of `data` in the memory */
    uint32_t size;
    uint32_t bit;
};

/* The program's own connection, made if there is none; a reference to it. 0, or a negative errno:
 * EACCES for programs that may not use files. */
long file_connection_get(struct file_connection **connection);

/* The connection through this channel, which it takes; NULL: no memory, or the server has ended. */
struct file_connection *file_connection_make(ftl_handle_t channel);

/* Makes it the program's own, unless it has one. Takes one reference. */
void file_connection_adopt(struct file_connection *connection);

void file_connection_hold(struct file_connection *connection);
void file_connection_drop(struct file_connection *connection);

/* Whether the server still lives, as far as can be seen without asking it; declares it dead. */
bool file_connection_is_alive(struct file_connection *connection);

/* Takes note of what a call came to: 0, or the negative errno for it. */
long file_connection_error(struct file_connection *connection, ftl_status_t status);

/* A part with room for `size` bytes, or the largest there is; waits for one. */
void file_part_take(struct file_connection *connection, size_t size, struct file_part *part);
void file_part_give(const struct file_part *part);

#endif
