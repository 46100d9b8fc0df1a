/*
 * Polls: many objects watched at once. An entry observes its object; when a signal of interest is
 * set it goes on the list of ready entries, which is all that a wait looks at.
 */
#ifndef IPC_POLL_H
#define IPC_POLL_H

#include "kernel/object.h"
#include "mm/account.h"

#define POLL_CHUNK_ENTRIES 16u

enum poll_entry_state {
    POLL_ENTRY_FREE,
    POLL_ENTRY_BUSY, /* a thread adds, changes or removes it, not always with the lock held */
    POLL_ENTRY_LIVE,
};

struct poll_entry {
    struct observer observer; /* in its object, while not free; interest changes while out of it */
    struct poll *poll;        /* fixed */
    struct object *object;    /* a reference, while not free */
    struct list ready_link;   /* in poll->ready, or empty. From here on protected by the lock */
    uint64_t word;
    uint32_t generation; /* of what is in it, or was last */
    uint32_t index;      /* in the poll; fixed */
    uint32_t next_free;  /* while free: index of the next free one, plus one; 0: none */
    uint32_t state;      /* enum poll_entry_state */
    bool edge;
    bool fired; /* a signal was set since it was last reported */
};

struct poll {
    struct object object;       /* first; has no signals */
    struct account *account;    /* a reference; poll and entries are charged to it */
    struct spinlock lock;       /* LOCK_POLL; protects everything below */
    struct poll_entry **chunks; /* of POLL_CHUNK_ENTRIES each; they never move */
    uint32_t chunk_count;
    uint32_t chunk_capacity; /* length of `chunks` */
    uint32_t first_free;     /* index plus one; 0: none */
    uint32_t ready_count;
    struct list ready;   /* poll_entry.ready_link */
    struct list waiters; /* poll_wait.link, in order of arrival */
};

/* Boot: sets up the cache of polls. */
void poll_init(void);

void poll_destroy(struct object *object);

#endif
