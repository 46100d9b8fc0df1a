/*
 * Virtio devices over MMIO (Virtual I/O Device Version 1.2): the transport, modern and legacy, and
 * split virtqueues. Section numbers below are that document's.
 *
 * The device is not trusted. Nothing that it can write, queues and registers, leads outside of what
 * a driver gave it: what it says is read once, checked against the driver's own account, and else
 * is BAD_FORMAT, after which the driver had better end. Descriptors are never read back.
 */
#ifndef VIRTIO_VIRTIO_H
#define VIRTIO_VIRTIO_H

#include <ftl/device.h>

/* Kinds of devices (5). */
#define VIRTIO_ID_NET     1u
#define VIRTIO_ID_BLOCK   2u
#define VIRTIO_ID_CONSOLE 3u
#define VIRTIO_ID_RNG     4u

/* Features of all devices (6). */
#define VIRTIO_F_VERSION_1 (UINT64_C(1) << 32)

/* What virtio_take_interrupt() returns (4.2.2, InterruptStatus). */
#define VIRTIO_INTERRUPT_QUEUE  1u
#define VIRTIO_INTERRUPT_CONFIG 2u

struct virtio {
    volatile void *registers;
    size_t config_size; /* bytes behind the registers that can be read */
    bool legacy;
    uint64_t features; /* agreed upon */
};

/*
 * Resets the device and agrees upon features: all that it has of `features`. NOT_FOUND: there is no
 * such device. NOT_SUPPORTED: of a version that we do not know, or it does not accept what it has
 * offered. IO: it does not reset.
 */
ftl_status_t virtio_open(struct virtio *virtio, const struct ftl_device *device, uint32_t id,
                         uint64_t features);

/* All queues are set up: the device may begin. */
void virtio_start(struct virtio *virtio);

/* Tells the device that we have given it up. */
void virtio_fail(struct virtio *virtio);

/* Why the device has interrupted, VIRTIO_INTERRUPT_ bits; it withdraws the interrupt. */
uint32_t virtio_take_interrupt(struct virtio *virtio);

/* Reads a part of the device's configuration as it was at one moment. OUT_OF_RANGE: it has no such
 * part. IO: it never stands still. */
ftl_status_t virtio_config(const struct virtio *virtio, uint32_t offset, void *data, size_t size);

/* Little-endian numbers of configurations and of messages, which need not be aligned. */
uint64_t virtio_number(const void *data, size_t size);

/* ---- Queues ---- */

#define VIRTIO_QUEUE_MAX       256u /* entries; a power of two */
#define VIRTIO_QUEUE_ALIGNMENT 4096u

/* Bytes of memory of a queue of `entries`, which begins at a page. */
#define VIRTIO_QUEUE_SIZE(entries)                                                                 \
    (VIRTIO_QUEUE_USED(entries) +                                                                  \
     ((6 + (entries) * 8 + VIRTIO_QUEUE_ALIGNMENT - 1) & ~(VIRTIO_QUEUE_ALIGNMENT - 1)))
/* Where in it what the device writes begins: at a page, as legacy transports want it. */
#define VIRTIO_QUEUE_USED(entries)                                                                 \
    (((entries) * 18 + 6 + VIRTIO_QUEUE_ALIGNMENT - 1) & ~(VIRTIO_QUEUE_ALIGNMENT - 1))

struct virtio_descriptor; /* 2.7.5 */
struct virtio_available;  /* 2.7.6 */
struct virtio_used;       /* 2.7.8 */

/* The driver's own account of an entry. */
struct virtio_entry {
    uint16_t next;     /* free: of the list; else: of the chain, or VIRTIO_QUEUE_MAX at its end */
    bool is_head;      /* of a chain that the device has */
    uint32_t writable; /* of such a head: bytes that the device may write */
    void *token;       /* and whose it is */
};

/* Members are the queue's own, but for `free_count`: one thread at a time. */
struct virtio_queue {
    struct virtio *virtio;
    uint16_t index;
    uint16_t size;
    uint16_t free_head;
    uint16_t free_count; /* entries that can be used */
    uint16_t chains;     /* that the device has */
    uint16_t available_index;
    uint16_t used_index; /* of what is taken next */
    struct virtio_descriptor *descriptors;
    struct virtio_available *available;
    const volatile struct virtio_used *used;
    struct virtio_entry entries[VIRTIO_QUEUE_MAX];
};

/* A piece of memory of a chain. Pieces that the device reads come before those that it writes. */
struct virtio_piece {
    uint64_t address; /* physical */
    uint32_t size;
    bool device_writes;
};

/*
 * Sets up the queue number `index` with at most `entries` (a power of two, at most
 * VIRTIO_QUEUE_MAX) in the memory at `offset` of a piece of the device's memory (page-aligned,
 * VIRTIO_QUEUE_SIZE(entries) bytes, which must be there). NOT_FOUND: the device has no such queue.
 * NOT_SUPPORTED: it lies beyond what a legacy device can address.
 */
ftl_status_t virtio_queue_open(struct virtio_queue *queue, struct virtio *virtio, uint16_t index,
                               uint16_t entries, const struct ftl_device_memory *memory,
                               size_t offset);

/* Gives a chain of `count` pieces to the device, which may not look for it before
 * virtio_queue_notify(). False: there are not as many free entries. */
bool virtio_queue_add(struct virtio_queue *queue, const struct virtio_piece *pieces, size_t count,
                      void *token);

/* Has the device look, unless it says that it will anyway. */
void virtio_queue_notify(struct virtio_queue *queue);

/*
 * Takes the next chain that the device is done with: its token, and how many bytes the device says
 * that it has written, which is never more than it may. WOULD_BLOCK: there is none. BAD_FORMAT: it
 * says what cannot be.
 */
ftl_status_t virtio_queue_take(struct virtio_queue *queue, void **token, uint32_t *written);

/* Asks for interrupts, or for none. False: there is something to take already. */
bool virtio_queue_interrupts(struct virtio_queue *queue, bool wanted);

#endif
