/*
 * Polls: see poll.h. Locks: an object's, then the poll's (an observer is notified with the first
 * held). So what changes an entry's place among the observers does it without the poll's lock, and
 * keeps others off the entry by its state.
 *
 * No event is lost: a wait takes a level-triggered entry off the ready list only when it sees none
 * of its signals, with the lock held; who sets one then does so before it takes the lock to put the
 * entry back.
 */
#include "ipc/poll.h"

#include "calls.gen.h"

#include "kernel/assert.h"
#include "kernel/process.h"
#include "kernel/string.h"
#include "kernel/thread.h"
#include "mm/slab.h"

#define CHUNK_SIZE        (POLL_CHUNK_ENTRIES * sizeof(struct poll_entry))
#define DIRECTORY_MIN     4u /* chunks a directory starts with */
#define DIRECTORY_SIZE(n) ((n) * sizeof(struct poll_entry *))
#define CHUNKS_MAX        ((64u * 1024) / POLL_CHUNK_ENTRIES)

static struct slab_cache poll_cache;

void poll_init(void)
{
    slab_cache_init(&poll_cache, "poll", sizeof(struct poll), _Alignof(struct poll));
}

struct call_result sys_poll_create(void)
{
    struct account *account = process_current()->account;
    if (!account_charge(account, sizeof(struct poll))) {
        return call_status(FTL_ERR_LIMIT);
    }
    struct poll *poll = slab_alloc(&poll_cache);
    if (poll == NULL) {
        account_release(account, sizeof(*poll));
        return call_status(FTL_ERR_NO_MEMORY);
    }
    object_init(&poll->object, OBJECT_POLL);
    poll->account = account_get(account);
    spin_init(&poll->lock, LOCK_POLL);
    list_init(&poll->ready);
    list_init(&poll->waiters);
    return call_give_handle(&poll->object, FTL_RIGHTS_ALL);
}

void poll_destroy(struct object *object)
{
    struct poll *poll = (struct poll *)object;
    for (uint32_t i = 0; i < poll->chunk_count * POLL_CHUNK_ENTRIES; i++) {
        struct poll_entry *entry = &poll->chunks[i / POLL_CHUNK_ENTRIES][i % POLL_CHUNK_ENTRIES];
        if (entry->state != POLL_ENTRY_FREE) {
            object_unobserve(entry->object, &entry->observer);
            object_put(entry->object);
        }
    }
    for (uint32_t i = 0; i < poll->chunk_count; i++) {
        kfree(poll->chunks[i], CHUNK_SIZE);
    }
    kfree(poll->chunks, DIRECTORY_SIZE(poll->chunk_capacity));
    account_release(poll->account, sizeof(*poll) + poll->chunk_count * CHUNK_SIZE +
                                       DIRECTORY_SIZE(poll->chunk_capacity));
    account_put(poll->account);
    slab_free(&poll_cache, poll);
}

/* Lets the thread that has waited longest look. The lock is held. */
static void wake_one(struct poll *poll)
{
    struct list *node = list_pop_front(&poll->waiters);
    if (node != NULL) {
        thread_notify(CONTAINER_OF(node, struct thread, wait.poll.link));
    }
}

static void mark_ready(struct poll_entry *entry)
{
    struct poll *poll = entry->poll;
    entry->fired = true;
    if (list_empty(&entry->ready_link)) {
        list_push_back(&poll->ready, &entry->ready_link);
        poll->ready_count++;
    }
    wake_one(poll);
}

static void entry_notify(struct observer *observer, uint32_t signals)
{
    (void)signals;
    struct poll_entry *entry = CONTAINER_OF(observer, struct poll_entry, observer);
    spin_lock(&entry->poll->lock);
    mark_ready(entry);
    spin_unlock(&entry->poll->lock);
}

/* Entries: a table of chunks, with the free ones in a list. */

static ftl_status_t grow_directory(struct poll *poll)
{
    uint32_t capacity = poll->chunk_capacity == 0 ? DIRECTORY_MIN : poll->chunk_capacity * 2;
    size_t former = DIRECTORY_SIZE(poll->chunk_capacity);
    if (poll->chunk_count == CHUNKS_MAX ||
        !account_charge(poll->account, DIRECTORY_SIZE(capacity) - former)) {
        return FTL_ERR_LIMIT;
    }
    struct poll_entry **chunks = kalloc(DIRECTORY_SIZE(capacity));
    if (chunks == NULL) {
        account_release(poll->account, DIRECTORY_SIZE(capacity) - former);
        return FTL_ERR_NO_MEMORY;
    }
    if (former != 0) {
        memcpy(chunks, poll->chunks, former);
    }
    kfree(poll->chunks, former);
    poll->chunks = chunks;
    poll->chunk_capacity = capacity;
    return FTL_OK;
}

static void make_free(struct poll *poll, struct poll_entry *entry)
{
    entry->state = POLL_ENTRY_FREE;
    entry->next_free = poll->first_free;
    poll->first_free = entry->index + 1;
}

