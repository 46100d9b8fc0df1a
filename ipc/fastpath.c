/*
 * See fastpath.h. Both calls are the same change of threads: one leaves the list in which it waits
 * at its end of the channel, is made current, and the other gets into such a list. What lists,
 * transactions and waits mean is told in channel.c; the locks are taken without waiting for them.
 *
 * No function is called from here that is not compiled with the message registers reserved.
 */
#include "ipc/fastpath.h"

#include <ftl/words.h>

#include "ipc/channel.h"
#include "kernel/handle.h"
#include "kernel/hart.h"
#include "kernel/process.h"
#include "kernel/thread.h"

/* They would get arguments in registers that are reserved. */
#define always_inline inline __attribute__((always_inline))

#define SLOW_PATH ((struct fastpath_result){ 0 })

/* Not spin_try_lock(): the lock-order check of debug builds is a function. */
static always_inline bool try_lock(struct spinlock *lock)
{
    return __atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) == 0;
}

static always_inline void unlock(struct spinlock *lock)
{
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

/* The current process's channel end of this handle, with its pair locked; NULL: not so easily. */
static always_inline struct channel *find_and_lock(const struct thread *thread, ftl_handle_t handle)
{
    struct handle_table *table = &thread->process->handles;
    struct channel *channel = NULL;
    if (unlikely(!try_lock(&table->lock))) {
        return NULL;
    }
    const struct handle_slot *slot = handle_find(table, handle);
    if (likely(slot != NULL) && likely(slot->object->type == OBJECT_CHANNEL) &&
        likely(handle_has_rights(handle, FTL_RIGHT_READ | FTL_RIGHT_WRITE))) {
        channel = (struct channel *)slot->object;
        if (unlikely(!try_lock(&channel->pair->lock))) {
            channel = NULL;
        }
    }
    unlock(&table->lock);
    return channel;
}

/* The thread that is the first in the list, if it waits in a words call. The lock is held. */
static always_inline struct thread *first_waiter(const struct list *waiters)
{
    struct thread *thread = CONTAINER_OF(waiters->next, struct thread, wait.channel.link);
    return likely(!list_empty(waiters)) && likely(thread->wait.channel.words) ? thread : NULL;
}

/*
 * Whether the hart may go from one thread to the other without asking the scheduler: they have the
 * same priority, so that nobody more urgent waits, and there is none to lend or to return.
 */
static always_inline bool may_switch(const struct hart *hart, const struct thread *from,
                                     const struct thread *to)
{
    uint8_t priority = __atomic_load_n(&from->priority, __ATOMIC_RELAXED);
    uint64_t affinity = __atomic_load_n(&to->affinity, __ATOMIC_RELAXED);
    return likely(hart->arch.attention == 0) && likely(to->priority == priority) &&
           likely(to->own_priority == priority) && likely(from->own_priority == priority) &&
           likely(affinity >> hart->arch.index & 1);
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
    thread->state = THREAD_STOPPED;
    __atomic_exchange_n(&thread->wait.state, WAIT_ARMED, __ATOMIC_SEQ_CST);
    if (likely(__atomic_load_n(&thread->kill, __ATOMIC_RELAXED) == 0)) {
        return true;
    }
    hart->killed = claim(thread) ? thread : NULL;
    return false;
}

/* Makes a claimed thread the current one. Returns whether that is all there is to do. */
static always_inline bool start(struct hart *hart, struct thread *thread)
{
    thread->wait.resume = NULL;
    thread->state = THREAD_RUNNING;
    __atomic_store_n(&hart->current, thread, __ATOMIC_RELAXED);
    hart->arch.context = &thread->context;
    if (unlikely(thread->hart != hart->arch.index)) {
        /* Who kills it interrupts the hart it was on last. */
        __atomic_store_n(&thread->hart, hart->arch.index, __ATOMIC_SEQ_CST);
        return false;
    }
    return context_is_loaded(&thread->context);
}

/*
 * From the current thread, which waits from now on in `waiters`, to the claimed one. Ends the hold
 * of the pair's lock.
 */
static always_inline struct fastpath_result change_threads(struct hart *hart,
                                                           struct channel *channel,
                                                           struct list *waiters, struct thread *to,
                                                           uint64_t tag)
{
    struct thread *from = hart->current;
    struct list *link = &to->wait.channel.link;
    link->prev->next = link->next; /* it is a waiter no more: the link itself means nothing */
    link->next->prev = link->prev;
    list_push_front(waiters, &from->wait.channel.link);
    from->wait.channel.channel = channel; /* with the reference of the other's wait */
    bool started = start(hart, to); /* first, as the hart has to be off what it leaves by then */
    bool stopped = stop(hart, from);
    unlock(&channel->pair->lock);
    uintptr_t context = (uintptr_t)&to->context;
    if (unlikely(!stopped) || unlikely(!started)) {
        context |= FASTPATH_UNFINISHED;
    } else if (!vmspace_enter_window(to->process->vmspace) &&
               unlikely(!vmspace_try_switch(to->process->vmspace))) {
        context |= FASTPATH_UNFINISHED;
    }
    return (struct fastpath_result){ .context = context, .tag = tag };
}

static always_inline void prepare_wait(struct thread *thread, bool receiving,
                                       struct call_result (*resume)(struct thread *thread))
{
    thread->wait.timed_out = false;
    thread->wait.resume = resume;
    thread->wait.cleanup = channel_wait_cleanup;
    thread->wait.channel.message = NULL;
    thread->wait.channel.is_call = !receiving;
    thread->wait.channel.receiving = receiving;
    thread->wait.channel.words = true;
    thread->wait.channel.granted = false;
}

struct fastpath_result fastpath_channel_call_words(uint64_t handle, uint64_t tag)
{
    struct hart *hart = hart_self();
    struct thread *caller = hart->current;
    if (unlikely(tag > FTL_WORDS_SIZE)) {
        return SLOW_PATH;
    }
    struct channel *channel = find_and_lock(caller, handle);
    if (unlikely(channel == NULL)) {
        return SLOW_PATH;
    }
    struct channel *peer = channel->peer;
    struct thread *server = first_waiter(&peer->receivers);
    if (unlikely(server == NULL) || unlikely(peer->queued != 0) ||
        !may_switch(hart, caller, server) || !claim(server)) {
        unlock(&channel->pair->lock);
        return SLOW_PATH;
    }
    uint64_t transaction = ++channel->pair->last_transaction;
    prepare_wait(caller, false, channel_resume_call);
    caller->wait.channel.transaction = transaction;
    return change_threads(hart, channel, &channel->callers, server,
                          transaction << FTL_WORDS_TAG_SHIFT | tag);
}

struct fastpath_result fastpath_channel_serve_words(uint64_t handle, uint64_t tag)
{
    struct hart *hart = hart_self();
    struct thread *server = hart->current;
    size_t size = tag & FTL_WORDS_SIZE_MASK;
    if (unlikely(size > FTL_WORDS_SIZE)) {
        return SLOW_PATH;
    }
    struct channel *channel = find_and_lock(server, handle);
    if (unlikely(channel == NULL)) {
        return SLOW_PATH;
    }
    struct thread *caller = first_waiter(&channel->peer->callers);
    if (unlikely(caller == NULL) ||
        unlikely(caller->wait.channel.transaction != tag >> FTL_WORDS_TAG_SHIFT) ||
        unlikely(caller->loan.borrower != NULL) || unlikely(channel->queued != 0) ||
        !may_switch(hart, server, caller) || !claim(caller)) {
        unlock(&channel->pair->lock);
        return SLOW_PATH;
    }
    prepare_wait(server, true, channel_resume_receive);
    return change_threads(hart, channel, &channel->receivers, caller, size);
}
