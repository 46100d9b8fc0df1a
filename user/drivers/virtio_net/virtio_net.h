/*
 * Driver of virtio network interfaces (Virtual I/O Device Version 1.2, 5.1), in two parts:
 * virtio_net.c is the device and its protocol, frames.c moves frames between the device's queues
 * and the client's rings.
 */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H

#include <ftl/nic.h>

#include "../virtio/driver.h"

#define QUEUE_ENTRIES    256u
#define BUFFER_SIZE      2048u
#define RECEIVE_BUFFERS  128u /* a frame takes two entries of a queue */
#define TRANSMIT_BUFFERS 128u
#define RING_SLOTS       128u
#define FRAME_MIN        ((uint32_t)FTL_NIC_HEADER_SIZE)

/* The client, while there is one. */
struct attached {
    struct ftl_client *client; /* NULL: none */
    struct ftl_ring rings[FTL_NIC_RINGS];
    ftl_handle_t client_bell;
    ftl_handle_t ring_vmo;
    void *ring_memory;
};

struct counters {
    uint64_t received;
    uint64_t sent;
    uint64_t dropped;
    uint64_t received_bytes;
    uint64_t sent_bytes;
};

struct interface {
    struct virtio_driver driver;
    struct virtio_queue receive;
    struct virtio_queue transmit;
    const struct ftl_device_memory *frames;
    uint64_t headers; /* physical address: one for each receive buffer, then one for all sent */
    uint32_t header_size;
    uint8_t address[6];
    bool link;
    struct ftl_source bell; /* rung by the client, and by us to go on later */
    struct attached attached;
    struct counters counters;
    bool lent[RECEIVE_BUFFERS];       /* the client has it; else the device */
    uint32_t posted;                  /* receive buffers that the device has */
    bool in_flight[TRANSMIT_BUFFERS]; /* the device has it; else the client */
    uint32_t sent_sizes[TRANSMIT_BUFFERS];
};

/* ---- frames.c ---- */

/* Gives the device all receive buffers that are lent, and so no longer are. */
void frames_take_back(struct interface *interface);

/* Moves all that can be moved, then has itself called again, by interrupt or bell, when there is
 * more. */
void frames_move(struct interface *interface);

#endif
