/*
 * The scheduler: see sched.h. A hart's run queue is under its own lock; `idle` says which harts
 * look for work. No wake-up is lost: a hart enters `idle` before it looks at all queues for the
 * last time, and an enqueuer looks at `idle` after its thread is on a queue. No hart idles while
 * work waits: who leaves threads on a queue behind, or finds them on its own, wakes one that idles.
 */
#include "kernel/sched.h"

#include "arch/timer.h"

#include "kernel/assert.h"
#include "kernel/hart.h"
#include "kernel/process.h"
#include "kernel/thread.h"
#include "mm/vmspace.h"

struct hart harts[MAX_HARTS];
unsigned hart_count;

static uint64_t idle; /* bits are hart indices; atomic */

void sched_init_hart(struct hart *hart)
{
    spin_init(&hart->queue.lock, LOCK_RUN_QUEUE);
    for (size_t i = 0; i < PRIORITY_COUNT; i++) {
        list_init(&hart->queue.ready[i]);
    }
    timer_queue_init(&hart->timers);
    hart->slice_end = FTL_TIME_INFINITE;
    hart->timer_armed = FTL_TIME_INFINITE;
}

uint64_t sched_idle_mask(void)
{
    return __atomic_load_n(&idle, __ATOMIC_SEQ_CST);
}

static uint64_t hart_bit(const struct hart *hart)
{
    return 1UL << hart->arch.index;
}

/* The hart's own, or one that idles. */
static struct hart *choose_hart(const struct thread *thread)
{
    struct hart *last = &harts[thread->hart];
    uint64_t idle_now = sched_idle_mask();
    if (idle_now == 0 || (idle_now & hart_bit(last)) != 0) {
        return last;
    }
    if (last == hart_self() && last->current == NULL) {
        return last; /* about to schedule */
    }
    return &harts[__builtin_ctzl(idle_now)];
}

static void push(struct run_queue *queue, struct thread *thread)
{
    list_push_back(&queue->ready[thread->priority], &thread->queue_link);
    queue->length++;
    __atomic_store_n(&queue->present, queue->present | 1U << thread->priority, __ATOMIC_RELAXED);
}

static struct thread *pop(struct run_queue *queue)
{
    if (queue->present == 0) {
        return NULL;
    }
    unsigned priority = 31U - (unsigned)__builtin_clz(queue->present);
    struct list *node = list_pop_front(&queue->ready[priority]);
    if (list_empty(&queue->ready[priority])) {
        __atomic_store_n(&queue->present, queue->present & ~(1U << priority), __ATOMIC_RELAXED);
    }
    queue->length--;
    return LIST_ENTRY(node, struct thread, queue_link);
}

static void request_reschedule(struct hart *hart)
{
    if (hart == hart_self()) {
        hart->resched = true;
        hart_interrupt_self(); /* fast calls return without a look at resched */
    } else {
        hart_ipi(hart, IPI_RESCHEDULE);
    }
}

/* A thread waits on a queue: wakes another hart that idles, which will take it. */
static void wake_idle_hart(void)
{
    uint64_t others = sched_idle_mask() & ~hart_bit(hart_self());
    if (others != 0) {
        hart_ipi(&harts[__builtin_ctzl(others)], IPI_RESCHEDULE);
    }
}

/* Whether a hart with this current thread's priority and slice is to look at its queue when a
 * thread comes to it. */
static bool must_look(const struct hart *hart, uint8_t priority)
{
    return priority > __atomic_load_n(&hart->priority, __ATOMIC_RELAXED) ||
           __atomic_load_n(&hart->slice_end, __ATOMIC_RELAXED) == FTL_TIME_INFINITE;
}

void sched_enqueue(struct thread *thread)
{
    struct hart *hart = choose_hart(thread);
    thread->state = THREAD_READY;
    uint8_t priority = thread->priority; /* once on the queue it may run, and end, elsewhere */
    spin_lock(&hart->queue.lock);
    push(&hart->queue, thread);
    spin_unlock(&hart->queue.lock);
    memory_barrier();
    if (hart == hart_self() && hart->current == NULL) {
        return; /* about to look at its queue */
    }
    if ((sched_idle_mask() & hart_bit(hart)) != 0) {
        request_reschedule(hart);
        return;
    }
    if (must_look(hart, priority)) {
        request_reschedule(hart);
    }
    wake_idle_hart(); /* one that has become idle since the choice */
}

static struct thread *take_from(struct hart *hart)
{
    if (__atomic_load_n(&hart->queue.present, __ATOMIC_RELAXED) == 0) {
        return NULL;
    }
    spin_lock(&hart->queue.lock);
    struct thread *thread = pop(&hart->queue);
    spin_unlock(&hart->queue.lock);
    return thread;
}

/* The best thread of this hart's queue; else one of another hart's, beginning with the next. */
static struct thread *take_next(struct hart *hart)
{
    struct thread *thread = take_from(hart);
    for (unsigned i = 1; thread == NULL && i < hart_count; i++) {
        thread = take_from(&harts[(hart->arch.index + i) % hart_count]);
    }
    return thread;
}

/* Makes sure this hart gets a timer interrupt by the deadline. */
static void arm_timer(nsec_t deadline)
{
    struct hart *hart = hart_self();
    if (deadline < hart->timer_armed) {
        hart->timer_armed = deadline;
        timer_set(deadline);
    }
}

void sched_add_timer(struct timer *timer, nsec_t deadline)
{
    timer_add(&hart_self()->timers, timer, deadline);
    arm_timer(deadline);
}

