/*
 * filetest, a client of the file server by its protocol: connections (client.c), whether all calls
 * do what the protocol says (check.c), what a client does that means harm (hostile.c), work that
 * goes on whatever ends (load.c), and what calls cost (cost.c).
 */
#ifndef FILETEST_H
#define FILETEST_H

#include <ftl/file_memory.h>
#include <ftl/protocols/file.h>
#include <ftl/server.h>

#define SIZE_MAX_AT_ONCE (FTL_FILE_MEMORY_SIZE / 2)

/* A connection to the file server. */
struct client {
    ftl_handle_t channel;
    ftl_handle_t vmo;
    char *memory; /* FTL_FILE_MEMORY_SIZE bytes */
    struct file_buffer buffer;
};

/* Ends the program, telling what has gone wrong, unless the status is the expected one. */
void require(ftl_status_t status, ftl_status_t expected, const char *what);
void require_that(bool condition, const char *what);

/* Connects, and gives the server the memory. An error of the connection. */
ftl_status_t client_open(struct client *client);
void client_close(struct client *client);

/* A client at the other end of a channel. */
void client_attach(struct client *client, ftl_handle_t channel);

/* Calls, with data at the start of the memory where there is any. */
ftl_status_t client_open_file(struct client *client, uint32_t base, const char *path,
                              uint32_t access, uint32_t *file);
ftl_status_t client_close_file(struct client *client, uint32_t file);
ftl_status_t client_read(struct client *client, uint32_t file, void *data, uint32_t *size,
                         int64_t offset);
ftl_status_t client_write(struct client *client, uint32_t file, const void *data, uint32_t *size,
                          int64_t offset);
ftl_status_t client_look_up(struct client *client, uint32_t base, const char *path, bool follow,
                            struct file_attributes *attributes);
ftl_status_t client_attributes(struct client *client, uint32_t file,
                               struct file_attributes *attributes);
ftl_status_t client_make_directory(struct client *client, const char *path);
ftl_status_t client_remove(struct client *client, const char *path, bool directory);
ftl_status_t client_rename(struct client *client, const char *from, const char *to);
ftl_status_t client_sync(struct client *client, uint32_t file);
ftl_status_t client_list(struct client *client, uint32_t file, uint32_t size, uint64_t *cursor,
                         uint32_t *used);

/* The commands; each ends the program if it fails. */
void check(const char *directory);
void hostile(void);
void load(const char *directory, unsigned rounds);
void cost(const char *directory);

#endif
