/*
 * Work that goes on when the file server, or the driver of its disk, ends: see filetest.h. Every
 * round writes a file, brings it to the disk and reads it again. What a sync has acknowledged must
 * be there in a later connection.
 */
#include <ftl/handle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filetest.h"

#define SIZE 20000u
#define PATH 128u

static struct client client;
static unsigned char data[SIZE];

static unsigned char pattern(unsigned round, uint32_t at)
{
    return (unsigned char)(round * 31 + at * 7 + at / 256);
}

/* Reads the file, which holds what a round before has written and brought to the disk. */
static ftl_status_t verify(const char *path, unsigned round)
{
    uint32_t file;
    uint32_t size = SIZE;
    ftl_status_t status = client_open_file(&client, 0, path, FILE_ACCESS_READ, &file);
    require_that(status != FTL_ERR_NOT_FOUND, "a file that was synced is not there");
    if (status == FTL_OK) {
        status = client_read(&client, file, data, &size, 0);
    }
    if (status != FTL_OK) {
        return status;
    }
    require_that(size == SIZE, "a file that was synced is shorter");
    for (uint32_t i = 0; i < SIZE; i++) {
        require_that(data[i] == pattern(round, i), "a file that was synced holds other data");
    }
    return client_close_file(&client, file);
}

static ftl_status_t write_file(const char *path, unsigned round)
{
    uint32_t file;
    uint32_t size = SIZE;
    for (uint32_t i = 0; i < SIZE; i++) {
        data[i] = pattern(round, i);
    }
    ftl_status_t status = client_open_file(
        &client, 0, path, FILE_ACCESS_WRITE | FILE_ACCESS_CREATE | FILE_ACCESS_TRUNCATE, &file);
    if (status == FTL_OK) {
        status = client_write(&client, file, data, &size, 0);
    }
    if (status == FTL_OK) {
        status = client_sync(&client, file);
    }
    if (status == FTL_OK) {
        status = client_close_file(&client, file);
    }
    return status;
}

/* Two files take turns, so that one of them is always whole. */
static ftl_status_t work(const char *directory, unsigned round)
{
    char path[PATH];
    snprintf(path, sizeof(path), "%s/load%u", directory, round % 2);
    ftl_status_t status = write_file(path, round);
    if (status == FTL_OK) {
        status = verify(path, round);
    }
    return status;
}

void load(const char *directory, unsigned rounds)
{
    char path[PATH];
    unsigned done = 0; /* rounds whose file is on the disk */
    require(client_open(&client), FTL_OK, "connect");
    while (rounds == 0 || done < rounds) {
        ftl_status_t status = work(directory, done);
        if (status == FTL_OK) {
            if (done++ == 0) {
                printf("working\n");
                fflush(stdout);
            }
            continue;
        }
        require(status, FTL_ERR_PEER_CLOSED, "work");
        client_close(&client);
        do { /* one that has just ended may still be found */
            status = client_open(&client);
        } while (status == FTL_ERR_PEER_CLOSED);
        require(status, FTL_OK, "connect again");
        if (done != 0) { /* the one before was acknowledged */
            snprintf(path, sizeof(path), "%s/load%u", directory, (done - 1) % 2);
            status = verify(path, done - 1);
            require_that(status == FTL_OK || status == FTL_ERR_PEER_CLOSED, "what was synced");
        }
        printf("went on\n");
        fflush(stdout);
    }
    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/load%u", directory, i);
        client_remove(&client, path, false);
    }
    client_close(&client);
    printf("done\n");
}