static ftl_status_t add_chunk(struct poll *poll)
{
    if (poll->chunk_count == poll->chunk_capacity) {
        ftl_status_t status = grow_directory(poll);
        if (status != FTL_OK) {
            return status;
        }
    }
    if (!account_charge(poll->account, CHUNK_SIZE)) {
        return FTL_ERR_LIMIT;
    }
    struct poll_entry *chunk = kalloc(CHUNK_SIZE);
    if (chunk == NULL) {
        account_release(poll->account, CHUNK_SIZE);
        return FTL_ERR_NO_MEMORY;
    }
    uint32_t first = poll->chunk_count * POLL_CHUNK_ENTRIES;
    poll->chunks[poll->chunk_count++] = chunk;
    for (uint32_t i = POLL_CHUNK_ENTRIES; i-- > 0;) {
        chunk[i].poll = poll;
        chunk[i].index = first + i;
        chunk[i].observer.notify = entry_notify;
        list_init(&chunk[i].observer.link);
        list_init(&chunk[i].ready_link);
        make_free(poll, &chunk[i]);
    }
    return FTL_OK;
}

static struct poll_entry *entry_at(const struct poll *poll, uint32_t index)
{
    return &poll->chunks[index / POLL_CHUNK_ENTRIES][index % POLL_CHUNK_ENTRIES];
}

static uint64_t entry_name(const struct poll_entry *entry)
{
    return (uint64_t)entry->generation << 32 | entry->index;
}

/* A free entry, busy from now on. */
static ftl_status_t entry_take(struct poll *poll, struct poll_entry **taken)
{
    ftl_status_t status = FTL_OK;
    spin_lock(&poll->lock);
    if (poll->first_free == 0) {
        status = add_chunk(poll);
    }
    if (status == FTL_OK) {
        struct poll_entry *entry = entry_at(poll, poll->first_free - 1);
        poll->first_free = entry->next_free;
        entry->generation++;
        entry->state = POLL_ENTRY_BUSY;
        *taken = entry;
    }
    spin_unlock(&poll->lock);
    return status;
}

/* The live entry of this name, busy from now on. */
static ftl_status_t entry_claim(struct poll *poll, uint64_t name, struct poll_entry **claimed)
{
    uint32_t index = (uint32_t)name;
    ftl_status_t status = FTL_ERR_NOT_FOUND;
    spin_lock(&poll->lock);
    if (index < poll->chunk_count * POLL_CHUNK_ENTRIES) {
        struct poll_entry *entry = entry_at(poll, index);
        bool exists = entry->state != POLL_ENTRY_FREE && entry_name(entry) == name;
        if (exists && entry->state == POLL_ENTRY_BUSY) {
            status = FTL_ERR_BAD_STATE;
        } else if (exists) {
            entry->state = POLL_ENTRY_BUSY;
            *claimed = entry;
            status = FTL_OK;
        }
    }
    spin_unlock(&poll->lock);
    return status;
}

/* Has a busy entry watch its object; afterwards it is live. Returns its name. */
static uint64_t entry_watch(struct poll_entry *entry, uint32_t interest, uint64_t word)
{
    struct poll *poll = entry->poll;
    spin_lock(&poll->lock);
    entry->word = word;
    entry->edge = (interest & FTL_POLL_EDGE) != 0;
    entry->fired = false;
    spin_unlock(&poll->lock);
    entry->observer.interest = interest & ~FTL_POLL_EDGE;
    uint32_t signals = object_observe(entry->object, &entry->observer);
    spin_lock(&poll->lock);
    entry->state = POLL_ENTRY_LIVE;
    uint64_t name = entry_name(entry);
    /* What was set before it was observed; and an event may have found the entry busy. */
    if ((signals & entry->observer.interest) != 0 || entry->fired) {
        mark_ready(entry);
    }
    spin_unlock(&poll->lock);
    return name;
}

struct call_result sys_poll_add(struct poll *poll, struct object *object, uint32_t interest,
                                uint64_t word)
{
    if (object->type == OBJECT_POLL) {
        return call_status(FTL_ERR_NOT_SUPPORTED); /* they would nest, perhaps in a ring */
    }
    struct poll_entry *entry;
    ftl_status_t status = entry_take(poll, &entry);
    if (status != FTL_OK) {
        return call_status(status);
    }
    object_get(object);
    entry->object = object;
    return call_value(entry_watch(entry, interest, word));
}

struct call_result sys_poll_modify(struct poll *poll, uint64_t name, uint32_t interest,
                                   uint64_t word)
{
    struct poll_entry *entry;
    ftl_status_t status = entry_claim(poll, name, &entry);
    if (status == FTL_OK) {
        object_unobserve(entry->object, &entry->observer);
        entry_watch(entry, interest, word);
    }
    return call_status(status);
}

