/*
 * Rings: queues of slots in memory that threads or processes share, filled and emptied in place,
 * without a kernel call unless a side sleeps. Either one producer and one consumer (ftl_ring_...),
 * or any number of both (ftl_ring_multi_...).
 *
 * Each slot begins with a sequence, in which one bit says whether it is full; among many, the rest
 * is the position whose turn it is. A side that is about to sleep leaves a mark in the sequence
 * that it waits for; who changes that sets the new one by an exchange, and so sees the mark: then,
 * and only then, it signals a notification.
 *
 * An end trusts nothing in the memory: where a single producer or consumer is, is its own matter,
 * the positions of many are masked, each sequence is read once, and no loop goes on for long.
 * Another end can make it see wrong payloads and false wake-ups, or see a ring that is full or
 * empty for ever, no more. Payloads can change while they are looked at: copy what is to be
 * checked.
 */
#ifndef FTL_RING_H
#define FTL_RING_H

#include <ftl/status.h>
#include <ftl/types.h>

/* In a sequence: the slot is full; consumers, or producers, sleep until it changes. */
#define FTL_RING_FULL            UINT64_C(1)
#define FTL_RING_CONSUMERS_SLEEP UINT64_C(2)
#define FTL_RING_PRODUCERS_SLEEP UINT64_C(4)
#define FTL_RING_SLEEP           (FTL_RING_CONSUMERS_SLEEP | FTL_RING_PRODUCERS_SLEEP)

#define FTL_RING_TRIES 64 /* of a claim among many: more is as good as full or empty */
#define FTL_RING_LINE  64 /* bytes that harts pass on at once */

struct ftl_ring_slot {
    uint64_t sequence; /* low bits as above; positions are multiples of 16 */
    char payload[];
};

/* The shared memory. Positions count bytes of slots, since the beginning. */
struct ftl_ring_memory {
    _Alignas(FTL_RING_LINE) uint64_t producers; /* the next slot to be filled; with many alone */
    _Alignas(FTL_RING_LINE) uint64_t consumers; /* the next slot to be emptied; likewise */
    _Alignas(FTL_RING_LINE) char slots[];
};

/* One end: of one thread, in its own memory. Members are the ring's own. */
struct ftl_ring {
    char *next;    /* with a single end: the slot that comes next */
    size_t stride; /* bytes of a slot */
    char *end;     /* of the slots */
    struct ftl_ring_memory *memory;
    uint64_t position; /* among many: of the slot that is claimed */
    uint64_t mask;     /* of a position's offset in the slots */
    size_t payload_size;
    bool consumes;
    bool multi;
    ftl_handle_t data; /* notifications */
    ftl_handle_t space;
    ftl_handle_t poll; /* what this end sleeps on */
};

/* Which end, and of what. */
struct ftl_ring_config {
    void *memory;        /* mapped by this end for itself, so that nobody can take it away */
    size_t payload_size; /* bytes of each slot, the same for all ends */
    size_t slots;        /* a power of two, likewise */
    bool consumes;
    bool multi;         /* this end is one of many on its side, or on the other side are many */
    ftl_handle_t data;  /* notification: for consumers to sleep on */
    ftl_handle_t space; /* notification: for producers to sleep on */
    ftl_handle_t peer;  /* process or channel end whose end ends the ring, or FTL_HANDLE_INVALID */
};

/* Bytes of memory that a ring takes; 0: there is no such ring. */
size_t ftl_ring_memory_size(size_t payload_size, size_t slots);

/* Makes an empty ring of memory (64-byte aligned), before any end is opened. */
void ftl_ring_format(void *memory, size_t payload_size, size_t slots);

/*
 * Opens an end. Handles stay the caller's: WRITE and WAIT on both notifications, WAIT on the peer.
 * Errors: INVALID_ARGUMENT, those of poll_create and poll_add.
 */
ftl_status_t ftl_ring_open(struct ftl_ring *ring, const struct ftl_ring_config *config);

void ftl_ring_close(struct ftl_ring *ring);

