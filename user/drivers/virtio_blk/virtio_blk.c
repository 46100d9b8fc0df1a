/*
 * Driver of virtio disks (Virtual I/O Device Version 1.2, 5.2): serves the protocol `block`. A call
 * becomes a request, which waits until one of the slots is free: a header and a status in the
 * driver's own memory, and a buffer that data is copied through. The device never accesses memory
 * of a client, so nothing depends on what becomes of that one, or of this driver.
 */
#include <ftl/protocols/block.h>
#include <ftl/vmo.h>
#include <stdlib.h>
#include <string.h>

#include "../virtio/calls.h"
#include "../virtio/driver.h"

/* Features (5.2.3). */
#define FEATURE_READ_ONLY (UINT64_C(1) << 5)
#define FEATURE_FLUSH     (UINT64_C(1) << 9)

#define CONFIG_CAPACITY 0 /* (5.2.4) in sectors */
#define CAPACITY_SIZE   8

#define QUEUE_ENTRIES 64u
#define SECTOR_SIZE   512u
#define SLOTS         8u
#define TRANSFER_MAX  65536u /* bytes of a slot's buffer */
#define PIECES_MAX    3u     /* header, data, status */

/* Requests (5.2.6). */
enum request_type { TYPE_READ = 0, TYPE_WRITE = 1, TYPE_FLUSH = 4 };
enum request_status { STATUS_OK = 0, STATUS_IO_ERROR = 1, STATUS_UNSUPPORTED = 2 };

struct request_header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
};

/* What the device has of a slot besides its buffer. */
struct slot_memory {
    struct request_header header;
    volatile uint8_t status;
    uint8_t unused[15]; /* to the next one */
};

/* A call that was not answered yet. */
struct request {
    struct virtio_call call; /* first */
    enum request_type type;
    uint64_t sector;
    uint32_t size;       /* bytes of data */
    ftl_handle_t memory; /* the client's; FTL_HANDLE_INVALID for a flush */
    uint64_t offset;     /* in it */
    uint32_t slot;       /* once it has one */
};

static struct {
    struct virtio_driver driver;
    struct virtio_queue queue;
    struct slot_memory *slots;
    uint64_t slots_address;
    const struct ftl_device_memory *buffers;
    struct request *taken[SLOTS]; /* the request that has the slot */
    struct virtio_calls waiting;  /* requests that wait for one */
    uint64_t sectors;
} disk;

/* ---- Answers ---- */

static uint16_t call_of(enum request_type type)
{
    switch (type) {
    case TYPE_READ: return BLOCK_READ;
    case TYPE_WRITE: return BLOCK_WRITE;
    default: return BLOCK_FLUSH;
    }
}

/* Tells the client, if it is still there, and forgets the request. */
static void finish(struct request *request, ftl_status_t status)
{
    struct block_buffer buffer;
    if (request->call.client != NULL) {
        ftl_handle_t channel = request->call.client->source.handle;
        if (status != FTL_OK) {
            ftl_ipc_refuse(channel, request->call.transaction, &block_protocol,
                           call_of(request->type), status);
        } else if (request->type == TYPE_READ) {
            block_read_answer(channel, request->call.transaction, &buffer);
        } else if (request->type == TYPE_WRITE) {
            block_write_answer(channel, request->call.transaction, &buffer);
        } else {
            block_flush_answer(channel, request->call.transaction, &buffer);
        }
    }
    ftl_ipc_drop(&request->memory);
    free(request);
}

/* ---- To the device ---- */

