/* What drivers of network interfaces and their clients share: see <ftl/nic.h>. */
#include <ftl/channel.h>
#include <ftl/handle.h>
#include <ftl/nic.h>
#include <ftl/notification.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <stdlib.h>
#include <string.h>

#define BUFFERS_MAX     65536u
#define BUFFER_SIZE_MAX 65536u

/* ---- Rings ---- */

size_t ftl_nic_rings_size(size_t slots)
{
    return FTL_NIC_RINGS * ftl_ring_memory_size(sizeof(struct nic_frame), slots);
}

/* Whether the driver is the consumer. */
static bool goes_to_driver(enum ftl_nic_ring index)
{
    return index == FTL_NIC_RETURNED || index == FTL_NIC_TRANSMIT;
}

ftl_status_t ftl_nic_rings_open(struct ftl_ring rings[FTL_NIC_RINGS], void *memory, size_t slots,
                                bool is_driver, ftl_handle_t mine, ftl_handle_t peers)
{
    size_t size = ftl_ring_memory_size(sizeof(struct nic_frame), slots);
    for (size_t i = 0; i < FTL_NIC_RINGS; i++) {
        bool consumes = goes_to_driver((enum ftl_nic_ring)i) == is_driver;
        struct ftl_ring_config config = {
            .memory = (char *)memory + i * size,
            .payload_size = sizeof(struct nic_frame),
            .slots = slots,
            .consumes = consumes,
            .data = consumes ? mine : peers,
            .space = consumes ? peers : mine,
            .peer = FTL_HANDLE_INVALID,
        };
        ftl_status_t status = ftl_ring_open(&rings[i], &config);
        if (status != FTL_OK) {
            while (i != 0) {
                ftl_ring_close(&rings[--i]);
            }
            return status;
        }
    }
    return FTL_OK;
}

void ftl_nic_rings_close(struct ftl_ring rings[FTL_NIC_RINGS])
{
    for (size_t i = 0; i < FTL_NIC_RINGS; i++) {
        ftl_ring_close(&rings[i]);
    }
}

bool ftl_nic_put(struct ftl_ring *ring, struct nic_frame frame)
{
    struct nic_frame *slot = ftl_ring_push_begin(ring);
    if (slot == NULL) {
        return false;
    }
    *slot = frame;
    ftl_ring_push_end(ring, slot);
    return true;
}

bool ftl_nic_take(struct ftl_ring *ring, struct nic_frame *frame)
{
    struct nic_frame *slot = ftl_ring_pop_begin(ring);
    if (slot == NULL) {
        return false;
    }
    /* Each half is read once: the other side may still write here. */
    frame->offset = __atomic_load_n(&slot->offset, __ATOMIC_RELAXED);
    frame->size = __atomic_load_n(&slot->size, __ATOMIC_RELAXED);
    ftl_ring_pop_end(ring, slot);
    return true;
}

/* ---- The client: attaching ---- */

static size_t frames_size(const struct ftl_nic *nic)
{
    return (size_t)nic->buffer_size * (nic->receive_buffers + nic->transmit_buffers);
}

static bool is_sound(const struct nic_attach_reply *reply)
{
    return reply->buffer_size != 0 && reply->buffer_size <= BUFFER_SIZE_MAX &&
           reply->receive_buffers <= BUFFERS_MAX && reply->transmit_buffers <= BUFFERS_MAX &&
           reply->slots >= reply->receive_buffers && reply->slots >= reply->transmit_buffers &&
           ftl_nic_rings_size(reply->slots) != 0;
}

/* Maps the beginning of the VMO, which must have that much. */
static ftl_status_t map(ftl_handle_t vmo, size_t size, void *mapped)
{
    uintptr_t address;
    ftl_handle_t vmspace;
    ftl_status_t status = ftl_vmspace_self(&vmspace);
    if (status != FTL_OK) {
        return status;
    }
    size = (size + FTL_PAGE_SIZE - 1) & ~(size_t)(FTL_PAGE_SIZE - 1);
    status = ftl_vmspace_map(vmspace, vmo, 0, size, FTL_MAP_READ | FTL_MAP_WRITE, 0, &address);
    ftl_handle_close(vmspace);
    if (status == FTL_OK) {
        *(void **)mapped = (void *)address;
    }
    return status;
}

static void unmap(void *memory, size_t size)
{
    ftl_handle_t vmspace;
    if (memory != NULL && ftl_vmspace_self(&vmspace) == FTL_OK) {
        size = (size + FTL_PAGE_SIZE - 1) & ~(size_t)(FTL_PAGE_SIZE - 1);
        ftl_vmspace_unmap(vmspace, (uintptr_t)memory, size);
        ftl_handle_close(vmspace);
    }
}

static ftl_status_t make_lists(struct ftl_nic *nic)
{
    size_t buffers = nic->receive_buffers + nic->transmit_buffers;
    nic->free = calloc(nic->transmit_buffers + 1, sizeof(nic->free[0]));
    nic->owned = calloc(buffers + 1, 1);
    if (nic->free == NULL || nic->owned == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < nic->transmit_buffers; i++) {
        nic->free[nic->free_count++] = nic->receive_buffers + i;
        nic->owned[nic->receive_buffers + i] = 1;
    }
    return FTL_OK;
}

