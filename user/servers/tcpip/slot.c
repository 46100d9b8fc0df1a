/* Slots: see slot.h. */
#include "slot.h"

#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <stdlib.h>
#include <string.h>

#define RING_MASK (FTL_SOCKET_RING_SIZE - 1)

/* ---- Memory ---- */

/* A write by call fails where an access by us would be a fault, e.g. at the maker's limit. */
static ftl_status_t populate(ftl_handle_t vmo)
{
    static const char zero[1];
    ftl_status_t status = FTL_OK;
    for (uint64_t offset = 0; offset < FTL_SOCKET_MEMORY_SIZE && status == FTL_OK;
         offset += FTL_PAGE_SIZE) {
        status = ftl_vmo_write(vmo, offset, zero, sizeof(zero));
    }
    return status;
}

static void unmap(uintptr_t address)
{
    ftl_handle_t vmspace;
    if (ftl_vmspace_self(&vmspace) == FTL_OK) {
        ftl_vmspace_unmap(vmspace, address, FTL_SOCKET_MEMORY_SIZE);
        ftl_handle_close(vmspace);
    }
}

/* Once mapped, the object cannot be made smaller any more. */
static ftl_status_t map(ftl_handle_t vmo, struct ftl_socket_memory **memory)
{
    uint64_t size;
    uintptr_t address;
    ftl_handle_t vmspace;
    ftl_status_t status = ftl_vmo_size(vmo, &size);
    if (status != FTL_OK) {
        return status;
    }
    if (size != FTL_SOCKET_MEMORY_SIZE) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    status = ftl_vmspace_self(&vmspace);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_vmspace_map(vmspace, vmo, 0, size, FTL_MAP_READ | FTL_MAP_WRITE, 0, &address);
    ftl_handle_close(vmspace);
    if (status != FTL_OK) {
        return status;
    }
    status = populate(vmo);
    if (status != FTL_OK) {
        unmap(address);
        return status;
    }
    *memory = (struct ftl_socket_memory *)address;
    return FTL_OK;
}

ftl_status_t slot_create(struct owner *owner, void (*unused)(struct slot *slot), ftl_handle_t vmo,
                         ftl_handle_t readable, ftl_handle_t writable, struct slot **created)
{
    ftl_status_t status = FTL_ERR_NO_MEMORY;
    struct slot *slot = calloc(1, sizeof(*slot));
    if (slot != NULL) {
        status = map(vmo, &slot->memory);
    }
    if (status != FTL_OK) {
        free(slot);
        ftl_handle_close(readable);
        ftl_handle_close(writable);
        return status;
    }
    slot->owner = owner;
    slot->unused = unused;
    slot->readable = readable;
    slot->writable = writable;
    *created = slot;
    return FTL_OK;
}

void slot_destroy(struct slot *slot)
{
    unmap((uintptr_t)slot->memory);
    ftl_handle_close(slot->readable);
    ftl_handle_close(slot->writable);
    free(slot);
}

void slot_open(struct slot *slot, struct socket *socket)
{
    struct ftl_socket_memory *memory = slot->memory;
    slot->socket = socket;
    slot->received = 0;
    slot->credited = 0;
    slot->sent = 0;
    slot->broken = false;
    memory->received.head = 0;
    memory->sent.tail = 0;
    memory->state = 0;
    memory->error = FTL_OK;
    __atomic_store_n(&memory->rung, 0, __ATOMIC_RELEASE);
}

void slot_close(struct slot *slot)
{
    slot->socket = NULL;
    slot_notify(slot, FTL_SOCKET_UNUSED);
    slot->unused(slot);
}

/* ---- Control words ---- */

void slot_notify(struct slot *slot, uint32_t bits)
{
    uint32_t former = __atomic_fetch_or(&slot->memory->ready, bits, __ATOMIC_SEQ_CST);
    uint32_t fresh = bits & ~former;
    if ((fresh & FTL_SOCKET_READABLE) != 0) {
        ftl_notification_signal(slot->readable, 1);
    }
    if ((fresh & FTL_SOCKET_WRITABLE) != 0) {
        ftl_notification_signal(slot->writable, 1);
    }
}

