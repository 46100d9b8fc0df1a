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
    hart->bit = 1UL << hart->arch.index;
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

uint64_t harts_online(void)
{
    uint64_t online = 0;
    for (unsigned i = 0; i < hart_count; i++) {
        online |= (uint64_t)__atomic_load_n(&harts[i].online, __ATOMIC_RELAXED) << i;
    }
    return online;
}

static uint64_t affinity_of(const struct thread *thread)
{
    return __atomic_load_n(&thread->affinity, __ATOMIC_RELAXED);
}

static bool may_run_on(const struct thread *thread, const struct hart *hart)
{
    return (affinity_of(thread) & hart->bit) != 0;
}

/* Of those the thread may run on: the one it ran on last, or one that idles. */
static struct hart *choose_hart(const struct thread *thread)
{
    uint64_t allowed = affinity_of(thread);
    struct hart *last = &harts[thread->hart];
    uint64_t idle_now = sched_idle_mask() & allowed;
    if ((allowed & last->bit) != 0) {
        if (idle_now == 0 || (idle_now & last->bit) != 0) {
            return last;
        }
        if (last == hart_self() && last->current == NULL) {
            return last; /* about to schedule */
        }
    }
    return &harts[__builtin_ctzl(idle_now != 0 ? idle_now : allowed)];
}

static void push(struct run_queue *queue, struct thread *thread, unsigned priority)
{
    thread->queue_priority = (uint8_t)priority;
    queue->last_priority = (uint8_t)priority;
    list_push_back(&queue->ready[priority], &thread->queue_link);
    queue->length++;
    __atomic_store_n(&queue->present, queue->present | 1U << priority, __ATOMIC_RELAXED);
    __atomic_store_n(&queue->wanted_by, queue->wanted_by | affinity_of(thread), __ATOMIC_RELAXED);
}

static void take_out(struct run_queue *queue, struct thread *thread)
{
    unsigned priority = thread->queue_priority;
    list_unlink(&thread->queue_link);
    __atomic_store_n(&thread->queue, NO_QUEUE, __ATOMIC_RELAXED);
    if (--queue->length == 0) {
        __atomic_store_n(&queue->present, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&queue->wanted_by, 0, __ATOMIC_RELAXED);
    } else if (list_empty(&queue->ready[priority])) {
        __atomic_store_n(&queue->present, queue->present & ~(1U << priority), __ATOMIC_RELAXED);
    }
}

/* The highest priority in a set that is not empty; looks where it was last time first. */
static unsigned highest(uint32_t priorities, const struct run_queue *queue)
{
    unsigned priority = queue->last_priority;
    while (unlikely(priorities >> priority != 1)) {
        priority += priorities >> priority == 0 ? -1U : 1U;
    }
    return priority;
}

/* The first thread of the highest priority that this hart may run, taken out; NULL: none. */
static inline struct thread *pop_for(const struct hart *hart, struct run_queue *queue)
{
    for (uint32_t left = queue->present; left != 0;) {
        unsigned priority = highest(left, queue);
        struct thread *thread;
        LIST_FOR_EACH(thread, &queue->ready[priority], struct thread, queue_link)
        {
            if (may_run_on(thread, hart)) {
                take_out(queue, thread);
                return thread;
            }
        }
        left &= ~(1U << priority);
    }
    return NULL;
}

static void request_reschedule(struct hart *hart)
{
    if (hart == hart_self()) {
        sched_request();
    } else {
        hart_ipi(hart, IPI_RESCHEDULE);
    }
}

/* Those of the allowed harts that idle, but for this one. A hint, unless a barrier comes before. */
static inline uint64_t idle_others(const struct hart *hart, uint64_t allowed)
{
    return __atomic_load_n(&idle, __ATOMIC_RELAXED) & allowed & ~hart->bit;
}

/*
 * A thread that one of these harts may run waits on a queue: wakes one that idles, not this one.
 * A memory barrier lies between that and this.
 */
