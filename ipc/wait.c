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

struct wait_entry {
    struct observer observer;
    struct object *object; /* a reference; NULL: not yet looked up */
    struct thread *thread;
};

static void entry_notify(struct observer *observer, uint32_t signals)
{
    (void)signals;
    thread_notify(CONTAINER_OF(observer, struct wait_entry, observer)->thread);
}

static void entries_free(struct wait_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (entries[i].object != NULL) {
            object_put(entries[i].object);
        }
    }
    kfree(entries, count * sizeof(*entries));
}

static ftl_status_t entries_make(const struct ftl_wait_item *items, size_t count,
                                 struct wait_entry **made)
{
    struct wait_entry *entries = kalloc(count * sizeof(*entries));
    if (entries == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        entries[i].observer.notify = entry_notify;
        entries[i].observer.interest = items[i].interest;
        entries[i].thread = thread_current();
        list_init(&entries[i].observer.link);
        ftl_status_t status =
            handle_lookup(items[i].handle, OBJECT_ANY, FTL_RIGHT_WAIT, &entries[i].object);
        if (status != FTL_OK) {
            entries[i].object = NULL;
            entries_free(entries, count);
            return status;
        }
    }
    *made = entries;
    return FTL_OK;
}

/* Writes the signals of all entries to the caller's items. Returns how many are of interest in
 * *ready. */
static ftl_status_t report(const struct wait_entry *entries, size_t count, vaddr_t items,
                           size_t *ready)
{
    *ready = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t signals = __atomic_load_n(&entries[i].object->signals, __ATOMIC_ACQUIRE);
        *ready += (signals & entries[i].observer.interest) != 0;
        vaddr_t field =
            items + i * sizeof(struct ftl_wait_item) + offsetof(struct ftl_wait_item, signals);
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
        entries_free(wait->entries, wait->count);
        wait->entries = NULL;
    }
}

static struct call_result wait_resume(struct thread *thread);

/* Stops the current thread until one of the entries fires. */
static struct call_result stop(struct wait_entry *entries, size_t count, vaddr_t items,
                               nsec_t deadline)
{
    struct wait *wait = thread_wait_begin(wait_resume, wait_cleanup);
    wait->objects = (struct objects_wait){
        .entries = entries, .count = count, .items = items, .deadline = deadline
    };
    bool ready = false;
    for (size_t i = 0; i < count; i++) {
        uint32_t signals = object_observe(entries[i].object, &entries[i].observer);
        ready |= (signals & entries[i].observer.interest) != 0;
    }
    if (ready) {
        thread_notify(thread_current());
    }
    return thread_wait_commit(deadline);
}

static struct call_result wait_resume(struct thread *thread)
{
    struct objects_wait wait = thread->wait.objects;
    if (wait.entries == NULL) {
        return call_status(
            FTL_ERR_CANCELLED); /* killed between clean-up and here: nobody sees it */
    }
    size_t ready;
    ftl_status_t status = report(wait.entries, wait.count, wait.items, &ready);
    if (status == FTL_OK && ready == 0 && !thread->wait.timed_out) {
        return stop(wait.entries, wait.count, wait.items, wait.deadline);
    }
    entries_free(wait.entries, wait.count);
    if (status != FTL_OK) {
        return call_status(status);
    }
    return ready != 0 ? call_value(ready) : call_status(FTL_ERR_TIMED_OUT);
}

struct call_result sys_object_wait(vaddr_t items, size_t count, nsec_t deadline)
{
    if (count == 0 || count > FTL_WAIT_MAX) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    struct ftl_wait_item copies[FTL_WAIT_MAX];
    ftl_status_t status = copy_in(copies, items, count * sizeof(copies[0]));
    if (status != FTL_OK) {
        return call_status(status);
    }
    struct wait_entry *entries;
    status = entries_make(copies, count, &entries);
    return status == FTL_OK ? stop(entries, count, items, deadline) : call_status(status);
}
