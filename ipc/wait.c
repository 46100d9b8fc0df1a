/*
 * object_wait: waiting for signals of several objects. Each entry observes one object; the first
 * that fires wakes the thread, which then looks at all of them again, so that it returns what is
 * true then.
 */
#include "calls.gen.h"

#include "kernel/object.h"
#include "kernel/process.h"
#include "kernel/thread.h"
#include "mm/slab.h"
#include "mm/vmspace.h"

static void entry_notify(struct observer *observer, uint32_t signals)
{
    (void)signals;
    thread_notify(CONTAINER_OF(observer, struct wait_entry, observer)->thread);
}

/* Ends what begin() has begun, of which the first entries have been looked up. */
static void end(struct objects_wait *wait)
{
    for (size_t i = 0; i < wait->count && wait->entries[i].object != NULL; i++) {
        object_put(wait->entries[i].object);
    }
    if (wait->entries != &wait->only) {
        kfree(wait->entries, wait->count * sizeof(*wait->entries));
    }
    wait->entries = NULL;
}

static inline ftl_status_t entry_make(struct wait_entry *entry, const struct ftl_wait_item *item)
{
    entry->observer.notify = entry_notify;
    entry->observer.interest = item->interest;
    entry->thread = thread_current();
    list_init(&entry->observer.link);
    ftl_status_t status = handle_lookup(item->handle, OBJECT_ANY, FTL_RIGHT_WAIT, &entry->object);
    if (status != FTL_OK) {
        entry->object = NULL;
    }
    return status;
}

/* The wait of the current thread, filled in but for its entries. */
static struct objects_wait *begin(size_t count, vaddr_t items, nsec_t deadline)
{
    struct objects_wait *wait = &thread_current()->wait.objects;
    wait->count = count;
    wait->items = items;
    wait->deadline = deadline;
    return wait;
}

static ftl_status_t make_entries(struct objects_wait *wait, const struct ftl_wait_item *items)
{
    wait->entries = kalloc(wait->count * sizeof(*wait->entries));
    if (wait->entries == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < wait->count; i++) {
        ftl_status_t status = entry_make(&wait->entries[i], &items[i]);
        if (status != FTL_OK) {
            end(wait);
            return status;
        }
    }
    return FTL_OK;
}

/* Writes the signals of all entries to the caller's items. Returns how many are of interest in
 * *ready. */
static ftl_status_t report(const struct objects_wait *wait, size_t *ready)
{
    *ready = 0;
    for (size_t i = 0; i < wait->count; i++) {
        const struct wait_entry *entry = &wait->entries[i];
        uint32_t signals = object_signals(entry->object);
        *ready += (signals & entry->observer.interest) != 0;
        vaddr_t field = wait->items + i * sizeof(struct ftl_wait_item) +
                        offsetof(struct ftl_wait_item, signals);
        ftl_status_t status = copy_out(field, &signals, sizeof(signals));
        if (status != FTL_OK) {
            return status;
        }
    }
    return FTL_OK;
}

static void wait_cleanup(struct thread *thread)
{
    struct objects_wait *wait = &thread->wait.objects;
    for (size_t i = 0; i < wait->count; i++) {
        object_unobserve(wait->entries[i].object, &wait->entries[i].observer);
    }
    if (__atomic_load_n(&thread->kill, __ATOMIC_ACQUIRE) != 0) {
        end(wait);
    }
}

static struct call_result wait_resume(struct thread *thread);

/* Stops the current thread until one of the entries fires. */
static struct call_result stop(struct objects_wait *wait)
{
    bool ready = false;
    thread_wait_begin(wait_resume, wait_cleanup);
    for (size_t i = 0; i < wait->count; i++) {
        struct wait_entry *entry = &wait->entries[i];
        ready |= (object_observe(entry->object, &entry->observer) & entry->observer.interest) != 0;
    }
    if (ready) {
        thread_notify(thread_current());
    }
    return thread_wait_commit(wait->deadline);
}

/* Says what is true now, or stops if nothing of interest is. */
static struct call_result look(struct objects_wait *wait, bool timed_out)
{
    size_t ready;
    ftl_status_t status = report(wait, &ready);
    if (status == FTL_OK && ready == 0 && !timed_out) {
        return stop(wait);
    }
    end(wait);
    if (status != FTL_OK) {
        return call_status(status);
    }
    return ready != 0 ? call_value(ready) : call_status(FTL_ERR_TIMED_OUT);
}

static struct call_result wait_resume(struct thread *thread)
{
    struct objects_wait *wait = &thread->wait.objects;
    if (wait->entries == NULL) {
        return call_status(
            FTL_ERR_CANCELLED); /* killed between clean-up and here: nobody sees it */
    }
    return look(wait, thread->wait.timed_out);
}

/* What is so already needs no stop. */
static inline struct call_result look_or_stop(struct objects_wait *wait)
{
    for (size_t i = 0; i < wait->count; i++) {
        const struct wait_entry *entry = &wait->entries[i];
        if ((object_signals(entry->object) & entry->observer.interest) != 0) {
            return look(wait, false);
        }
    }
    return stop(wait);
}

static __attribute__((noinline)) struct call_result wait_for_many(vaddr_t items, size_t count,
                                                                  nsec_t deadline)
{
    if (count == 0 || count > FTL_WAIT_MAX) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    struct ftl_wait_item copies[FTL_WAIT_MAX];
    ftl_status_t status = copy_in(copies, items, count * sizeof(copies[0]));
    if (status != FTL_OK) {
        return call_status(status);
    }
    struct objects_wait *wait = begin(count, items, deadline);
    status = make_entries(wait, copies);
    return status == FTL_OK ? look_or_stop(wait) : call_status(status);
}

struct call_result sys_object_wait(vaddr_t items, size_t count, nsec_t deadline)
{
    if (count != 1) {
        return wait_for_many(items, count, deadline);
    }
    struct ftl_wait_item item;
    ftl_status_t status = copy_in(&item, items, sizeof(item));
    if (status != FTL_OK) {
        return call_status(status);
    }
    struct objects_wait *wait = begin(1, items, deadline);
    wait->entries = &wait->only;
    status = entry_make(&wait->only, &item);
    return status == FTL_OK ? look_or_stop(wait) : call_status(status);
}
