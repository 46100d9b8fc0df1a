/* Rings: all but the fast paths, which are in <ftl/ring.h>. Runs on the host too, for tests. */
#include <ftl/handle.h>
#include <ftl/notification.h>
#include <ftl/poll.h>
#include <ftl/ring.h>
#include <string.h>

#define STRIDE_MIN 16u               /* so that flags fit below every position */
#define BYTES_MAX  ((size_t)1 << 32) /* of all slots: far from any overflow */

/* What an end's poll says, besides nothing: the peer has ended. */
#define WORD_PEER 1

/* ---- Making and opening ---- */

/* Bytes of a slot: a power of two, so that positions can be masked. 0: there is no such ring. */
static size_t stride_of(size_t payload_size, size_t slots)
{
    size_t stride = STRIDE_MIN;
    if (payload_size == 0 || payload_size > BYTES_MAX || slots == 0 || slots > BYTES_MAX ||
        (slots & (slots - 1)) != 0) {
        return 0;
    }
    while (stride - sizeof(struct ftl_ring_slot) < payload_size) {
        stride *= 2;
    }
    return stride <= BYTES_MAX / slots ? stride : 0;
}

size_t ftl_ring_memory_size(size_t payload_size, size_t slots)
{
    size_t stride = stride_of(payload_size, slots);
    return stride != 0 ? sizeof(struct ftl_ring_memory) + stride * slots : 0;
}

void ftl_ring_format(void *memory, size_t payload_size, size_t slots)
{
    struct ftl_ring_memory *ring = memory;
    size_t stride = stride_of(payload_size, slots);
    ring->producers = 0;
    ring->consumers = 0;
    for (size_t position = 0; position < stride * slots; position += stride) {
        ((struct ftl_ring_slot *)(void *)(ring->slots + position))->sequence = position;
    }
}

/* Makes the poll that the end sleeps on: for signals since it last looked, and for its peer. */
static ftl_status_t open_poll(struct ftl_ring *ring, ftl_handle_t mine, ftl_handle_t peer)
{
    uint64_t entry;
    ftl_status_t status = ftl_poll_create(&ring->poll);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_poll_add(ring->poll, mine, FTL_SIGNAL_READABLE | FTL_POLL_EDGE, 0, &entry);
    if (status == FTL_OK && peer != FTL_HANDLE_INVALID) {
        status = ftl_poll_add(ring->poll, peer, FTL_SIGNAL_EXITED | FTL_SIGNAL_PEER_CLOSED,
                              WORD_PEER, &entry);
    }
    if (status != FTL_OK) {
        ftl_handle_close(ring->poll);
    }
    return status;
}

ftl_status_t ftl_ring_open(struct ftl_ring *ring, const struct ftl_ring_config *config)
{
    struct ftl_ring_memory *memory = config->memory;
    size_t stride = stride_of(config->payload_size, config->slots);
    if (stride == 0 || memory == NULL ||
        (uintptr_t)memory % _Alignof(struct ftl_ring_memory) != 0) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    *ring = (struct ftl_ring){
        .next = memory->slots,
        .stride = stride,
        .end = memory->slots + stride * config->slots,
        .memory = memory,
        .mask = stride * (config->slots - 1),
        .payload_size = config->payload_size,
        .consumes = config->consumes,
        .multi = config->multi,
        .data = config->data,
        .space = config->space,
    };
    return open_poll(ring, config->consumes ? config->data : config->space, config->peer);
}

void ftl_ring_close(struct ftl_ring *ring)
{
    ftl_handle_close(ring->poll);
    memset(ring, 0, sizeof(*ring));
}

/* ---- Sleeping ---- */

/*
 * With many, producers may sleep for the slot's next round while it is being filled for this one.
 */
void ftl_ring_wake(const struct ftl_ring *ring, uint64_t former)
{
    if ((former & FTL_RING_CONSUMERS_SLEEP) != 0) {
        ftl_notification_signal(ring->data, 1);
    }
    if ((former & FTL_RING_PRODUCERS_SLEEP) != 0) {
        ftl_notification_signal(ring->space, 1);
    }
}

/* Among many: how far this end's side is. */
static uint64_t *side_of(const struct ftl_ring *ring)
{
    return ring->consumes ? &ring->memory->consumers : &ring->memory->producers;
}

static struct ftl_ring_slot *slot_at(const struct ftl_ring *ring, uint64_t position)
{
    return (struct ftl_ring_slot *)(void *)(ring->memory->slots + (position & ring->mask));
}

/* The sequence for which this end, one of many, can go on at the position. */
static uint64_t wanted(const struct ftl_ring *ring, uint64_t position)
{
    return ring->consumes ? position | FTL_RING_FULL : position;
}

static uint64_t mark_of(const struct ftl_ring *ring)
{
    return ring->consumes ? FTL_RING_CONSUMERS_SLEEP : FTL_RING_PRODUCERS_SLEEP;
}

/* Leaves a mark in the sequence; returns it as it was, without marks. */
static uint64_t mark_slot(const struct ftl_ring *ring, struct ftl_ring_slot *slot)
{
    return __atomic_fetch_or(&slot->sequence, mark_of(ring), __ATOMIC_ACQ_REL) & ~FTL_RING_SLEEP;
}

/*
 * Takes the mark back from a sequence for which this side does not sleep, so that nobody is woken
 * in vain. Only from that one: in the next, others of this side may have left theirs.
 */
