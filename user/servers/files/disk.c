/*
 * Disks for file systems: see backend.h. One behind a driver (protocol `block`) is reached through
 * a connection and a memory object that the driver copies from and to. A driver that has ended is
 * started again by init: calls that it has not answered are made again with the next one. What it
 * has answered went to the device, which does not end with it.
 */
#include <ftl/clock.h>
#include <ftl/handle.h>
#include <ftl/protocols/block.h>
#include <ftl/server.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"

#define SECTOR_SIZE_MIN 512u
#define SECTOR_SIZE_MAX 65536u
#define TRANSFER_MAX    65536u /* bytes of our part of a transfer, whatever the driver allows */
#define ATTEMPTS        4

/* A driver that has not answered within this time will not. */
#define CALL_TIME INT64_C(20000000000)

struct block_disk {
    struct disk disk;
    size_t index;         /* which of the disks */
    ftl_handle_t channel; /* FTL_HANDLE_INVALID: to be connected again */
    ftl_handle_t memory;
    char *data; /* the memory, TRANSFER_MAX bytes */
    uint32_t transfer_max;
};

static struct block_disk *block_disk_of(struct disk *disk)
{
    return (struct block_disk *)(void *)disk;
}

static ftl_nsec_t deadline(void)
{
    ftl_nsec_t now = 0;
    ftl_clock_get(&now);
    return now + CALL_TIME;
}

/* ---- Connections ---- */

static ftl_status_t connect(struct block_disk *block, struct block_info_reply *info)
{
    struct block_buffer buffer;
    ftl_status_t status =
        ftl_service_connect_device(&block_protocol, block->index, &block->channel);
    if (status != FTL_OK) {
        block->channel = FTL_HANDLE_INVALID;
        return status;
    }
    status = block_info(block->channel, info, &buffer, deadline());
    if (status != FTL_OK) {
        ftl_ipc_drop(&block->channel);
    }
    return status;
}

/* The same again; IO: it is not the disk that it was. */
static ftl_status_t connect_again(struct block_disk *block)
{
    struct block_info_reply info;
    ftl_status_t status = connect(block, &info);
    if (status == FTL_OK &&
        (info.sectors != block->disk.sectors || info.sector_size != block->disk.sector_size ||
         info.transfer_max < block->transfer_max)) {
        ftl_ipc_drop(&block->channel);
        status = FTL_ERR_IO;
    }
    return status;
}

/* ---- Calls ---- */

enum operation { READ, WRITE, FLUSH };

/* A call about sectors that are, or will be, at the start of the memory. */
static ftl_status_t call_once(struct block_disk *block, enum operation operation, uint64_t sector,
                              uint32_t count)
{
    struct block_buffer buffer;
    struct block_read_request read = { .sector = sector, .count = count };
    struct block_write_request write = { .sector = sector, .count = count };
    ftl_rights_t right = operation == READ ? FTL_RIGHT_WRITE : FTL_RIGHT_READ;
    ftl_handle_t lent;
    ftl_status_t status;
    if (operation == FLUSH) {
        status = block_flush(block->channel, &buffer, deadline());
        return status == FTL_ERR_NOT_SUPPORTED ? FTL_OK : status; /* nothing is kept back */
    }
    status = ftl_handle_duplicate(block->memory, right | FTL_RIGHT_TRANSFER, &lent);
    if (status != FTL_OK) {
        return status;
    }
    if (operation == READ) {
        read.memory = lent;
        status = block_read(block->channel, &read, &buffer, deadline());
    } else {
        write.memory = lent;
        status = block_write(block->channel, &write, &buffer, deadline());
    }
    if (status != FTL_OK) {
        ftl_handle_close(lent); /* unless it went with the message */
    }
    return status;
}

/* Whether the driver, rather than the device, is what has failed. */
static bool is_drivers_end(ftl_status_t status)
{
    return status == FTL_ERR_PEER_CLOSED || status == FTL_ERR_TIMED_OUT ||
           status == FTL_ERR_BAD_FORMAT;
}

static ftl_status_t call(struct block_disk *block, enum operation operation, uint64_t sector,
                         uint32_t count)
{
    ftl_status_t status = FTL_ERR_IO;
    for (int i = 0; i < ATTEMPTS; i++) {
        status = block->channel == FTL_HANDLE_INVALID ? connect_again(block) : FTL_OK;
        if (status == FTL_OK) {
            status = call_once(block, operation, sector, count);
        }
        if (!is_drivers_end(status)) {
            break;
        }
        ftl_ipc_drop(&block->channel);
    }
    return status == FTL_OK ? FTL_OK : FTL_ERR_IO;
}