static void wake_idle_hart(uint64_t allowed)
{
    uint64_t others = idle_others(hart_self(), allowed);
    if (unlikely(others != 0)) {
        hart_ipi(&harts[__builtin_ctzl(others)], IPI_RESCHEDULE);
    }
}

/* Makes sure this hart gets a timer interrupt by the deadline. */
static inline void arm_timer(struct hart *hart, nsec_t deadline)
{
    if (deadline < hart->timer_armed) {
        hart->timer_armed = deadline;
        timer_set(deadline);
    }
}

/* Whether a thread of this priority waits for the hart. */
static inline bool has_rival(const struct hart *hart, uint8_t priority)
{
    return (__atomic_load_n(&hart->queue.present, __ATOMIC_RELAXED) >> priority & 1) != 0;
}

/* The current thread's slice: FTL_TIME_INFINITE for none. */
static inline void begin_slice(struct hart *hart, nsec_t end)
{
    __atomic_store_n(&hart->slice_end, end, __ATOMIC_RELAXED);
    arm_timer(hart, end);
}

/*
 * Starts a time slice if a thread of the same priority waits; without one the thread just runs on.
 * It counts from when the thread was put on: who has run alone for longer makes room at once.
 */
static void start_slice(struct hart *hart)
{
    bool rival = has_rival(hart, hart->current->priority);
    begin_slice(hart, rival ? hart->run_start + TIME_SLICE : FTL_TIME_INFINITE);
}

/*
 * Puts the thread on the hart's queue, unless it may not run there, any more. Who changes priority
 * or affinity looks at `queue` afterwards: either it finds the thread here, or this the change.
 */
static inline bool put_on_queue(struct hart *hart, struct thread *thread, uint8_t *priority)
{
    spin_lock(&hart->queue.lock);
    __atomic_store_n(&thread->queue, (uint8_t)hart->arch.index, __ATOMIC_RELAXED);
    memory_barrier();
    bool fits = may_run_on(thread, hart);
    if (fits) {
        *priority = __atomic_load_n(&thread->priority, __ATOMIC_RELAXED);
        push(&hart->queue, thread, *priority);
    } else {
        __atomic_store_n(&thread->queue, NO_QUEUE, __ATOMIC_RELAXED);
    }
    spin_unlock(&hart->queue.lock);
    return fits;
}

/* See announce_here(): what is rare. */
static __attribute__((noinline)) void announce_here_rarely(struct hart *hart, uint8_t priority,
                                                           uint64_t allowed)
{
    if (hart->current == NULL) {
        /* About to look at its queue, where one that no other hart may run may come first. */
        if (__atomic_load_n(&hart->queue.length, __ATOMIC_RELAXED) > 1) {
            wake_idle_hart(allowed);
        }
        return;
    }
    wake_idle_hart(allowed);
    if (priority > hart->priority) {
        sched_request();
    } else if (hart->slice_end == FTL_TIME_INFINITE) {
        start_slice(hart);
    }
}

/* A thread of this priority, which these harts may run, has come to this hart's queue. */
static inline void announce_here(struct hart *hart, uint8_t priority, uint64_t allowed)
{
    memory_barrier();
    /* A hart that has become idle since the choice is to have it. */
    if (unlikely(hart->current == NULL) || unlikely(idle_others(hart, allowed) != 0) ||
        unlikely(priority > hart->priority)) {
        announce_here_rarely(hart, priority, allowed);
    } else if (priority == hart->priority && hart->slice_end == FTL_TIME_INFINITE) {
        begin_slice(hart, hart->run_start + TIME_SLICE);
    }
}