/*
 * Sleeps until a slot can be filled (producers) or emptied (consumers); returns at once when one
 * can. Another end may be faster: just try again. PEER_CLOSED when the peer has ended and nothing
 * is left. TIMED_OUT after the deadline; with a deadline of 0 it does not wait: WOULD_BLOCK.
 */
ftl_status_t ftl_ring_wait(struct ftl_ring *ring, ftl_nsec_t deadline);

/*
 * For those who sleep on something else, such as a main loop that watches the notification: leaves
 * the mark by which this end's notification will be signalled once a slot can be emptied or
 * filled. False: one can be now.
 */
bool ftl_ring_arm(const struct ftl_ring *ring);

/*
 * Byte slots: a message of up to payload_size - 8 bytes in each, copied. WOULD_BLOCK when the ring
 * is full or empty; INVALID_ARGUMENT for a message that does not fit; BAD_FORMAT for one that
 * cannot be: it is dropped; TOO_SMALL when it is larger than the buffer: it is dropped, too.
 */
ftl_status_t ftl_ring_write(struct ftl_ring *ring, const void *data, size_t size);
ftl_status_t ftl_ring_read(struct ftl_ring *ring, void *data, size_t capacity, size_t *size);

/* For the functions below: wakes who slept until the sequence changed from `former`. */
void ftl_ring_wake(const struct ftl_ring *ring, uint64_t former);

/* The slot of a payload. */
static inline struct ftl_ring_slot *ftl_ring_slot_of(void *payload)
{
    return (struct ftl_ring_slot *)(void *)((char *)payload - sizeof(struct ftl_ring_slot));
}

/* Hands the slot over, and wakes who sleeps for it. */
static inline void ftl_ring_pass_on(const struct ftl_ring *ring, struct ftl_ring_slot *slot,
                                    uint64_t sequence)
{
    uint64_t former = __atomic_exchange_n(&slot->sequence, sequence, __ATOMIC_ACQ_REL);
    if (__builtin_expect((former & FTL_RING_SLEEP) != 0, 0)) {
        ftl_ring_wake(ring, former);
    }
}

/* ---- One producer, one consumer ---- */

/* The payload of the next slot if it is in this state, else NULL. */
static inline void *ftl_ring_next(const struct ftl_ring *ring, uint64_t full)
{
    struct ftl_ring_slot *slot = (struct ftl_ring_slot *)(void *)ring->next;
    uint64_t sequence = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);
    return (sequence & FTL_RING_FULL) == full ? slot->payload : NULL;
}

/* Puts the slot into the other state, and goes on to the one behind it. */
static inline void ftl_ring_advance(struct ftl_ring *ring, struct ftl_ring_slot *slot,
                                    uint64_t full)
{
    char *next = (char *)slot + ring->stride;
    ring->next = __builtin_expect(next == ring->end, 0) ? ring->memory->slots : next;
    ftl_ring_pass_on(ring, slot, full);
}

/* The payload of the next slot, to be filled; NULL: the ring is full. */
static inline void *ftl_ring_push_begin(const struct ftl_ring *ring)
{
    return ftl_ring_next(ring, 0);
}

/* It is filled: the consumer may have it. */
static inline void ftl_ring_push_end(struct ftl_ring *ring, void *payload)
{
    ftl_ring_advance(ring, ftl_ring_slot_of(payload), FTL_RING_FULL);
}

/* The payload of the slot that was filled first; NULL: the ring is empty. */
static inline void *ftl_ring_pop_begin(const struct ftl_ring *ring)
{
    return ftl_ring_next(ring, FTL_RING_FULL);
}

/* It is done with: the producer may have it. */
static inline void ftl_ring_pop_end(struct ftl_ring *ring, void *payload)
{
    ftl_ring_advance(ring, ftl_ring_slot_of(payload), 0);
}

/* ---- Many ---- */

/* As above. Slots are emptied in the order in which they were claimed for filling; a claim that is
 * not followed by its end holds up all behind it. */
void *ftl_ring_multi_push_begin(struct ftl_ring *ring);
void ftl_ring_multi_push_end(struct ftl_ring *ring, void *payload);
void *ftl_ring_multi_pop_begin(struct ftl_ring *ring);
void ftl_ring_multi_pop_end(struct ftl_ring *ring, void *payload);

#endif