/* Gives the request, which has its slot and whose data lies in the buffer, to the device. */
static void submit(struct request *request)
{
    uint32_t slot = request->slot;
    uint64_t memory = disk.slots_address + slot * sizeof(struct slot_memory);
    struct virtio_piece pieces[PIECES_MAX];
    size_t count = 0;
    disk.slots[slot].header = (struct request_header){ request->type, 0, request->sector };
    disk.slots[slot].status = STATUS_IO_ERROR;
    pieces[count++] = (struct virtio_piece){ memory, sizeof(struct request_header), false };
    if (request->size != 0) {
        pieces[count++] = (struct virtio_piece){
            disk.buffers->address + (uint64_t)slot * TRANSFER_MAX,
            request->size,
            request->type == TYPE_READ,
        };
    }
    pieces[count++] =
        (struct virtio_piece){ memory + offsetof(struct slot_memory, status), 1, true };
    virtio_queue_add(&disk.queue, pieces, count, request); /* slots are fewer than entries */
}

static char *buffer_of(const struct request *request)
{
    return disk.buffers->data + (size_t)request->slot * TRANSFER_MAX;
}

/* Starts requests that wait, while there are slots. */
static void start_waiting(void)
{
    uint16_t before = disk.queue.available_index;
    for (uint32_t slot = 0; slot < SLOTS && disk.waiting.first != NULL; slot++) {
        ftl_status_t status = FTL_OK;
        if (disk.taken[slot] != NULL) {
            continue;
        }
        struct request *request = (struct request *)(void *)virtio_calls_take(&disk.waiting);
        request->slot = slot;
        if (request->type == TYPE_WRITE) {
            status =
                ftl_vmo_read(request->memory, request->offset, buffer_of(request), request->size);
        }
        if (status != FTL_OK) {
            finish(request, status);
            continue;
        }
        disk.taken[slot] = request;
        submit(request);
    }
    if (disk.queue.available_index != before) {
        virtio_queue_notify(&disk.queue);
    }
}

/* ---- From the device ---- */

static ftl_status_t result_of(const struct request *request, uint32_t written)
{
    uint32_t wanted = (request->type == TYPE_READ ? request->size : 0) + 1;
    uint8_t status = disk.slots[request->slot].status;
    if (status == STATUS_UNSUPPORTED) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    return status == STATUS_OK && written == wanted ? FTL_OK : FTL_ERR_IO;
}

static void complete(struct request *request, uint32_t written)
{
    ftl_status_t status = result_of(request, written);
    if (status == FTL_OK && request->type == TYPE_READ) {
        status = ftl_vmo_write(request->memory, request->offset, buffer_of(request), request->size);
    }
    disk.taken[request->slot] = NULL;
    finish(request, status);
}

static void work(struct virtio_driver *driver)
{
    void *token;
    uint32_t written;
    do {
        while (virtio_driver_take(driver, &disk.queue, &token, &written)) {
            complete(token, written);
        }
        start_waiting();
    } while (!virtio_queue_interrupts(&disk.queue, true));
}

/* ---- Calls ---- */