/* The same for another hart: sees to it that it looks, unless it will anyway. */
static void announce_there(struct hart *hart, uint8_t priority, uint64_t allowed)
{
    memory_barrier();
    if ((sched_idle_mask() & hart->bit) != 0) {
        hart_ipi(hart, IPI_RESCHEDULE);
        return;
    }
    if (priority > __atomic_load_n(&hart->priority, __ATOMIC_RELAXED) ||
        __atomic_load_n(&hart->slice_end, __ATOMIC_RELAXED) == FTL_TIME_INFINITE) {
        hart_ipi(hart, IPI_RESCHEDULE);
    }
    wake_idle_hart(allowed);
}

static __attribute__((noinline)) void enqueue_anywhere(struct thread *thread)
{
    struct hart *hart;
    uint8_t priority;
    uint64_t allowed; /* once on the queue the thread may run, and end, elsewhere */
    do {
        hart = choose_hart(thread);
        allowed = affinity_of(thread);
    } while (!put_on_queue(hart, thread, &priority));
    if (hart == hart_self()) {
        announce_here(hart, priority, allowed);
    } else {
        announce_there(hart, priority, allowed);
    }
}

void sched_enqueue(struct thread *thread)
{
    struct hart *hart = hart_self();
    uint64_t allowed = affinity_of(thread);
    uint8_t priority;
    thread->state = THREAD_READY;
    /* What choose_hart() mostly comes to: it ran here last, and no other hart could have it now. */
    if (likely(thread->hart == hart->arch.index) && likely(idle_others(hart, allowed) == 0) &&
        likely(put_on_queue(hart, thread, &priority))) {
        announce_here(hart, priority, allowed);
    } else {
        enqueue_anywhere(thread);
    }
}

/* The thread that was handed this hart goes to a queue: another takes its place. */
static __attribute__((noinline)) void hand_over_instead(struct hart *hart, struct thread *thread)
{
    struct thread *former = hart->handed;
    hart->handed = thread;
    sched_enqueue(former);
}

void sched_hand_over(struct thread *thread)
{
    struct hart *hart = hart_self();
    thread->state = THREAD_READY;
    sched_request();
    if (unlikely(hart->handed != NULL)) {
        hand_over_instead(hart, thread);
        return;
    }
    hart->handed = thread;
}

void sched_update(struct thread *thread)
{
    memory_barrier(); /* between the change and the look at where the thread is */
    unsigned queue;
    while ((queue = __atomic_load_n(&thread->queue, __ATOMIC_RELAXED)) != NO_QUEUE) {
        struct run_queue *candidate = &harts[queue].queue;
        spin_lock(&candidate->lock);
        bool found = thread->queue == queue;
        if (found) {
            take_out(candidate, thread);
        }
        spin_unlock(&candidate->lock);
        if (found) {
            sched_enqueue(thread);
            return;
        }
    }
    struct hart *hart = &harts[__atomic_load_n(&thread->hart, __ATOMIC_RELAXED)];
    /* One that is not stopped may be about to run there: the fast path does not look again. */
    if (__atomic_load_n(&hart->current, __ATOMIC_RELAXED) == thread ||
        (hart != hart_self() &&
         __atomic_load_n(&thread->wait.state, __ATOMIC_RELAXED) == WAIT_NOTIFIED)) {
        request_reschedule(hart);
    }
}

/* A thread of the victim's queue for the hart; NULL: none. */
static inline struct thread *take_from(struct hart *victim, const struct hart *hart)
{
    struct run_queue *queue = &victim->queue;
    if ((__atomic_load_n(&queue->wanted_by, __ATOMIC_RELAXED) & hart->bit) == 0) {
        return NULL;
    }
    spin_lock(&queue->lock);
    struct thread *thread = pop_for(hart, queue);
    spin_unlock(&queue->lock);
    return thread;
}

/* A thread of another hart's queue, beginning with the next hart; NULL: none. */
static __attribute__((noinline)) struct thread *steal(struct hart *hart)
{
    for (unsigned i = 1; i < hart_count; i++) {
        struct thread *thread = take_from(&harts[(hart->arch.index + i) % hart_count], hart);
        if (thread != NULL) {
            __atomic_store_n(&hart->steals, hart->steals + 1, __ATOMIC_RELAXED);
            return thread;
        }
    }
    return NULL;
}

