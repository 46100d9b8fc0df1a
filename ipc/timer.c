/*
 * Timer objects: see timer.h. Expiry runs in the timer interrupt with the queue's lock held, so the
 * order of locks is set_lock, the queue's, the object's.
 */
#include "ipc/timer.h"

#include "arch/timer.h"

#include "calls.gen.h"

#include "kernel/process.h"
#include "kernel/sched.h"
#include "mm/slab.h"

static struct slab_cache timer_cache;

void timer_object_init(void)
{
    slab_cache_init(&timer_cache, "timer", sizeof(struct timer_object),
                    _Alignof(struct timer_object));
}

void timer_object_destroy(struct object *object)
{
    struct timer_object *timer = (struct timer_object *)object;
    timer_cancel(&timer->timer);
    account_release(timer->account, sizeof(*timer));
    account_put(timer->account);
    slab_free(&timer_cache, timer);
}

/* Moves a periodic timer to its next deadline. Returns how many have passed: 1 for others. */
static uint64_t advance(struct timer_object *timer, nsec_t now)
{
    if (timer->period == 0) {
        return 1;
    }
    uint64_t passed = 1;
    if (now > timer->timer.deadline) {
        passed += (uint64_t)(now - timer->timer.deadline) / (uint64_t)timer->period;
    }
    nsec_t ahead;
    if (!__builtin_mul_overflow((nsec_t)passed, timer->period, &ahead) &&
        !__builtin_add_overflow(timer->timer.deadline, ahead, &ahead)) {
        timer->timer.deadline = ahead;
    }
    return passed;
}

static void expire(struct timer *queued)
{
    struct timer_object *timer = CONTAINER_OF(queued, struct timer_object, timer);
    uint64_t passed = advance(timer, time_now());
    spin_lock(&timer->object.lock);
    timer->expired += passed;
    object_signal_locked(&timer->object, 0, FTL_SIGNAL_READABLE);
    spin_unlock(&timer->object.lock);
}

struct call_result sys_timer_create(void)
{
    struct account *account = process_current()->account;
    if (!account_charge(account, sizeof(struct timer_object))) {
        return call_status(FTL_ERR_LIMIT);
    }
    struct timer_object *timer = slab_alloc(&timer_cache);
    if (timer == NULL) {
        account_release(account, sizeof(*timer));
        return call_status(FTL_ERR_NO_MEMORY);
    }
    object_init(&timer->object, OBJECT_TIMER);
    timer->account = account_get(account);
    timer->timer.expire = expire;
    spin_init(&timer->set_lock, LOCK_TIMER_OBJECT);
    return call_give_handle(&timer->object, FTL_RIGHTS_ALL);
}

/* Forgets what has expired; returns how often that was. */
static uint64_t take_expired(struct timer_object *timer)
{
    spin_lock(&timer->object.lock);
    uint64_t expired = timer->expired;
    timer->expired = 0;
    object_signal_locked(&timer->object, FTL_SIGNAL_READABLE, 0);
    spin_unlock(&timer->object.lock);
    return expired;
}

struct call_result sys_timer_set(struct timer_object *timer, nsec_t deadline, nsec_t period)
{
    if (deadline < 0 || (period != 0 && period < FTL_TIMER_PERIOD_MIN)) {
        return call_status(FTL_ERR_INVALID_ARGUMENT);
    }
    spin_lock(&timer->set_lock);
    timer_cancel(&timer->timer);
    take_expired(timer);
    timer->period = period;
    sched_add_timer(&timer->timer, deadline);
    spin_unlock(&timer->set_lock);
    return call_status(FTL_OK);
}

struct call_result sys_timer_cancel(struct timer_object *timer)
{
    spin_lock(&timer->set_lock);
    timer_cancel(&timer->timer);
    take_expired(timer);
    spin_unlock(&timer->set_lock);
    return call_status(FTL_OK);
}

struct call_result sys_timer_read(struct timer_object *timer)
{
    return call_value(take_expired(timer));
}