static bool is_inside(const struct disk *disk, uint64_t sector, uint32_t count)
{
    return sector <= disk->sectors && count <= disk->sectors - sector;
}

static uint32_t at_once(const struct block_disk *block, uint32_t count)
{
    uint32_t most = block->transfer_max / block->disk.sector_size;
    return count < most ? count : most;
}

static ftl_status_t read(struct disk *self, uint64_t sector, uint32_t count, void *data)
{
    struct block_disk *block = block_disk_of(self);
    ftl_status_t status = is_inside(self, sector, count) ? FTL_OK : FTL_ERR_IO;
    while (status == FTL_OK && count != 0) {
        uint32_t now = at_once(block, count);
        size_t size = (size_t)now * self->sector_size;
        status = call(block, READ, sector, now);
        if (status == FTL_OK) {
            memcpy(data, block->data, size);
        }
        data = (char *)data + size;
        sector += now;
        count -= now;
    }
    return status;
}

static ftl_status_t write(struct disk *self, uint64_t sector, uint32_t count, const void *data)
{
    struct block_disk *block = block_disk_of(self);
    ftl_status_t status = is_inside(self, sector, count) ? FTL_OK : FTL_ERR_IO;
    while (status == FTL_OK && count != 0) {
        uint32_t now = at_once(block, count);
        size_t size = (size_t)now * self->sector_size;
        memcpy(block->data, data, size);
        status = call(block, WRITE, sector, now);
        data = (const char *)data + size;
        sector += now;
        count -= now;
    }
    return status;
}

static ftl_status_t flush(struct disk *self)
{
    return call(block_disk_of(self), FLUSH, 0, 0);
}

/* ---- Opening ---- */

static void unmap(struct block_disk *block)
{
    ftl_handle_t vmspace;
    if (block->data != NULL && ftl_vmspace_self(&vmspace) == FTL_OK) {
        ftl_vmspace_unmap(vmspace, (uintptr_t)block->data, TRANSFER_MAX);
        ftl_handle_close(vmspace);
    }
}

static void close_disk(struct disk *self)
{
    struct block_disk *block = block_disk_of(self);
    ftl_ipc_drop(&block->channel);
    unmap(block);
    ftl_ipc_drop(&block->memory);
    free(block);
}

/* Makes the memory, all pages of it: later there may be none left. */
static ftl_status_t make_memory(struct block_disk *block)
{
    static const char zero[TRANSFER_MAX];
    uintptr_t address;
    ftl_handle_t vmspace;
    ftl_status_t status = ftl_vmo_create(TRANSFER_MAX, &block->memory);
    if (status != FTL_OK) {
        block->memory = FTL_HANDLE_INVALID;
        return status;
    }
    status = ftl_vmo_write(block->memory, 0, zero, sizeof(zero));
    if (status == FTL_OK) {
        status = ftl_vmspace_self(&vmspace);
    }
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_vmspace_map(vmspace, block->memory, 0, TRANSFER_MAX, FTL_MAP_READ | FTL_MAP_WRITE,
                             0, &address);
    ftl_handle_close(vmspace);
    if (status == FTL_OK) {
        block->data = (char *)address;
    }
    return status;
}

static ftl_status_t check_info(const struct block_info_reply *info)
{
    bool is_power_of_two = (info->sector_size & (info->sector_size - 1)) == 0;
    return is_power_of_two && info->sector_size >= SECTOR_SIZE_MIN &&
                   info->sector_size <= SECTOR_SIZE_MAX && info->transfer_max >= info->sector_size
               ? FTL_OK
               : FTL_ERR_NOT_SUPPORTED;
}

ftl_status_t disk_open(size_t index, struct disk **disk)
{
    static const struct disk_operations operations = {
        .read = read,
        .write = write,
        .flush = flush,
        .close = close_disk,
    };
    struct block_info_reply info;
    struct block_disk *block = calloc(1, sizeof(*block));
    if (block == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    block->index = index;
    ftl_status_t status = connect(block, &info);
    if (status == FTL_OK) {
        status = check_info(&info);
    }
    if (status == FTL_OK) {
        status = make_memory(block);
    }
    if (status != FTL_OK) {
        close_disk(&block->disk);
        return status;
    }
    block->transfer_max = info.transfer_max < TRANSFER_MAX ? info.transfer_max : TRANSFER_MAX;
    block->disk = (struct disk){
        .operations = &operations,
        .sectors = info.sectors,
        .sector_size = info.sector_size,
        .is_read_only = info.read_only,
    };
    *disk = &block->disk;
    return FTL_OK;
}
