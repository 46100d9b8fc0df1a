/*
 * What calls to the file server cost in instructions, a line "metric number" each: see filetest.h.
 * Exact under QEMU's -icount with one hart.
 */
#include <ftl/clock.h>
#include <stdio.h>
#include <string.h>

#include "filetest.h"

#define ROUNDS  200u
#define BLOCK   4096u
#define ENTRIES 100u
#define PATH    128u

static struct client client;

static uint64_t instructions(void)
{
    uint64_t count = 0;
    ftl_clock_instructions(&count);
    return count;
}

/* What one of the rounds of an operation takes; the first is not counted. */
static void measure(const char *metric,
                    ftl_status_t (*operation)(const char *path, uint32_t file, uint32_t round),
                    const char *path, uint32_t file)
{
    uint64_t start = 0;
    for (uint32_t i = 0; i <= ROUNDS; i++) {
        if (i == 1) {
            start = instructions();
        }
        require(operation(path, file, i), FTL_OK, metric);
    }
    printf("%s %llu\n", metric, (unsigned long long)((instructions() - start) / ROUNDS));
    fflush(stdout);
}

static ftl_status_t read_same(const char *path, uint32_t file, uint32_t round)
{
    struct file_read_request request = { .file = file, .size = BLOCK };
    struct file_read_reply reply;
    (void)path;
    (void)round;
    return file_read(client.channel, &request, &reply, &client.buffer, FTL_TIME_INFINITE);
}

static ftl_status_t read_next(const char *path, uint32_t file, uint32_t round)
{
    struct file_read_request request = { .file = file,
                                         .size = BLOCK,
                                         .offset = (int64_t)round * BLOCK };
    struct file_read_reply reply;
    (void)path;
    return file_read(client.channel, &request, &reply, &client.buffer, FTL_TIME_INFINITE);
}

static ftl_status_t write_same(const char *path, uint32_t file, uint32_t round)
{
    struct file_write_request request = { .file = file, .size = BLOCK };
    struct file_write_reply reply;
    (void)path;
    (void)round;
    return file_write(client.channel, &request, &reply, &client.buffer, FTL_TIME_INFINITE);
}

static ftl_status_t write_next(const char *path, uint32_t file, uint32_t round)
{
    struct file_write_request request = { .file = file,
                                          .size = BLOCK,
                                          .offset = (int64_t)round * BLOCK };
    struct file_write_reply reply;
    (void)path;
    return file_write(client.channel, &request, &reply, &client.buffer, FTL_TIME_INFINITE);
}

static ftl_status_t write_and_sync(const char *path, uint32_t file, uint32_t round)
{
    ftl_status_t status = write_same(path, file, round);
    return status == FTL_OK ? client_sync(&client, file) : status;
}

static ftl_status_t seek(const char *path, uint32_t file, uint32_t round)
{
    struct file_seek_request request = { .file = file, .offset = round };
    struct file_seek_reply reply;
    (void)path;
    return file_seek(client.channel, &request, &reply, &client.buffer, FTL_TIME_INFINITE);
}

static ftl_status_t open_and_close(const char *path, uint32_t file, uint32_t round)
{
    (void)round;
    ftl_status_t status = client_open_file(&client, 0, path, FILE_ACCESS_READ, &file);
    return status == FTL_OK ? client_close_file(&client, file) : status;
}

static ftl_status_t look_up(const char *path, uint32_t file, uint32_t round)
{
    struct file_attributes attributes;
    (void)file;
    (void)round;
    return client_look_up(&client, 0, path, true, &attributes);
}

static ftl_status_t attributes(const char *path, uint32_t file, uint32_t round)
{
    struct file_attributes known;
    (void)path;
    (void)round;
    return client_attributes(&client, file, &known);
}

static ftl_status_t create_and_remove(const char *path, uint32_t file, uint32_t round)
{
    (void)round;
    ftl_status_t status =
        client_open_file(&client, 0, path, FILE_ACCESS_WRITE | FILE_ACCESS_CREATE, &file);
    if (status == FTL_OK) {
        status = client_close_file(&client, file);
    }
    return status == FTL_OK ? client_remove(&client, path, false) : status;
}

/* Per entry of a directory with some. */
static void measure_list(const char *directory)
{
    char path[PATH];
    uint32_t file;
    uint32_t used;
    uint64_t cursor = 0;
    require(client_make_directory(&client, directory), FTL_OK, "make a directory");
    for (uint32_t i = 0; i < ENTRIES; i++) {
        snprintf(path, sizeof(path), "%s/entry%u", directory, (unsigned)i);
        require(client_open_file(&client, 0, path, FILE_ACCESS_WRITE | FILE_ACCESS_CREATE, &file),
                FTL_OK, "create");
        require(client_close_file(&client, file), FTL_OK, "close");
    }
    require(client_open_file(&client, 0, directory, FILE_ACCESS_READ, &file), FTL_OK, "open");
    require(client_list(&client, file, SIZE_MAX_AT_ONCE, &cursor, &used), FTL_OK, "list");
    cursor = 0;
    uint64_t start = instructions();
    require(client_list(&client, file, SIZE_MAX_AT_ONCE, &cursor, &used), FTL_OK, "list");
    printf("entry %llu\n", (unsigned long long)((instructions() - start) / (ENTRIES + 2)));
    require(client_close_file(&client, file), FTL_OK, "close");
    for (uint32_t i = 0; i < ENTRIES; i++) {
        snprintf(path, sizeof(path), "%s/entry%u", directory, (unsigned)i);
        require(client_remove(&client, path, false), FTL_OK, "remove");
    }
    require(client_remove(&client, directory, true), FTL_OK, "remove");
}

/* Of files that are only read: those of the archive. */
static void measure_reading(const char *path)
{
    uint32_t file;
    require(client_open_file(&client, 0, path, FILE_ACCESS_READ, &file), FTL_OK, "open");
    measure("archive.read_4k", read_same, path, file);
    measure("archive.open_close", open_and_close, path, file);
    measure("archive.look_up", look_up, path, file);
    measure("archive.attributes", attributes, path, file);
    measure("archive.seek", seek, path, file);
    require(client_close_file(&client, file), FTL_OK, "close");
}

void cost(const char *directory)
{
    char path[PATH];
    uint32_t file;
    require(client_open(&client), FTL_OK, "connect");
    measure_reading("/boot/bin/shell.user");
    if (directory == NULL) {
        return;
    }
    snprintf(path, sizeof(path), "%s/cost", directory);
    require(client_open_file(&client, 0, path,
                             FILE_ACCESS_READ | FILE_ACCESS_WRITE | FILE_ACCESS_CREATE |
                                 FILE_ACCESS_TRUNCATE,
                             &file),
            FTL_OK, "create");
    measure("write_4k_new", write_next, path, file);
    measure("write_4k_cached", write_same, path, file);
    measure("read_4k_cached", read_same, path, file);
    measure("read_4k_next", read_next, path, file);
    measure("write_4k_sync", write_and_sync, path, file);
    measure("open_close", open_and_close, path, file);
    measure("look_up", look_up, path, file);
    measure("attributes", attributes, path, file);
    measure("seek", seek, path, file);
    require(client_close_file(&client, file), FTL_OK, "close");
    require(client_remove(&client, path, false), FTL_OK, "remove");
    measure("create_remove", create_and_remove, path, 0);
    measure_list(path);
    client_close(&client);
}
