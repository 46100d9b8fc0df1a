/*
 * Calls that a driver has yet to answer, in the order in which they came. A call outlives its
 * client, since the device may be at work for it; then nobody gets the answer.
 */
#ifndef VIRTIO_CALLS_H
#define VIRTIO_CALLS_H

#include <ftl/server.h>

/* At the beginning of a driver's own struct, which it has allocated. */
struct virtio_call {
    struct virtio_call *next;
    struct ftl_client *client; /* NULL: it has gone */
    uint64_t transaction;
};

struct virtio_calls {
    struct virtio_call *first; /* NULL: none */
    struct virtio_call **last;
};

void virtio_calls_init(struct virtio_calls *calls);

/* Adds the call that the client is making, behind all others. */
void virtio_calls_add(struct virtio_calls *calls, struct virtio_call *call,
                      struct ftl_client *client);

/* Takes the first one off, which must be there. */
struct virtio_call *virtio_calls_take(struct virtio_calls *calls);

/* The client has gone. */
void virtio_call_forget(struct virtio_call *call, const struct ftl_client *client);
void virtio_calls_forget(struct virtio_calls *calls, const struct ftl_client *client);

#endif
