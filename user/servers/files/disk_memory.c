/*
 * A disk in memory: see backend.h. Memory is taken as sectors are written, by calls that can fail,
 * so that a lack of it is an error of the file system and not the server's end.
 */
#include <ftl/handle.h>
#include <ftl/vmo.h>
#include <stdlib.h>

#include "backend.h"

#define SECTOR_SIZE 512u

struct memory_disk {
    struct disk disk;
    ftl_handle_t memory;
};

static struct memory_disk *memory_disk_of(struct disk *disk)
{
    return (struct memory_disk *)(void *)disk;
}

static ftl_status_t read(struct disk *self, uint64_t sector, uint32_t count, void *data)
{
    return ftl_vmo_read(memory_disk_of(self)->memory, sector * SECTOR_SIZE, data,
                        (size_t)count * SECTOR_SIZE);
}

static ftl_status_t write(struct disk *self, uint64_t sector, uint32_t count, const void *data)
{
    ftl_status_t status = ftl_vmo_write(memory_disk_of(self)->memory, sector * SECTOR_SIZE, data,
                                        (size_t)count * SECTOR_SIZE);
    return status == FTL_ERR_LIMIT || status == FTL_ERR_NO_MEMORY ? FTL_ERR_NO_SPACE : status;
}

static ftl_status_t flush(struct disk *self)
{
    (void)self;
    return FTL_OK;
}

static void close_disk(struct disk *self)
{
    ftl_handle_close(memory_disk_of(self)->memory);
    free(self);
}

ftl_status_t disk_in_memory(uint64_t size, struct disk **disk)
{
    static const struct disk_operations operations = {
        .read = read,
        .write = write,
        .flush = flush,
        .close = close_disk,
    };
    struct memory_disk *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    ftl_status_t status = ftl_vmo_create(size, &made->memory);
    if (status != FTL_OK) {
        free(made);
        return status;
    }
    made->disk = (struct disk){
        .operations = &operations,
        .sectors = size / SECTOR_SIZE,
        .sector_size = SECTOR_SIZE,
    };
    *disk = &made->disk;
    return FTL_OK;
}
