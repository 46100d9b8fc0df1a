/* Threads: see thread.h. */
#include "kernel/thread.h"

#include "arch/timer.h"

#include "ipc/futex.h"
#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/process.h"
#include "kernel/string.h"
#include "mm/slab.h"

static struct slab_cache thread_cache;
static uint64_t last_id; /* atomic */

void thread_init(void)
{
    slab_cache_init(&thread_cache, "thread", sizeof(struct thread), _Alignof(struct thread));
}

static void wait_expired(struct timer *timer)
{
    struct thread *thread = CONTAINER_OF(timer, struct thread, wait.timer);
    thread->wait.timed_out = true;
    thread_notify(thread);
}

struct thread *thread_create(struct process *process, vaddr_t entry, uint64_t argument,
                             vaddr_t stack, vaddr_t tls, ftl_status_t *status)
{
    *status = FTL_ERR_LIMIT;
    if (!account_charge(process->account, sizeof(struct thread))) {
        return NULL;
    }
    struct thread *thread = slab_alloc_uncleared(&thread_cache);
    *status = FTL_ERR_NO_MEMORY;
    if (thread == NULL) {
        goto release_account;
    }
    /* What a wait consists of is filled in when one begins, and the ports are below. */
    memset(thread, 0, offsetof(struct thread, wait.futex));
    object_init(&thread->object, OBJECT_THREAD);
    context_init(&thread->context, entry, argument, stack, tls, process->vmspace->base);
    list_init(&thread->queue_link);
    thread->queue = NO_QUEUE;
    spin_init(&thread->lock, LOCK_THREAD);
    list_init(&thread->loans);
    list_init(&thread->loan.link);
    thread->affinity = UINT64_MAX;
    thread->hart = hart_index();
    thread->wait.timer.expire = wait_expired;
    thread->tables = vmspace_tables(process->vmspace);
    words_ports_init(thread);

    *status = FTL_ERR_BAD_STATE;
    spin_lock(&process->lock);
    if (process->ending) {
        spin_unlock(&process->lock);
        goto free_thread;
    }
    thread->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED); /* the list is in their order */
    thread->own_priority =
        process->priority_max < FTL_PRIORITY_DEFAULT ? process->priority_max : FTL_PRIORITY_DEFAULT;
    thread->priority = thread->own_priority;
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
    ASSERT(thread->loan.borrower == NULL && list_empty(&thread->loans));
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

nsec_t thread_cpu_time(const struct thread *thread, nsec_t now)
{
    const struct hart *hart = &harts[__atomic_load_n(&thread->hart, __ATOMIC_RELAXED)];
    nsec_t before = __atomic_load_n(&thread->cpu_time, __ATOMIC_ACQUIRE);
    nsec_t start = __atomic_load_n(&hart->run_start, __ATOMIC_RELAXED);
    bool runs = __atomic_load_n(&hart->current, __ATOMIC_ACQUIRE) == thread;
    nsec_t after = __atomic_load_n(&thread->cpu_time, __ATOMIC_RELAXED);
    /* When it has just left the hart, `start` may be another thread's. */
    return runs && before == after && start < now ? after + (now - start) : after;
}

/* The fast path of calls does not change `state`: who runs is who is current on a hart. */
static ftl_thread_state_t public_state(const struct thread *thread)
{
    const struct hart *hart = &harts[__atomic_load_n(&thread->hart, __ATOMIC_RELAXED)];
    switch (__atomic_load_n(&thread->state, __ATOMIC_RELAXED)) {
    case THREAD_RUNNING:
    case THREAD_STOPPED:
        return __atomic_load_n(&hart->current, __ATOMIC_RELAXED) == thread ? FTL_THREAD_RUNNING
                                                                           : FTL_THREAD_WAITING;
    case THREAD_DEAD: return FTL_THREAD_EXITED;
    default: return FTL_THREAD_READY;
    }
}

void thread_describe(struct thread *thread, struct ftl_thread_info *info)
{
    *info = (struct ftl_thread_info){
        .tid = thread->id,
        .state = public_state(thread),
        .hart = __atomic_load_n(&thread->hart, __ATOMIC_RELAXED),
        .cpu_time = thread_cpu_time(thread, time_now()),
    };
    spin_lock(&thread->lock);
    memcpy(info->name, thread->name, sizeof(info->name));
    info->priority = thread->own_priority;
    info->effective_priority = thread->priority;
    info->affinity = thread->affinity;
    spin_unlock(&thread->lock);
}

ftl_status_t thread_set_name(struct thread *thread, const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (name[i] <= ' ' || name[i] > '~') {
            return FTL_ERR_INVALID_ARGUMENT;
        }
    }
    spin_lock(&thread->lock);
    memcpy(thread->name, name, size);
    memset(thread->name + size, 0, sizeof(thread->name) - size);
    spin_unlock(&thread->lock);
    return FTL_OK;
}

void thread_set_affinity(struct thread *thread, uint64_t affinity)
{
    spin_lock(&thread->lock);
    bool anywhere = (harts_online() & ~affinity) == 0;
    __atomic_store_n(&thread->affinity, affinity, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->pinned, anywhere ? 0 : PLACE_DIFFERS, __ATOMIC_RELAXED);
    sched_update(thread);
    spin_unlock(&thread->lock);
}

void thread_kill(struct thread *thread)
{
    __atomic_store_n(&thread->kill, 1, __ATOMIC_SEQ_CST);
    thread_notify(thread);
    if (thread == thread_current()) {
        sched_request();
        return;
    }
    /* If it runs elsewhere: into the kernel with it. Running nowhere, it will find the flag by
     * itself. */
    struct hart *hart = &harts[__atomic_load_n(&thread->hart, __ATOMIC_RELAXED)];
    if (hart != hart_self()) {
        hart_ipi(hart, IPI_RESCHEDULE);
    }
}

struct call_result thread_wait_commit_until(nsec_t deadline)
{
    sched_add_timer(&thread_current()->wait.timer, deadline);
    sched_request();
    return call_stopped();
}

void thread_notify(struct thread *thread)
{
    if (thread_take_stopped(thread)) {
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
    words_ports_close(thread);
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
