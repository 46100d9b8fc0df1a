/*
 * Notifications: see notification.h. Who sets bits hands them to the threads that wait for them, so
 * that none has to look again. READABLE follows the word, under the same lock.
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

struct call_result sys_notification_signal(struct notification *notification, uint64_t bits)
{
    spin_lock(&notification->object.lock);
    notification->bits |= bits;
    struct notification_wait *waiter;
    LIST_FOR_EACH(waiter, &notification->waiters, struct notification_wait, link)
    {
        if ((notification->bits & waiter->mask) != 0) {
            waiter->bits = take_bits(notification, waiter->mask);
            list_remove(&waiter->link);
            struct thread *thread = CONTAINER_OF(waiter, struct thread, wait.notification);
            if (thread_complete(thread, call_value(waiter->bits))) {
                object_put(&notification->object); /* the waiter's reference; the caller has one */
            }
        }
    }
    /* Bits that waiters took at once were never there for others to see. */
    if ((notification->bits & bits) != 0) {
        object_signal_locked(&notification->object, 0, FTL_SIGNAL_READABLE);
    }
    spin_unlock(&notification->object.lock);
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

struct call_result sys_notification_wait(struct notification *notification, uint64_t mask,
                                         nsec_t deadline)
{
    if (mask == 0) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    spin_lock(&notification->object.lock);
    uint64_t bits = take_bits(notification, mask);
    if (bits != 0 || deadline == 0) {
        spin_unlock(&notification->object.lock);
        return bits != 0 ? call_value(bits) : call_status(FTL_ERR_WOULD_BLOCK);
    }
    struct notification_wait *wait = &thread_wait_begin(wait_resume, wait_cleanup)->notification;
    object_get(&notification->object);
    *wait = (struct notification_wait){ .notification = notification, .mask = mask };
    list_push_back(&notification->waiters, &wait->link);
    spin_unlock(&notification->object.lock);
    return thread_wait_commit(deadline);
}

struct call_result sys_notification_clear(struct notification *notification, uint64_t mask)
{
    spin_lock(&notification->object.lock);
    uint64_t former = notification->bits;
    take_bits(notification, mask);
    spin_unlock(&notification->object.lock);
    return call_value(former);
}