/* The best thread of this hart's queue; else one of another hart's. */
static struct thread *take_next(struct hart *hart)
{
    struct thread *thread = take_from(hart, hart);
    return thread != NULL ? thread : steal(hart);
}

void sched_add_timer(struct timer *timer, nsec_t deadline)
{
    struct hart *hart = hart_self();
    timer_add(&hart->timers, timer, deadline);
    arm_timer(hart, deadline);
}

void sched_timer_interrupt(void)
{
    struct hart *hart = hart_self();
    nsec_t now = time_now();
    nsec_t next = timer_queue_run(&hart->timers, now);
    if (hart->slice_end <= now) {
        sched_request();
    } else if (hart->slice_end < next) {
        next = hart->slice_end;
    }
    hart->timer_armed = next;
    timer_set(next);
}

void hart_ipi(struct hart *hart, uint32_t bits)
{
    __atomic_fetch_or(&hart->ipi, bits, __ATOMIC_SEQ_CST);
    hart_send_ipi(hart->bit);
}

void hart_handle_ipi(void)
{
    struct hart *hart = hart_self();
    uint32_t bits = __atomic_exchange_n(&hart->ipi, 0, __ATOMIC_SEQ_CST);
    if ((bits & IPI_HALT) != 0) {
        hart_halt();
    }
    sched_request();
}

/* The harts that may have a use for a thread on some queue. */
static uint64_t wanted_anywhere(void)
{
    uint64_t wanted_by = 0;
    for (unsigned i = 0; i < hart_count; i++) {
        wanted_by |= __atomic_load_n(&harts[i].queue.wanted_by, __ATOMIC_SEQ_CST);
    }
    return wanted_by;
}

/* Waits until there is a thread to run. */
static __attribute__((noinline)) struct thread *wait_for_thread(struct hart *hart)
{
    vmspace_activate(NULL);
    __atomic_store_n(&hart->slice_end, FTL_TIME_INFINITE, __ATOMIC_RELAXED);
    __atomic_store_n(&hart->idle_time, ~(hart->run_start - hart->idle_time), __ATOMIC_RELAXED);
    __atomic_fetch_or(&idle, hart->bit, __ATOMIC_SEQ_CST);
    struct thread *thread = take_next(hart);
    while (thread == NULL) {
        spin_assert_none_held(); /* an interrupt takes any */
        hart_wait_for_interrupt();
        thread = take_next(hart);
    }
    __atomic_fetch_and(&idle, ~hart->bit, __ATOMIC_SEQ_CST);
    /* who enqueued may have woken this hart, which has one now */
    wake_idle_hart(wanted_anywhere());
    nsec_t now = time_now();
    __atomic_store_n(&hart->idle_time, hart_idle_time(hart, now), __ATOMIC_RELAXED);
    __atomic_store_n(&hart->run_start, now, __ATOMIC_RELAXED);
    return thread;
}

/* The thread's FP registers are saved. */
static inline void stop_current(struct hart *hart, struct thread *thread)
{
    nsec_t now = time_now();
    hart->arch.context = NULL;
    /* In this order, for thread_cpu_time(). */
    __atomic_store_n(&hart->current, NULL, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->cpu_time, thread->cpu_time + (now - hart->run_start),
                     __ATOMIC_RELEASE);
    __atomic_store_n(&hart->run_start, now, __ATOMIC_RELEASE);
}

void sched_stop_current(void)
{
    struct hart *hart = hart_self();
    context_save_fpu(&hart->current->context);
    stop_current(hart, hart->current);
}

/*
 * The hart notes the priority with which its thread runs; a change from now on is one to come, and
 * sched_update() will find the thread here. Returns it.
 */
