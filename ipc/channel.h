/*
 * Channels: two ends; what is sent at one is received, in order, at the other. An end is open as
 * long as there is a handle to it, in a table or in a message; references alone do not keep it
 * open. See channel.c for what bounds a channel, and why ends inside of messages leak nothing.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include "kernel/object.h"
#include "mm/account.h"

struct channel_pair;

/* One end. Members without a comment of their own are protected by the pair's lock. */
struct channel {
    struct object object;      /* first */
    struct channel_pair *pair; /* fixed */
    uint32_t handles;          /* that name it; atomic */
    bool closed;
    struct list queue;     /* struct message, to be received here */
    uint32_t queued;       /* messages in it, and those that room was granted for */
    size_t queued_bytes;   /* and their bytes */
    struct list receivers; /* channel_wait.link: threads that wait for a message here */
    struct list senders;   /* ... for room at the other end, to send from here */
    struct list callers;   /* ... for a reply to a call from here */
};

/* Boot: sets up the channels' cache. */
void channel_init(void);

/* Types' operations (kernel/object_types.c). */
void channel_handle_made(struct object *object);
void channel_handle_closed(struct object *object);
void channel_destroy(struct object *object);

#endif
