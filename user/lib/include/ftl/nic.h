/*
 * Network interfaces: the memory that a driver and its client share (protocol `nic`), and the
 * client's side of it.
 *
 * `frames` is an array of buffers of the same size: those that the driver receives into, then those
 * that the client sends from. `rings` holds four rings of struct nic_frame, one behind the other,
 * each with one producer, one consumer, and as many slots as there are buffers of either kind or
 * more, so that one that gives buffers back is never full:
 *
 *   received     driver to client: a frame has come
 *   returned     client to driver: the client is done with a buffer of such a frame
 *   transmit     client to driver: a frame is to be sent
 *   transmitted  driver to client: a buffer of such a frame can be filled again
 *
 * A frame may begin anywhere in its buffer. Who sleeps is woken through its bell, a notification,
 * and only if it said so by ftl_nic_arm(). Neither side believes the other: it checks what it takes
 * out of a ring, and keeps account of who has a buffer for itself.
 */
#ifndef FTL_NIC_H
#define FTL_NIC_H

#include <ftl/protocols/nic.h>
#include <ftl/ring.h>

/* Receiving, frames begin here in their buffers, so that what follows the Ethernet header is
 * aligned. */
#define FTL_NIC_RECEIVE_OFFSET 2

/* Bytes of an Ethernet frame that are not payload. */
#define FTL_NIC_HEADER_SIZE 14

enum ftl_nic_ring {
    FTL_NIC_RECEIVED = 0,
    FTL_NIC_RETURNED = 1,
    FTL_NIC_TRANSMIT = 2,
    FTL_NIC_TRANSMITTED = 3,
    FTL_NIC_RINGS = 4,
};

/* Bytes of the memory of all rings; 0: not that many slots. */
size_t ftl_nic_rings_size(size_t slots);

/* Opens the ends of one side. `mine` and `peers` are the bells of both sides, with WRITE and WAIT;
 * they stay the caller's. Errors: those of ftl_ring_open(), nothing is open then. */
ftl_status_t ftl_nic_rings_open(struct ftl_ring rings[FTL_NIC_RINGS], void *memory, size_t slots,
                                bool is_driver, ftl_handle_t mine, ftl_handle_t peers);
void ftl_nic_rings_close(struct ftl_ring rings[FTL_NIC_RINGS]);

/* Puts a frame into a ring, or takes one out. False: the ring is full, or empty. */
bool ftl_nic_put(struct ftl_ring *ring, struct nic_frame frame);
bool ftl_nic_take(struct ftl_ring *ring, struct nic_frame *frame);

/* ---- The client ---- */

/* Members are for reading; of one thread. */
struct ftl_nic {
    ftl_handle_t channel; /* to the driver: watch it for PEER_CLOSED, when the driver has ended */
    ftl_handle_t bell;    /* watch it for READABLE: see ftl_nic_arm() */
    char *frames;
    uint32_t buffer_size;
    uint32_t receive_buffers;
    uint32_t transmit_buffers;
    struct ftl_ring rings[FTL_NIC_RINGS];
    ftl_handle_t driver_bell;
    void *ring_memory;
    size_t slots;
    uint32_t *free; /* a stack of transmit buffers, by number */
    uint32_t free_count;
    uint8_t *owned; /* for each buffer: 1 while it is the client's */
};

/*
 * Attaches to the driver at the other end of `channel`, which stays the caller's. Errors: those of
 * the call `attach` and of mapping; BAD_FORMAT when what the driver says cannot be; NO_MEMORY.
 */
ftl_status_t ftl_nic_attach(struct ftl_nic *nic, ftl_handle_t channel);

/* Unmaps and closes all but the channel, by whose closing the driver learns of it. */
void ftl_nic_detach(struct ftl_nic *nic);

/*
 * Takes the next frame that has come; false: there is none. Its bytes, at nic->frames +
 * frame.offset, are the caller's, for reading and writing, until ftl_nic_release(). A driver that
 * names what is no frame has that ignored.
 */
bool ftl_nic_receive(struct ftl_nic *nic, struct nic_frame *frame);
void ftl_nic_release(struct ftl_nic *nic, struct nic_frame frame);

/*
 * Takes a buffer of nic->buffer_size bytes to be filled, at nic->frames + *offset; false: all are
 * on their way. Then either sends `frame`, which lies in such a buffer, or gives it back unused.
 */
bool ftl_nic_reserve(struct ftl_nic *nic, uint32_t *offset);
void ftl_nic_send(struct ftl_nic *nic, struct nic_frame frame);
void ftl_nic_cancel(struct ftl_nic *nic, uint32_t offset);

/*
 * Asks for the bell to be rung when a frame comes, and, while no buffer can be reserved, when one
 * can be. False: that is so already, go on. Whoever waits for the bell clears it
 * (ftl_notification_clear) before it looks what has come.
 */
bool ftl_nic_arm(struct ftl_nic *nic);

#endif