static uint8_t note_priority(struct hart *hart, struct thread *thread)
{
    __atomic_store_n(&thread->priority_changed, 0, __ATOMIC_RELAXED);
    memory_barrier();
    uint8_t priority = __atomic_load_n(&thread->priority, __ATOMIC_RELAXED);
    __atomic_store_n(&hart->priority, priority, __ATOMIC_RELAXED);
    hart->arch.priority = priority;
    hart->arch.plain_priority = thread->uses_fpu != 0 ? NOT_PLAIN : priority;
    return priority;
}

void sched_switched(void)
{
    struct hart *hart = hart_self();
    struct thread *thread = hart->current;
    uint8_t before = hart->priority;
    __atomic_store_n(&thread->hart, hart->arch.index, __ATOMIC_RELAXED);
    /* note_priority() has a barrier: who kills it from now on interrupts this hart. */
    if (note_priority(hart, thread) != before) {
        sched_request();
    }
    if (thread->tables == NULL && hart->arch.vmspace != NULL) {
        vmspace_activate(NULL); /* which is what the fast path enters: it has to have an id */
    }
    vmspace_activate(thread->process->vmspace);
    context_activate(&thread->context);
}

/* Whether the hart may run the thread with the page tables that it has loaded. */
static inline bool has_tables(const struct hart *hart, const struct thread *thread)
{
    return (thread->tables != NULL && hart->arch.vmspace == thread->tables) ||
           vmspace_is_active(thread->process->vmspace);
}

/*
 * Makes a thread that is on no queue the current one of a hart that runs nothing, within a new time
 * slice or in the same one as the thread before. Returns whether that is all there is to do before
 * it returns to its process; if not, finish_start() comes first.
 */
static inline __attribute__((always_inline)) bool start(struct hart *hart, struct thread *thread,
                                                        bool same_slice)
{
    uint8_t queue_priority = thread->queue_priority;
    nsec_t slice_end = same_slice ? hart->slice_end : FTL_TIME_INFINITE;
    __atomic_store_n(&hart->slice_end, slice_end, __ATOMIC_RELAXED);
    hart->arch.resched = false;
    thread->state = THREAD_RUNNING;
    __atomic_store_n(&hart->current, thread, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->hart, hart->arch.index, __ATOMIC_RELAXED);
    /*
     * sched_update() and thread_kill() find it here, or what they did is seen from here on; who
     * puts a rival on the queue finds that there is no slice, or the rival is seen.
     */
    uint8_t priority = note_priority(hart, thread);
    if (unlikely(priority < queue_priority) || unlikely(!may_run_on(thread, hart))) {
        sched_request();
    }
    hart->switches++;
    hart->arch.context = &thread->context;
    if (slice_end == FTL_TIME_INFINITE && has_rival(hart, priority)) {
        slice_end = hart->run_start + TIME_SLICE;
        __atomic_store_n(&hart->slice_end, slice_end, __ATOMIC_RELAXED);
    }
    return likely(has_tables(hart, thread)) && likely(thread->context.fpu == NULL) &&
           likely(slice_end >= hart->timer_armed) && likely(thread->wait.resume == NULL) &&
           likely(__atomic_load_n(&thread->kill, __ATOMIC_RELAXED) == 0) &&
           likely(!hart->arch.resched);
}

static void finish_start(struct hart *hart)
{
    struct thread *thread = hart->current;
    vmspace_activate(thread->process->vmspace);
    context_activate(&thread->context);
    arm_timer(hart, hart->slice_end);
}

/* Takes back that a thread is to have this hart next: it goes to a queue. */
static __attribute__((noinline)) void decline_handed(struct hart *hart)
{
    struct thread *thread = hart->handed;
    hart->handed = NULL;
    sched_enqueue(thread);
}

