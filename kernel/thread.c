/* Threads: see thread.h. */
#include "kernel/thread.h"

#include "arch/timer.h"

#include "ipc/futex.h"
#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/process.h"
#include "mm/slab.h"

static struct slab_cache thread_cache;
static uint64_t last_id; /* atomic */

void thread_init(void)
{
    slab_cache_init(&thread_cache, "thread", sizeof(struct thread), _Alignof(struct thread));
}

struct thread *thread_current(void)
{
    return hart_self()->current;
}

struct thread *thread_create(struct process *process, vaddr_t entry, uint64_t argument,
                             vaddr_t stack, vaddr_t tls, ftl_status_t *status)
{
    *status = FTL_ERR_LIMIT;
    if (!account_charge(process->account, sizeof(struct thread))) {
        return NULL;
    }
    struct thread *thread = slab_alloc(&thread_cache);
    *status = FTL_ERR_NO_MEMORY;
    if (thread == NULL) {
        goto release_account;
    }
    object_init(&thread->object, OBJECT_THREAD);
    context_init(&thread->context, entry, argument, stack, tls, process->vmspace->base);
    list_init(&thread->queue_link);
    thread->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    thread->priority = PRIORITY_DEFAULT;
    thread->hart = hart_index();

    *status = FTL_ERR_BAD_STATE;
    spin_lock(&process->lock);
    if (process->ending) {
        spin_unlock(&process->lock);
        goto free_thread;
    }
    list_push_back(&process->threads, &thread->process_link);
    process->thread_count++;
    process->users++;
    spin_unlock(&process->lock);
    object_get(&process->object);
    thread->process = process;
    thread->account = account_get(process->account);
    *status = FTL_OK;
    return thread;

free_thread:
    slab_free(&thread_cache, thread);
release_account:
    account_release(process->account, sizeof(struct thread));
    return NULL;
}

void thread_start(struct thread *thread)
{
    object_get(&thread->object);
    sched_enqueue(thread);
}

void thread_destroy(struct object *object)
{
    struct thread *thread = (struct thread *)object;
    ASSERT(thread->state == THREAD_DEAD);
    account_release(thread->account, sizeof(*thread));
    account_put(thread->account);
    slab_free(&thread_cache, thread);
}

static void thread_end(struct thread *thread)
{
    struct process *process = thread->process;
    thread->state = THREAD_DEAD;
    context_forget(&thread->context);
    bool last = process_remove_thread(process, thread);
    object_signal(&thread->object, 0, FTL_SIGNAL_EXITED);
    object_put(&thread->object);
    if (last) {
        process_end(process);
    }
    object_put(&process->object);
}

void thread_kill(struct thread *thread)
{
    __atomic_store_n(&thread->kill, 1, __ATOMIC_SEQ_CST);
    thread_notify(thread);
    if (thread == thread_current()) {
        hart_self()->resched = true;
        hart_interrupt_self();
        return;
    }
    /* If it runs elsewhere: into the kernel with it. Running nowhere, it will find the flag by
     * itself. */
    struct hart *hart = &harts[__atomic_load_n(&thread->hart, __ATOMIC_RELAXED)];
    if (hart != hart_self()) {
        hart_ipi(hart, IPI_RESCHEDULE);
    }
}

static void wait_expired(struct timer *timer)
{
    struct thread *thread = CONTAINER_OF(timer, struct thread, wait.timer);
    thread->wait.timed_out = true;
    thread_notify(thread);
}

struct wait *thread_wait_begin(struct call_result (*resume)(struct thread *thread),
                               void (*cleanup)(struct thread *thread))
{
    struct thread *thread = thread_current();
    struct wait *wait = &thread->wait;
    ASSERT(wait->timer.queue == NULL);
    wait->timed_out = false;
    wait->timer.expire = wait_expired;
    wait->resume = resume;
    wait->cleanup = cleanup;
    __atomic_store_n(&wait->state, WAIT_PREPARING, __ATOMIC_SEQ_CST);
    /* thread_kill() sets the flag before it looks at the state. */
    if (__atomic_load_n(&thread->kill, __ATOMIC_SEQ_CST) != 0) {
        thread_notify(thread);
    }
    return wait;
}

struct call_result thread_wait_commit(nsec_t deadline)
{
    struct thread *thread = thread_current();
    if (deadline != FTL_TIME_INFINITE) {
        sched_add_timer(&thread->wait.timer, deadline);
    }
    sched_stop_current();
    thread->state = THREAD_STOPPED;
    uint32_t expected = WAIT_PREPARING;
    if (!__atomic_compare_exchange_n(&thread->wait.state, &expected, WAIT_ARMED, false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        sched_enqueue(thread);
    }
    /* From here on it may run, or be gone. */
    return call_stopped();
}

void thread_notify(struct thread *thread)
{
    uint32_t before = __atomic_exchange_n(&thread->wait.state, WAIT_NOTIFIED, __ATOMIC_SEQ_CST);
    if (before == WAIT_ARMED) {
        sched_enqueue(thread);
    }
}

static void abandon_wait(struct thread *thread)
{
    timer_cancel(&thread->wait.timer);
    thread->wait.resume = NULL;
    if (thread->wait.cleanup != NULL) {
        thread->wait.cleanup(thread);
    }
}

struct call_result thread_finish_wait(struct thread *thread)
{
    struct call_result (*resume)(struct thread *) = thread->wait.resume;
    abandon_wait(thread);
    return resume(thread);
}

void thread_leave(struct thread *thread)
{
    if (thread->wait.resume != NULL) {
        abandon_wait(thread);
    }
    if (thread->exit_clear != 0) {
        futex_clear_and_wake(thread->exit_clear);
    }
    sched_stop_current();
    /* The last thread takes the vmspace with it: no hart may use its tables by then. */
    vmspace_activate(NULL);
    thread_end(thread);
}
