/*
 * Channels: two ends; what is sent at one is received, in order, at the other. An end is open as
 * long as there is a handle to it, in a table or in a message; references alone do not keep it
 * open. See channel.c for what bounds a channel, and why ends inside of messages leak nothing.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include "ipc/lane.h"
#include "kernel/call.h"
#include "kernel/object.h"
#include "mm/account.h"

struct channel_pair;
struct message;
struct thread;

/* One end. Members without a comment of their own are protected by the pair's lock. */
struct channel {
    struct object object;      /* first */
    struct channel_pair *pair; /* fixed */
    struct channel *peer;      /* the other end; fixed */
    uint32_t handles;          /* that name it; atomic */
    bool closed;
    struct list queue;        /* struct message, to be received here */
    uint32_t queued;          /* messages in it, and those that room was granted for */
    size_t queued_bytes;      /* and their bytes */
    struct list receivers;    /* channel_wait.link: threads that wait for a message here */
    struct list senders;      /* ... for room at the other end, to send from here */
    struct list callers;      /* ... for a reply to a call from here */
    struct thread *served_by; /* a reference: who received here last; NULL: nobody */
    struct lane lane;         /* of calls from here; has a lock of its own */
};

struct channel_pair {
    struct spinlock lock;    /* LOCK_CHANNEL */
    uint32_t refs;           /* ends not destroyed, operations that wait, and ports; atomic */
    struct account *account; /* a reference; the pair is charged to it */
    struct channel ends[2];
};

/* Boot: sets up the channels' cache. */
void channel_init(void);

/* The put may free the pair: no lock of it may be held. */
static inline void channel_pair_get(struct channel_pair *pair)
{
    __atomic_fetch_add(&pair->refs, 1, __ATOMIC_RELAXED);
}
void channel_pair_put(struct channel_pair *pair);

/*
 * How threads that wait for a reply or a message go on, and what they leave: for those that began
 * to wait in a lane.
 */
struct call_result channel_resume_call(struct thread *thread);
struct call_result channel_resume_receive(struct thread *thread);
void channel_wait_cleanup(struct thread *thread);

/* Types' operations (kernel/object_types.c). */
void channel_handle_made(struct object *object);
void channel_handle_closed(struct object *object);
void channel_destroy(struct object *object);

#endif