/* The thread that was handed this hart, which runs nothing; NULL when another goes first. */
static struct thread *take_handed(struct hart *hart)
{
    struct thread *thread = hart->handed;
    uint8_t priority = __atomic_load_n(&thread->priority, __ATOMIC_RELAXED);
    uint32_t present = __atomic_load_n(&hart->queue.present, __ATOMIC_RELAXED);
    if (present >> priority > 1 || !may_run_on(thread, hart)) {
        decline_handed(hart);
        return NULL;
    }
    hart->handed = NULL;
    thread->queue_priority = priority; /* as if it had been on the queue for a moment */
    return thread;
}

/* What to run on a hart that runs nothing. */
static struct thread *choose_thread(struct hart *hart)
{
    struct thread *thread = hart->handed == NULL ? NULL : take_handed(hart);
    if (thread == NULL) {
        thread = take_next(hart);
    }
    return thread != NULL ? thread : wait_for_thread(hart);
}

/* Puts a thread that ran here at the end of this hart's queue, or of one that it may run on. */
static void put_here(struct hart *hart, struct thread *thread)
{
    uint8_t priority;
    if (!put_on_queue(hart, thread, &priority)) {
        sched_enqueue(thread);
    }
}

/* Puts the current thread at the end of the other hart's queue, or of one that it may run on. */
static void put_back(struct hart *hart, struct hart *other)
{
    struct thread *thread = hart->current;
    context_save_fpu(&thread->context);
    stop_current(hart, thread);
    thread->state = THREAD_READY;
    if (other == hart) {
        put_here(hart, thread);
    } else {
        __atomic_store_n(&thread->hart, other->arch.index, __ATOMIC_RELAXED);
        sched_enqueue(thread);
    }
}

/*
 * Where a thread should wait whose slice is over, or which one of greater priority displaces (that
 * may happen before any slice is over, again and again): where the fewest do, if that are two fewer
 * than here, so that threads of all harts come to have the same share, and do not move for less.
 */
static struct hart *least_busy(struct hart *hart, const struct thread *thread)
{
    struct hart *best = hart;
    uint32_t fewest = __atomic_load_n(&hart->queue.length, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < hart_count; i++) {
        struct hart *other = &harts[i];
        uint32_t length = __atomic_load_n(&other->queue.length, __ATOMIC_RELAXED);
        bool usable = __atomic_load_n(&other->online, __ATOMIC_RELAXED);
        if (usable && may_run_on(thread, other) && length + (best == hart) < fewest) {
            best = other;
            fewest = length;
        }
    }
    return best;
}

/* Puts the current thread back on a queue when one that waits here should go first. */
static __attribute__((noinline)) void reconsider(struct hart *hart)
{
    struct thread *current = hart->current;
    uint8_t priority = note_priority(hart, current);
    uint32_t rivals = __atomic_load_n(&hart->queue.present, __ATOMIC_RELAXED) >> priority;
    nsec_t slice_end = hart->slice_end;
    if (!may_run_on(current, hart)) {
        put_back(hart, hart);
    } else if (rivals > 1 || (rivals == 1 && slice_end <= time_now())) {
        put_back(hart, least_busy(hart, current));
    } else if (rivals == 0 || slice_end == FTL_TIME_INFINITE) {
        start_slice(hart);
    }
    uint64_t wanted_by = __atomic_load_n(&hart->queue.wanted_by, __ATOMIC_RELAXED);
    if (wanted_by != 0) {
        memory_barrier();
        wake_idle_hart(wanted_by);
    }
}

static __attribute__((noinline)) void start_any(struct hart *hart)
{
    start(hart, choose_thread(hart), false);
    finish_start(hart);
}

/*
 * Stops the current thread in its call, which it prepared to: see call_finish(). Its FP registers
 * are saved. False: it goes on, as it was notified already, or will on whatever hart, as it was at
 * the last moment.
 */
