/* Split virtqueues: see virtio.h. Section 2.7. */
#include <string.h>

#include "mmio.h"
#include "registers.h"
#include "virtio.h"

#define NO_ENTRY ((uint16_t)VIRTIO_QUEUE_MAX)

/* Flags of a descriptor, of the available ring, of the used ring. */
#define DESCRIPTOR_NEXT        1u
#define DESCRIPTOR_WRITE       2u
#define AVAILABLE_NO_INTERRUPT 1u
#define USED_NO_NOTIFY         1u

#define ADDRESS_HALF 32

struct virtio_descriptor {
    uint64_t address;
    uint32_t size;
    uint16_t flags;
    uint16_t next;
};

struct virtio_available {
    uint16_t flags;
    uint16_t index;
    uint16_t ring[];
};

struct virtio_used {
    uint16_t flags;
    uint16_t index;
    struct virtio_used_entry {
        uint32_t id;
        uint32_t written;
    } ring[];
};

/* ---- Opening ---- */

/* Tells the device where the queue is. */
static void place(struct virtio *virtio, uint16_t entries, uint64_t address)
{
    uint64_t driver = address + entries * sizeof(struct virtio_descriptor);
    uint64_t device = address + VIRTIO_QUEUE_USED((uint64_t)entries);
    volatile void *registers = virtio->registers;
    mmio_write(registers, VIRTIO_QUEUE_NUM, entries);
    if (virtio->legacy) {
        mmio_write(registers, VIRTIO_QUEUE_ALIGN, VIRTIO_QUEUE_ALIGNMENT);
        mmio_write(registers, VIRTIO_QUEUE_PFN, (uint32_t)(address / FTL_PAGE_SIZE));
        return;
    }
    mmio_write(registers, VIRTIO_QUEUE_DESC_LOW, (uint32_t)address);
    mmio_write(registers, VIRTIO_QUEUE_DESC_HIGH, (uint32_t)(address >> ADDRESS_HALF));
    mmio_write(registers, VIRTIO_QUEUE_DRIVER_LOW, (uint32_t)driver);
    mmio_write(registers, VIRTIO_QUEUE_DRIVER_HIGH, (uint32_t)(driver >> ADDRESS_HALF));
    mmio_write(registers, VIRTIO_QUEUE_DEVICE_LOW, (uint32_t)device);
    mmio_write(registers, VIRTIO_QUEUE_DEVICE_HIGH, (uint32_t)(device >> ADDRESS_HALF));
    mmio_write(registers, VIRTIO_QUEUE_READY, 1);
}

ftl_status_t virtio_queue_open(struct virtio_queue *queue, struct virtio *virtio, uint16_t index,
                               uint16_t entries, const struct ftl_device_memory *memory,
                               size_t offset)
{
    uint64_t address = memory->address + offset;
    if (offset > memory->size || VIRTIO_QUEUE_SIZE((size_t)entries) > memory->size - offset ||
        address % VIRTIO_QUEUE_ALIGNMENT != 0) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    if (virtio->legacy && address / FTL_PAGE_SIZE > UINT32_MAX) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    mmio_write(virtio->registers, VIRTIO_QUEUE_SEL, index);
    uint32_t most = mmio_read(virtio->registers, VIRTIO_QUEUE_NUM_MAX);
    while (entries > most) {
        entries /= 2;
    }
    if (entries == 0) {
        return FTL_ERR_NOT_FOUND;
    }
    char *data = memory->data + offset;
    memset(queue, 0, sizeof(*queue));
    queue->virtio = virtio;
    queue->index = index;
    queue->size = entries;
    queue->free_count = entries;
    queue->descriptors = (struct virtio_descriptor *)(void *)data;
    queue->available = (struct virtio_available *)(void *)(queue->descriptors + entries);
    queue->used =
        (const volatile struct virtio_used *)(void *)(data + VIRTIO_QUEUE_USED((size_t)entries));
    for (uint16_t i = 0; i < entries; i++) {
        queue->entries[i].next = i + 1u < entries ? (uint16_t)(i + 1u) : NO_ENTRY;
    }
    memset(data, 0, VIRTIO_QUEUE_SIZE((size_t)entries));
    place(virtio, entries, address);
    return FTL_OK;
}