static void unmark_slot(const struct ftl_ring *ring, struct ftl_ring_slot *slot, uint64_t sequence)
{
    uint64_t marked = __atomic_load_n(&slot->sequence, __ATOMIC_RELAXED);
    for (unsigned tries = 0; tries < FTL_RING_TRIES; tries++) {
        if ((marked & ~FTL_RING_SLEEP) != sequence ||
            __atomic_compare_exchange_n(&slot->sequence, &marked, marked & ~mark_of(ring), false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            return;
        }
    }
}

static bool mark_one_of_many(const struct ftl_ring *ring)
{
    const uint64_t *side = side_of(ring);
    for (unsigned tries = 0; tries < FTL_RING_TRIES; tries++) {
        uint64_t position = __atomic_load_n(side, __ATOMIC_ACQUIRE);
        struct ftl_ring_slot *slot = slot_at(ring, position);
        if (mark_slot(ring, slot) == wanted(ring, position)) {
            unmark_slot(ring, slot, wanted(ring, position));
            return true;
        }
        if (__atomic_load_n(side, __ATOMIC_ACQUIRE) == position) {
            return false;
        }
    }
    return true; /* others are getting on: so can we */
}

/* Leaves a mark where this end waits. True: that is no use, what it waits for has come. */
static bool mark(const struct ftl_ring *ring)
{
    if (ring->multi) {
        return mark_one_of_many(ring);
    }
    struct ftl_ring_slot *slot = (struct ftl_ring_slot *)(void *)ring->next;
    uint64_t sequence = mark_slot(ring, slot);
    if (((sequence & FTL_RING_FULL) != 0) != ring->consumes) {
        return false;
    }
    unmark_slot(ring, slot, sequence);
    return true;
}

bool ftl_ring_arm(const struct ftl_ring *ring)
{
    return !mark(ring);
}

ftl_status_t ftl_ring_wait(struct ftl_ring *ring, ftl_nsec_t deadline)
{
    struct ftl_poll_event events[2];
    size_t count;
    while (!mark(ring)) {
        ftl_status_t status = ftl_poll_wait(ring->poll, events, 2, deadline, &count);
        if (status != FTL_OK) {
            return status;
        }
        for (size_t i = 0; i < count; i++) {
            if (events[i].word == WORD_PEER) { /* it may have done its last thing just now */
                return mark(ring) ? FTL_OK : FTL_ERR_PEER_CLOSED;
            }
        }
    }
    return FTL_OK;
}

/* ---- Many ---- */

/* Claims the slot at the side's position, if its sequence is the one to go on with. */
static void *claim(struct ftl_ring *ring)
{
    uint64_t *side = side_of(ring);
    for (unsigned tries = 0; tries < FTL_RING_TRIES; tries++) {
        uint64_t position = __atomic_load_n(side, __ATOMIC_RELAXED);
        struct ftl_ring_slot *slot = slot_at(ring, position);
        uint64_t sequence = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE) & ~FTL_RING_SLEEP;
        if (sequence == wanted(ring, position)) {
            if (__atomic_compare_exchange_n(side, &position, position + ring->stride, false,
                                            __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
                ring->position = position;
                return slot->payload;
            }
        } else if ((int64_t)(sequence - position) <= 0) {
            return NULL; /* the other side has yet to do something */
        }
    }
    return NULL;
}

void *ftl_ring_multi_push_begin(struct ftl_ring *ring)
{
    return claim(ring);
}

void ftl_ring_multi_push_end(struct ftl_ring *ring, void *payload)
{
    ftl_ring_pass_on(ring, ftl_ring_slot_of(payload), ring->position | FTL_RING_FULL);
}

void *ftl_ring_multi_pop_begin(struct ftl_ring *ring)
{
    return claim(ring);
}

/* The slot's turn is now one round later. */
void ftl_ring_multi_pop_end(struct ftl_ring *ring, void *payload)
{
    ftl_ring_pass_on(ring, ftl_ring_slot_of(payload), ring->position + ring->mask + ring->stride);
}

/* ---- Byte slots ---- */

/* At the beginning of such a payload; read once. */
struct bytes {
    uint64_t size;
    char data[];
};

ftl_status_t ftl_ring_write(struct ftl_ring *ring, const void *data, size_t size)
{
    if (ring->payload_size < sizeof(struct bytes) ||
        size > ring->payload_size - sizeof(struct bytes)) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    struct bytes *bytes = ring->multi ? ftl_ring_multi_push_begin(ring) : ftl_ring_push_begin(ring);
    if (bytes == NULL) {
        return FTL_ERR_WOULD_BLOCK;
    }
    bytes->size = size;
    memcpy(bytes->data, data, size);
    if (ring->multi) {
        ftl_ring_multi_push_end(ring, bytes);
    } else {
        ftl_ring_push_end(ring, bytes);
    }
    return FTL_OK;
}

/* Copies the message out, if it can be one. */
static ftl_status_t read_bytes(const struct ftl_ring *ring, const struct bytes *bytes, void *data,
                               size_t capacity, size_t *size)
{
    uint64_t claimed = __atomic_load_n(&bytes->size, __ATOMIC_RELAXED);
    if (ring->payload_size < sizeof(*bytes) || claimed > ring->payload_size - sizeof(*bytes)) {
        return FTL_ERR_BAD_FORMAT;
    }
    *size = claimed;
    if (claimed > capacity) {
        return FTL_ERR_TOO_SMALL;
    }
    memcpy(data, bytes->data, claimed);
    return FTL_OK;
}

ftl_status_t ftl_ring_read(struct ftl_ring *ring, void *data, size_t capacity, size_t *size)
{
    struct bytes *bytes = ring->multi ? ftl_ring_multi_pop_begin(ring) : ftl_ring_pop_begin(ring);
    if (bytes == NULL) {
        return FTL_ERR_WOULD_BLOCK;
    }
    ftl_status_t status = read_bytes(ring, bytes, data, capacity, size);
    if (ring->multi) {
        ftl_ring_multi_pop_end(ring, bytes);
    } else {
        ftl_ring_pop_end(ring, bytes);
    }
    return status;
}