static inline bool stop_in_call(struct hart *hart, struct thread *thread)
{
    if (unlikely(__atomic_load_n(&thread->wait.state, __ATOMIC_ACQUIRE) == WAIT_NOTIFIED)) {
        return false;
    }
    stop_current(hart, thread);
    thread->state = THREAD_STOPPED;
    /* From here on it may run elsewhere, or be gone. */
    return likely(__atomic_exchange_n(&thread->wait.state, WAIT_ARMED, __ATOMIC_SEQ_CST) !=
                  WAIT_NOTIFIED);
}

/*
 * After stop_in_call() has said that the thread goes on: wakes it if it was stopped all the same,
 * by its hart alone, since who notified it saw that it was not.
 */
static void resume_in_call(struct hart *hart, struct thread *thread)
{
    if (hart->current == NULL) {
        thread_notify(thread);
    }
}

/* Goes on with the call in which the current thread stopped; it may stop again. */
static __attribute__((noinline)) void go_on_with_call(struct hart *hart)
{
    struct thread *thread = hart->current;
    struct call_result result = thread_finish_wait(thread);
    if (result.status == CALL_STOPPED) {
        context_save_fpu(&thread->context);
        if (!stop_in_call(hart, thread)) {
            resume_in_call(hart, thread);
        }
    } else {
        context_set_result(&thread->context, result.status, result.value);
    }
}

static __attribute__((noinline)) void end_current(struct hart *hart)
{
    thread_leave(hart->current);
    __atomic_store_n(&hart->run_start, time_now(), __ATOMIC_RELAXED);
}

/*
 * What there is to do before the current thread, if there is one, returns to its process, one thing
 * at a time. False: nothing is left.
 */
static inline bool has_to_do(struct hart *hart)
{
    struct thread *thread = hart->current;
    if (thread == NULL) {
        start_any(hart);
    } else if (unlikely(__atomic_load_n(&thread->kill, __ATOMIC_RELAXED) != 0)) {
        end_current(hart);
    } else if (thread->wait.resume != NULL) {
        go_on_with_call(hart);
    } else if (unlikely(hart->handed != NULL)) {
        decline_handed(hart); /* the current thread goes on */
    } else if (hart->arch.resched) {
        hart->arch.resched = false;
        reconsider(hart);
    } else {
        return false;
    }
    return true;
}

struct context *sched_resume(void)
{
    struct hart *hart = hart_self();
    while (has_to_do(hart)) {
    }
    spin_assert_none_held();
    return &hart->current->context;
}

/*
 * The ends of calls after which another thread is next. The usual way through each is one function
 * that calls none, so that it stores few registers; what is rare is left to these.
 */
static __attribute__((noinline)) struct context *finish_start_and_resume(struct hart *hart)
{
    finish_start(hart);
    return sched_resume();
}

static __attribute__((noinline)) struct context *resume_in_call_and_resume(struct hart *hart,
                                                                           struct thread *thread)
{
    resume_in_call(hart, thread);
    return sched_resume();
}

static __attribute__((noinline)) struct context *put_here_and_resume(struct hart *hart,
                                                                     struct thread *thread)
{
    put_here(hart, thread);
    return sched_resume();
}

/* Goes on with a thread that was at hand. In a function of its own, which needs no frame. */
static __attribute__((noinline)) struct context *go_on_with(struct hart *hart,
                                                            struct thread *thread, bool same_slice)
{
    if (unlikely(!start(hart, thread, same_slice))) {
        return finish_start_and_resume(hart);
    }
    spin_assert_none_held();
    return &thread->context;
}

static __attribute__((noinline)) struct context *go_on_with_and_wake(struct hart *hart,
                                                                     struct thread *thread)
{
    wake_idle_hart(__atomic_load_n(&hart->queue.wanted_by, __ATOMIC_RELAXED));
    return go_on_with(hart, thread, false);
}