void sched_timer_interrupt(void)
{
    struct hart *hart = hart_self();
    nsec_t now = time_now();
    nsec_t next = timer_queue_run(&hart->timers, now);
    if (hart->slice_end <= now) {
        hart->resched = true;
    } else if (hart->slice_end < next) {
        next = hart->slice_end;
    }
    hart->timer_armed = next;
    timer_set(next);
}

void hart_ipi(struct hart *hart, uint32_t bits)
{
    __atomic_fetch_or(&hart->ipi, bits, __ATOMIC_SEQ_CST);
    hart_send_ipi(hart_bit(hart));
}

void hart_handle_ipi(void)
{
    struct hart *hart = hart_self();
    uint32_t bits = __atomic_exchange_n(&hart->ipi, 0, __ATOMIC_SEQ_CST);
    if ((bits & IPI_HALT) != 0) {
        hart_halt();
    }
    hart->resched = true;
}

/* Whether there is a thread on any queue. */
static bool any_waits(void)
{
    for (unsigned i = 0; i < hart_count; i++) {
        if (__atomic_load_n(&harts[i].queue.present, __ATOMIC_SEQ_CST) != 0) {
            return true;
        }
    }
    return false;
}

/* Waits until there is a thread to run. */
static struct thread *wait_for_thread(struct hart *hart)
{
    vmspace_activate(NULL);
    nsec_t start = time_now();
    __atomic_fetch_or(&idle, hart_bit(hart), __ATOMIC_SEQ_CST);
    struct thread *thread = take_next(hart);
    while (thread == NULL) {
        hart_wait_for_interrupt();
        thread = take_next(hart);
    }
    __atomic_fetch_and(&idle, ~hart_bit(hart), __ATOMIC_SEQ_CST);
    if (any_waits()) {
        wake_idle_hart(); /* who enqueued it may have woken this hart, which has one now */
    }
    __atomic_store_n(&hart->idle_time, hart->idle_time + (time_now() - start), __ATOMIC_RELAXED);
    return thread;
}

void sched_stop_current(void)
{
    struct hart *hart = hart_self();
    struct thread *thread = hart->current;
    nsec_t now = time_now();
    thread->cpu_time += now - hart->run_start;
    context_save_fpu(&thread->context);
    context_deactivate();
    hart->current = NULL;
    __atomic_store_n(&hart->slice_end, FTL_TIME_INFINITE, __ATOMIC_RELAXED);
}

/*
 * Starts a time slice if a thread of the same priority waits; without one the thread just runs on.
 */
static void start_slice(struct hart *hart, nsec_t now)
{
    uint32_t present = __atomic_load_n(&hart->queue.present, __ATOMIC_RELAXED);
    nsec_t end =
        (present >> hart->current->priority & 1) != 0 ? now + TIME_SLICE : FTL_TIME_INFINITE;
    __atomic_store_n(&hart->slice_end, end, __ATOMIC_RELAXED);
    if (end != FTL_TIME_INFINITE) {
        arm_timer(end);
    }
}

static void run(struct hart *hart, struct thread *thread)
{
    nsec_t now = time_now();
    thread->state = THREAD_RUNNING;
    __atomic_store_n(&thread->hart, hart->arch.index,
                     __ATOMIC_SEQ_CST); /* before settle() reads kill */
    hart->current = thread;
    __atomic_store_n(&hart->priority, thread->priority, __ATOMIC_RELAXED);
    hart->switches++;
    hart->run_start = now;
    vmspace_activate(thread->process->vmspace);
    context_activate(&thread->context);
    start_slice(hart, now);
}

/* Puts the current thread back on a queue when one that waits here should go first. */
static void reconsider(struct hart *hart)
{
    struct thread *current = hart->current;
    uint32_t present = __atomic_load_n(&hart->queue.present, __ATOMIC_RELAXED);
    uint32_t rivals = present >> current->priority;
    nsec_t now = time_now();
    if (present != 0) {
        wake_idle_hart();
    }
    if (rivals > 1 || (rivals == 1 && hart->slice_end <= now)) {
        sched_stop_current();
        sched_enqueue(current);
    } else if (rivals == 0 || hart->slice_end == FTL_TIME_INFINITE) {
        start_slice(hart, now);
    }
}

/* Whether the current thread may return to its process; if not it is gone or stopped, and not
 * current any more. */
static bool settle(struct hart *hart)
{
    struct thread *thread = hart->current;
    if (thread->wait.resume != NULL && __atomic_load_n(&thread->kill, __ATOMIC_SEQ_CST) == 0) {
        struct call_result result = thread_finish_wait(thread);
        if (result.status == CALL_STOPPED) {
            return false;
        }
        context_set_result(&thread->context, result.status, result.value);
    }
    if (__atomic_load_n(&thread->kill, __ATOMIC_SEQ_CST) != 0) {
        thread_leave(thread);
        return false;
    }
    return true;
}

struct context *sched_resume(void)
{
    struct hart *hart = hart_self();
    for (;;) {
        if (hart->resched) {
            hart->resched = false;
            if (hart->current != NULL) {
                reconsider(hart);
            }
        }
        if (hart->current == NULL) {
            struct thread *next = take_next(hart);
            run(hart, next != NULL ? next : wait_for_thread(hart));
        }
        if (settle(hart)) {
            spin_assert_none_held();
            return &hart->current->context;
        }
    }
}

void sched_yield(void)
{
    struct hart *hart = hart_self();
    hart->slice_end = 0;
    hart->resched = true;
}