/* ---- Giving ---- */

/* Fills in the descriptor of an entry, which is taken off the list of free ones. */
static uint16_t use_entry(struct virtio_queue *queue, const struct virtio_piece *piece, bool last)
{
    uint16_t index = queue->free_head;
    struct virtio_entry *entry = &queue->entries[index];
    queue->free_head = entry->next;
    queue->free_count--;
    queue->descriptors[index] = (struct virtio_descriptor){
        .address = piece->address,
        .size = piece->size,
        .flags = (uint16_t)((piece->device_writes ? DESCRIPTOR_WRITE : 0) |
                            (last ? 0 : DESCRIPTOR_NEXT)),
        .next = last ? 0 : entry->next, /* the next free one is what comes next */
    };
    if (last) {
        entry->next = NO_ENTRY;
    }
    return index;
}

bool virtio_queue_add(struct virtio_queue *queue, const struct virtio_piece *pieces, size_t count,
                      void *token)
{
    uint16_t head = queue->free_head;
    uint32_t writable = 0;
    if (count == 0 || count > queue->free_count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        use_entry(queue, &pieces[i], i + 1 == count);
        writable += pieces[i].device_writes ? pieces[i].size : 0;
    }
    queue->entries[head].is_head = true;
    queue->entries[head].writable = writable;
    queue->entries[head].token = token;
    queue->chains++;
    queue->available->ring[queue->available_index % queue->size] = head;
    queue->available_index++;
    __atomic_store_n(&queue->available->index, queue->available_index, __ATOMIC_RELEASE);
    return true;
}

void virtio_queue_notify(struct virtio_queue *queue)
{
    mmio_barrier();
    if ((queue->used->flags & USED_NO_NOTIFY) == 0) {
        mmio_write(queue->virtio->registers, VIRTIO_QUEUE_NOTIFY, queue->index);
    }
}

/* ---- Taking ---- */

/* Puts the entries of the chain back on the list of free ones. */
static void free_chain(struct virtio_queue *queue, uint16_t head)
{
    uint16_t last = head;
    queue->entries[head].is_head = false;
    queue->free_count++;
    while (queue->entries[last].next != NO_ENTRY) {
        last = queue->entries[last].next;
        queue->free_count++;
    }
    queue->entries[last].next = queue->free_head;
    queue->free_head = head;
    queue->chains--;
}

ftl_status_t virtio_queue_take(struct virtio_queue *queue, void **token, uint32_t *written)
{
    uint16_t ready =
        (uint16_t)(__atomic_load_n(&queue->used->index, __ATOMIC_ACQUIRE) - queue->used_index);
    if (ready == 0) {
        return FTL_ERR_WOULD_BLOCK;
    }
    if (ready > queue->chains) {
        return FTL_ERR_BAD_FORMAT;
    }
    const volatile struct virtio_used_entry *used =
        &queue->used->ring[queue->used_index % queue->size];
    uint32_t id = used->id;
    uint32_t size = used->written;
    if (id >= queue->size || !queue->entries[id].is_head || size > queue->entries[id].writable) {
        return FTL_ERR_BAD_FORMAT;
    }
    *token = queue->entries[id].token;
    *written = size;
    free_chain(queue, (uint16_t)id);
    queue->used_index++;
    return FTL_OK;
}

bool virtio_queue_interrupts(struct virtio_queue *queue, bool wanted)
{
    __atomic_store_n(&queue->available->flags, wanted ? 0 : AVAILABLE_NO_INTERRUPT,
                     __ATOMIC_RELAXED);
    mmio_barrier();
    return __atomic_load_n(&queue->used->index, __ATOMIC_ACQUIRE) == queue->used_index;
}