/* Goes on with the thread that was handed this hart. */
static __attribute__((noinline)) struct context *go_on_with_handed(struct hart *hart)
{
    struct thread *next = take_handed(hart);
    if (unlikely(next == NULL)) {
        return sched_resume();
    }
    return go_on_with(hart, next, next->queue_priority == hart->priority);
}

/* The current thread stops in its call. */
static __attribute__((noinline)) struct context *finish_stopped(struct hart *hart)
{
    struct thread *thread = hart->current;
    if (unlikely(!stop_in_call(hart, thread))) {
        return resume_in_call_and_resume(hart, thread);
    }
    if (hart->handed != NULL) {
        return go_on_with_handed(hart);
    }
    struct thread *next = take_from(hart, hart);
    return likely(next != NULL) ? go_on_with(hart, next, false) : sched_resume();
}

/*
 * The current thread goes to the end of its priority's list on this hart, and the first there that
 * may run here off it: neither list nor queue becomes empty. NULL: it is not so simple, and the
 * thread, which is current no more, on no queue.
 */
static inline struct thread *rotate(struct hart *hart, struct thread *thread)
{
    struct run_queue *queue = &hart->queue;
    struct thread *next = NULL;
    spin_lock(&queue->lock);
    __atomic_store_n(&thread->queue, (uint8_t)hart->arch.index, __ATOMIC_RELAXED);
    memory_barrier(); /* see put_on_queue() */
    uint8_t priority = __atomic_load_n(&thread->priority, __ATOMIC_RELAXED);
    uint64_t affinity = affinity_of(thread);
    struct list *ready = &queue->ready[priority];
    struct thread *first = LIST_ENTRY(ready->next, struct thread, queue_link);
    if (likely(queue->present >> priority == 1) && likely((affinity & hart->bit) != 0) &&
        likely(may_run_on(first, hart))) {
        next = first;
        list_unlink(&next->queue_link);
        __atomic_store_n(&next->queue, NO_QUEUE, __ATOMIC_RELAXED);
        thread->queue_priority = priority;
        list_push_back(ready, &thread->queue_link);
        __atomic_store_n(&queue->wanted_by, queue->wanted_by | affinity, __ATOMIC_RELAXED);
    } else {
        __atomic_store_n(&thread->queue, NO_QUEUE, __ATOMIC_RELAXED);
    }
    spin_unlock(&queue->lock);
    return next;
}

/* The current thread, whose call is over, lets those go first that wait here. */
static __attribute__((noinline)) struct context *finish_gave_way(struct hart *hart)
{
    struct thread *thread = hart->current;
    context_set_result(&thread->context, FTL_OK, 0);
    stop_current(hart, thread);
    thread->state = THREAD_READY;
    struct thread *next = rotate(hart, thread);
    if (unlikely(next == NULL)) {
        return put_here_and_resume(hart, thread);
    }
    memory_barrier();
    if (unlikely(idle_others(hart, hart->queue.wanted_by) != 0)) {
        return go_on_with_and_wake(hart, next);
    }
    return go_on_with(hart, next, false);
}

/* The end of a call, with its thread's FP registers saved if it may leave the hart. */
static inline struct context *finish(struct hart *hart, struct call_result result)
{
    if (likely(result.status == CALL_STOPPED)) {
        return finish_stopped(hart);
    }
    if (result.status == CALL_GAVE_WAY) {
        return finish_gave_way(hart);
    }
    context_set_result(&hart->current->context, result.status, result.value);
    return sched_resume();
}

static __attribute__((noinline)) struct context *save_fpu_and_finish(struct call_result result)
{
    struct hart *hart = hart_self();
    context_store_fpu(&hart->current->context);
    return finish(hart, result);
}

struct context *call_finish(struct call_result result)
{
    struct hart *hart = hart_self();
    if (unlikely(hart->current->context.fpu != NULL)) {
        return save_fpu_and_finish(result);
    }
    return finish(hart, result);
}