static ftl_status_t set_up(struct ftl_nic *nic, const struct nic_attach_reply *reply)
{
    if (!is_sound(reply)) {
        return FTL_ERR_BAD_FORMAT;
    }
    nic->buffer_size = reply->buffer_size;
    nic->receive_buffers = reply->receive_buffers;
    nic->transmit_buffers = reply->transmit_buffers;
    nic->slots = reply->slots;
    ftl_status_t status = make_lists(nic);
    if (status == FTL_OK) {
        status = map(reply->frames, frames_size(nic), &nic->frames);
    }
    if (status == FTL_OK) {
        status = map(reply->rings, ftl_nic_rings_size(nic->slots), &nic->ring_memory);
    }
    if (status != FTL_OK) {
        return status;
    }
    return ftl_nic_rings_open(nic->rings, nic->ring_memory, nic->slots, false, nic->bell,
                              nic->driver_bell);
}

static void free_all(struct ftl_nic *nic)
{
    unmap(nic->ring_memory, ftl_nic_rings_size(nic->slots));
    unmap(nic->frames, frames_size(nic));
    free(nic->free);
    free(nic->owned);
    ftl_handle_close(nic->bell);
    ftl_handle_close(nic->driver_bell);
    memset(nic, 0, sizeof(*nic));
}

ftl_status_t ftl_nic_attach(struct ftl_nic *nic, ftl_handle_t channel)
{
    struct nic_buffer buffer;
    struct nic_attach_reply reply;
    memset(nic, 0, sizeof(*nic));
    ftl_status_t status = nic_attach(channel, &reply, &buffer, FTL_TIME_INFINITE);
    if (status != FTL_OK) {
        return status;
    }
    nic->channel = channel;
    nic->bell = reply.client_bell;
    nic->driver_bell = reply.driver_bell;
    status = set_up(nic, &reply);
    ftl_handle_close(reply.frames); /* mappings keep the memory */
    ftl_handle_close(reply.rings);
    if (status != FTL_OK) {
        free_all(nic);
    }
    return status;
}

void ftl_nic_detach(struct ftl_nic *nic)
{
    ftl_nic_rings_close(nic->rings);
    free_all(nic);
}

/* ---- The client: frames ---- */

/* The buffer of the frame, if that lies in just one of buffers first to end - 1; else `end`. */
static uint32_t buffer_of(const struct ftl_nic *nic, struct nic_frame frame, uint32_t first,
                          uint32_t end)
{
    uint32_t index = frame.offset / nic->buffer_size;
    uint32_t within = frame.offset % nic->buffer_size;
    bool inside = index >= first && index < end && frame.size <= nic->buffer_size - within;
    return inside ? index : end;
}

bool ftl_nic_receive(struct ftl_nic *nic, struct nic_frame *frame)
{
    while (ftl_nic_take(&nic->rings[FTL_NIC_RECEIVED], frame)) {
        uint32_t index = buffer_of(nic, *frame, 0, nic->receive_buffers);
        if (index < nic->receive_buffers && nic->owned[index] == 0) {
            nic->owned[index] = 1;
            return true;
        }
    }
    return false;
}

void ftl_nic_release(struct ftl_nic *nic, struct nic_frame frame)
{
    nic->owned[frame.offset / nic->buffer_size] = 0;
    ftl_nic_put(&nic->rings[FTL_NIC_RETURNED], frame); /* full only if the driver plays tricks */
}

/* Takes back what the driver has sent. */
static void reclaim(struct ftl_nic *nic)
{
    struct nic_frame frame;
    uint32_t end = nic->receive_buffers + nic->transmit_buffers;
    while (ftl_nic_take(&nic->rings[FTL_NIC_TRANSMITTED], &frame)) {
        uint32_t index = buffer_of(nic, frame, nic->receive_buffers, end);
        if (index < end && nic->owned[index] == 0) {
            nic->owned[index] = 1;
            nic->free[nic->free_count++] = index;
        }
    }
}

bool ftl_nic_reserve(struct ftl_nic *nic, uint32_t *offset)
{
    if (nic->free_count == 0) {
        reclaim(nic);
    }
    if (nic->free_count == 0) {
        return false;
    }
    *offset = nic->free[--nic->free_count] * nic->buffer_size;
    return true;
}

void ftl_nic_cancel(struct ftl_nic *nic, uint32_t offset)
{
    nic->free[nic->free_count++] = offset / nic->buffer_size;
}

void ftl_nic_send(struct ftl_nic *nic, struct nic_frame frame)
{
    if (!ftl_nic_put(&nic->rings[FTL_NIC_TRANSMIT], frame)) {
        ftl_nic_cancel(nic, frame.offset); /* as release: networks lose frames */
        return;
    }
    nic->owned[frame.offset / nic->buffer_size] = 0;
}

bool ftl_nic_arm(struct ftl_nic *nic)
{
    bool armed = ftl_ring_arm(&nic->rings[FTL_NIC_RECEIVED]);
    /* they are taken back here, lest those that are there end each wait */
    if (nic->free_count == 0) {
        reclaim(nic);
        armed &= nic->free_count == 0 && ftl_ring_arm(&nic->rings[FTL_NIC_TRANSMITTED]);
    }
    return armed;
}
