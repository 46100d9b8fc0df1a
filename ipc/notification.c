/*
 * Notifications: see notification.h. Who sets bits hands them to the threads that wait for them, so
 * that none has to look again. READABLE follows the word, under the same lock. Calls get the
 * notification locked, not referenced (`locked` in calls.def), and unlock it.
 */
#include "ipc/notification.h"

#include "calls.gen.h"

#include "kernel/process.h"
#include "kernel/thread.h"
#include "mm/slab.h"

static struct slab_cache notification_cache;

void notification_init(void)
{
    slab_cache_init(&notification_cache, "notification", sizeof(struct notification),
                    _Alignof(struct notification));
}

void notification_destroy(struct object *object)
{
    struct notification *notification = (struct notification *)object;
    spin_lock(&object->lock); /* waits for a call that has found it by a handle closed since */
    spin_unlock(&object->lock);
    account_release(notification->account, sizeof(*notification));
    account_put(notification->account);
    slab_free(&notification_cache, notification);
}

struct call_result sys_notification_create(void)
{
    struct account *account = process_current()->account;
    if (!account_charge(account, sizeof(struct notification))) {
        return call_status(FTL_ERR_LIMIT);
    }
    struct notification *notification = slab_alloc(&notification_cache);
    if (notification == NULL) {
        account_release(account, sizeof(*notification));
        return call_status(FTL_ERR_NO_MEMORY);
    }
    object_init(&notification->object, OBJECT_NOTIFICATION);
    notification->account = account_get(account);
    list_init(&notification->waiters);
    return call_give_handle(&notification->object, FTL_RIGHTS_ALL);
}

/* Takes the bits of `mask` that are set out of the word. The lock is held. */
static uint64_t take_bits(struct notification *notification, uint64_t mask)
{
    uint64_t taken = notification->bits & mask;
    notification->bits &= ~taken;
    if (notification->bits == 0 && (notification->object.signals & FTL_SIGNAL_READABLE) != 0) {
        object_signal_locked(&notification->object, FTL_SIGNAL_READABLE, 0);
    }
    return taken;
}

/* Ends a call, and the hold of the lock. */
static struct call_result unlock_and_return(struct notification *notification,
                                            struct call_result result)
{
    spin_unlock(&notification->object.lock);
    spin_assert_none_held();
    return result;
}

/* Hands the bits that are set to those that wait for them; the rest stays. The lock is held. */
static void distribute(struct notification *notification)
{
    struct notification_wait *waiter;
    LIST_FOR_EACH(waiter, &notification->waiters, struct notification_wait, link)
    {
        if ((notification->bits & waiter->mask) != 0) {
            waiter->bits = notification->bits & waiter->mask;
            notification->bits &= ~waiter->mask;
            list_remove(&waiter->link);
            struct thread *thread = CONTAINER_OF(waiter, struct thread, wait.notification);
            thread_notify(thread);
        }
    }
    uint32_t readable = notification->bits != 0 ? FTL_SIGNAL_READABLE : 0;
    if (readable != 0 || (notification->object.signals & FTL_SIGNAL_READABLE) != 0) {
        object_signal_locked(&notification->object, FTL_SIGNAL_READABLE, readable);
    }
}

void notification_signal(struct notification *notification, uint64_t bits)
{
    spin_lock(&notification->object.lock);
    notification->bits |= bits;
    distribute(notification);
    spin_unlock(&notification->object.lock);
}

static __attribute__((noinline)) struct call_result distribute_and_return(
    struct notification *notification)
{
    distribute(notification);
    return unlock_and_return(notification, call_status(FTL_OK));
}

/*
 * Mostly one thread waits, for all that is set: its call is over with that. Returns it, for the
 * caller to put on a hart; NULL: it is not so, and nothing has been done. *completed: the reference
 * that its wait had is the caller's to drop. The lock is held.
 */
static inline struct thread *give_to_first(struct notification *notification, uint64_t bits,
                                           bool *completed, bool *taken)
{
    struct list *first = notification->waiters.next;
    struct notification_wait *waiter = LIST_ENTRY(first, struct notification_wait, link);
    bits |= notification->bits;
    if (first == &notification->waiters || (bits & ~waiter->mask) != 0 || bits == 0) {
        return NULL;
    }
    /* Bits that a waiter takes at once were never there for others to see. */
    notification->bits = 0;
    waiter->bits = bits;
    list_remove(first);
    struct thread *thread = CONTAINER_OF(waiter, struct thread, wait.notification);
    *completed = thread_take_completed(thread, call_value(bits), taken);
    return thread;
}

struct call_result sys_notification_signal(struct notification *notification, uint64_t bits)
{
    bool completed;
    bool taken;
    struct thread *thread = give_to_first(notification, bits, &completed, &taken);
    if (thread == NULL) {
        notification->bits |= bits;
        return distribute_and_return(notification);
    }
    spin_unlock(&notification->object.lock);
    if (completed) {
        object_put(&notification->object);
    }
    if (taken) {
        sched_enqueue(thread);
    }
    spin_assert_none_held();
    return call_status(FTL_OK);
}