struct call_result sys_poll_remove(struct poll *poll, uint64_t name)
{
    struct poll_entry *entry;
    ftl_status_t status = entry_claim(poll, name, &entry);
    if (status != FTL_OK) {
        return call_status(status);
    }
    struct object *object = entry->object;
    object_unobserve(object, &entry->observer);
    spin_lock(&poll->lock);
    if (!list_empty(&entry->ready_link)) {
        list_remove(&entry->ready_link);
        poll->ready_count--;
    }
    make_free(poll, entry);
    spin_unlock(&poll->lock);
    object_put(object);
    return call_status(FTL_OK);
}

/* Waiting. */

/* Signals to report of an entry from the ready list; 0: none. The lock is held. */
static uint32_t entry_event(struct poll_entry *entry)
{
    bool fired = entry->fired;
    if (entry->state != POLL_ENTRY_LIVE) {
        return 0; /* who has it looks at `fired` afterwards */
    }
    entry->fired = false;
    if (entry->edge && !fired) {
        return 0;
    }
    return object_signals(entry->object) & entry->observer.interest;
}

/*
 * Fills in events from the ready list, each entry at most once. Level-triggered ones stay on it, at
 * the end: the next waiter, if there is one, is to see them too. The lock is held.
 */
static size_t collect(struct poll *poll, struct ftl_poll_event *events, size_t capacity)
{
    size_t count = 0;
    for (uint32_t left = poll->ready_count; left > 0 && count < capacity; left--) {
        struct list *node = list_pop_front(&poll->ready);
        struct poll_entry *entry = LIST_ENTRY(node, struct poll_entry, ready_link);
        uint32_t signals = entry_event(entry);
        if (signals != 0) {
            events[count++] = (struct ftl_poll_event){ .word = entry->word, .signals = signals };
        }
        if (signals != 0 && !entry->edge) {
            list_push_back(&poll->ready, node);
        } else {
            poll->ready_count--;
        }
    }
    if (count != 0 && poll->ready_count != 0) {
        wake_one(poll);
    }
    return count;
}

static void wait_cleanup(struct thread *thread)
{
    struct poll_wait *wait = &thread->wait.poll;
    bool killed = __atomic_load_n(&thread->kill, __ATOMIC_ACQUIRE) != 0;
    struct poll *poll = wait->poll;
    spin_lock(&poll->lock);
    bool woken = list_empty(&wait->link);
    list_remove(&wait->link);
    if (killed && woken && poll->ready_count != 0) {
        wake_one(poll); /* it will not look: another has to */
    }
    spin_unlock(&poll->lock);
    if (killed) {
        wait->poll = NULL;
        object_put(&poll->object);
    }
}

static struct call_result wait_resume(struct thread *thread);

/*
 * Reports what is ready, or has the current thread wait for something that is: then *stopped, and
 * the wait, to be committed by the caller, has taken over its reference to the poll.
 */
static struct call_result poll_once(struct poll *poll, const struct poll_wait *how, bool last_try,
                                    bool *stopped)
{
    struct ftl_poll_event events[FTL_POLL_EVENTS_MAX];
    spin_lock(&poll->lock);
    size_t count = collect(poll, events, how->capacity);
    *stopped = count == 0 && !last_try;
    if (*stopped) {
        struct poll_wait *wait = &thread_wait_begin(wait_resume, wait_cleanup)->poll;
        *wait = *how;
        list_push_back(&poll->waiters, &wait->link);
    }
    spin_unlock(&poll->lock);
    if (*stopped || count == 0) {
        return call_status(FTL_ERR_TIMED_OUT);
    }
    ftl_status_t status = copy_out(how->events, events, count * sizeof(events[0]));
    return status == FTL_OK ? call_value(count) : call_status(status);
}

static struct call_result wait_resume(struct thread *thread)
{
    struct poll_wait wait = thread->wait.poll;
    if (wait.poll == NULL) {
        return call_status(FTL_ERR_CANCELLED); /* killed since: nobody sees it */
    }
    bool stopped;
    struct call_result result = poll_once(wait.poll, &wait, thread->wait.timed_out, &stopped);
    if (stopped) {
        return thread_wait_commit(wait.deadline);
    }
    object_put(&wait.poll->object);
    return result;
}

struct call_result sys_poll_wait(struct poll *poll, vaddr_t events, size_t capacity,
                                 nsec_t deadline)
{
    if (capacity == 0) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    struct poll_wait wait = {
        .poll = poll,
        .events = events,
        .capacity = capacity < FTL_POLL_EVENTS_MAX ? capacity : FTL_POLL_EVENTS_MAX,
        .deadline = deadline,
    };
    object_get(&poll->object); /* the wait's */
    bool stopped;
    struct call_result result = poll_once(poll, &wait, deadline == 0, &stopped);
    if (stopped) {
        return thread_wait_commit(deadline);
    }
    object_put(&poll->object);
    if (deadline == 0 && result.status == FTL_ERR_TIMED_OUT) {
        return call_status(FTL_ERR_WOULD_BLOCK);
    }
    return result;
}
