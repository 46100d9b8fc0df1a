/*
 * disktest info|check|read SECTOR|stay [DISK]: a client of a disk, the first or the one of this
 * number. `check` overwrites it, reads it back, and tries what cannot be; `stay` reads again and
 * again, also from a driver that was started anew.
 */
#include <ftl/handle.h>
#include <ftl/protocols/block.h>
#include <ftl/server.h>
#include <ftl/vmo.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTORS_MAX 128u /* of one transfer */
#define BYTES       65536u

static struct block_info_reply info;
static ftl_handle_t disk;
static ftl_handle_t memory;
static uint32_t words[BYTES / 4];
static size_t number;

static void require(ftl_status_t status, ftl_status_t expected, const char *what)
{
    if (status != expected) {
        printf("disktest: %s: %s\n", what, ftl_strerror(status));
        exit(EXIT_FAILURE);
    }
}

static void connect_disk(void)
{
    struct block_buffer buffer;
    require(ftl_service_connect_device(&block_protocol, number, &disk), FTL_OK, "connect");
    require(block_info(disk, &info, &buffer, FTL_TIME_INFINITE), FTL_OK, "info");
}

/* A handle of our memory for one call, which takes it. */
static ftl_handle_t lend(ftl_rights_t rights)
{
    ftl_handle_t copy;
    require(ftl_handle_duplicate(memory, rights | FTL_RIGHT_TRANSFER, &copy), FTL_OK, "duplicate");
    return copy;
}

static ftl_status_t read_disk(uint64_t sector, uint32_t count, uint64_t offset)
{
    struct block_buffer buffer;
    struct block_read_request request = { sector, count, lend(FTL_RIGHT_WRITE), offset };
    return block_read(disk, &request, &buffer, FTL_TIME_INFINITE);
}

static ftl_status_t write_disk(uint64_t sector, uint32_t count, uint64_t offset)
{
    struct block_buffer buffer;
    struct block_write_request request = { sector, count, lend(FTL_RIGHT_READ), offset };
    return block_write(disk, &request, &buffer, FTL_TIME_INFINITE);
}

/* What the word at this place of the disk is to be. */
static uint32_t pattern(uint64_t sector, size_t word)
{
    return (uint32_t)(sector * UINT32_C(2654435761) + word * 40503 + 1);
}

static void write_all(uint32_t step)
{
    for (uint64_t sector = 0; sector + step <= info.sectors; sector += step) {
        for (size_t i = 0; i < step * info.sector_size / 4; i++) {
            words[i] = pattern(sector, i);
        }
        require(ftl_vmo_write(memory, 0, words, (size_t)step * info.sector_size), FTL_OK, "fill");
        require(write_disk(sector, step, 0), FTL_OK, "write");
    }
}

static void read_all(uint32_t step)
{
    for (uint64_t sector = 0; sector + step <= info.sectors; sector += step) {
        memset(words, 0, sizeof(words));
        require(read_disk(sector, step, 0), FTL_OK, "read");
        require(ftl_vmo_read(memory, 0, words, (size_t)step * info.sector_size), FTL_OK, "look");
        for (size_t i = 0; i < step * info.sector_size / 4; i++) {
            if (words[i] != pattern(sector, i)) {
                printf("disktest: sector %" PRIu64 ", word %zu is wrong\n", sector, i);
                exit(EXIT_FAILURE);
            }
        }
    }
}

static void try_what_cannot_be(void)
{
    require(read_disk(info.sectors, 1, 0), FTL_ERR_OUT_OF_RANGE, "read beyond the end");
    require(read_disk(UINT64_MAX, 2, 0), FTL_ERR_OUT_OF_RANGE, "read far beyond the end");
    require(read_disk(info.sectors - 1, 2, 0), FTL_ERR_OUT_OF_RANGE, "read over the end");
    require(read_disk(0, 0, 0), FTL_ERR_INVALID_ARGUMENT, "read nothing");
    require(read_disk(0, SECTORS_MAX + 1, 0), FTL_ERR_INVALID_ARGUMENT, "read too much");
    require(read_disk(0, 1, BYTES), FTL_ERR_OUT_OF_RANGE, "read to behind the memory");
    require(write_disk(0, 1, BYTES - 1), FTL_ERR_OUT_OF_RANGE, "write from behind the memory");
    require(write_disk(0, 1, UINT64_MAX), FTL_ERR_OUT_OF_RANGE, "write from far behind it");
}

static void check(void)
{
    struct block_buffer buffer;
    if (info.read_only) {
        require(write_disk(0, 1, 0), FTL_ERR_MISSING_RIGHT, "write to a read-only disk");
        printf("read-only\n");
        return;
    }
    write_all(SECTORS_MAX);
    require(block_flush(disk, &buffer, FTL_TIME_INFINITE), FTL_OK, "flush");
    read_all(SECTORS_MAX);
    try_what_cannot_be();
    read_all(SECTORS_MAX);
    printf("all as it should be\n");
}

static void print_sector(uint64_t sector)
{
    require(read_disk(sector, 1, 0), FTL_OK, "read");
    require(ftl_vmo_read(memory, 0, words, info.sector_size), FTL_OK, "look");
    printf("%.32s\n", (const char *)words);
}

static _Noreturn void stay(void)
{
    for (;;) {
        ftl_status_t status;
        connect_disk();
        require(read_disk(0, SECTORS_MAX, 0), FTL_OK, "read");
        printf("reading\n");
        fflush(stdout);
        while ((status = read_disk(0, SECTORS_MAX, 0)) == FTL_OK) {
        }
        require(status, FTL_ERR_PEER_CLOSED, "read on");
        ftl_handle_close(disk);
        printf("the driver has ended\n");
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    number = argc > 2 ? strtoul(argv[argc - 1], NULL, 10) : 0;
    require(ftl_vmo_create(BYTES, &memory), FTL_OK, "memory");
    if (strcmp(what, "stay") == 0) {
        stay();
    }
    if (strcmp(what, "read") == 0 && argc == 4) {
        connect_disk();
        print_sector(strtoull(argv[2], NULL, 10));
        return EXIT_SUCCESS;
    }
    connect_disk();
    if (strcmp(what, "info") == 0) {
        printf("%" PRIu64 " sectors of %" PRIu32 " bytes%s\n", info.sectors, info.sector_size,
               info.read_only ? ", read-only" : "");
    } else if (strcmp(what, "check") == 0) {
        check();
    } else {
        fprintf(stderr, "usage: disktest info|check|stay [DISK], disktest read SECTOR DISK\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