static ftl_status_t add_request(struct ftl_client *client, const struct request *content)
{
    struct request *request = malloc(sizeof(*request));
    if (request == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    *request = *content;
    virtio_calls_add(&disk.waiting, &request->call, client);
    start_waiting();
    return FTL_IPC_LATER;
}

/* Whether the sectors are there, and not too many for one transfer. */
static ftl_status_t check_range(uint64_t sector, uint32_t count)
{
    if (count == 0 || count > TRANSFER_MAX / SECTOR_SIZE) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    bool inside = sector <= disk.sectors && count <= disk.sectors - sector;
    return inside ? FTL_OK : FTL_ERR_OUT_OF_RANGE;
}

static bool is_read_only(void)
{
    return (disk.driver.virtio.features & FEATURE_READ_ONLY) != 0;
}

/* Adds a request for data, which takes the handle of the client's memory. */
static ftl_status_t transfer(struct ftl_client *client, enum request_type type, uint64_t sector,
                             uint32_t count, ftl_handle_t *memory, uint64_t offset)
{
    ftl_status_t status = check_range(sector, count);
    if (status != FTL_OK) {
        return status;
    }
    struct request request = {
        .type = type,
        .sector = sector,
        .size = count * SECTOR_SIZE,
        .memory = *memory,
        .offset = offset,
    };
    status = add_request(client, &request);
    if (status == FTL_IPC_LATER) {
        ftl_ipc_take(memory);
    }
    return status;
}

static ftl_status_t read_sectors(void *context, struct block_read_request *request)
{
    return transfer(context, TYPE_READ, request->sector, request->count, &request->memory,
                    request->offset);
}

static ftl_status_t write_sectors(void *context, struct block_write_request *request)
{
    if (is_read_only()) {
        return FTL_ERR_MISSING_RIGHT;
    }
    return transfer(context, TYPE_WRITE, request->sector, request->count, &request->memory,
                    request->offset);
}

/* Of what the device has said that it has written. */
static ftl_status_t flush(void *context)
{
    if ((disk.driver.virtio.features & FEATURE_FLUSH) == 0) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    return add_request(context, &(struct request){ .type = TYPE_FLUSH });
}

static ftl_status_t info(void *context, struct block_info_reply *reply)
{
    (void)context;
    *reply = (struct block_info_reply){
        .sectors = disk.sectors,
        .sector_size = SECTOR_SIZE,
        .transfer_max = TRANSFER_MAX,
        .read_only = is_read_only(),
    };
    return FTL_OK;
}

/* Its requests go on, and their results go nowhere. */
static void client_gone(struct ftl_client *client)
{
    virtio_calls_forget(&disk.waiting, client);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (disk.taken[slot] != NULL) {
            virtio_call_forget(&disk.taken[slot]->call, client);
        }
    }
}

/* ---- The device ---- */

static ftl_status_t open_disk(struct virtio_driver *driver, const char **step)
{
    uint8_t capacity[CAPACITY_SIZE];
    const struct ftl_device_memory *memory = &driver->device.memory[0];
    size_t slots = VIRTIO_QUEUE_SIZE(QUEUE_ENTRIES);
    virtio_calls_init(&disk.waiting);
    disk.slots = (struct slot_memory *)(void *)(memory->data + slots);
    disk.slots_address = memory->address + slots;
    disk.buffers = &driver->device.memory[1];
    if (memory->size < slots + SLOTS * sizeof(struct slot_memory) ||
        disk.buffers->size < (size_t)SLOTS * TRANSFER_MAX) {
        return FTL_ERR_NO_MEMORY;
    }
    *step = "reading its capacity";
    ftl_status_t status =
        virtio_config(&driver->virtio, CONFIG_CAPACITY, capacity, sizeof(capacity));
    if (status != FTL_OK) {
        return status;
    }
    disk.sectors = virtio_number(capacity, sizeof(capacity));
    *step = "setting up its queue";
    status = virtio_queue_open(&disk.queue, &driver->virtio, 0, QUEUE_ENTRIES, memory, 0);
    if (status == FTL_OK && disk.queue.size < SLOTS * PIECES_MAX) {
        status = FTL_ERR_NOT_SUPPORTED;
    }
    return status;
}

/* The capacity may change, and is not believed to grow while requests are checked against it. */
static void config_changed(struct virtio_driver *driver)
{
    uint8_t capacity[CAPACITY_SIZE];
    if (virtio_config(&driver->virtio, CONFIG_CAPACITY, capacity, sizeof(capacity)) == FTL_OK) {
        disk.sectors = virtio_number(capacity, sizeof(capacity));
    }
}

int main(void)
{
    static const struct block_handlers handlers = {
        .info = info,
        .read = read_sectors,
        .write = write_sectors,
        .flush = flush,
    };
    static struct ftl_server server = {
        .protocol = &block_protocol,
        .handlers = &handlers,
        .closed = client_gone,
    };
    disk.driver = (struct virtio_driver){
        .name = "virtio_blk",
        .id = VIRTIO_ID_BLOCK,
        .features = FEATURE_READ_ONLY | FEATURE_FLUSH,
        .server = &server,
        .open = open_disk,
        .work = work,
        .config_changed = config_changed,
    };
    return virtio_driver_main(&disk.driver);
}