void slot_set_state(struct slot *slot, uint32_t bits)
{
    __atomic_fetch_or(&slot->memory->state, bits, __ATOMIC_RELEASE);
}

void slot_clear_state(struct slot *slot, uint32_t bits)
{
    __atomic_fetch_and(&slot->memory->state, ~bits, __ATOMIC_RELEASE);
}

void slot_set_error(struct slot *slot, ftl_status_t error)
{
    __atomic_store_n(&slot->memory->error, error, __ATOMIC_RELEASE);
}

bool slot_rung(struct slot *slot)
{
    uint32_t *rung = &slot->memory->rung;
    return __atomic_load_n(rung, __ATOMIC_RELAXED) != 0 &&
           __atomic_exchange_n(rung, 0, __ATOMIC_SEQ_CST) != 0;
}

/* ---- Data ---- */

/* Bytes in a ring, when its producer is at `head` and its consumer at `tail`; 0 when that cannot
 * be. */
static uint32_t distance(struct slot *slot, uint32_t head, uint32_t tail)
{
    uint32_t bytes = head - tail;
    if (bytes > FTL_SOCKET_RING_SIZE) {
        slot->broken = true;
    }
    return slot->broken ? 0 : bytes;
}

uint32_t slot_consumed(struct slot *slot)
{
    uint32_t tail = __atomic_load_n(&slot->memory->received.tail, __ATOMIC_ACQUIRE);
    uint32_t before = slot->received - slot->credited;
    uint32_t left = distance(slot, slot->received, tail);
    if (slot->broken || left > before) { /* it cannot put back what it took */
        slot->broken = true;
        return 0;
    }
    slot->credited = tail;
    return before - left;
}

uint32_t slot_room(struct slot *slot)
{
    uint32_t tail = __atomic_load_n(&slot->memory->received.tail, __ATOMIC_ACQUIRE);
    uint32_t used = distance(slot, slot->received, tail);
    return slot->broken ? 0 : FTL_SOCKET_RING_SIZE - used;
}

void slot_write(struct slot *slot, uint32_t offset, const void *data, uint32_t size)
{
    uint32_t at = (slot->received + offset) & RING_MASK;
    uint32_t first = FTL_SOCKET_RING_SIZE - at;
    first = first < size ? first : size;
    memcpy(slot->memory->received_data + at, data, first);
    memcpy(slot->memory->received_data, (const char *)data + first, size - first);
}

void slot_put(struct slot *slot, uint32_t size)
{
    slot->received += size;
    __atomic_store_n(&slot->memory->received.head, slot->received, __ATOMIC_RELEASE);
}

uint32_t slot_available(struct slot *slot)
{
    uint32_t head = __atomic_load_n(&slot->memory->sent.head, __ATOMIC_ACQUIRE);
    return distance(slot, head, slot->sent);
}

const char *slot_piece(const struct slot *slot, uint32_t offset, uint32_t *size)
{
    uint32_t at = (slot->sent + offset) & RING_MASK;
    uint32_t first = FTL_SOCKET_RING_SIZE - at;
    *size = first < *size ? first : *size;
    return slot->memory->sent_data + at;
}

void slot_read(const struct slot *slot, uint32_t offset, void *data, uint32_t size)
{
    while (size != 0) {
        uint32_t count = size;
        const char *piece = slot_piece(slot, offset, &count);
        memcpy(data, piece, count);
        data = (char *)data + count;
        offset += count;
        size -= count;
    }
}

void slot_take(struct slot *slot, uint32_t size)
{
    slot->sent += size;
    __atomic_store_n(&slot->memory->sent.tail, slot->sent, __ATOMIC_RELEASE);
}