static void wait_cleanup(struct thread *thread)
{
    struct notification_wait *wait = &thread->wait.notification;
    spin_lock(&wait->notification->object.lock);
    list_remove(&wait->link);
    spin_unlock(&wait->notification->object.lock);
    object_put(&wait->notification->object);
}

static struct call_result wait_resume(struct thread *thread)
{
    uint64_t bits = thread->wait.notification.bits;
    return bits != 0 ? call_value(bits) : call_status(FTL_ERR_TIMED_OUT);
}

/* A wait that need not stop, or must not. */
static __attribute__((noinline)) struct call_result wait_at_once(struct notification *notification,
                                                                 uint64_t mask)
{
    ftl_status_t status = mask == 0 ? FTL_ERR_INVALID_ARGUMENT : FTL_ERR_WOULD_BLOCK;
    uint64_t bits = take_bits(notification, mask);
    return unlock_and_return(notification, bits != 0 ? call_value(bits) : call_status(status));
}

/* Stops the current thread until bits of the mask are set. Ends the hold of the lock. */
static inline struct call_result stop(struct notification *notification, uint64_t mask,
                                      nsec_t deadline)
{
    struct notification_wait *wait = &thread_wait_begin(wait_resume, wait_cleanup)->notification;
    wait->notification = notification;
    wait->mask = mask;
    wait->bits = 0;
    list_push_back(&notification->waiters, &wait->link);
    spin_unlock(&notification->object.lock);
    return thread_wait_commit(deadline);
}

struct call_result sys_notification_wait(struct notification *notification, uint64_t mask,
                                         nsec_t deadline)
{
    if ((notification->bits & mask) != 0 || mask == 0 || deadline == 0) {
        return wait_at_once(notification, mask);
    }
    if (unlikely(!object_try_get(&notification->object))) {
        return unlock_and_return(notification, call_status(FTL_ERR_HANDLE_CLOSED));
    }
    return stop(notification, mask, deadline);
}

/* Why a handle is refused. The table's lock is held; it is released. */
static inline ftl_status_t refusal(struct handle_table *table, ftl_handle_t handle,
                                   ftl_rights_t rights)
{
    ftl_status_t status = handle_lookup_failed(table, handle, OBJECT_NOTIFICATION, rights);
    __builtin_assume(status != FTL_OK);
    return status;
}

/* Finds the two, the one locked, of the other a reference. */
static inline ftl_status_t find_both(ftl_handle_t signalled, ftl_handle_t awaited,
                                     struct notification **locked, struct notification **other)
{
    struct handle_table *table = &process_current()->handles;
    spin_lock(&table->lock);
    const struct handle_slot *to =
        handle_find_for(table, signalled, OBJECT_NOTIFICATION, FTL_RIGHT_WRITE);
    const struct handle_slot *from =
        handle_find_for(table, awaited, OBJECT_NOTIFICATION, FTL_RIGHT_READ);
    if (unlikely(to == NULL)) {
        return refusal(table, signalled, FTL_RIGHT_WRITE);
    }
    if (unlikely(from == NULL)) {
        return refusal(table, awaited, FTL_RIGHT_READ);
    }
    *locked = (struct notification *)to->object;
    *other = (struct notification *)from->object;
    object_get(from->object);
    spin_lock(&to->object->lock);
    spin_unlock(&table->lock);
    return FTL_OK;
}

/* Signals the notification, which is locked. Returns a thread to put on a hart, or NULL. */
static inline struct thread *signal_locked(struct notification *notification, uint64_t bits)
{
    bool completed = false;
    bool taken = false;
    struct thread *thread = give_to_first(notification, bits, &completed, &taken);
    if (unlikely(thread == NULL)) {
        notification->bits |= bits;
        distribute(notification);
    }
    spin_unlock(&notification->object.lock);
    if (completed) {
        object_put(&notification->object);
    }
    return taken ? thread : NULL;
}

/* What it waits for is there already, or it must not wait: both go on. */
static __attribute__((noinline)) struct call_result go_on_beside(struct notification *notification,
                                                                 uint64_t mask,
                                                                 struct thread *woken)
{
    struct call_result result = wait_at_once(notification, mask);
    if (woken != NULL) {
        sched_enqueue(woken);
    }
    object_put(&notification->object);
    return result;
}

struct call_result sys_notification_signal_and_wait(ftl_handle_t signalled, uint64_t bits,
                                                    ftl_handle_t awaited, uint64_t mask,
                                                    nsec_t deadline)
{
    struct notification *first;
    struct notification *second;
    ftl_status_t status = find_both(signalled, awaited, &first, &second);
    if (unlikely(status != FTL_OK)) {
        return call_status(status);
    }
    if (unlikely(mask == 0)) {
        spin_unlock(&first->object.lock);
        object_put(&second->object);
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    struct thread *woken = signal_locked(first, bits);
    spin_lock(&second->object.lock);
    if ((second->bits & mask) != 0 || deadline == 0) {
        return go_on_beside(second, mask, woken);
    }
    if (woken != NULL) {
        sched_hand_over(woken);
    }
    return stop(second, mask, deadline);
}

struct call_result sys_notification_clear(struct notification *notification, uint64_t mask)
{
    uint64_t former = notification->bits;
    take_bits(notification, mask);
    return unlock_and_return(notification, call_value(former));
}
