/*
 * See fastpath.h. Both calls are the same change of threads, within a lane (ipc/lane.h): the one
 * that waits there is made current, and the other waits from now on.
 *
 * No function is called from here that is not compiled with the message registers reserved.
 */
#include "ipc/fastpath.h"

#include <ftl/words.h>

#include "ipc/lane.h"
#include "kernel/handle.h"
#include "kernel/hart.h"
#include "kernel/process.h"
#include "kernel/thread.h"

/* They would get arguments in registers that are reserved. */
#define always_inline inline __attribute__((always_inline))

#define SLOW_PATH ((struct fastpath_result){ .context = FASTPATH_SLOW })

/* Not spin_try_lock(): the lock-order check of debug builds is a function. */
static always_inline bool try_lock(struct lane *lane)
{
    return likely(__atomic_exchange_n(&lane->lock.held, 1, __ATOMIC_ACQUIRE) == 0);
}

static always_inline void unlock(struct lane *lane)
{
    __atomic_store_n(&lane->lock.held, 0, __ATOMIC_RELEASE);
}

/*
 * Whether the hart may go from one thread to the other without asking the scheduler, though there
 * is more to it than registers: they have the same priority, so that nobody more urgent waits, and
 * the other one has nothing to lend or to return.
 */
static always_inline bool may_switch(const struct hart *hart, const struct thread *from,
                                     const struct thread *to)
{
    uint8_t priority = __atomic_load_n(&from->priority, __ATOMIC_RELAXED);
    uint64_t affinity = __atomic_load_n(&to->affinity, __ATOMIC_RELAXED);
    return !hart->arch.resched && !hart->arch.tracing && to->priority == priority &&
           to->own_priority == priority && hart->priority == priority &&
           (affinity >> hart->arch.index & 1) != 0;
}

/* Takes a stopped thread's wake-up, as thread_notify() does. False: it is not stopped any more. */
static always_inline bool claim(struct thread *thread)
{
    uint32_t armed = WAIT_ARMED;
    return likely(__atomic_compare_exchange_n(&thread->wait.state, &armed, WAIT_NOTIFIED, false,
                                              __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
}

/*
 * Stops the current thread, which is in no wait: from the exchange on another hart may go on with
 * it. A kill that came before found nobody to wake: then it is claimed again, to be queued. Returns
 * whether that is all there is to do.
 */
static always_inline bool stop(struct hart *hart, struct thread *thread)
{
    __atomic_exchange_n(&thread->wait.state, WAIT_ARMED, __ATOMIC_SEQ_CST);
    if (likely(__atomic_load_n(&thread->stop_word, __ATOMIC_RELAXED) == 0)) {
        return true;
    }
    if (__atomic_load_n(&thread->kill, __ATOMIC_RELAXED) != 0 && claim(thread)) {
        hart->killed = thread;
    }
    return false;
}

/*
 * From the current thread, which the lane names as waiting by now, to the claimed one. Ends the
 * hold of the lane's lock. Not `plain`: the fast path's end has more to do.
 */
static always_inline struct fastpath_result change_threads(struct hart *hart, struct lane *lane,
                                                           struct thread *to, uint64_t tag,
                                                           bool plain)
{
    struct thread *from = hart->current;
    uintptr_t context = (uintptr_t)&to->context;
    if (unlikely(!plain)) {
        context |= FASTPATH_UNFINISHED;
        if (from->context.fpu != NULL) {
            context_store_fpu(&from->context); /* before another hart can go on with it */
        }
    }
    /* First, as the hart has to be off what it leaves by the time that one stops. */
    __atomic_store_n(&hart->current, to, __ATOMIC_RELAXED);
    hart->arch.context = &to->context;
    if (unlikely(!stop(hart, from))) {
        context |= FASTPATH_UNFINISHED;
    }
    unlock(lane);
    if (hart->arch.vmspace != to->tables && unlikely(!vmspace_try_switch(to->tables))) {
        context |= FASTPATH_UNFINISHED;
    }
    return (struct fastpath_result){ .context = context, .tag = tag };
}

struct fastpath_result fastpath_channel_call_words(uint64_t handle, uint64_t tag)
{
    struct hart *hart = hart_self();
    struct thread *caller = hart->current;
    struct lane *lane = caller->ports[PORT_CALLS].lane;
    if (unlikely(caller->ports[PORT_CALLS].slot->value != handle) ||
        unlikely(tag > FTL_WORDS_SIZE) || !try_lock(lane)) {
        return SLOW_PATH;
    }
    struct thread *server = lane->server;
    if (unlikely(server == NULL) || unlikely(lane->caller != NULL)) {
        goto unlock;
    }
    bool plain = __atomic_load_n(&server->place, __ATOMIC_RELAXED) == hart->arch.place;
    if ((unlikely(!plain) && !may_switch(hart, caller, server)) || !claim(server)) {
        goto unlock;
    }
    lane->caller = caller;
    lane->tag += LANE_TAG_STEP;
    hart->messages++;
    return change_threads(hart, lane, server, lane->tag | tag, plain);

unlock:
    unlock(lane);
    return SLOW_PATH;
}

struct fastpath_result fastpath_channel_serve_words(uint64_t handle, uint64_t tag)
{
    struct hart *hart = hart_self();
    struct thread *server = hart->current;
    struct lane *lane = server->ports[PORT_SERVES].lane;
    size_t size = tag & FTL_WORDS_SIZE_MASK;
    if (unlikely(server->ports[PORT_SERVES].slot->value != handle) ||
        unlikely(size > FTL_WORDS_SIZE) || !try_lock(lane)) {
        return SLOW_PATH;
    }
    struct thread *caller = lane->caller;
    if (unlikely(caller == NULL) || unlikely(lane->tag != tag - size)) {
        goto unlock;
    }
    bool plain = __atomic_load_n(&caller->place, __ATOMIC_RELAXED) == hart->arch.place;
    if ((unlikely(!plain) && !may_switch(hart, server, caller)) || !claim(caller)) {
        goto unlock;
    }
    lane->caller = NULL;
    lane->server = server; /* who replies is who waits: it may be another than who was called */
    return change_threads(hart, lane, caller, size, plain);

unlock:
    unlock(lane);
    return SLOW_PATH;
}
